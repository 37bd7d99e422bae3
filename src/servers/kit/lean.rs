//! Schemas of arguments without what says nothing: a model reads the list of tools with every turn.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use serde_json::{Map, Value};

/// The same tools, the schemas of their arguments shorter: which draft they are written in is the protocol's, how wide
/// a number is shows in its bounds, and an argument that may be left out needs no word for *nothing*.
#[must_use]
pub fn lean<S: Send + Sync + 'static>(mut tools: ToolRouter<S>) -> ToolRouter<S> {
    for route in tools.map.values_mut() {
        let mut schema = Map::clone(&route.attr.input_schema);
        schema.remove("$schema");
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
            property.remove("format");
            property.retain(|keyword, value| keyword != "default" || !is_nothing(value));
        }
        route.attr.input_schema = Arc::new(schema);
    }
    tools
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Bool(true) | Value::Number(_) | Value::Object(_) => false,
    }
}
