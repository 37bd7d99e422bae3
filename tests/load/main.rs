//! Webhooks a second beside the floor, what acting costs, and the footprint of an idle daemon. A measure, not a
//! test: it prints and asserts nothing about time. `tests/run load` runs it; the words `webhooks`, `acts` or
//! `footprint` as an argument run that part alone.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measure that cannot be set up fails by panicking"
)]

mod acts;
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
    let all = !["webhooks", "acts", "footprint"].into_iter().any(only);
    rustls::crypto::ring::default_provider().install_default().ok();
    if all || only("footprint") {
        footprint::print();
    }
    if all || only("acts") {
        acts::print();
    }
    if all || only("webhooks") {
        webhooks();
    }
}

/// Floor and belay take turns; then belay with its loops at work, last, since what it took in keeps it busy
/// after its turn.
fn webhooks() {
    let bodies = clients::bodies(CONNECTIONS);
    println!(
        "{CONNECTIONS} connections, bodies of {} bytes with 3 alerts, {TURNS} turns of {TURN:?} each",
        bodies[0].len()
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let floor = runtime.block_on(floor::start());
    let quiet = runtime.block_on(stand::start(stand::Loops::Off));
    let [mut base, mut taken, mut worked] = [const { Told::new() }; 3];
    for _ in 0..TURNS {
        base.add(clients::turn(floor.address, &bodies, TURN));
        taken.add(clients::turn(quiet.address, &bodies, TURN));
    }
    let busy = runtime.block_on(stand::start(stand::Loops::On));
    for _ in 0..TURNS {
        worked.add(clients::turn(busy.address, &bodies, TURN));
    }
    let floors = base.per_second();
    let sides = [
        ("floor: append and flush, no parsing", base),
        ("belay, acknowledging alone", taken),
        ("belay, with its loops at work", worked),
    ];
    for (name, mut told) in sides {
        let (rate, p50, p99) = (told.per_second(), told.percentile(50), told.percentile(99));
        println!("{name:<36} {rate:>7.0}/s  p50 {p50:>8.2?}  p99 {p99:>8.2?}  ratio {:.2}", rate / floors);
    }
    println!("batch of the floor: {:.1} bodies a flush", floor.batch());
    runtime.block_on(async {
        for side in [floor.server, quiet.server, busy.server] {
            side.stop().await;
        }
    });
}
