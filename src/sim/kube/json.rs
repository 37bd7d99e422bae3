//! Small readers and writers for objects kept as JSON, and the formats of the Kubernetes API: times and
//! quantities.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The text at a JSON pointer; empty when it is absent or no text.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The integer at a JSON pointer; zero when it is absent or no integer.
pub(crate) fn int(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// Whether `true` stands at a JSON pointer.
pub(crate) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The list at a JSON pointer; empty when it is absent or no list.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Sets a field by its path of keys, making the objects on the way.
pub(crate) fn put(value: &mut Value, path: &[&str], new: impl Into<Value>) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut here = value;
    for key in parents {
        let Some(map) = as_object(here) else { return };
        here = map.entry((*key).to_owned()).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(map) = as_object(here) {
        map.insert((*last).to_owned(), new.into());
    }
}

/// Removes a field by its path of keys.
pub(crate) fn cut(value: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else { return };
    let mut here = value;
    for key in parents {
        let Some(next) = here.get_mut(*key) else { return };
        here = next;
    }
    if let Some(map) = here.as_object_mut() {
        map.remove(*last);
    }
}

/// The value as an object; anything else becomes an empty one first.
fn as_object(value: &mut Value) -> Option<&mut Map<String, Value>> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// A moment as the API writes it: whole seconds, UTC.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The moment at a JSON pointer.
pub(crate) fn moment(value: &Value, pointer: &str) -> Option<Timestamp> {
    text(value, pointer).parse().ok()
}

/// Millicores of a CPU quantity such as `500m` or `2`.
pub(crate) fn millicores(quantity: &str) -> Option<u64> {
    match quantity.strip_suffix('m') {
        Some(milli) => milli.parse().ok(),
        None => quantity.parse::<u64>().ok().map(|cores| cores.saturating_mul(1000)),
    }
}

/// Bytes of a memory quantity such as `64Mi`.
pub(crate) fn bytes(quantity: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 6] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
    ];
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| quantity.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((quantity, 1));
    digits.parse::<u64>().ok().map(|count| count.saturating_mul(unit))
}

/// An absolute number or a share of `total` (`"25%"`), rounded up or down.
pub(crate) fn share(value: Option<&Value>, total: i64, round_up: bool) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(percent) => {
            let percent = percent.strip_suffix('%')?.parse::<i64>().ok()?;
            let scaled = percent.saturating_mul(total);
            Some(if round_up { scaled.saturating_add(99) / 100 } else { scaled / 100 })
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
