//! What an alert is, wherever it happens: its labels without those that say where, or who looked.

use super::alert::Labels;
use super::redact;

/// Labels that say where something happened, or who looked, and not what it is.
const PLACES: [&str; 17] = [
    "cluster",
    "pod",
    "instance",
    "node",
    "host",
    "hostname",
    "container_id",
    "uid",
    "endpoint",
    "job",
    "prometheus",
    "replica",
    "replicaset",
    "namespace",
    "service",
    "exported_instance",
    "pod_ip",
];
/// Labels that name what it happened to.
const OWNERS: [&str; 7] =
    ["deployment", "statefulset", "daemonset", "job_name", "cronjob", "container", "persistentvolumeclaim"];
/// Labels by which an alert says of which service it is, the surest first.
const SERVICES: [&str; 9] = [
    "deployment",
    "statefulset",
    "daemonset",
    "cronjob",
    "job_name",
    "horizontalpodautoscaler",
    "app",
    "service",
    "container",
];
/// Labels of one alert that are kept.
const LABELS: usize = 16;

/// The labels that say what it is, wherever it happens.
pub fn signature(labels: &Labels) -> Labels {
    let tells = |name: &String| !PLACES.contains(&name.as_str()) && !OWNERS.contains(&name.as_str());
    let kept = labels.iter().filter(|(name, _)| tells(name)).take(LABELS);
    kept.map(|(name, value)| (redact::line(name, 80), redact::line(value, 120))).collect()
}

/// The service that the labels name, in one label or another.
pub fn service(labels: &Labels) -> Option<&str> {
    SERVICES.iter().find_map(|name| labels.get(*name)).map(String::as_str).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(of: &[(&str, &str)]) -> Labels {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_same_elsewhere_has_the_same_signature() {
        let one =
            labels(&[("alertname", "A"), ("severity", "page"), ("pod", "web-1"), ("deployment", "web")]);
        let other =
            labels(&[("alertname", "A"), ("severity", "page"), ("namespace", "shop"), ("container", "x")]);
        assert_eq!(signature(&one), signature(&other));
        assert_ne!(signature(&one), signature(&labels(&[("alertname", "B"), ("severity", "page")])));
        assert_eq!(service(&one), Some("web"));
        assert_eq!(service(&labels(&[("pod", "web-1"), ("app", "")])), None);
    }
}
