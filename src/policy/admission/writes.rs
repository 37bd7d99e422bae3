//! What of a write the API server can judge: which object it is, and whether nothing but an action's own fields
//! changes. The expressions are of CEL's plainest kind, and run on objects that have no schema there.

use crate::domain::action::ActionKind;
use crate::domain::plan::INTENT_ANNOTATION;

use super::quoted;

/// A write that some actions need: its name in the generated policy, what the API server sees of it, and which
/// actions those are.
pub(super) struct Write {
    pub(super) name: &'static str,
    pub(super) denial: &'static str,
    pub(super) object: Seen,
    pub(super) kinds: &'static [ActionKind],
}

/// What the API server sees.
pub(super) enum Seen {
    /// An update of an object of this group and resource.
    Update(&'static str, &'static str),
    /// The eviction of a pod.
    Eviction,
    /// A dry run of making a pod. Never stored.
    Rehearsal,
    /// The making of a Job.
    Job,
}

impl Write {
    /// Whether it changes fields of an object: then its metadata has to stay as it is.
    pub(super) const fn updates(&self) -> bool {
        matches!(self.object, Seen::Update(_, _))
    }

    /// The expression that tells it from other requests.
    pub(super) fn is(&self) -> String {
        let (group, resource, sub, operation, more) = match self.object {
            Seen::Update(group, resource) => (group, resource, "", "UPDATE", ""),
            Seen::Eviction => ("", "pods", "eviction", "CREATE", ""),
            Seen::Job => ("batch", "jobs", "", "CREATE", ""),
            Seen::Rehearsal => ("", "pods", "", "CREATE", " && has(request.dryRun) && request.dryRun"),
        };
        format!(
            "request.resource.group == '{group}' && request.resource.resource == '{resource}' && variables.sub == '{sub}' && request.operation == '{operation}'{more}"
        )
    }
}

/// The kinds that replace the pods of any workload by its template.
const ROLLING: &[ActionKind] =
    &[ActionKind::RestartWorkload, ActionKind::RollbackWorkload, ActionKind::SetResources];

/// Every write of belay's.
pub(super) const WRITES: [Write; 12] = [
    Write {
        name: "mark",
        denial: "no grant allows this change of a pod",
        object: Seen::Update("", "pods"),
        kinds: &[ActionKind::RestartPod],
    },
    Write {
        name: "evict",
        denial: "no grant allows an eviction here",
        object: Seen::Eviction,
        kinds: &[ActionKind::RestartPod],
    },
    Write {
        name: "rehearse",
        denial: "no grant needs the dry run of a pod here",
        object: Seen::Rehearsal,
        kinds: &[
            ActionKind::RestartPod,
            ActionKind::RestartWorkload,
            ActionKind::RollbackWorkload,
            ActionKind::SetResources,
        ],
    },
    Write {
        name: "deployment",
        denial: "no grant allows this change of a deployment",
        object: Seen::Update("apps", "deployments"),
        kinds: &[
            ActionKind::ScaleWorkload,
            ActionKind::RestartWorkload,
            ActionKind::RollbackWorkload,
            ActionKind::PauseRollout,
            ActionKind::ResumeRollout,
            ActionKind::SetResources,
        ],
    },
    Write {
        name: "statefulset",
        denial: "no grant allows this change of a statefulset",
        object: Seen::Update("apps", "statefulsets"),
        kinds: ROLLING,
    },
    Write {
        name: "daemonset",
        denial: "no grant allows this change of a daemonset",
        object: Seen::Update("apps", "daemonsets"),
        kinds: ROLLING,
    },
    Write {
        name: "cronjob",
        denial: "no grant allows this change of a cronjob",
        object: Seen::Update("batch", "cronjobs"),
        kinds: &[ActionKind::SuspendCronjob, ActionKind::ResumeCronjob],
    },
    Write {
        name: "autoscaler",
        denial: "no grant allows this change of an autoscaler",
        object: Seen::Update("autoscaling", "horizontalpodautoscalers"),
        kinds: &[ActionKind::SetHpaBounds],
    },
    Write {
        name: "node",
        denial: "no grant allows this change of a node",
        object: Seen::Update("", "nodes"),
        kinds: &[ActionKind::CordonNode, ActionKind::UncordonNode],
    },
    Write {
        name: "job",
        denial: "no template that belay runs makes this job",
        object: Seen::Job,
        kinds: &[ActionKind::RunJob],
    },
    Write {
        name: "configmap",
        denial: "no grant allows this change of a configmap",
        object: Seen::Update("", "configmaps"),
        kinds: &[ActionKind::RestoreConfig],
    },
    Write {
        name: "service",
        denial: "no grant allows this change of a service",
        object: Seen::Update("", "services"),
        kinds: &[ActionKind::RestoreConfig],
    },
];

/// A variable of the generated policy that says whether a change is of one form: nothing but the fields of these
/// kinds of action changes.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) kinds: &'static [ActionKind],
    fields: Fields,
}

/// Which fields.
enum Fields {
    /// These of the spec.
    Spec(&'static [&'static str]),
    /// The intent's annotation on the pod template.
    TemplateIntent,
    /// The limits of containers in the pod template.
    Limits,
    /// The data of a ConfigMap, or which pods a Service sends traffic to.
    Restored,
}

