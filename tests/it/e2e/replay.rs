//! Promise 22: the journal of whole stories, replayed. The same states from every prefix, and the same
//! decisions from the recorded questions, bit for bit.

use belay::domain::canonical::canonical;
use belay::domain::record::{Answer, Entry, Record};
use belay::incident::{Phase, State};
use belay::policy;
use belay::ports::store::Store as _;
use belay::store;

use super::house::{House, Wish, body, crash_loop, saturation};

/// Both acts with their endings, an alert that nothing can be done about, and one that is over.
async fn stories() -> House {
    let house = House::open(Wish::by_hand()).await;
    house.surge();
    let pod = house.leak("web").await;
    let starts = "2026-11-21T01:50:00Z";
    let odd = super::house::alert(&[("alertname", "Odd"), ("severity", "critical")], starts, None);
    let alerts = [saturation("checkout", starts, None), crash_loop(&pod.name, starts, None), odd];
    house.deliver(body(&alerts)).await;
    for (deployment, answer) in [("checkout", Answer::Revert), ("web", Answer::Confirm)] {
        let asked = house.phase(deployment, |p| matches!(p, Phase::Confirming(_))).await;
        house.answer(&asked, answer).await;
        house.phase(deployment, |p| *p == Phase::Closed).await;
    }
    house
}

#[tokio::test]
async fn promise_22_every_prefix_folds_and_every_decision_repeats() {
    let house = stories().await;
    let set = policy::load(house.policies.iter().map(|(n, t)| (n.as_str(), t.as_str()))).unwrap();
    let live = house.incidents().await;
    let dir = house.stop().await;
    let (journal, _) = store::open(dir.path(), &store::Options::default()).unwrap();
    let (mut decisions, mut acts) = (0, 0);
    for state in &live {
        let entries = journal.load(&state.id.stream()).await.unwrap();
        let entries: Vec<&Entry> = entries.iter().map(|e| &**e).collect();
        let mut stepwise: Option<State> = None;
        for (n, entry) in entries.iter().enumerate() {
            let next = match stepwise {
                None => State::open(entry).unwrap(),
                Some(state) => state.next(entry).unwrap(),
            };
            let whole = State::fold(entries[..=n].iter().copied()).unwrap();
            assert_eq!(whole.as_ref(), Some(&next), "{} at {n}", state.id);
            stepwise = Some(next);
            match &entry.record {
                Record::Decided(decided) => {
                    let again = policy::decide(&set, &decided.question);
                    assert_eq!(again, decided.decision, "{} at {n}", state.id);
                    assert_eq!(canonical(&again).unwrap(), canonical(&decided.decision).unwrap());
                    decisions += 1;
                }
                Record::Intended(_) => acts += 1,
                _ => {}
            }
        }
        // records that were written while the daemon stopped may follow what was seen live
        let seen = usize::try_from(state.version).unwrap();
        assert_eq!(State::fold(entries[..seen].iter().copied()).unwrap().as_ref(), Some(state));
    }
    assert!(live.len() >= 3 && decisions >= 4 && acts >= 3, "{} {decisions} {acts}", live.len());
}
