//! A model that does the sensible thing, from nothing but the request: for the demo, and for tests in
//! which the model is not what is tested.

use serde_json::{Map, Value};

use super::Turn;
use super::check::{list_at, str_at};

/// How many reads it makes before it ends.
const READS: usize = 2;

/// The next turn for this request.
pub fn think(request: &Value) -> Turn {
    let messages = list_at(request, "messages");
    let done = messages.iter().filter(|m| str_at(m, "role") == "assistant").count();
    let text = |role: &str| messages.iter().find(|m| str_at(m, "role") == role).map(|m| str_at(m, "content"));
    let (system, incident) = (text("system").unwrap_or_default(), text("user").unwrap_or_default());
    let candidate = candidates(incident).next();
    if done < READS {
        let mut known = Known { namespace: heading(system, "# Namespace"), pod: None };
        known.pod = candidate.as_ref().and_then(|c| c.quoted.clone());
        if let Some(call) = reads(request, &known).nth(done) {
            return call;
        }
    }
    match candidate {
        Some(Offered { id, evidence, .. }) => Turn::Choose { candidate: id, evidence },
        None => Turn::Escalate("There is no remedy to choose.".to_owned()),
    }
}

/// What it knows for filling in arguments.
struct Known {
    namespace: String,
    pod: Option<String>,
}

/// A candidate as the prompt lists it: `` - `c1`: restart pod `api-1`, because … (evidence: e1, e2) ``.
struct Offered {
    id: String,
    quoted: Option<String>,
    evidence: Vec<String>,
}

fn candidates(incident: &str) -> impl Iterator<Item = Offered> + '_ {
    incident.lines().filter_map(|line| {
        let (id, rest) = line.strip_prefix("- `")?.split_once("`: ")?;
        let (words, evidence) = rest.rsplit_once(" (evidence: ")?;
        let evidence = evidence.trim_end_matches(')').split(", ").map(str::to_owned).collect();
        Some(Offered { id: id.to_owned(), quoted: words.split('`').nth(1).map(str::to_owned), evidence })
    })
}

/// The line under a heading.
fn heading(text: &str, name: &str) -> String {
    text.lines().skip_while(|l| *l != name).nth(1).unwrap_or_default().to_owned()
}

/// Calls of the read tools that are offered and whose required arguments it can fill in.
fn reads<'a>(request: &'a Value, known: &'a Known) -> impl Iterator<Item = Turn> + 'a {
    list_at(request, "tools").iter().filter_map(|tool| {
        let function = tool.get("function")?;
        let name = str_at(function, "name");
        if matches!(name, "choose" | "no_action" | "escalate") {
            return None;
        }
        let schema = function.get("parameters")?;
        let mut arguments = Map::new();
        for wanted in list_at(schema, "required") {
            let wanted = wanted.as_str()?;
            let value = match wanted {
                "namespace" => known.namespace.clone(),
                "pod" | "name" | "workload" | "deployment" => known.pod.clone()?,
                _ => return None,
            };
            arguments.insert(wanted.to_owned(), Value::String(value));
        }
        Some(Turn::Call {
            say: format!("I look at `{name}` first."),
            calls: vec![(name.to_owned(), Value::Object(arguments).to_string())],
        })
    })
}
