//! The real program over a server of a private authority: what it says of authorities at its start, and that it uses a
//! file that is mended while it runs.

use std::{fs, sync::Arc};

use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::support::{OPEN_METRICS, Program, eventually, pki::Authority, scrape};

/// A server that answers every request with no rows.
async fn serve(authority: &Authority) -> String {
    let issued = authority.server();
    let certs = vec![CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            let _ = stream.write_all(reply).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://127.0.0.1:{port}")
}

#[tokio::test]
async fn start_warns_and_a_mended_file_is_used() {
    let authority = Authority::new("private");
    let server = serve(&authority).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("key"), "s3cret").unwrap();
    fs::write(at("own.pem"), "").unwrap();
    let account = |name: &str, more: &str| {
        format!(
            "  {name}: {{provider: otc, base_url: '{server}', api_key_file: {}, interval: 1s{more}}}\n",
            at("key")
        )
    };
    let own = format!(", ca_file: {}", at("own.pem"));
    let yaml = format!("accounts:\n{}{}", account("all", ""), account("own", &own));
    fs::write(at("cloudspend.yml"), yaml).unwrap();
    let (file, all) = (
        format!("--config.file={}", at("cloudspend.yml")),
        at("all.pem"),
    );
    let environment = [("SSL_CERT_FILE", all.as_str())];

    let ended = Program::exporter_in(&environment, &["check-config", &file])
        .end()
        .await;
    assert_eq!(ended.status.code(), Some(3), "{}", ended.stderr);
    let missing = format!("SSL_CERT_FILE: cannot read the authorities in {all}: No such file");
    let empty = format!(
        "accounts.own.ca_file: {} holds no certificate",
        at("own.pem")
    );
    for want in [&missing, &empty] {
        assert!(ended.stderr.contains(want), "{want}\n{}", ended.stderr);
    }

    let mut program =
        Program::exporter_in(&environment, &[&file, "--web.listen-address=127.0.0.1:0"]);
    let address = program.says("address=").await;
    let log = program.log();
    for want in [&missing, &empty] {
        assert!(log.contains(want), "{want}\n{log}");
    }
    let metrics = format!("http://{address}/metrics");
    let shows = async |what: &str, values: [f64; 2]| {
        eventually(what, async || {
            let shown = scrape(&metrics, OPEN_METRICS).await?;
            let all = ["all", "own"].iter().all(|account| {
                let of = |family| {
                    shown
                        .samples(family)
                        .find(|sample| sample.label("account") == *account)
                };
                let polls = of("cloudspend_polls_total").map(|sample| sample.value > 0.0);
                let success = of("cloudspend_poll_success").map(|sample| sample.value);
                polls == Some(values[0] > 0.0) && success == Some(values[1])
            });
            if all {
                Ok(())
            } else {
                Err("not yet".to_owned())
            }
        })
        .await;
    };
    shows("both accounts fail", [1.0, 0.0]).await;
    // Renamed into its place, as a tool for certificates does.
    for name in ["all.pem", "own.pem"] {
        fs::write(at("new.pem"), &authority.pem).unwrap();
        fs::rename(at("new.pem"), at(name)).unwrap();
    }
    shows("both accounts succeed", [1.0, 1.0]).await;
}
