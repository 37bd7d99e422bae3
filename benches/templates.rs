//! Log templates of a million lines (goal: under 5 s, memory bounded), and of lines that are all different.

use belay::domain::log::templates::Templates;

fn main() {
    divan::main();
}

/// Lines as services write them: forty messages with numbers, addresses and ids of their own.
fn lines(count: usize) -> Vec<String> {
    let verbs = ["opened", "closed", "refused", "retried", "dropped", "served", "queued", "failed"];
    let nouns = ["order", "session", "connection", "request", "payment"];
    let line = |n: usize| {
        let noun = nouns.get(n % nouns.len()).copied().unwrap_or_default();
        let verb = verbs.get(n / 5 % verbs.len()).copied().unwrap_or_default();
        let mixed = n.wrapping_mul(2_654_435_761);
        format!(
            "{noun} {n} {verb} for user-{} from 10.0.{}.{}:{} after {}ms trace={mixed:016x}",
            n % 977,
            n % 251,
            n % 241,
            1024 + n % 60_000,
            n % 3_000
        )
    };
    (0..count).map(line).collect()
}

/// Lines of which no two have a word in common.
fn strangers(count: usize) -> Vec<String> {
    let word = |n: usize| n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
    (0..count).map(|n| format!("{} {} {}", word(n), word(n * 3 + 1), word(n * 7 + 2))).collect()
}

fn run(lines: &[String]) -> (usize, usize) {
    let mut templates = Templates::new();
    for line in lines {
        templates.add(line);
    }
    (templates.len(), templates.bytes())
}

#[divan::bench(sample_count = 5, sample_size = 1, args = [10_000, 100_000, 1_000_000])]
fn of_a_service(bencher: divan::Bencher<'_, '_>, count: usize) {
    let lines = lines(count);
    bencher.bench(|| run(divan::black_box(&lines)));
}

#[divan::bench(sample_count = 5, sample_size = 1, args = [100_000, 1_000_000])]
fn of_strangers(bencher: divan::Bencher<'_, '_>, count: usize) {
    let lines = strangers(count);
    bencher.bench(|| run(divan::black_box(&lines)));
}
