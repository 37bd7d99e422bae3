//! Third-party tools as answers to belay's own questions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use belay::adapters::mcp::{Foreign, Mapped, MappedReads, Reach, Settings, Template};
use belay::domain::ids::Cluster;
use belay::ports::brief::{About, Brief as _, Topic};
use belay::ports::clock::{ManualClock, SharedClock};
use jiff::Timestamp;

use super::odd;

#[tokio::test]
async fn what_answers_is_a_page_and_what_does_not_is_missing() {
    let clock: SharedClock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let settings =
        Settings { within: Duration::from_secs(3), ..odd::settings("odd", Reach::Child(odd::program(&[]))) };
    let server = Arc::new(Foreign::new(settings, Arc::new(odd::pins("odd")), clock).unwrap());
    let mapped = |topic, tool: &str, text: &str| Mapped {
        topic,
        server: Arc::clone(&server),
        tool: tool.to_owned(),
        arguments: BTreeMap::from([
            ("text".to_owned(), Template::Text(text.to_owned())),
            ("limit".to_owned(), Template::Number(5)),
        ]),
    };
    let reads = MappedReads::new(vec![
        mapped(Topic::ErrorLogs, "echo", "{cluster}/{namespace}/{kind}/{workload} {x}"),
        mapped(Topic::Metrics, "hang", ""),
        mapped(Topic::RecentDeploys, "giant", ""),
        mapped(Topic::Dependencies, "unheard_of", ""),
    ]);
    let about = About {
        cluster: Cluster::new("eu-1"),
        namespace: "shop".into(),
        kind: "Deployment".into(),
        workload: "cart".into(),
    };
    let began = Instant::now();
    let [logs, metrics, deploys, others] = reads.pages(&about).await.try_into().unwrap();
    assert!(began.elapsed() < Duration::from_secs(12));
    let logs = logs.unwrap();
    assert_eq!((logs.topic, logs.source.as_str()), (Topic::ErrorLogs, "odd__echo"));
    assert_eq!(logs.text, "eu-1/shop/Deployment/cart {x}");
    let missing = metrics.unwrap_err();
    assert_eq!((missing.topic, missing.source.as_str()), (Topic::Metrics, "odd__hang"));
    assert!(deploys.unwrap().text.len() < 25 * 1024);
    assert!(others.unwrap_err().why.contains("no such tool"));
}
