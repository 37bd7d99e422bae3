//! What every tool of every server keeps to: it says what it is called and that it only reads, its schemas are schemas,
//! it takes a namespace unless it is of the whole cluster, and all of them together cost a model little.

use std::sync::Arc;
use std::time::Duration;

use belay::app::own::{Kind, Own, Sources};
use belay::config;
use belay::ports::clock::{SharedClock, SystemClock};
use belay::ports::inventory::Inventory;
use belay::ports::reads::Listing;
use rmcp::model::Tool;
use serde_json::{Map, Value};

use super::Empty;

const WITHIN: Duration = Duration::from_secs(20);

/// Every source that a server needs, each a made-up address: nothing is asked here.
const SOURCES: &str = "
policies: policies
cluster: { name: eu-1 }
alertmanager: { url: 'http://alertmanager.example:9093' }
prometheus: { url: 'http://prometheus.example:9090' }
traces: { kind: tempo, url: 'http://tempo.example:3200' }
";

/// Tools that read across namespaces, or take a raw query: for who may see everything. Each is refused within a scope.
const fn everywhere(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Kubernetes => &["list_nodes"],
        Kind::Metrics => &["query", "query_range"],
        Kind::Logs | Kind::Alerts | Kind::Deploys | Kind::Runbooks | Kind::Traces | Kind::Map => &[],
    }
}

/// The list of tools that a model reads: name, description and the schema of the arguments, at four bytes a token.
/// (`investigate::tokens` counts two and a half, since what nobody counted must not cost more than a budget says.)
const MOST_TOKENS: usize = 6_000;
/// One tool of them: two and a half times what fifty tools may have each, for the one that lists sixteen kinds.
const MOST_FOR_ONE: usize = 300;
/// What is said of one argument: a short line.
const LINE: usize = 120;

async fn tools(kind: Kind) -> Vec<Tool> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let books = tempfile::tempdir().unwrap();
    let text = format!("{SOURCES}runbooks: {:?}\n", books.path());
    let config = config::parse("the test's configuration", &text).unwrap();
    let (listing, inventory): (Arc<dyn Listing>, Arc<dyn Inventory>) = (Arc::new(Empty), Arc::new(Empty));
    let clock: SharedClock = Arc::new(SystemClock);
    let site = config.site(None).unwrap();
    let sources = Sources {
        config: &config,
        site,
        listing: &listing,
        inventory: &inventory,
        clock: &clock,
        recorded: None,
    };
    let running = Own::build(kind, &sources).unwrap().connect().await.unwrap();
    running.client.tools(WITHIN).await.unwrap()
}

fn bytes(tool: &Tool) -> usize {
    let schema = serde_json::to_string(&tool.input_schema).unwrap();
    tool.name.len() + tool.description.as_ref().map_or(0, |text| text.len()) + schema.len()
}

/// What JSON Schema (draft 2020-12) says of the keywords that are used: their types, and that what is referred to and
/// required is there.
fn check_schema(at: &str, schema: &Value, root: &Map<String, Value>) {
    const TYPES: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];
    let Value::Object(schema) = schema else {
        assert!(schema.is_boolean(), "{at}: neither an object nor true or false: {schema}");
        return;
    };
    for (keyword, value) in schema {
        let at = format!("{at}/{keyword}");
        match keyword.as_str() {
            "type" => {
                let named: Vec<&str> = match value {
                    Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
                    one => vec![one.as_str().unwrap()],
                };
                assert!(named.iter().all(|name| TYPES.contains(name)), "{at}: {value}");
            }
            "properties" | "$defs" | "patternProperties" => {
                let parts = value.as_object().unwrap();
                parts.iter().for_each(|(name, part)| check_schema(&format!("{at}/{name}"), part, root));
            }
            "items" | "additionalProperties" | "not" => check_schema(&at, value, root),
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                assert!(!value.as_array().unwrap().is_empty(), "{at}");
                value.as_array().unwrap().iter().for_each(|part| check_schema(&at, part, root));
            }
            "required" => {
                let properties = schema.get("properties").and_then(Value::as_object);
                for name in value.as_array().unwrap() {
                    let name = name.as_str().unwrap();
                    assert!(properties.is_some_and(|all| all.contains_key(name)), "{at}: no `{name}`");
                }
            }
            "enum" => assert!(!value.as_array().unwrap().is_empty(), "{at}"),
            "$ref" => {
                let pointer = value.as_str().unwrap().strip_prefix('#').unwrap();
                let whole = Value::Object(root.clone());
                assert!(whole.pointer(pointer).is_some(), "{at}: {value} is not there");
            }
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                assert!(value.is_number(), "{at}");
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" => assert!(value.is_u64(), "{at}"),
            "description" | "title" | "format" | "pattern" | "$schema" => assert!(value.is_string(), "{at}"),
            "default" | "const" | "examples" => {}
            "uniqueItems" => assert!(value.is_boolean(), "{at}"),
            other => panic!("{at}: `{other}` is no keyword that belay's schemas use"),
        }
    }
}

