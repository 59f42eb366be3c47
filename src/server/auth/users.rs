//! Users and their passwords: bcrypt off the async threads, at most a few at once, remembered without the password.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{hmac, rand::SystemRandom};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};
use tokio::sync::Semaphore;

/// How many hashes are computed at once; each takes a core for some 0.1 s.
const MAX_CONCURRENT: usize = 2;
/// How many requests may wait for a hash; further ones get a 503.
const MAX_WAITING: usize = 32;
/// Maximum number of remembered logins. bcrypt compares only the first 72 bytes, so one user has many valid passwords.
const MAX_REMEMBERED: usize = 256;

/// The users of the web configuration.
pub(super) struct Users {
    hashes: Arc<BTreeMap<String, String>>,
    /// The hash that is checked where the user is unknown, so that the response takes as long: the one of the highest cost.
    decoy: String,
    remembered: Mutex<HashSet<Proof>>,
    /// Differs from process to process, so that the memory reveals nothing about a password.
    key: hmac::Key,
    places: Arc<Semaphore>,
    waiting: Semaphore,
    #[cfg(test)]
    computed: std::sync::atomic::AtomicUsize,
}

/// A keyed hash of user and password of a successful login.
type Proof = [u8; 32];

/// The result of checking a request's credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is a user's.
    Known,
    /// It is missing or wrong.
    Refused,
    /// It was not checked: too many others are being checked.
    Busy,
}

