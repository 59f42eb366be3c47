//! What becomes of connections when the server shuts down.

use super::*;

#[tokio::test]
async fn shutdown_completes_running_responses() {
    let server = Server::plain(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(request("/slow").as_bytes()).await.unwrap();
    let mut idle = server.connect().await;
    exchange(&mut idle, "/").await;
    server.stop.send(true).unwrap();
    // The idle one is closed at once.
    assert_eq!(until_closed(&mut idle).await, b"");
    assert!(!server.task.is_finished());
    server.go.notify_one();
    let response = read_response(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    soon(server.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn unread_response_does_not_block_the_shutdown() {
    let server = Server::plain(Limits {
        shutdown: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(request("/large").as_bytes())
        .await
        .unwrap();
    let mut first = [0; 16];
    stream.read_exact(&mut first).await.unwrap();
    server.end().await;
}
