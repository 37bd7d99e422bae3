//! Every action that changes fields: what it changes, that putting it back restores exactly that, and what
//! becomes of it when anything goes wrong at any step.

use belay::domain::action::edit::{self, THE_INTENT, own_field};
use belay::domain::action::live::{Around, LiveObject, Marking, Pods, Reader};
use belay::domain::action::managers::Managers;
use belay::domain::action::{
    Action, ActionKind, ActionKind as A, HpaBounds, Resource, ResourceStep, Restore, Risk, TemplateHash,
};
use belay::domain::cluster::How;
use belay::domain::ids::IntentId;
use belay::domain::plan::{Direction, INTENT_ANNOTATION, Plan, Refusal, Undo};
use belay::domain::recorded::{Restored, Withheld};
use belay::domain::target::{Kind, RootOwner};
use belay::domain::warrant::Applied;
use belay::ports::actions::Actions as _;
use belay::ports::cluster_writes::Mode;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::fake::{Fault, changed};
use super::world::{Bench, deployment, live, object, start};

fn hash(text: &str) -> TemplateHash {
    TemplateHash::try_from(text.to_owned()).unwrap()
}

/// A field that held one thing when it was recorded, and another when it was last seen.
fn restored(path: &str, then: Option<Value>, now: Option<Value>) -> Restored {
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    Restored { path: path.to_owned(), value: text(then), instead_of: text(now) }
}

/// A ConfigMap or Service that `web` reads or gets traffic from, and the way back to version 7 of it.
fn config(kind: Kind, name: &str, content: Value, fields: Vec<Restored>) -> Case {
    let mut live = live(kind, name, content);
    let reader = |name: &str| {
        let object = object(Kind::Deployment, name, &format!("u-{name}"));
        Reader { named: object.named, uid: object.uid, ways: vec![How::Environment] }
    };
    (live.generation, live.owner, live.pods) = (None, deployment().owner, deployment().pods);
    live.around = Around::Config { workload: Some(reader("web")), others: vec![reader("cart")] };
    let restore = Restore { workload: Some(deployment().object), fields, ..Restore::default() };
    let action = Action::RestoreConfig { config: live.object.clone(), version: 7, restore };
    Case { action, live }
}

/// A key that holds something else, one that is new, and one that is missing; `port` stays.
fn flags() -> Case {
    let data = json!({ "mode": "warp", "extra": "x", "port": "80" });
    let fields = vec![
        restored("/data/mode", Some("fast".into()), Some("warp".into())),
        restored("/data/extra", None, Some("x".into())),
        restored("/data/app.yaml", Some("a: 1\n".into()), None),
        restored("/binaryData/blob", Some("AAEC".into()), None),
    ];
    config(Kind::ConfigMap, "flags", json!({ "immutable": false, "data": data }), fields)
}

fn service() -> Case {
    let ports = |target: u32| json!([{ "name": "http", "port": 80, "targetPort": target }]);
    let spec = json!({ "selector": { "app": "wep" }, "ports": ports(8081), "type": "ClusterIP" });
    let fields = vec![
        restored("/spec/selector", Some(json!({ "app": "web" })), Some(json!({ "app": "wep" }))),
        restored("/spec/ports", Some(ports(8080)), Some(ports(8081))),
    ];
    config(Kind::Service, "web", json!({ "spec": spec }), fields)
}

/// An action and the object it is for.
#[derive(Debug, Clone)]
pub struct Case {
    pub action: Action,
    pub live: LiveObject,
}