impl Users {
    /// `None` where there are no users. The hashes were checked.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Option<Self> {
        let decoy = hashes.values().max_by_key(|hash| cost(hash))?.clone();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .expect("the system provides random numbers");
        Some(Self {
            hashes: Arc::new(hashes),
            decoy,
            remembered: Mutex::default(),
            key,
            places: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            waiting: Semaphore::new(MAX_WAITING),
            #[cfg(test)]
            computed: std::sync::atomic::AtomicUsize::new(0),
        })
    }

    /// Whether a request comes from one of them.
    pub(super) async fn admit(&self, headers: &HeaderMap) -> Verdict {
        let Some((name, password)) = credential(headers) else {
            return Verdict::Refused;
        };
        let proof = self.proof(&name, &password);
        if self.remembered().contains(&proof) {
            return Verdict::Known;
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Verdict::Busy;
        };
        let (hash, known) = match self.hashes.get(&name) {
            Some(hash) => (hash.clone(), true),
            None => (self.decoy.clone(), false),
        };
        let right = self.compare(password, hash).await;
        if !(known && right) {
            return Verdict::Refused;
        }
        let mut remembered = self.remembered();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(proof);
        Verdict::Known
    }

    async fn compare(&self, password: String, hash: String) -> bool {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        #[cfg(test)]
        self.computed
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let comparing = tokio::task::spawn_blocking(move || {
            // The place is held until the end, even if the client has gone.
            let _place = place;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        comparing.await.unwrap_or(false)
    }

    fn proof(&self, name: &str, password: &str) -> Proof {
        let mut context = hmac::Context::with_key(&self.key);
        // The length keeps "a" with "bc" apart from "ab" with "c".
        context.update(&name.len().to_be_bytes());
        context.update(name.as_bytes());
        context.update(password.as_bytes());
        let tag = context.sign();
        tag.as_ref()
            .try_into()
            .expect("SHA-256 has as many bytes as a proof")
    }

    fn remembered(&self) -> MutexGuard<'_, HashSet<Proof>> {
        self.remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(hash: &str) -> u32 {
    hash.parse()
        .map_or(0, |parts: bcrypt::HashParts| parts.get_cost())
}

/// The user and the password of a request.
fn credential(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    fn users() -> Users {
        let hash = |password: &str, cost| bcrypt::hash(password, cost).unwrap();
        let hashes = [
            ("alice", hash("secret of alice", 4)),
            ("bob", hash("bob's: secret", 5)),
        ];
        let hashes = hashes.map(|(name, hash)| (name.to_owned(), hash));
        Users::new(BTreeMap::from(hashes)).unwrap()
    }

    fn basic(credential: &str) -> HeaderMap {
        let value = format!("Basic {}", BASE64_STANDARD.encode(credential));
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
    }

    impl Users {
        fn computed(&self) -> usize {
            self.computed.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn only_known_credentials_skip_the_hash() {
        let users = users();
        for (credential, want, computed) in [
            ("alice:secret of alice", Verdict::Known, 1),
            ("alice:secret of alice", Verdict::Known, 1),
            ("alice:wrong", Verdict::Refused, 2),
            ("alice:wrong", Verdict::Refused, 3),
            ("nobody:wrong", Verdict::Refused, 4),
            ("nobody:wrong", Verdict::Refused, 5),
            ("bob:bob's: secret", Verdict::Known, 6),
            ("bob:bob's: secret", Verdict::Known, 6),
            // What is remembered belongs to one user, and to that division of name and password.
            ("bob:secret of alice", Verdict::Refused, 7),
            (":secret of alice", Verdict::Refused, 8),
            ("alice:", Verdict::Refused, 9),
            ("al:icesecret of alice", Verdict::Refused, 10),
        ] {
            assert_eq!(users.admit(&basic(credential)).await, want, "{credential}");
            assert_eq!(users.computed(), computed, "{credential}");
        }
    }

    #[tokio::test]
    async fn unknown_user_takes_as_long_as_the_slowest_hash() {
        let users = users();
        assert_eq!(users.decoy, users.hashes["bob"]);
        // Even with the password of the hash that is compared with.
        let verdict = users.admit(&basic("nobody:bob's: secret")).await;
        assert_eq!(verdict, Verdict::Refused);
        assert_eq!(users.computed(), 1);
    }

    #[tokio::test]
    async fn malformed_credential_is_refused_without_a_hash() {
        let users = users();
        for value in [
            "",
            "Basic",
            "Basic ",
            "Basic !!!",
            "Basic YWxpY2U=",
            "Basic /////w==",
            "Bearer YWxpY2U6c2VjcmV0IG9mIGFsaWNl",
        ] {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            assert_eq!(users.admit(&headers).await, Verdict::Refused, "{value}");
        }
        assert_eq!(users.admit(&HeaderMap::new()).await, Verdict::Refused);
        assert_eq!(users.computed(), 0);
        let mut lower = basic("alice:secret of alice");
        let value = lower[header::AUTHORIZATION].to_str().unwrap();
        let value = value.replacen("Basic", "basic", 1).parse().unwrap();
        lower.insert(header::AUTHORIZATION, value);
        assert_eq!(users.admit(&lower).await, Verdict::Known);
    }

    #[tokio::test]
    async fn remembered_logins_are_bounded() {
        let users = users();
        // bcrypt looks at 72 bytes, so that these are all right.
        let long = "x".repeat(72);
        let hash = bcrypt::hash(&long, 4).unwrap();
        let users = Users {
            hashes: Arc::new(BTreeMap::from([("carol".to_owned(), hash)])),
            ..users
        };
        for number in 0..=MAX_REMEMBERED {
            let credential = basic(&format!("carol:{long}{number}"));
            assert_eq!(users.admit(&credential).await, Verdict::Known);
            assert!(users.remembered().len() <= MAX_REMEMBERED);
        }
        assert_eq!(users.remembered().len(), 1);
    }

    #[tokio::test]
    async fn too_many_waiting_logins_are_busy() {
        let users = users();
        let all = u32::try_from(MAX_WAITING).unwrap();
        let waiting = users.waiting.acquire_many(all).await.unwrap();
        let credential = basic("alice:secret of alice");
        assert_eq!(users.admit(&credential).await, Verdict::Busy);
        drop(waiting);
        assert_eq!(users.admit(&credential).await, Verdict::Known);
        // Who is remembered waits for nobody.
        let _waiting = users.waiting.acquire_many(all).await.unwrap();
        assert_eq!(users.admit(&credential).await, Verdict::Known);
    }
}
