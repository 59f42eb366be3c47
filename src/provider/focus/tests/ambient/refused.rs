//! A credential that the store refuses before it expires is replaced.

use super::{super::server::Fault, *};

#[tokio::test]
async fn refused_credential_is_replaced_by_the_next_poll() {
    for kind in KINDS {
        let world = World::new().await;
        let account = world.ambient(kind);
        poll(&*account, &Deliveries::default()).await.unwrap();
        let once = world.service.lines().len();
        let refuse = || {
            let fault = Fault::Refuse(403, "ExpiredToken");
            world.store.fault("list-type=2", 1, fault);
        };
        refuse();
        let refused = error(&*account).await;
        assert!(refused.starts_with("unauthorized: "), "{refused}");
        assert_eq!(world.service.lines().len(), once, "{kind:?}");

        let next = kind.credential("ASIAEXAMPLE000000002", 3600);
        world.answer(kind.last_request(), 200, next);
        world.store.state().headers.clear();
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.service.lines().len(), 2 * once, "{kind:?}");
        for headers in &world.store.state().headers {
            let token = &headers["x-amz-security-token"];
            assert_eq!(token, "session-of-ASIAEXAMPLE000000002");
        }

        // Where the new one is refused as well, the service is not asked again at once.
        refuse();
        error(&*account).await;
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.service.lines().len(), 2 * once, "{kind:?}");
        world.pass(31);
        refuse();
        error(&*account).await;
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.service.lines().len(), 3 * once, "{kind:?}");
    }
}

#[tokio::test]
async fn missing_permission_keeps_the_credential() {
    let world = World::new().await;
    let account = world.ambient(Kind::Container);
    let fault = Fault::Refuse(403, "AccessDenied");
    world.store.fault("list-type=2", 1, fault);
    let refused = error(&*account).await;
    assert!(refused.starts_with("forbidden: "), "{refused}");
    poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(world.service.lines().len(), 1);
}
