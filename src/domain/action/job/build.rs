//! From a template and its parameters to the Job that is made: everything but the intent stands before anybody
//! is asked. Parameters are variables of the environment and nothing else.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::pod::{JobSpec, PARAMETER};
use super::run::{MANAGED_BY, TEMPLATE_LABEL};
use super::template::Template;
use crate::domain::canonical::Hash;
use crate::domain::ids::IntentId;
use crate::domain::plan::{FieldChange, INTENT_ANNOTATION, Refusal};
use crate::domain::target::Object;

/// What the Job is run for, as an annotation.
const ABOUT: &str = "belay.dev/about";

/// Digits of the hash that names a Job after its intent: 48 bits, so that two intents of one template have one
/// name once in some ten million; the second is then refused, since another intent stands on it.
const DIGITS: usize = 12;

/// Ends the name of the Job that puts another one back.
const UNDO: &str = "-undo";

/// The one write, complete but for the intent. Only this folder makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateJob {
    namespace: String,
    name: Option<String>,
    template: String,
    body: Value,
}

impl CreateJob {
    /// Where it is made.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The Job, in the name of this intent.
    pub fn body(&self, intent: &str) -> Value {
        let name = self.name.clone().unwrap_or_else(|| name_of(&self.template, intent));
        let mut body = self.body.clone();
        if let Some(meta) = body.pointer_mut("/metadata").and_then(Value::as_object_mut) {
            meta.insert("name".to_owned(), name.into());
            if let Some(notes) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                notes.insert(INTENT_ANNOTATION.to_owned(), intent.into());
            }
        }
        body
    }
}

/// The name of the Job of this intent: the same however often it is asked for.
pub(super) fn name_of(template: &str, intent: &str) -> String {
    let mut digits = Hash::of_parts(&[template.as_bytes(), intent.as_bytes()]).to_string();
    digits.truncate(DIGITS);
    format!("{template}-{digits}")
}

/// The name of the Job that puts back what the Job of this intent did: one, however often it is asked for.
pub(super) fn undo_name_of(template: &str, intent: &IntentId) -> String {
    format!("{}{UNDO}", name_of(template, intent.as_str()))
}

/// Whether this is a name that `undo_name_of` gives.
pub(super) fn is_undo_name(template: &str, name: &str) -> bool {
    let digits = name.strip_prefix(template).and_then(|rest| rest.strip_prefix('-'));
    digits.and_then(|rest| rest.strip_suffix(UNDO)).is_some_and(|digits| {
        digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// The Job; `name` where it does not follow from the intent.
pub(super) fn build(
    template: &Template,
    job: &JobSpec,
    (about, parameters): (&Object, &BTreeMap<String, String>),
    name: Option<String>,
) -> Result<CreateJob, Refusal> {
    let unfit = || Refusal::Limit(format!("job template `{}` makes no Job", template.name()));
    let labels = json!({ MANAGED_BY: "belay", TEMPLATE_LABEL: template.name() });
    let named = &about.named;
    let mut spec = serde_json::to_value(job).map_err(|_| unfit())?;
    let fields = spec.as_object_mut().ok_or_else(unfit)?;
    fields.insert("activeDeadlineSeconds".to_owned(), template.spec.timeout.as_secs().into());
    let meta = spec.pointer_mut("/template/metadata").and_then(Value::as_object_mut).ok_or_else(unfit)?;
    let own = meta.entry("labels").or_insert_with(|| json!({})).as_object_mut().ok_or_else(unfit)?;
    own.extend(labels.as_object().cloned().unwrap_or_default());
    let pod = spec.pointer_mut("/template/spec").and_then(Value::as_object_mut).ok_or_else(unfit)?;
    pod.insert("serviceAccountName".to_owned(), template.spec.service_account.clone().into());
    for list in ["initContainers", "containers"] {
        for container in pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            set(container.as_object_mut().ok_or_else(unfit)?, parameters);
        }
    }
    let about = format!("{}/{}/{}", named.kind, named.namespace, named.name);
    Ok(CreateJob {
        namespace: template.spec.namespace.clone(),
        name,
        template: template.name().to_owned(),
        body: json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "namespace": template.spec.namespace,
                "labels": labels,
                "annotations": { ABOUT: about },
            },
            "spec": spec,
        }),
    })
}

/// Puts the parameters into a container's environment: first, so that no variable before them can be named by
/// a value, and with each `$` doubled, so that Kubernetes puts nothing in place of `$(NAME)` in one.
fn set(container: &mut Map<String, Value>, parameters: &BTreeMap<String, String>) {
    let given = parameters.iter().map(|(name, value)| {
        json!({ "name": format!("{PARAMETER}{}", name.to_ascii_uppercase()), "value": value.replace('$', "$$") })
    });
    let own = container.remove("env").and_then(|env| env.as_array().cloned()).unwrap_or_default();
    let env: Vec<Value> = given.chain(own).collect();
    if !env.is_empty() {
        container.insert("env".to_owned(), env.into());
    }
}

/// What a person reads before saying yes: where, as whom, and what runs with what. The rest is fixed by the
/// template's hash, which stands in the action.
pub(super) fn shown(order: &CreateJob, job: &JobSpec) -> Vec<FieldChange> {
    let mut paths: Vec<String> =
        vec!["/metadata/namespace".to_owned(), "/spec/template/spec/serviceAccountName".to_owned()];
    for (list, i, container) in job.template.spec.all() {
        let at = format!("/spec/template/spec/{list}/{i}");
        paths.push(format!("{at}/image"));
        paths.extend((!container.command.is_empty()).then(|| format!("{at}/command")));
        paths.extend((!container.args.is_empty()).then(|| format!("{at}/args")));
        paths.push(format!("{at}/env"));
    }
    paths.push("/spec/activeDeadlineSeconds".to_owned());
    let change = |path: String| {
        let to = order.body.pointer(&path)?.to_string();
        Some(FieldChange { path, from: None, to: Some(to) })
    };
    let name = order.name.as_ref().map(|name| FieldChange {
        path: super::run::NAME.to_owned(),
        from: None,
        to: Some(Value::from(name.as_str()).to_string()),
    });
    name.into_iter().chain(paths.into_iter().filter_map(change)).collect()
}

/// The same in one line: "image `x`, command `["a"]`".
pub(super) fn told(job: &JobSpec) -> String {
    let one = |(_, _, container): (&str, usize, &super::pod::Container)| {
        let words: Vec<&str> = container.command.iter().chain(&container.args).map(String::as_str).collect();
        let words = if words.is_empty() { String::new() } else { format!(" with `{}`", words.join(" ")) };
        format!("`{}`{words}", container.image)
    };
    job.template.spec.all().map(one).collect::<Vec<_>>().join(", then ")
}
