//! A web server that sends responses byte for byte as a test writes them, one a connection, over TCP or TLS.

use std::{
    fmt::Write,
    sync::{Arc, Mutex},
};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

type Script = Box<dyn FnMut(&str) -> Vec<u8> + Send>;

/// The server.
pub(super) struct Web {
    /// Scheme and authority.
    pub(super) url: String,
    script: Arc<Mutex<Script>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
    pub(super) async fn start() -> Self {
        Self::listen(None).await
    }

    /// With a certificate and its key in PEM.
    pub(super) async fn start_tls(certificate: &str, key: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        Self::listen(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let script: Script = Box::new(|_| response("404 Not Found", &[], b""));
        let script = Arc::new(Mutex::new(script));
        let heads = Arc::default();
        let shared = (Arc::clone(&script), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, (script, heads)) = (tls.clone(), shared.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &script, &heads).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &script, &heads).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            url: format!("{scheme}://{address}"),
            script,
            heads,
        }
    }

    /// Responds by the head of the request from here on.
    pub(super) fn says(&self, script: impl FnMut(&str) -> Vec<u8> + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// Sends this response from here on.
    pub(super) fn sends(&self, response: Vec<u8>) {
        self.says(move |_| response.clone());
    }

    /// The heads of the requests since they were taken last, in lower case.
    pub(super) fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut self.heads.lock().unwrap())
    }

    /// Their first lines.
    pub(super) fn take_lines(&self) -> Vec<String> {
        let heads = self.take_heads().into_iter();
        heads
            .map(|head| head.lines().next().unwrap_or_default().to_owned())
            .collect()
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: &Mutex<Script>,
    heads: &Mutex<Vec<String>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    heads.lock().unwrap().push(head.clone());
    let response = script.lock().unwrap()(&head);
    // A client that needs no more of the response is gone.
    let _ = stream.write_all(&response).await;
    let _ = stream.shutdown().await;
}

fn head(status: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A response with its length.
pub(super) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    let headers = [headers, &[("Content-Length", length.as_str())]].concat();
    [head(status, &headers), body.to_vec()].concat()
}

/// A response in chunks, which ends with the last of them.
pub(super) fn chunked(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers = [headers, &[("Transfer-Encoding", "chunked")]].concat();
    let mut response = head("200 OK", &headers);
    for piece in body.chunks(100) {
        response.extend(format!("{:x}\r\n", piece.len()).bytes());
        response.extend(piece);
        response.extend(b"\r\n");
    }
    response.extend(b"0\r\n\r\n");
    response
}

/// A response that ends with the connection.
pub(super) fn bare(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    [head("200 OK", headers), body.to_vec()].concat()
}
