//! The floor: the same server, and a thread that writes whatever bodies wait with one write and one flush.
//! Nothing is parsed, ordered, chained or looked up.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::{mpsc, oneshot};

use super::stand::{Server, scratch};

/// The most bodies that share a flush, as in the store.
const GROUP: usize = 256;

type Job = (Bytes, oneshot::Sender<()>);

/// The running floor.
pub struct Floor {
    /// Where it listens.
    pub address: SocketAddr,
    /// The server.
    pub server: Server,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    bodies: AtomicU32,
    flushes: AtomicU32,
}

impl Floor {
    /// How many bodies shared a flush, on average.
    pub fn batch(&self) -> f64 {
        let read = |count: &AtomicU32| f64::from(count.load(Ordering::Relaxed));
        read(&self.counts.bodies) / read(&self.counts.flushes).max(1.0)
    }
}

/// Starts it.
pub async fn start() -> Floor {
    let counts = Arc::new(Counts::default());
    let (jobs, asked) = mpsc::channel(4 * GROUP);
    let dir = scratch();
    let file = File::create(dir.path().join("floor")).unwrap();
    let counted = Arc::clone(&counts);
    std::thread::spawn(move || {
        keep(file, asked, &counted);
        drop(dir);
    });
    let routes = Router::new().route("/api/v1/alerts/webhook", post(receive)).with_state(jobs);
    let (address, server) = Server::start(routes).await;
    Floor { address, server, counts }
}

async fn receive(State(jobs): State<mpsc::Sender<Job>>, body: axum::body::Body) -> StatusCode {
    let body = to_bytes(body, 16 << 20).await.unwrap();
    let (answer, answered) = oneshot::channel();
    jobs.send((body, answer)).await.unwrap();
    answered.await.unwrap();
    StatusCode::OK
}

fn keep(mut file: File, mut jobs: mpsc::Receiver<Job>, counts: &Counts) {
    while let Some((body, answer)) = jobs.blocking_recv() {
        let (mut bytes, mut answers) = (body.to_vec(), vec![answer]);
        while let (true, Ok((body, answer))) = (answers.len() < GROUP, jobs.try_recv()) {
            bytes.extend_from_slice(&body);
            answers.push(answer);
        }
        file.write_all(&bytes).unwrap();
        file.sync_data().unwrap();
        counts.flushes.fetch_add(1, Ordering::Relaxed);
        counts.bodies.fetch_add(u32::try_from(answers.len()).unwrap(), Ordering::Relaxed);
        for answer in answers {
            answer.send(()).ok();
        }
    }
}
