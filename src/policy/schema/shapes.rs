//! What each key of a policy file holds, with a sentence for editors to show.

/// What a key holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    Text,
    Name,
    Expression,
    Bool,
    Level,
    Count {
        min: u32,
        max: u32,
    },
    Share,
    Percent,
    Duration,
    Moment,
    Words(&'static [&'static str]),
    Actions,
    List(&'static Holds),
    Object(&'static Shape),
    /// Keys of the user's own choice.
    Named(&'static Shape),
    Anything,
}

/// A map with fixed keys.
#[derive(Debug)]
pub(super) struct Shape {
    /// Within a policy's spec: `@` stands within this map. With braces around it: a whole file.
    pub within: &'static str,
    pub required: &'static [&'static str],
    pub keys: &'static [(&'static str, Holds, &'static str)],
}

const LOUD: Holds = Holds::Words(&["drop", "notify", "escalate"]);
const MODE: Holds = Holds::Words(&["enforce", "shadow"]);
const OFFER: Holds = Holds::Words(&["open_pull_request"]);
const UNDO: Holds = Holds::Words(&["escalate", "revert"]);
const SILENCE: Holds = Holds::Words(&["keep", "escalate", "revert"]);
const COUNT: Holds = Holds::Count { min: 1, max: 1000 };
const MANY: Holds = Holds::Count { min: 1, max: u32::MAX };
const TEXTS: Holds = Holds::List(&Holds::Text);

pub(super) const ROOT: Shape = Shape {
    within: "{ apiVersion: belay.dev/v1, kind: Policy, metadata: { name: a, owner: b }, spec: {}, @ }",
    required: &["apiVersion", "kind", "metadata", "spec"],
    keys: &[
        ("apiVersion", Holds::Words(&["belay.dev/v1"]), "The version of the format."),
        ("kind", Holds::Words(&["Policy"]), "A policy; golden inputs of tests are of kind Example."),
        ("metadata", Holds::Object(&METADATA), "Whose file this is."),
        ("spec", Holds::Object(&SPEC), "What may be done, and what stands against it."),
    ],
};
const METADATA: Shape = Shape {
    within: "{ apiVersion: belay.dev/v1, kind: Policy, metadata: { @ }, spec: {} }",
    required: &["name", "owner"],
    keys: &[
        ("name", Holds::Name, "What the file is called in messages."),
        ("owner", Holds::Name, "The team that answers for it."),
    ],
};
const SPEC: Shape = Shape {
    within: "@",
    required: &[],
    keys: &[
        ("mode", MODE, "shadow: decides, records and reports, and never acts."),
        ("scope", Holds::Object(&SCOPE), "This file's grants and guards reach no further."),
        (
            "environments",
            Holds::List(&Holds::Object(&ENVIRONMENT)),
            "Named parts of the world, and how far belay may go there.",
        ),
        ("approvers", Holds::Named(&APPROVER), "Groups of people."),
        ("approvals", Holds::Named(&APPROVAL), "How many of whom it takes."),
        (
            "ceilings",
            Holds::List(&Holds::Object(&CEILING)),
            "The highest level of anybody's grants, by environment and action.",
        ),
        (
            "grants",
            Holds::List(&Holds::Object(&GRANT)),
            "What may be done. The highest that matches is the starting level.",
        ),
        ("advice", Holds::List(&Holds::Object(&ADVICE)), "What to say where nothing may be done."),
        ("guards", Holds::List(&Holds::Object(&GUARD)), "What forbids or lowers. What cannot be told fires."),
        ("freezes", Holds::List(&Holds::Object(&FREEZE)), "Times in which less is allowed."),
        ("brakes", Holds::Object(&BRAKES), "What holds over everything; on by default."),
        ("tests", Holds::List(&Holds::Object(&TEST)), "Run at load: a set whose tests fail is refused."),
    ],
};
const SCOPE: Shape = Shape {
    within: "scope: { @ }",
    required: &[],
    keys: &[("cluster", TEXTS, "Clusters, by name."), ("namespace", TEXTS, "Namespaces, by name.")],
};
const ENVIRONMENT: Shape = Shape {
    within: "environments: [{ @ }]",
    required: &["name", "when", "maxLevel"],
    keys: &[
        ("name", Holds::Name, "Defined once in the whole set."),
        ("when", Holds::Expression, "Which targets are in it."),
        ("maxLevel", Holds::Level, "The highest level there."),
        ("ladder", Holds::Words(&["strict", "off"]), "strict (the default): levels are earned."),
    ],
};
const APPROVER: Shape = Shape {
    within: "approvers: { a: { @ } }",
    required: &[],
    keys: &[
        ("slackUsers", TEXTS, "Ids of Slack users, like U0A1B2C3D."),
        ("operators", Holds::Bool, "Whoever reaches the admin socket or the terminal."),
        ("slackUserGroup", Holds::Text, "The id of a Slack user group."),
        ("schedule", Holds::Text, "An on-call schedule."),
        ("oidcGroup", Holds::Text, "A group of the identity provider."),
    ],
};
const APPROVAL: Shape = Shape {
    within: "approvals: { a: { @ } }",
    required: &["from", "expires"],
    keys: &[
        ("from", TEXTS, "Groups of approvers."),
        ("count", Holds::Count { min: 1, max: 20 }, "How many distinct people; 1 unless given."),
        ("eachGroup", Holds::Count { min: 1, max: 20 }, "How many of each group."),
        ("expires", Holds::Duration, "How long the question stays open; at most 24h."),
        ("onExpire", Holds::Words(&["escalate"]), "Silence never starts anything."),
        ("stepUp", Holds::Bool, "Approved on a page behind single sign-on, not by the button."),
    ],
};
const CEILING: Shape = Shape {
    within: "ceilings: [{ @ }]",
    required: &[],
    keys: &[
        ("environment", Holds::Text, "In this environment."),
        ("environments", TEXTS, "In these environments."),
        ("action", Holds::Actions, "For this action."),
        ("actions", Holds::List(&Holds::Actions), "For these actions."),
        ("level", Holds::Level, "The highest level of a grant."),
        ("maxLevel", Holds::Level, "The highest level of a grant."),
    ],
};
const GRANT: Shape = Shape {
    within: "grants: [{ @ }]",
    required: &["id", "alerts", "actions", "level", "verify", "confirm"],
    keys: &[
        ("id", Holds::Name, "What it is called in reasons and records."),
        ("description", Holds::Text, "Why, in a sentence."),
        ("alerts", TEXTS, "Alertmanager matchers, as in 'alertname=\"KubePodCrashLooping\"'."),
        ("when", Holds::Expression, "What must hold besides. What cannot be told does not match."),
        ("actions", Holds::List(&Holds::Actions), "What may be done."),
        ("environments", TEXTS, "Only there; everywhere unless given."),
        ("level", Holds::Level, "The level that it was judged to be fit for."),
        ("actFrom", Holds::Level, "Asks below this level."),
        ("mode", MODE, "shadow: on trial."),
        ("expires", Holds::Duration, "A temporary measure: undone after this long."),
        ("limits", Holds::Object(&LIMITS), "How often, within sliding windows."),
        ("blastRadius", Holds::Object(&BLAST), "How much a plan may disturb."),
        ("verify", Holds::Object(&VERIFY), "What must hold for it to have helped."),
        ("confirm", Holds::Object(&CONFIRM), "How it is put before people."),
        ("playbook", Holds::Bool, "May be chosen without a model."),
        ("override", Holds::Object(&OVERRIDE), "A person lifts its earned level for a while."),
    ],
};
const OVERRIDE: Shape = Shape {
    within: "grants: [{ override: { @ } }]",
    required: &["level", "by", "reason", "until"],
    keys: &[
        ("level", Holds::Level, "The level it is lifted to."),
        ("by", Holds::Text, "Who."),
        ("reason", Holds::Text, "Why."),
        ("until", Holds::Moment, "Until when; at most 30 days."),
    ],
};
const LIMITS: Shape = Shape {
    within: "grants: [{ limits: { @ } }]",
    required: &[],
    keys: &[
        ("perTarget", Holds::Object(&LIMIT), "On one root owner."),
        ("perGrant", Holds::Object(&LIMIT), "By this grant."),
        ("perNamespace", Holds::Object(&LIMIT), "By this grant in one namespace."),
        ("perCluster", Holds::Object(&LIMIT), "By this grant in one cluster."),
    ],
};
const LIMIT: Shape = Shape {
    within: "grants: [{ limits: { perTarget: { @ } } }]",
    required: &["max", "window"],
    keys: &[("max", COUNT, "So many acts."), ("window", Holds::Duration, "Within this time.")],
};
const BLAST: Shape = Shape {
    within: "grants: [{ blastRadius: { @ } }]",
    required: &[],
    keys: &[
        ("maxUnavailable", Holds::Percent, "Of the desired replicas, those already not ready included."),
        ("keepReady", MANY, "So many stay ready."),
        ("respectBudgets", Holds::Bool, "Disruption budgets hold."),
        ("maxReplicaDelta", MANY, "The largest step in replicas."),
        ("maxReplicas", MANY, "The most replicas."),
    ],
};
const VERIFY: Shape = Shape {
    within: "grants: [{ verify: { @ } }]",
    required: &["within", "expect"],
    keys: &[
        ("within", Holds::Duration, "By then all of it must hold."),
        ("stabilise", Holds::Duration, "And for this long without a break."),
        (
            "expect",
            Holds::List(&Holds::Words(&["workload_ready", "no_new_restarts", "alert_gone"])),
            "What must hold.",
        ),
        (
            "metrics",
            TEXTS,
            "Measures, and what has to become of them: `p99_latency falls`, `error_rate below 0.01`.",
        ),
        ("onFailure", UNDO, "What follows if it does not; revert needs an undo."),
    ],
};
const CONFIRM: Shape = Shape {
    within: "grants: [{ confirm: { @ } }]",
    required: &["approval"],
    keys: &[
        ("approval", Holds::Text, "The approval by which people answer."),
        ("within", Holds::Duration, "How long they have, from when a channel accepted the message."),
        ("onSilence", SILENCE, "What silence means; revert needs an undo."),
    ],
};
const ADVICE: Shape = Shape {
    within: "advice: [{ @ }]",
    required: &["alerts", "outcome"],
    keys: &[
        ("alerts", TEXTS, "Alertmanager matchers."),
        ("outcome", LOUD, "Who is told."),
        ("look", TEXTS, "What to look at first."),
    ],
};
const GUARD: Shape = Shape {
    within: "guards: [{ @ }]",
    required: &["id", "when"],
    keys: &[
        ("id", Holds::Name, "What it is called in reasons."),
        ("when", Holds::Expression, "When it fires."),
        ("maxLevel", Holds::Level, "Then no more than this."),
        ("deny", Holds::Bool, "Then nothing is done, and a person is called."),
        ("message", Holds::Text, "What people are told."),
        ("approval", Holds::Text, "Then this approval is needed besides."),
        ("offer", OFFER, "Then this is offered instead."),
    ],
};
const FREEZE: Shape = Shape {
    within: "freezes: [{ @ }]",
    required: &["name", "maxLevel"],
    keys: &[
        ("name", Holds::Name, "What it is called in reasons."),
        ("from", Holds::Moment, "From then."),
        ("to", Holds::Moment, "Until then."),
        ("cron", Holds::Text, "Begins again and again: minute, hour, day, month, weekday."),
        ("for", Holds::Duration, "How long each time."),
        ("timezone", Holds::Text, "In which zone the cron expression is meant."),
        ("ics", Holds::Text, "A calendar file beside this one."),
        ("environments", TEXTS, "Only there; everywhere unless given."),
        ("when", Holds::Expression, "For what it holds; what cannot be told is frozen."),
        ("maxLevel", Holds::Level, "No more than this."),
    ],
};
const BRAKES: Shape = Shape {
    within: "brakes: { @ }",
    required: &[],
    keys: &[
        ("global", Holds::Object(&GLOBAL), "How many acts at a time, and how many at all."),
        ("storm", Holds::Object(&STORM), "So much is wrong at once that one remedy is beside the point."),
        ("breaker", Holds::Object(&BREAKER), "Acts that did not help: something is not understood."),
        ("blind", Holds::Object(&BLIND), "The alert that always fires does not."),
        ("trust", Holds::Object(&TRUST), "What belay sees by is itself unwell."),
        ("target", Holds::Object(&TARGET), "Holds on one root owner."),
    ],
};
const GLOBAL: Shape = Shape {
    within: "brakes: { global: { @ } }",
    required: &[],
    keys: &[
        ("maxInFlight", COUNT, "At a time."),
        ("maxActions", COUNT, "Within the window."),
        ("window", Holds::Duration, "The sliding window."),
        ("ramp", Holds::List(&COUNT), "At a time at first, after one verified act, after two, …"),
    ],
};
const STORM: Shape = Shape {
    within: "brakes: { storm: { @ } }",
    required: &[],
    keys: &[
        ("firingGroupsAbove", Holds::Count { min: 0, max: u32::MAX }, "More alert groups than this."),
        (
            "unhealthyFractionAbove",
            Holds::Share,
            "A larger part of the workloads than this is not ready: 0 to 1.",
        ),
        ("cooldown", Holds::Duration, "How long it holds on."),
        ("maxLevel", Holds::Level, "No more than this."),
    ],
};
const BREAKER: Shape = Shape {
    within: "brakes: { breaker: { @ } }",
    required: &[],
    keys: &[
        ("failedVerifications", COUNT, "So many acts that did not help."),
        ("window", Holds::Duration, "Within this time."),
        ("maxLevel", Holds::Level, "No more than this."),
        ("resetBy", Holds::Words(&["person"]), "Only a person resets it."),
    ],
};
const BLIND: Shape = Shape {
    within: "brakes: { blind: { @ } }",
    required: &[],
    keys: &[
        ("alert", Holds::Text, "The alert that always fires."),
        ("missingFor", Holds::Duration, "Missing for this long."),
        ("maxLevel", Holds::Level, "No more than this."),
    ],
};
const TRUST: Shape = Shape {
    within: "brakes: { trust: { @ } }",
    required: &[],
    keys: &[
        ("alerts", TEXTS, "Alertmanager matchers of what belay sees by."),
        ("maxLevel", Holds::Level, "No more than this while one fires."),
    ],
};
const TARGET: Shape = Shape {
    within: "brakes: { target: { @ } }",
    required: &[],
    keys: &[
        ("sameActionCooldown", Holds::Duration, "Between two of the same action."),
        ("failures", Holds::Object(&FAILURES), "After calls that failed."),
        ("ineffective", Holds::Object(&INEFFECTIVE), "After acts that did not help."),
    ],
};
const FAILURES: Shape =
    Shape { within: "brakes: { target: { failures: { @ } } }", required: &[], keys: HOLD_OFF };
const INEFFECTIVE: Shape =
    Shape { within: "brakes: { target: { ineffective: { @ } } }", required: &[], keys: HOLD_OFF };
const HOLD_OFF: &[(&str, Holds, &str)] =
    &[("count", COUNT, "After so many in a row."), ("hold", Holds::Duration, "Nothing for so long.")];
const TEST: Shape = Shape {
    within: "tests: [{ @ }]",
    required: &["name", "given", "expect"],
    keys: &[
        ("name", Holds::Text, "What it shows."),
        ("given", Holds::Anything, "A golden input: its file's name, or the input itself."),
        ("set", Holds::Anything, "Facts to change in it: target.namespace: prod."),
        ("environment", Holds::Object(&ASSUMED), "Assume it, and see the rules of this owner alone."),
        ("expect", Holds::Object(&EXPECT), "What must be decided."),
    ],
};
const ASSUMED: Shape = Shape {
    within: "tests: [{ name: a, given: { apiVersion: belay.dev/v1, kind: Example, now: 2026-01-01T00:00:00Z, action: { kind: restart_pod }, alert: { labels: {} }, finding: { cause: OOMKilled, certainty: certain }, target: { cluster: a, namespace: b, kind: Pod, name: c }, owner: { kind: Deployment, name: d } }, environment: { @ }, expect: { outcome: act } }]",
    required: &["maxLevel"],
    keys: &[
        ("name", Holds::Name, "How it is called."),
        ("maxLevel", Holds::Level, "How far belay may go there."),
    ],
};
const EXPECT: Shape = Shape {
    within: "tests: [{ name: a, given: { apiVersion: belay.dev/v1, kind: Example, now: 2026-01-01T00:00:00Z, action: { kind: restart_pod }, alert: { labels: {} }, finding: { cause: OOMKilled, certainty: certain }, target: { cluster: a, namespace: b, kind: Pod, name: c }, owner: { kind: Deployment, name: d } }, expect: { @ } }]",
    required: &["outcome"],
    keys: &[
        ("outcome", Holds::Words(&["drop", "notify", "ask", "act", "escalate"]), "What to do."),
        ("level", Holds::Level, "The effective level."),
        ("grant", Holds::Text, "The grant that carries it."),
        ("reason", Holds::Text, "The code of one of its reasons."),
        ("offer", OFFER, "What a guard offers instead."),
        ("expires", Holds::Duration, "How long what is done stays."),
    ],
};