/// One of each kind; `old` templates and switches that are spelled out or missing come from `with`.
pub fn cases() -> Vec<Case> {
    let case = |action: fn(&LiveObject) -> Action, live: LiveObject| Case { action: action(&live), live };
    let content = |live: &LiveObject| live.content.clone();
    let on = |path: &str, mut live: LiveObject| {
        let (parent, key) = path.rsplit_once('/').unwrap();
        live.content.pointer_mut(parent).unwrap()[key] = true.into();
        live
    };
    let annotated = |mut live: LiveObject| {
        live.content["spec"]["template"]["metadata"]["annotations"] = json!({ INTENT_ANNOTATION: "older-1" });
        live
    };
    let rolled = {
        let mut live = deployment();
        let mut old = content(&live).pointer("/spec/template").unwrap().clone();
        old["metadata"]["labels"]["pod-template-hash"] = "7c9f".into();
        old["metadata"]["annotations"] = json!({ "a/b": "c" });
        old["spec"]["containers"][0]["image"] = "web:1".into();
        old["spec"]["volumes"] = json!([{ "name": "tmp", "emptyDir": {} }]);
        live.around = Around::Template { wanted: Some((old, true)), running: Some(hash("5d8b")) };
        live.annotations.insert("belay.dev/migration".into(), "false".into());
        live
    };
    let cron = || live(Kind::CronJob, "nightly", json!({ "spec": { "schedule": "0 3 * * *" } }));
    let node = || {
        let mut node = live(Kind::Node, "worker-3", json!({ "spec": { "podCIDR": "10.0.3.0/24" } }));
        (node.generation, node.around) = (None, Around::Nodes { cordoned: 0 });
        node
    };
    let scaler = |min: Option<u32>| {
        let mut spec = json!({ "spec": { "maxReplicas": 8 } });
        if let Some(min) = min {
            spec["spec"]["minReplicas"] = min.into();
        }
        let mut scaler = live(Kind::HorizontalPodAutoscaler, "web-hpa", spec);
        (scaler.generation, scaler.owner) = (None, deployment().owner);
        scaler.pods = Some(Pods { desired: 4, ready: 4, ..Pods::default() });
        scaler
    };
    let workload = |live: &LiveObject| live.object.clone();
    let _ = workload;
    vec![
        case(|l| Action::ScaleWorkload { workload: l.object.clone(), replicas: 5 }, deployment()),
        case(|l| Action::RestartWorkload { workload: l.object.clone() }, deployment()),
        case(|l| Action::RestartWorkload { workload: l.object.clone() }, annotated(deployment())),
        case(|l| Action::RollbackWorkload { workload: l.object.clone(), template: hash("7c9f") }, rolled),
        case(|l| Action::PauseRollout { workload: l.object.clone() }, deployment()),
        case(|l| Action::ResumeRollout { workload: l.object.clone() }, on("/spec/paused", deployment())),
        case(|l| Action::SuspendCronjob { cronjob: l.object.clone() }, cron()),
        case(|l| Action::ResumeCronjob { cronjob: l.object.clone() }, on("/spec/suspend", cron())),
        case(
            |l| Action::SetHpaBounds { autoscaler: l.object.clone(), bounds: HpaBounds::new(2, 12).unwrap() },
            scaler(None),
        ),
        case(
            |l| Action::SetHpaBounds { autoscaler: l.object.clone(), bounds: HpaBounds::new(2, 6).unwrap() },
            scaler(Some(3)),
        ),
        case(
            |l| Action::SetResources {
                workload: l.object.clone(),
                container: "web".into(),
                step: ResourceStep::new(Resource::Memory, 256, 384).unwrap(),
            },
            deployment(),
        ),
        flags(),
        // the last key goes, and the first comes
        config(
            Kind::ConfigMap,
            "flags",
            json!({ "data": { "extra": "x" } }),
            vec![
                restored("/data/extra", None, Some("x".into())),
                restored("/binaryData/blob", Some("AAEC".into()), None),
            ],
        ),
        service(),
        case(|l| Action::CordonNode { node: l.object.clone() }, node()),
        case(|l| Action::UncordonNode { node: l.object.clone() }, on("/spec/unschedulable", node())),
    ]
}

pub fn planned(case: &Case) -> Plan {
    edit::plan(Some(&case.live), &case.action, start()).unwrap_or_else(|why| panic!("{case:?}: {why}"))
}

fn refused(case: &Case) -> Refusal {
    edit::plan(Some(&case.live), &case.action, start()).unwrap_err()
}

/// What the API server does with the one patch.
pub fn write(live: &LiveObject, plan: &Plan, intent: &IntentId) -> LiveObject {
    let order = edit::order(plan, Some(live)).unwrap();
    let mut after = live.clone();
    assert!(changed(&mut after, &order, Mode::Act(intent)), "{order:?}");
    after
}

fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

