//! The webhook's body: the quick look before a delivery is acknowledged and the full reading after it
//! agree, and whatever an alert says it is about is a name that Kubernetes could have given, or unclear.

use belay::domain::ids::Cluster;
use belay::domain::target::Targeted;
use belay::intake;

pub fn run(data: &[u8]) {
    let Ok(body) = intake::text(data.to_vec()) else { return };
    let (looked, read) = (intake::readable(&body), intake::parse(&body));
    match (&looked, &read) {
        (Ok(count), Ok(delivery)) => assert_eq!(*count, delivery.alerts.len()),
        (Err(looked), Err(read)) => assert_eq!(looked, read),
        _ => panic!("{looked:?}, but {read:?}"),
    }
    let Ok(delivery) = read else { return };
    let cluster = Cluster::new("fuzz");
    for alert in &delivery.alerts {
        let Targeted::Named { object, .. } = intake::target(&cluster, alert) else { continue };
        for part in [&object.namespace, &object.name] {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
            assert!(part.bytes().all(plain) && part.len() <= 253, "{object:?}");
        }
    }
}