/// Every form. What `own_field` of the domain says, in the API server's words: a test holds them together.
pub(super) const FORMS: [Form; 10] = [
    Form { name: "marks", kinds: &[ActionKind::RestartPod], fields: Fields::Spec(&[]) },
    Form { name: "scales", kinds: &[ActionKind::ScaleWorkload], fields: Fields::Spec(&["replicas"]) },
    Form { name: "restarts", kinds: &[ActionKind::RestartWorkload], fields: Fields::TemplateIntent },
    Form { name: "rollsBack", kinds: &[ActionKind::RollbackWorkload], fields: Fields::Spec(&["template"]) },
    Form {
        name: "pauses",
        kinds: &[ActionKind::PauseRollout, ActionKind::ResumeRollout],
        fields: Fields::Spec(&["paused"]),
    },
    Form {
        name: "suspends",
        kinds: &[ActionKind::SuspendCronjob, ActionKind::ResumeCronjob],
        fields: Fields::Spec(&["suspend"]),
    },
    Form {
        name: "bounds",
        kinds: &[ActionKind::SetHpaBounds],
        fields: Fields::Spec(&["minReplicas", "maxReplicas"]),
    },
    Form { name: "raises", kinds: &[ActionKind::SetResources], fields: Fields::Limits },
    Form {
        name: "cordons",
        kinds: &[ActionKind::CordonNode, ActionKind::UncordonNode],
        fields: Fields::Spec(&["unschedulable"]),
    },
    Form { name: "restores", kinds: &[ActionKind::RestoreConfig], fields: Fields::Restored },
];

impl Form {
    /// The expression.
    pub(super) fn expression(&self) -> String {
        const TEMPLATE: (&str, &str) = ("oldObject.spec.template", "object.spec.template");
        let spec = |but: &[&str]| kept("oldObject.spec", "object.spec", but);
        let template = |but: &[&str]| kept(TEMPLATE.0, TEMPLATE.1, but);
        match &self.fields {
            Fields::Spec(own) => spec(own),
            // a ConfigMap has no spec: all but its data and its metadata, which has a rule of its own
            Fields::Restored => {
                let data = kept("oldObject", "object", &["data", "binaryData", "metadata"]);
                let service = spec(&["selector", "ports"]);
                format!("variables.what == 'configmap' ? ({data}) : ({service})")
            }
            Fields::TemplateIntent => [
                spec(&["template"]),
                template(&["metadata"]),
                kept(
                    &format!("{}.metadata", TEMPLATE.0),
                    &format!("{}.metadata", TEMPLATE.1),
                    &["annotations"],
                ),
                kept("variables.oldPodNotes", "variables.podNotes", &[INTENT_ANNOTATION]),
            ]
            .join(" && "),
            Fields::Limits => {
                let same = [
                    kept("o", "n", &["resources"]),
                    kept(&part("o", &["resources"]), &part("n", &["resources"]), &["limits"]),
                    kept(
                        &part("o", &["resources", "limits"]),
                        &part("n", &["resources", "limits"]),
                        &["cpu", "memory"],
                    ),
                ]
                .join(" && ");
                let (old, new) =
                    (format!("{}.spec.containers", TEMPLATE.0), format!("{}.spec.containers", TEMPLATE.1));
                [
                    spec(&["template"]),
                    template(&["spec"]),
                    kept(&format!("{}.spec", TEMPLATE.0), &format!("{}.spec", TEMPLATE.1), &["containers"]),
                    format!("{old}.map(c, c.name) == {new}.map(c, c.name)"),
                    format!("{old}.all(o, {new}.exists(n, n.name == o.name && {same}))"),
                ]
                .join(" && ")
            }
        }
    }
}

/// The part of an object below this path, or an empty one.
fn part(of: &str, path: &[&str]) -> String {
    let mut here = of.to_owned();
    let mut there = Vec::new();
    for name in path {
        here = format!("{here}.{name}");
        there.push(format!("has({here})"));
    }
    format!("({} ? {here} : {{}})", there.join(" && "))
}

/// Whether all but these keys of a map are as they were; these may come, go and change.
pub(super) fn kept(old: &str, new: &str, but: &[&str]) -> String {
    let own = match but {
        [] => String::new(),
        [one] => format!("k == {} || ", quoted(one)),
        more => {
            let names: Vec<String> = more.iter().map(|name| quoted(name)).collect();
            format!("k in [{}] || ", names.join(", "))
        }
    };
    format!("{old}.all(k, {own}(k in {new} && {new}[k] == {old}[k])) && {new}.all(k, {own}k in {old})")
}

/// Labels, owners and finalizers stay, and so do all annotations but the intent's.
pub(super) fn metadata() -> String {
    let same = |field: &str| {
        format!(
            "(has(object.metadata.{field}) ? object.metadata.{field} : []) == (has(oldObject.metadata.{field}) ? oldObject.metadata.{field} : [])"
        )
    };
    [
        same("labels"),
        same("ownerReferences"),
        same("finalizers"),
        kept("variables.oldNotes", "variables.notes", &[INTENT_ANNOTATION]),
    ]
    .join(" && ")
}
