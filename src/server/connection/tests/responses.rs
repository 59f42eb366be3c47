//! Limits of responses: time to be read, and memory.

use super::*;

#[tokio::test]
async fn unread_response_is_cut() {
    let response = Limits {
        response: SOON,
        ..limits()
    };
    let mut server = Server::plain(response).await;
    let mut stream = server.connect().await;
    stream
        .write_all(request("/large").as_bytes())
        .await
        .unwrap();
    soon(server.over.recv()).await.unwrap();
    assert!(until_closed(&mut stream).await.len() < LARGE);
    server.end().await;
}

#[tokio::test]
async fn slowly_read_response_is_cut() {
    let mut server = Server::plain(Limits {
        response: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(request("/large").as_bytes())
        .await
        .unwrap();
    let mut sips = interval(SOON / 20);
    let mut sip = vec![0; 16 << 10];
    let sipping = async {
        loop {
            sips.tick().await;
            if !matches!(stream.read(&mut sip).await, Ok(1..)) {
                break;
            }
        }
    };
    tokio::select! {
        over = soon(server.over.recv()) => over.unwrap(),
        () = sipping => panic!("it was closed before the response was over"),
    }
    server.end().await;
}

#[tokio::test]
async fn unread_small_responses_are_cut() {
    // More than the system's buffers hold, in requests whose responses hyper has taken over whole.
    let server = Server::plain(Limits {
        connections: 2,
        response: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    let requesting = async {
        let many = request("/").repeat(1000);
        while stream.write_all(many.as_bytes()).await.is_ok() {}
    };
    soon(requesting).await;
    server.end().await;
}

#[tokio::test]
async fn unread_http2_response_is_cut() {
    let mut server = Server::tls(Limits {
        response: SOON,
        ..limits()
    })
    .await;
    let (folder, _) = server.certificates.as_ref().unwrap();
    let root = fs::read(folder.path().join("cert.pem")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the server is asked by a client")]
    let client = reqwest::Client::builder();
    let client = client
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://localhost:{}", server.address.port());
    let response = soon(client.get(format!("{url}/large")).send())
        .await
        .unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    // The window of the stream is full, while the connection itself moves. Once it is cut, only what came before is there.
    soon(server.over.recv()).await.unwrap();
    let mut response = response;
    let mut read = 0;
    while let Ok(Some(piece)) = soon(response.chunk()).await {
        read += piece.len();
    }
    assert!(read < LARGE);
    // A new connection is served as the first was.
    let small = soon(client.get(&url).send()).await.unwrap();
    assert_eq!(small.version(), http::Version::HTTP_2);
    assert_eq!(small.text().await.unwrap(), "well");
    server.end().await;
}

/// What this process holds in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn clients_that_do_not_read_share_the_body() {
    const READERS: usize = 32;
    for encrypted in [false, true] {
        let server = if encrypted {
            Server::tls(limits()).await
        } else {
            Server::plain(limits()).await
        };
        let before = resident();
        let mut plain = Vec::new();
        let mut tls = Vec::new();
        let mut first = [0; 16];
        for _ in 0..READERS {
            let large = request("/large");
            if encrypted {
                let mut stream = server.connect_tls("http/1.1").await;
                stream.write_all(large.as_bytes()).await.unwrap();
                soon(stream.read_exact(&mut first)).await.unwrap();
                tls.push(stream);
            } else {
                let mut stream = server.connect().await;
                stream.write_all(large.as_bytes()).await.unwrap();
                soon(stream.read_exact(&mut first)).await.unwrap();
                plain.push(stream);
            }
            assert!(first.starts_with(b"HTTP/1.1 200 OK"));
        }
        let grown = resident().saturating_sub(before);
        // Copies of the body would be 1 GiB; other tests of this process take some memory, too.
        assert!(grown < READERS * LARGE / 4, "{grown} bytes");
        drop((plain, tls));
        server.end().await;
    }
}
