//! Webhooks a second beside the floor, and the footprint of an idle daemon. A measure, not a test: it
//! prints and asserts nothing about time. `tests/run load` runs it; the words `webhooks` or `footprint`
//! as an argument run that part alone.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measure that cannot be set up fails by panicking"
)]

mod clients;
mod floor;
mod footprint;
mod stand;

use std::time::Duration;

use clients::Told;

/// As the goal has it: Alertmanager opens one connection a receiver and peer, a storm of teams opens many.
const CONNECTIONS: usize = 64;
/// How long each side is measured at a time; the sides take turns, so that a noisy neighbour hits both.
const TURN: Duration = Duration::from_secs(3);
/// How often each side has its turn.
const TURNS: usize = 3;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let only = |part: &str| words.iter().any(|w| w == part);
    let all = !only("webhooks") && !only("footprint");
    rustls::crypto::ring::default_provider().install_default().ok();
    if all || only("footprint") {
        footprint::print();
    }
    if all || only("webhooks") {
        webhooks();
    }
}

/// The sides of the comparison, each with its own listener.
fn webhooks() {
    let bodies = clients::bodies(CONNECTIONS);
    println!(
        "{CONNECTIONS} connections, bodies of {} bytes with 3 alerts, {TURNS} turns of {TURN:?} each",
        bodies[0].len()
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let floor = runtime.block_on(floor::start());
    let taken = runtime.block_on(stand::start(stand::Loops::Off));
    let worked = runtime.block_on(stand::start(stand::Loops::On));
    let sides = [
        ("floor: append and flush, no parsing", floor.address),
        ("belay, acknowledging alone", taken.address),
        ("belay, with its loops at work", worked.address),
    ];
    let mut told = [Told::default(), Told::default(), Told::default()];
    for _ in 0..TURNS {
        for ((_, address), told) in sides.iter().zip(&mut told) {
            told.add(clients::turn(*address, &bodies, TURN));
        }
    }
    let base = told[0].per_second();
    for ((name, _), told) in sides.iter().zip(&mut told) {
        let rate = told.per_second();
        let (p50, p99) = (told.percentile(50), told.percentile(99));
        println!("{name:<36} {rate:>7.0}/s  p50 {p50:>8.2?}  p99 {p99:>8.2?}  ratio {:.2}", rate / base);
    }
    println!("batch of the floor: {:.1} bodies a flush", floor.batch());
    runtime.block_on(async {
        for side in [floor.server, taken.server, worked.server] {
            side.stop().await;
        }
    });
}
