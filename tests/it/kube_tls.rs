//! The API server's certificate is checked against the authority that the configuration names, and the
//! tokens of both identities are sent only after that.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use belay::adapters::kube::{Access, ConnectError, KubeReads, connect};
use belay::domain::ids::Cluster;
use belay::domain::target::{Kind, Named};
use belay::ports::clock::SystemClock;
use belay::ports::reads::{ReadError, Reads as _};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// Answers requests as an API server that knows no such object. Gives the heads of those that arrived.
fn serve() -> (String, Receiver<String>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let chain = vec![CertificateDer::from_pem_file(data("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(data("server.key")).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let (heads, arrived) = mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let Some(head) = answer(StreamOwned::new(tls, socket.unwrap())) else { continue };
            if heads.send(head).is_err() {
                return;
            }
        }
    });
    (url, arrived)
}

fn answer(mut tls: StreamOwned<ServerConnection, TcpStream>) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0_u8]);
    while !head.ends_with(b"\r\n\r\n") {
        tls.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}"#;
    let size = body.len();
    let said = format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    tls.write_all(said.as_bytes()).ok()?;
    tls.flush().ok()?;
    String::from_utf8(head).ok()
}

async fn look(access: &Access) -> ReadError {
    let cluster = Cluster::new("eu-1");
    let reads = KubeReads::new(connect(access).await.unwrap(), cluster.clone(), Arc::new(SystemClock));
    let pod = Named { cluster, kind: Kind::Pod, namespace: "shop".into(), name: "web".into() };
    reads.locate(&pod).await.unwrap_err()
}

#[tokio::test]
async fn the_authority_of_the_configuration_is_the_one_that_counts() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "t0ken\n").unwrap();
    let (url, arrived) = serve();
    let said = look(&Access::Url { url, ca_file: Some(data("ca.crt")), token_file: Some(token) }).await;
    assert!(matches!(said, ReadError::NotFound { .. }), "{said}");
    let head = arrived.recv().unwrap().to_lowercase();
    assert!(head.contains("authorization: bearer t0ken\r\n"), "{head}");
    assert!(head.contains(concat!("user-agent: belay/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_token() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "t0ken").unwrap();
    let (url, arrived) = serve();
    let access = Access::Url { url, ca_file: Some(data("other-ca.crt")), token_file: Some(token) };
    let said = look(&access).await;
    assert!(said.to_string().contains("certificate"), "{said}");
    assert!(arrived.try_recv().is_err(), "it was sent a request");
}

#[tokio::test]
async fn an_authority_that_is_none_is_said_at_once() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("ca.crt");
    std::fs::write(&empty, "no certificate").unwrap();
    for path in [empty, dir.path().join("missing.crt")] {
        let access =
            Access::Url { url: "https://127.0.0.1:1".into(), ca_file: Some(path.clone()), token_file: None };
        let Err(error) = connect(&access).await else { panic!("{} was taken", path.display()) };
        assert!(matches!(error, ConnectError::Authority { .. }), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