#[test]
fn every_kind_that_changes_fields_is_here() {
    let here: std::collections::BTreeSet<ActionKind> = cases().iter().map(|c| c.action.kind()).collect();
    let mut all = ActionKind::ALL.to_vec();
    // a pod is replaced, a Job is made, and a proposal changes fields of a file (`tests/it/jobs`, `tests/it/forge`)
    all.retain(|kind| {
        ![ActionKind::RestartPod, ActionKind::RunJob, ActionKind::OpenPullRequest].contains(kind)
    });
    assert_eq!(here.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn putting_back_restores_exactly_what_was_touched() {
    for case in cases() {
        let plan = planned(&case);
        let (act, undo) = (IntentId::new("inc-0"), IntentId::new("inc-1"));
        assert!(plan.changes.iter().all(|c| own_field(case.action.kind(), &c.path)), "{plan:?}");
        assert!(matches!(
            edit::status(Some(&case.live), &plan, &act),
            Applied::Refused { refusal: Refusal::NotApplied(_) }
        ));
        let after = write(&case.live, &plan, &act);
        assert!(done(&edit::status(Some(&after), &plan, &act)));
        assert_ne!(after.content, case.live.content);
        assert!(!after.content.to_string().contains(THE_INTENT), "{}", after.content);
        let back = edit::plan_revert(Some(&after), &plan, std::slice::from_ref(&act), start());
        if let Undo::Nothing { .. } = plan.undo {
            assert!(matches!(back, Err(Refusal::NothingToDo(_))), "{back:?}");
            continue;
        }
        let back = back.unwrap();
        assert_eq!(back.direction, Direction::Revert);
        assert_eq!(back.action.target(), case.action.target());
        let restored = write(&after, &back, &undo);
        assert_eq!(restored.content, case.live.content, "{:?}", case.action);
        assert!(done(&edit::status(Some(&restored), &back, &undo)));
    }
}

#[test]
fn nothing_is_changed_twice_nor_once_anything_moved() {
    let act = IntentId::new("inc-0");
    for case in cases() {
        let plan = planned(&case);
        let after = write(&case.live, &plan, &act);
        // the same order again: the object is not as it was planned upon
        assert!(edit::order(&plan, Some(&after)).is_err());
        let other_uid = {
            let mut live = case.live.clone();
            live.object.uid = "u-other".into();
            live
        };
        let other_owner =
            LiveObject { owner: RootOwner(object(Kind::Other, "op", "u-op")), ..case.live.clone() };
        let moved = LiveObject { generation: case.live.generation.map(|n| n + 1), ..case.live.clone() };
        assert!(edit::order(&plan, Some(&other_uid)).is_err());
        assert!(edit::order(&plan, Some(&other_owner)).is_err());
        assert!(edit::order(&plan, None).is_err());
        if case.live.generation.is_some() {
            assert!(edit::order(&plan, Some(&moved)).is_err());
        }
        // somebody else's change of the field stands
        if plan.revertible() {
            let mut theirs = after.clone();
            theirs.marking = Marking::Annotated { intent: Some("other-1".into()) };
            assert!(matches!(
                edit::plan_revert(Some(&theirs), &plan, std::slice::from_ref(&act), start()),
                Err(Refusal::Changed { .. })
            ));
            for change in &plan.changes {
                let mut theirs = after.clone();
                let (parent, key) = change.path.rsplit_once('/').unwrap();
                let key = key.replace("~1", "/");
                let place = theirs.content.pointer_mut(parent).unwrap();
                match key.parse::<usize>() {
                    Ok(i) => place[i] = json!("theirs"),
                    Err(_) => place[key] = json!("theirs"),
                }
                assert!(
                    matches!(
                        edit::plan_revert(Some(&theirs), &plan, std::slice::from_ref(&act), start()),
                        Err(Refusal::Changed { .. })
                    ),
                    "{}",
                    change.path
                );
            }
        }
    }
}

#[test]
fn a_field_that_is_not_the_actions_own_is_refused_whoever_planned_it() {
    for case in cases() {
        for path in
            ["/spec/template/spec/serviceAccountName", "/metadata/labels/x", "/spec/replicas", "/data/x", ""]
        {
            if own_field(case.action.kind(), path) {
                continue;
            }
            let mut plan = planned(&case);
            plan.changes[0].path = path.to_owned();
            assert!(edit::order(&plan, Some(&case.live)).is_err(), "{} {path}", case.action.kind().name());
            plan.direction = Direction::Revert;
            assert!(edit::order(&plan, Some(&case.live)).is_err(), "{} {path}", case.action.kind().name());
        }
        let mut empty = planned(&case);
        empty.changes.clear();
        assert!(edit::order(&empty, Some(&case.live)).is_err());
    }
}

#[test]
fn what_somebody_else_would_put_back_is_not_changed() {
    let fields =
        |path: &str, manager: &str| {
            let owned =
                path.split('/').skip(1).collect::<Vec<_>>().into_iter().rev().fold(
                    json!({}),
                    |below, part| json!({ format!("f:{}", part.replace("~1", "/")): below }),
                );
            (manager.to_owned(), owned)
        };
    for case in cases() {
        let plan = planned(&case);
        let path = &plan.changes[0].path;
        for (managers, who) in [
            (Managers { gitops: Some("Argo CD"), ..Managers::default() }, "Argo CD manages"),
            (
                Managers { operator: Some("postgres".into()), ..Managers::default() },
                "`postgres`, a controller",
            ),
            (
                Managers { fields: vec![fields(path, "kustomize-controller")], ..Managers::default() },
                "Flux owns",
            ),
            (
                Managers { fields: vec![fields(path, "shop-operator")], ..Managers::default() },
                "shop-operator owns",
            ),
        ] {
            let why = refused(&Case { live: LiveObject { managers, ..case.live.clone() }, ..case.clone() });
            assert!(why.to_string().contains(who), "{why}");
            assert!(why.to_string().contains("open a pull request"), "{why}");
        }
        let helm =
            Managers { helm: Some("shop".into()), fields: vec![fields(path, "helm")], ..Managers::default() };
        let plan = planned(&Case { live: LiveObject { managers: helm, ..case.live.clone() }, ..case });
        assert!(plan.note.unwrap().contains("Helm release `shop`"));
    }
}

#[test]
fn a_config_is_restored_as_it_was_recorded_or_not_at_all() {
    let why = |case: &Case| refused(case).to_string();
    let with = |change: &dyn Fn(&mut LiveObject, &mut Restore)| {
        let mut case = flags();
        let Action::RestoreConfig { restore, .. } = &mut case.action else { panic!() };
        change(&mut case.live, restore);
        case
    };
    assert_eq!(planned(&flags()).class.risk, Risk::Medium);
    let note = planned(&flags()).note.unwrap();
    assert!(
        note.contains("`web` reads it into its environment") && note.contains("Deployment `cart` too"),
        "{note}"
    );
    let theirs = with(&|live, _| live.content["data"]["mode"] = "theirs".into());
    assert!(
        matches!(refused(&theirs), Refusal::Changed { .. }) && why(&theirs).contains("somebody is at it")
    );
    // what somebody put back already needs no write
    let half = planned(&with(&|live, _| live.content["data"]["mode"] = "fast".into()));
    assert!(half.changes.iter().all(|change| change.path != "/data/mode"), "{half:?}");
    let (done, fixed) = (planned(&flags()), IntentId::new("inc-0"));
    let after = write(&flags().live, &done, &fixed);
    assert!(matches!(refused(&Case { live: after, ..flags() }), Refusal::NothingToDo(_)));
    assert!(why(&with(&|live, _| live.content["immutable"] = true.into())).contains("immutable"));
    for (path, value) in [
        ("/data/../x", "x"),
        ("/data/a/b", "x"),
        ("/data/", "x"),
        ("/metadata/labels/x", "x"),
        ("/spec/selector", "x"),
        ("/immutable", "x"),
        ("/data", "x"),
    ] {
        let odd = with(&|_, restore| restore.fields.push(restored(path, Some(value.into()), None)));
        assert!(why(&odd).contains("nothing that belay restores"), "{path}: {}", why(&odd));
    }
    let number = with(&|_, restore| restore.fields.push(restored("/data/n", Some(7.into()), None)));
    assert!(why(&number).contains("is text"), "{}", why(&number));
    // no secret is written, replaced or put into a plan
    for (then, now) in [("password=hunter2", "fast"), ("fast", "password=hunter2")] {
        let secret = with(&|live, restore| {
            live.content["data"]["mode"] = now.into();
            restore.fields[0] = restored("/data/mode", Some(then.into()), Some(now.into()));
        });
        assert!(why(&secret).contains("looks like a secret") && !why(&secret).contains("hunter2"));
    }
    let withheld =
        |changed| Withheld { path: "/data/token".into(), why: "looks like a secret".into(), changed };
    let lost = with(&|_, restore| restore.withheld = vec![withheld(true)]);
    assert!(
        why(&lost).contains("`/data/token`") && why(&lost).contains("belay kept nothing"),
        "{}",
        why(&lost)
    );
    let kept = planned(&with(&|_, restore| restore.withheld = vec![withheld(false)]));
    assert!(kept.note.unwrap().contains("`/data/token` looks like a secret, of which belay keeps no value"));
    let alone = with(&|live, _| live.around = Around::Config { workload: None, others: vec![] });
    assert!(why(&alone).contains("neither reads it nor gets traffic from it"));
    assert!(why(&with(&|_, restore| restore.fields.clear())).contains("does not say what to write"));
    let unlooked = with(&|live, _| live.around = Around::Nothing);
    assert!(matches!(refused(&unlooked), Refusal::Unreadable(_)));
    // a Service never loses its selector
    let mut bare = service();
    let Action::RestoreConfig { restore, .. } = &mut bare.action else { panic!() };
    restore.fields = vec![restored("/spec/selector", None, Some(json!({ "app": "wep" })))];
    assert!(why(&bare).contains("nothing that belay restores"));
    let long = with(&|_, restore| {
        restore.fields.push(restored("/data/long", Some("x".repeat(edit::MOST_TEXT).into()), None));
    });
    assert!(why(&long).contains("more than a person can read"));
    // an action of before such fields were written down writes nothing
    let object = serde_json::to_value(flags().live.object).unwrap();
    let old = json!({ "action": "restore_config", "config": object, "version": 7 });
    let old = Case { action: serde_json::from_value(old).unwrap(), live: flags().live };
    assert!(why(&old).contains("does not say what to write"));
}

/// What raises the risk, and what is refused, action by action.
#[test]
fn risks_and_refusals_are_those_of_the_catalogue() {
    let of = |kind: ActionKind| cases().into_iter().find(|case| case.action.kind() == kind).unwrap();
    let with = |kind: ActionKind, change: &dyn Fn(&mut LiveObject)| {
        let mut case = of(kind);
        change(&mut case.live);
        edit::plan(Some(&case.live), &case.action, start())
    };
    let risk = |kind, change: &dyn Fn(&mut LiveObject)| with(kind, change).unwrap().class.risk;
    let why = |kind, change: &dyn Fn(&mut LiveObject)| with(kind, change).unwrap_err().to_string();
    let pods = |desired, ready, max_unavailable, budget_allows| {
        move |live: &mut LiveObject| live.pods = Some(Pods { desired, ready, max_unavailable, budget_allows })
    };
    let ours = |live: &mut LiveObject| {
        live.managers.fields = vec![("belay".into(), json!({ "f:spec": { "f:unschedulable": {} } }))];
    };
    assert_eq!(risk(A::RestartWorkload, &pods(3, 3, 1, None)), Risk::Low);
    assert_eq!(risk(A::RestartWorkload, &pods(3, 3, 3, None)), Risk::Medium, "all at once");
    assert_eq!(risk(A::RestartWorkload, &pods(1, 1, 1, None)), Risk::Medium, "the last ready one");
    assert_eq!(risk(A::RestartWorkload, &pods(3, 3, 1, Some(0))), Risk::Medium, "a budget allows none");
    assert_eq!(risk(A::RollbackWorkload, &|_| {}), Risk::Low);
    assert_eq!(risk(A::RollbackWorkload, &|live| live.annotations.clear()), Risk::Medium);
    assert!(
        why(A::RollbackWorkload, &|live| {
            live.annotations.insert("belay.dev/migration".into(), "true".into());
        })
        .contains("a migration lies between")
    );
    assert!(
        why(A::RollbackWorkload, &|live| live.around = Around::Template { wanted: None, running: None })
            .contains("no template `7c9f`")
    );
    assert!(
        why(A::RollbackWorkload, &|live| live.around =
            Around::Template { wanted: None, running: Some(hash("7c9f")) })
        .contains("already")
    );
    assert_eq!(risk(A::CordonNode, &|_| {}), Risk::Low);
    assert_eq!(risk(A::CordonNode, &|live| live.around = Around::Nodes { cordoned: 1 }), Risk::High);
    assert_eq!(risk(A::UncordonNode, &|_| {}), Risk::High, "somebody else cordoned it");
    assert_eq!(risk(A::UncordonNode, &ours), Risk::Low);
    assert_eq!(risk(A::SetHpaBounds, &|_| {}), Risk::Low);
    assert_eq!(risk(A::SetHpaBounds, &|live| live.content["spec"]["maxReplicas"] = 20.into()), Risk::Medium);
    assert!(
        why(A::SetResources, &|live| live.content = json!({ "spec": { "template": {} } }))
            .contains("no container `web`")
    );
    assert!(
        why(
            A::SetResources,
            &|live| live.content["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({})
        )
        .contains("no memory limit")
    );
    assert!(
        why(A::SetResources, &|live| live.content["spec"]["template"]["spec"]["containers"][0]["resources"]
            ["limits"]["memory"] = "300Mi".into())
        .contains("`300Mi` now, not 256Mi")
    );
    for kind in [A::RestartWorkload, A::RollbackWorkload, A::SetResources] {
        assert!(
            why(kind, &|live| live.content["spec"]["paused"] = true.into()).contains("its rollout is paused")
        );
        assert!(
            why(kind, &|live| live.content["spec"]["updateStrategy"] = json!({ "type": "OnDelete" }))
                .contains("somebody deletes")
        );
    }
    for kind in [A::PauseRollout, A::SuspendCronjob, A::CordonNode] {
        let path = match kind {
            A::PauseRollout => "paused",
            A::SuspendCronjob => "suspend",
            _ => "unschedulable",
        };
        assert!(why(kind, &|live| live.content["spec"][path] = true.into()).contains("already so"));
    }
    for kind in [A::PauseRollout, A::SetHpaBounds, A::CordonNode, A::SuspendCronjob] {
        let case = of(kind);
        let mut live = case.live.clone();
        live.object.named.kind = Kind::StatefulSet;
        let mut action = case.action.clone();
        match &mut action {
            Action::PauseRollout { workload: o }
            | Action::SetHpaBounds { autoscaler: o, .. }
            | Action::CordonNode { node: o }
            | Action::SuspendCronjob { cronjob: o } => o.named.kind = Kind::StatefulSet,
            other => panic!("{other:?}"),
        }
        assert!(edit::plan(Some(&live), &action, start()).unwrap_err().to_string().contains("is no "));
    }
}

proptest! {
    /// A rollback between any two templates comes down to changes that lead there and back.
    #[test]
    fn a_rollback_leads_to_the_wanted_template_and_back(
        images in (select(vec!["web:1", "web:2"]), select(vec!["web:1", "web:2", "web:3"])),
        envs in (0usize..3, 0usize..3),
        sidecars in (0usize..3, 0usize..3),
        notes in (any::<bool>(), any::<bool>()),
    ) {
        let template = |image: &str, envs: usize, sidecars: usize, note: bool| {
            let env: Vec<Value> = (0..envs).map(|i| json!({ "name": format!("E{i}"), "value": image })).collect();
            let mut containers = vec![json!({ "name": "web", "image": image, "env": env })];
            containers.extend((0..sidecars).map(|i| json!({ "name": format!("s{i}"), "image": "side" })));
            let mut template = json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": containers } });
            if note {
                template["metadata"]["annotations"] = json!({ "note/x": "~" });
            }
            template
        };
        let (now, old) = (template(images.0, envs.0, sidecars.0, notes.0), template(images.1, envs.1, sidecars.1, notes.1));
        let mut live = deployment();
        live.content["spec"]["template"] = now.clone();
        live.around = Around::Template { wanted: Some((old.clone(), false)), running: None };
        let action = Action::RollbackWorkload { workload: live.object.clone(), template: hash("7c9f") };
        let planned = edit::plan(Some(&live), &action, start());
        if now == old {
            prop_assert!(matches!(planned, Err(Refusal::NothingToDo(_))));
            return Ok(());
        }
        let (plan, act) = (planned.unwrap(), IntentId::new("inc-0"));
        let order = edit::order(&plan, Some(&live)).unwrap();
        prop_assert_eq!(order.template(), Some(&old));
        let after = write(&live, &plan, &act);
        prop_assert_eq!(after.content.pointer("/spec/template"), Some(&old));
        let back = edit::plan_revert(Some(&after), &plan, std::slice::from_ref(&act), start()).unwrap();
        prop_assert_eq!(write(&after, &back, &IntentId::new("inc-1")).content, live.content);
    }
}

/// A bench whose cluster holds the case's object.
async fn bench(case: &Case) -> Bench {
    let bench = Bench::new().await;
    bench.hand.world().workload = Some(case.live.clone());
    bench
}

fn content(bench: &Bench) -> Value {
    bench.hand.world().workload.as_ref().unwrap().content.clone()
}

/// Every fault at the one write of every action, and of its undo: at most one effect, no lost one, and an
/// order that is repeated tells what became of it.
#[tokio::test]
async fn whatever_happens_to_the_write_it_takes_effect_at_most_once() {
    for case in cases() {
        let faults = [
            None,
            Some(Fault::LostBefore),
            Some(Fault::LostAfter),
            Some(Fault::Status(409, "Conflict", "the object has been modified")),
            Some(Fault::Status(500, "InternalError", "etcdserver: request timed out")),
            Some(Fault::Status(403, "Forbidden", "denied")),
        ];
        for fault in faults {
            let mut bench = bench(&case).await;
            let plan = bench.actions().plan(&case.action, &case.live.owner).await.unwrap().unwrap();
            let takes_effect = matches!(fault, None | Some(Fault::LostAfter));
            bench.hand.world().faults.extend(fault.clone());
            let first = bench.actions().apply(&plan, &bench.warrant(&plan, "w1", "inc-0")).await.unwrap();
            assert_eq!(done(&first), takes_effect, "{} {fault:?}: {first:?}", case.action.kind().name());
            assert_eq!(bench.hand.world().effects.len(), usize::from(takes_effect));
            // the server dies and the same order comes again
            bench.restart().await;
            let again = bench.actions().apply(&plan, &bench.warrant(&plan, "w1", "inc-0")).await.unwrap();
            assert_eq!(done(&again), takes_effect, "{again:?}");
            assert_eq!(bench.hand.world().effects.len(), usize::from(takes_effect));
            let status = bench.actions().status(&plan, &IntentId::new("inc-0")).await.unwrap();
            assert_eq!(done(&status), takes_effect, "{status:?}");
            if takes_effect && plan.revertible() {
                undone(&mut bench, &plan, &case.live.content).await;
            }
        }
    }
}

/// The same for the undo.
async fn undone(bench: &mut Bench, plan: &Plan, before: &Value) {
    let back = bench.actions().plan_revert(plan, &IntentId::new("inc-0")).await.unwrap().unwrap();
    bench.hand.world().faults.push_back(Fault::LostBefore);
    let lost = bench.actions().apply(&back, &bench.warrant(&back, "w2", "inc-1")).await.unwrap();
    assert!(!done(&lost), "{lost:?}");
    // it was read back and not done: a new warrant may try again
    bench.hand.world().faults.push_back(Fault::LostAfter);
    let second = bench.actions().apply(&back, &bench.warrant(&back, "w3", "inc-1")).await.unwrap();
    assert!(done(&second), "{second:?}");
    bench.restart().await;
    let again = bench.actions().apply(&back, &bench.warrant(&back, "w3", "inc-1")).await.unwrap();
    assert!(done(&again), "{again:?}");
    assert_eq!(content(bench), *before);
    assert_eq!(bench.hand.world().effects.len(), 2);
}

/// A template that would be refused as a pod is met before anything is written.
#[tokio::test]
async fn new_pods_are_rehearsed_before_the_old_ones_go() {
    for case in cases() {
        let bench = bench(&case).await;
        let plan = bench.actions().plan(&case.action, &case.live.owner).await.unwrap().unwrap();
        let template = plan.changes.iter().any(|change| change.path.starts_with("/spec/template"));
        assert_eq!(bench.hand.world().rehearsed, 1 + u32::from(template), "{}", case.action.kind().name());
        bench.hand.world().dry_run = Some((403, "Forbidden", "exceeded quota"));
        let applied = bench.actions().apply(&plan, &bench.warrant(&plan, "w1", "inc-0")).await.unwrap();
        assert_eq!(done(&applied), !template, "{applied:?}");
        let refused = bench.actions().plan(&case.action, &case.live.owner).await.unwrap().unwrap_err();
        assert!(template || matches!(refused, Refusal::Api(_) | Refusal::NothingToDo(_)), "{refused:?}");
    }
}

/// Two acts on one object are put back one after the other: the mark of the first undo stands there then.
#[tokio::test]
async fn acts_on_one_object_are_put_back_in_turn() {
    let bench = Bench::new().await;
    let (first, second) = (IntentId::new("inc-0"), IntentId::new("inc-1"));
    let scale = |replicas| Action::ScaleWorkload { workload: deployment().object, replicas };
    let mut plans = Vec::new();
    for (replicas, intent) in [(4, &first), (6, &second)] {
        let plan = bench.actions().plan(&scale(replicas), &deployment().owner).await.unwrap().unwrap();
        let warrant = bench.warrant(&plan, intent.as_str(), intent.as_str());
        assert!(done(&bench.actions().apply(&plan, &warrant).await.unwrap()));
        plans.push(plan);
    }
    // the older one first would overwrite the newer
    let early = bench.actions().plan_revert(&plans[0], &first).await.unwrap();
    assert!(matches!(early, Err(Refusal::Changed { .. })), "{early:?}");
    let undo = IntentId::new("inc-2");
    let back = bench.actions().plan_revert(&plans[1], &second).await.unwrap().unwrap();
    assert!(done(&bench.actions().apply(&back, &bench.warrant(&back, "w2", undo.as_str())).await.unwrap()));
    let alone = bench.actions().plan_revert(&plans[0], &first).await.unwrap();
    assert!(matches!(alone, Err(Refusal::Changed { .. })), "{alone:?}");
    let back = bench.actions().plan_revert_after(&plans[0], &first, &[undo]).await.unwrap().unwrap();
    assert!(done(&bench.actions().apply(&back, &bench.warrant(&back, "w3", "inc-3")).await.unwrap()));
    assert_eq!(content(&bench), deployment().content);
}

/// What belay stands on is out of reach by its own name and by that of whoever answers for it.
#[tokio::test]
async fn what_belay_stands_on_is_never_acted_on() {
    let bench = Bench::new().await;
    let named = |name: &str| {
        let mut live = deployment();
        live.object.named.name = name.into();
        live
    };
    for (live, owner) in
        [(named("postgres"), "postgres"), (named("postgres-0"), "postgres"), (named("web"), "web")]
    {
        let mut live = live;
        live.owner = RootOwner(object(Kind::Deployment, owner, "u-web"));
        bench.hand.world().workload = Some(live.clone());
        let action = Action::PauseRollout { workload: live.object.clone() };
        let planned = bench.actions().plan(&action, &live.owner).await.unwrap();
        if owner == "web" {
            planned.unwrap();
            continue;
        }
        let why = planned.unwrap_err().to_string();
        assert!(why.contains("`shop/postgres` is protected: belay keeps its journal there"), "{why}");
    }
}

/// What got riskier since it was planned is planned anew; putting back is not held to that.
#[test]
fn more_risk_than_planned_refuses_an_act_and_no_undo() {
    let lone = |mut live: LiveObject| {
        live.pods = Some(Pods { desired: 1, ready: 1, max_unavailable: 1, budget_allows: None });
        live
    };
    let restart = cases().into_iter().find(|c| c.action.kind() == A::RestartWorkload).unwrap();
    let plan = planned(&restart);
    let why = edit::order(&plan, Some(&lone(restart.live.clone()))).unwrap_err().to_string();
    assert!(why.contains("its risk is medium now, and was low"), "{why}");
    let rollback = cases().into_iter().find(|c| c.action.kind() == A::RollbackWorkload).unwrap();
    let (plan, act) = (planned(&rollback), IntentId::new("inc-0"));
    let after = write(&rollback.live, &plan, &act);
    let back = edit::plan_revert(Some(&after), &plan, std::slice::from_ref(&act), start()).unwrap();
    assert!(edit::order(&back, Some(&lone(after))).is_ok());
}

/// What became of an act stays what it was, and what somebody changed of it since is told besides.
#[tokio::test]
async fn a_change_since_is_told_with_the_status() {
    for case in cases() {
        let mut bench = bench(&case).await;
        let plan = bench.actions().plan(&case.action, &case.live.owner).await.unwrap().unwrap();
        assert!(done(&bench.actions().apply(&plan, &bench.warrant(&plan, "w1", "inc-0")).await.unwrap()));
        bench.restart().await;
        let intent = IntentId::new("inc-0");
        let since = async |bench: &Bench| match bench.actions().status(&plan, &intent).await.unwrap() {
            Applied::Done { changed, .. } => changed,
            other => panic!("{other:?}"),
        };
        assert_eq!(since(&bench).await, None, "{}", case.action.kind().name());
        bench.hand.world().blind = true;
        assert!(since(&bench).await.unwrap().contains("unknown"));
        bench.hand.world().blind = false;
        bench.hand.world().workload.as_mut().unwrap().content = case.live.content.clone();
        let told = since(&bench).await.unwrap();
        assert!(told.contains("now, and we wrote"), "{told}");
        bench.hand.world().workload = None;
        assert!(since(&bench).await.unwrap().contains("is gone"));
    }
}