fn check_tool(kind: Kind, tool: &Tool) {
    let at = format!("{}/{}", kind.name(), tool.name);
    let hints = tool.annotations.clone().unwrap();
    assert!(hints.title.is_some_and(|title| !title.is_empty()), "{at} has no title");
    let said = (hints.read_only_hint, hints.destructive_hint);
    assert_eq!(said, (Some(true), Some(false)), "{at} does not say that it only reads");
    assert!(tool.description.as_ref().is_some_and(|text| text.len() > 20), "{at} is not described");

    let input = &*tool.input_schema;
    check_schema(&format!("{at}: input"), &Value::Object(input.clone()), input);
    let output = tool.output_schema.as_ref().unwrap_or_else(|| panic!("{at} has no output schema"));
    check_schema(&format!("{at}: output"), &Value::Object((**output).clone()), output);
    for (schema, which) in [(input, "input"), (&**output, "output")] {
        assert_eq!(schema.get("type"), Some(&Value::from("object")), "{at}: {which}");
    }
    assert_eq!(
        input.get("additionalProperties"),
        Some(&Value::from(false)),
        "{at} takes what it does not know"
    );

    assert!(!input.contains_key("$schema"), "{at} is not `lean`");
    let argument = input.get("properties").and_then(|all| all.get("namespace"));
    let required = input.get("required").and_then(Value::as_array).into_iter().flatten();
    let needs = argument.is_some() && required.into_iter().any(|name| name == "namespace");
    let everywhere = everywhere(kind).contains(&&*tool.name);
    assert_eq!(needs, !everywhere, "{at}: it needs a `namespace`, or is of the whole cluster");
    assert!(needs || argument.is_none(), "{at}: what is of the whole cluster takes no `namespace`");

    let arguments = input.get("properties").and_then(Value::as_object).into_iter().flatten();
    for (name, argument) in arguments {
        let text = argument.get("description").and_then(Value::as_str).unwrap_or_default();
        assert!(text.len() <= LINE, "{at}: `{name}` is described at length: {text}");
    }
    assert!(bytes(tool) / 4 <= MOST_FOR_ONE, "{at} costs {} tokens", bytes(tool) / 4);
}

#[tokio::test]
async fn every_tool_of_every_server_keeps_to_the_rules() {
    let mut sum = 0;
    for kind in Kind::ALL {
        let tools = tools(kind).await;
        let mut names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        let mut listed = kind.tools().to_vec();
        names.sort_unstable();
        listed.sort_unstable();
        assert_eq!(names, listed, "{}: the tools are those that are listed", kind.name());
        for tool in &tools {
            check_tool(kind, tool);
        }
        sum += tools.iter().map(bytes).sum::<usize>();
    }
    assert!(sum / 4 < MOST_TOKENS, "the tools cost {} tokens", sum / 4);
}

#[test]
fn the_check_finds_what_is_no_schema() {
    use serde_json::json;
    for wrong in [
        json!({ "type": "strnig" }),
        json!({ "properties": { "a": { "type": ["string", "nothing"] } } }),
        json!({ "required": ["a"], "properties": { "b": true } }),
        json!({ "$ref": "#/$defs/Gone" }),
        json!({ "minimum": "1" }),
        json!({ "anyOf": [] }),
        json!({ "requierd": ["a"] }),
    ] {
        let root = wrong.as_object().unwrap().clone();
        let checked = std::panic::catch_unwind(|| check_schema("it", &wrong, &root));
        assert!(checked.is_err(), "{wrong}");
    }
}
