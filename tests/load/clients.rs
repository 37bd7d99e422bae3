//! Clients that keep their connections, in one thread of their own: each sends its body, waits for the
//! 200, and sends it again.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A body that a real Alertmanager sent.
const BODY: &str = include_str!("../data/alertmanager/am-0.33.1-prometheus-firing-3alerts.json");
/// The fingerprints in it.
const FINGERPRINTS: [&str; 3] = ["585350fd607ab0b5", "34fab837b985e2e4", "b71887c14a76a25b"];

/// The body, once for each client with alerts of its own: as many groups as connections.
pub fn bodies(clients: usize) -> Vec<String> {
    let own = |client: usize| {
        FINGERPRINTS.iter().enumerate().fold(BODY.to_owned(), |body, (n, fingerprint)| {
            assert!(body.contains(fingerprint), "the captured body has changed");
            body.replace(fingerprint, &format!("{:016x}", 0xbe1a_0000 + client * 8 + n))
        })
    };
    (0..clients).map(own).collect()
}

/// What a side's turns came to.
pub struct Told {
    took: Vec<Duration>,
    time: Duration,
}

impl Told {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { took: Vec::new(), time: Duration::ZERO }
    }

    /// Adds a turn.
    pub fn add(&mut self, turn: Self) {
        self.took.extend(turn.took);
        self.time += turn.time;
    }

    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.took.len()).unwrap()) / self.time.as_secs_f64()
    }

    /// The time that this many in a hundred answers took at most.
    pub fn percentile(&mut self, percent: usize) -> Duration {
        self.took.sort_unstable();
        self.took[(self.took.len() - 1) * percent / 100]
    }
}

/// One turn: every client sends for as long as it lasts.
pub fn turn(address: SocketAddr, bodies: &[String], lasts: Duration) -> Told {
    let requests: Vec<Vec<u8>> = bodies.iter().map(|body| request(body)).collect();
    // one thread beside the server's, in both cases alike
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut clients = JoinSet::new();
            let begun = Instant::now();
            for request in requests {
                clients.spawn(client(address, request, begun + lasts));
            }
            let took = clients.join_all().await.into_iter().flatten().collect();
            Told { took, time: begun.elapsed() }
        })
    };
    std::thread::spawn(run).join().unwrap()
}

fn request(body: &str) -> Vec<u8> {
    format!(
        "POST /api/v1/alerts/webhook HTTP/1.1\r\nhost: belay\r\nuser-agent: Alertmanager/0.33.1\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn client(address: SocketAddr, request: Vec<u8>, until: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut took = Vec::new();
    let mut answer = vec![0; 4096];
    while Instant::now() < until {
        let sent = Instant::now();
        stream.write_all(&request).await.unwrap();
        let mut read = 0;
        // the answer has no body: it ends with its headers
        while !answer[..read].ends_with(b"\r\n\r\n") {
            let more = stream.read(&mut answer[read..]).await.unwrap();
            assert!(more > 0, "the connection was closed");
            read += more;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer[..read]));
        took.push(sent.elapsed());
    }
    took
}
