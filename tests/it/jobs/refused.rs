//! What a template may not say is refused where it is read, with the file and what is wrong with it.

use super::{OFF, REQUEUE, read, templates};

/// What is said of the text with this part replaced.
fn said(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    read(&[&text.replacen(from, to, 1)]).unwrap_err()
}

#[test]
fn the_shipped_examples_are_read() {
    let names: Vec<String> = templates().iter().map(|template| template.name().to_owned()).collect();
    assert_eq!(names, ["recommendations-off", "requeue-dead-letters"]);
    let places = templates().places();
    assert!(places.contains(&("shop".to_owned(), "requeue".to_owned())) && places.len() == 2);
}

#[test]
fn what_reaches_beyond_its_own_pod_is_refused() {
    let spec = "      spec:\n        containers:";
    let with = |line: &str| format!("      spec:\n        {line}\n        containers:");
    for (line, why) in [
        ("hostNetwork: true", "`job.template.spec.hostNetwork` is not for a job of belay's"),
        ("hostPID: true", "hostPID"),
        ("hostIPC: false", "hostIPC"),
        ("nodeName: node-a", "nodeName"),
        ("serviceAccountName: admin", "it is said once, in `serviceAccount`"),
        ("volumes: [{ name: host, hostPath: { path: / } }]", "`host` is a `hostPath`"),
        ("volumes: [{ name: x, csi: { driver: d } }]", "csi"),
        ("restartPolicy: OnFailure", "OnFailure"),
        ("ephemeralContainers: []", "ephemeralContainers"),
    ] {
        let told = said(REQUEUE, spec, &with(line));
        assert!(told.contains(why), "{line}: {told}");
    }
    let security = "allowPrivilegeEscalation: false";
    for (line, why) in [
        ("privileged: true", "securityContext.privileged"),
        ("allowPrivilegeEscalation: true", "allowPrivilegeEscalation"),
        ("procMount: Unmasked", "procMount"),
    ] {
        assert!(said(REQUEUE, security, line).contains(why), "{line}");
    }
    assert!(said(REQUEUE, "{ drop: [ALL] }", "{ add: [NET_ADMIN] }").contains("capabilities.add"));
    // an undo is no door either
    let last = OFF.rfind(spec).unwrap();
    let told = read(&[&format!("{}{}", &OFF[..last], OFF[last..].replacen(spec, &with("hostPID: true"), 1))]);
    assert!(told.unwrap_err().contains("`undo.template.spec.hostPID`"));
}

#[test]
fn a_parameter_never_becomes_part_of_a_command() {
    let command = "command: [/bin/requeue-dead-letters]";
    for with in [
        "command: [/bin/sh, -c, 'requeue $(BELAY_PARAM_QUEUE)']",
        "args: ['$(BELAY_PARAM_QUEUE)']",
        "workingDir: /$(BELAY_PARAM_QUEUE)",
    ] {
        assert!(said(REQUEUE, command, with).contains("never becomes part of a command"), "{with}");
    }
    let env = "              - name: QUEUE_URL\n";
    let url = "              - { name: URL, value: 'amqp://$(BELAY_PARAM_QUEUE)' }\n              - name: QUEUE_URL\n";
    assert!(said(REQUEUE, env, url).contains("never becomes part"));
    assert!(said(REQUEUE, "name: QUEUE_URL", "name: BELAY_PARAM_QUEUE").contains("that is for parameters"));
}

#[test]
fn where_and_as_whom_is_fixed_and_within_the_limits() {
    for (namespace, why) in [
        ("belay", "is belay's own"),
        ("data", "is protected: the journal is there"),
        ("other", "is not one of `limits.namespaces`"),
        ("a_b", "is not the name of a namespace"),
    ] {
        let told = said(REQUEUE, "namespace: shop", &format!("namespace: {namespace}"));
        assert!(told.contains(why), "{namespace}: {told}");
    }
    assert!(said(REQUEUE, "  serviceAccount: requeue\n", "").contains("serviceAccount"));
    assert!(said(REQUEUE, "serviceAccount: requeue", "serviceAccount: ''").contains("service account"));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (from, to, why) in [
        ("apiVersion: belay.dev/v1", "apiVersion: belay.dev/v2", "belay.dev/v2"),
        ("kind: JobTemplate", "kind: Policy", "Policy"),
        ("  timeout: 5m", "  timeout: 5m\n  retries: 3", "retries"),
        ("requeue-dead-letters }", "Requeue }", "`metadata.name`"),
        ("timeout: 5m", "timeout: 5s", "`timeout` must be from"),
        ("timeout: 5m", "timeout: 5h", "`timeout` must be from"),
        ("kinds: [Deployment]", "kinds: [Node]", "cannot be about a Node"),
        ("kinds: [Deployment]", "kinds: []", "must name `alerts` and `kinds`"),
        ("['alertname=\"DeadLettersPilingUp\"']", "['alertname']", "`when.alerts`"),
        (
            "description: puts the dead letters of one queue back into it, once",
            "description: ''",
            "`description`",
        ),
        ("additionalProperties: false", "additionalProperties: true", "must be `false`"),
        ("    most: { value: '1000' }\n", "", "does not say where `most` comes from"),
        ("most: { value: '1000' }", "most: { value: '5000' }", "`bind.most`"),
        ("most: { value: '1000' }", "most: { annotation: x }", "annotation"),
        (
            "most: { value: '1000' }",
            "most: { value: '1000' }\n    x: { target: name }",
            "which is no parameter",
        ),
        (", pattern: '^[a-z][a-z0-9-]*$', maxLength: 40", "", "say by `enum` or `pattern`"),
        ("undo: none", "undo: exact", "there is no `undo` to run"),
        ("undo: none", "undo: self_healing", "no controller heals"),
        ("  job:\n", "  job:\n    backoffLimit: 9\n", "backoffLimit"),
        ("  job:\n", "  job:\n    ttlSecondsAfterFinished: 60\n", "ttlSecondsAfterFinished"),
        ("  job:\n", "  job:\n    parallelism: 3\n", "parallelism"),
        ("image: registry.example/shop/queue-tools:4.2", "image: ''", "image` is empty"),
    ] {
        let told = said(REQUEUE, from, to);
        assert!(told.contains(why), "{to}: {told}");
        assert!(told.contains("0.yaml"), "which file: {told}");
    }
    assert!(said(OFF, "class: { undo: exact, risk: low }", "class: {}").contains("what it is worth"));
    // a place in the file, where the mistake is one of its form
    let told = said(REQUEUE, "  timeout: 5m", "  timeout: 5m\n  retries: 3");
    assert!(told.contains("at line 26, column 3"), "{told}");
    let twice = read(&[REQUEUE, REQUEUE]).unwrap_err();
    assert!(twice.contains("1.yaml") && twice.contains("of the name `requeue-dead-letters`, too"), "{twice}");
}
