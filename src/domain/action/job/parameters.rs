//! The parameters of a job template: a closed part of JSON Schema, for an object of texts. Whatever is beyond
//! it is refused where it is read, so that nothing is thought to be checked that is not.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::{Deserialize, Serialize};

/// The most parameters of a template: more than a person would look through before saying yes.
const MOST: usize = 16;

/// The longest value: names of Kubernetes objects have at most 253 characters, and nothing longer is meant to
/// pass through here.
const LONGEST: usize = 256;

/// The longest name of a parameter: it becomes the name of an environment variable.
const LONGEST_NAME: usize = 40;

/// What parameters there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Schema {
    #[serde(rename = "type")]
    kind: ObjectType,
    /// Each by its name.
    #[serde(default)]
    pub properties: BTreeMap<String, Property>,
    /// Those without which nothing is run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub required: BTreeSet<String>,
    additional_properties: bool,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Property {
    #[serde(rename = "type")]
    kind: TextType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    one_of: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_length: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_length: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ObjectType {
    Object,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TextType {
    String,
}

impl Default for Schema {
    fn default() -> Self {
        Self {
            kind: ObjectType::Object,
            properties: BTreeMap::new(),
            required: BTreeSet::new(),
            additional_properties: false,
        }
    }
}

impl Schema {
    /// Refuses what could not be held to.
    pub fn check(&self) -> Result<(), String> {
        if self.additional_properties {
            return Err("`parameters.additionalProperties` must be `false`".to_owned());
        }
        if self.properties.len() > MOST {
            return Err(format!("`parameters` has more than {MOST} properties"));
        }
        if let Some(name) = self.required.iter().find(|name| !self.properties.contains_key(*name)) {
            return Err(format!("`parameters.required` names `{name}`, which is no property"));
        }
        self.properties.iter().try_for_each(|(name, property)| {
            if !is_name(name) {
                return Err(format!(
                    "`parameters.properties` has `{name}`: a name has at most {LONGEST_NAME} lower-case letters, digits and `_`, a letter first"
                ));
            }
            property.check().map_err(|why| format!("`parameters.properties.{name}`: {why}"))
        })
    }

    /// Refuses values that are not those of the schema.
    pub fn admit(&self, values: &BTreeMap<String, String>) -> Result<(), String> {
        if let Some(name) = self.required.iter().find(|name| !values.contains_key(*name)) {
            return Err(format!("the parameter `{name}` is missing"));
        }
        values.iter().try_for_each(|(name, value)| {
            let property =
                self.properties.get(name).ok_or_else(|| format!("there is no parameter `{name}`"))?;
            property.admit(value).map_err(|why| format!("the parameter `{name}` {why}"))
        })
    }
}

impl Property {
    /// Whether only what somebody thought of passes.
    pub const fn bounds(&self) -> bool {
        self.one_of.is_some() || self.pattern.is_some()
    }

    fn check(&self) -> Result<(), String> {
        if self.one_of.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err("`enum` is empty".to_owned());
        }
        if self.max_length.is_some_and(|max| max > LONGEST) {
            return Err(format!("`maxLength` is beyond {LONGEST}"));
        }
        if self.min_length.unwrap_or(0) > self.max_length.unwrap_or(LONGEST) {
            return Err("`minLength` is beyond `maxLength`".to_owned());
        }
        let Some(pattern) = &self.pattern else { return Ok(()) };
        if !pattern.starts_with('^') || !pattern.ends_with('$') {
            return Err(
                "`pattern` must be of the whole value: begin it with `^` and end it with `$`".to_owned()
            );
        }
        Regex::new(&whole(pattern)).map(drop).map_err(|_| format!("`{pattern}` is no regular expression"))
    }

    /// Refuses a value that is not one of the property's.
    pub fn admit(&self, value: &str) -> Result<(), String> {
        let length = value.chars().count();
        let longest = self.max_length.unwrap_or(LONGEST);
        if length > longest || length < self.min_length.unwrap_or(0) {
            return Err(format!("has {length} characters"));
        }
        if value.chars().any(char::is_control) {
            return Err("holds a control character".to_owned());
        }
        if self.one_of.as_ref().is_some_and(|words| !words.contains(value)) {
            return Err("is none of those that its schema lists".to_owned());
        }
        let Some(pattern) = &self.pattern else { return Ok(()) };
        match Regex::new(&whole(pattern)) {
            Ok(pattern) if pattern.is_match(value) => Ok(()),
            Ok(_) | Err(_) => Err(format!("does not match `{pattern}`")),
        }
    }
}

/// Alternatives must not escape the anchors: `^a|b$` is `^(?:a|b)$` to whoever writes it.
fn whole(pattern: &str) -> String {
    let inner = pattern.strip_prefix('^').unwrap_or(pattern);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    format!(r"\A(?:{inner})\z")
}

fn is_name(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (1..=LONGEST_NAME).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(property: &str) -> Schema {
        serde_json::from_str(&format!(
            r#"{{ "type": "object", "additionalProperties": false, "required": ["a"], "properties": {{ "a": {property} }} }}"#
        ))
        .unwrap()
    }

    fn admits(property: &str, value: &str) -> bool {
        let schema = schema(property);
        schema.check().unwrap();
        schema.admit(&[("a".to_owned(), value.to_owned())].into()).is_ok()
    }

    #[test]
    fn a_value_is_held_against_all_that_the_schema_says() {
        let text = r#"{ "type": "string" }"#;
        assert!(admits(text, "anything; $(at all)") && !admits(text, "a\nb"));
        assert!(admits(text, &"x".repeat(LONGEST)) && !admits(text, &"x".repeat(LONGEST + 1)));
        let one = r#"{ "type": "string", "enum": ["on", "off"] }"#;
        assert!(admits(one, "on") && !admits(one, "On"));
        let shaped = r#"{ "type": "string", "pattern": "^a+|b$", "minLength": 2, "maxLength": 3 }"#;
        for (value, expected) in [("aa", true), ("aaa", true), ("aaaa", false), ("b", false), ("xb", false)] {
            assert_eq!(admits(shaped, value), expected, "{value}");
        }
        assert!(!admits(r#"{ "type": "string", "pattern": "^a$" }"#, "a\n"));
        let schema = schema(text);
        assert!(schema.admit(&BTreeMap::new()).unwrap_err().contains("`a` is missing"));
        let more = [("a".to_owned(), String::new()), ("b".to_owned(), String::new())].into();
        assert!(schema.admit(&more).unwrap_err().contains("no parameter `b`"));
    }

    #[test]
    fn what_is_beyond_the_closed_part_is_refused() {
        for property in [
            r#"{ "type": "integer" }"#,
            r#"{ "type": "string", "format": "date" }"#,
            r#"{ "type": "string", "oneOf": [] }"#,
            r#"{ "pattern": "^a$" }"#,
        ] {
            assert!(serde_json::from_str::<Property>(property).is_err(), "{property}");
        }
        for (property, said) in [
            (r#"{ "type": "string", "pattern": "a" }"#, "of the whole value"),
            (r#"{ "type": "string", "pattern": "^($" }"#, "no regular expression"),
            (r#"{ "type": "string", "enum": [] }"#, "is empty"),
            (r#"{ "type": "string", "maxLength": 300 }"#, "beyond 256"),
            (r#"{ "type": "string", "minLength": 3, "maxLength": 2 }"#, "beyond `maxLength`"),
        ] {
            let why = schema(property).check().unwrap_err();
            assert!(why.contains(said), "{property}: {why}");
        }
        for wrong in [
            r#"{ "type": "object", "properties": {} }"#,
            r#"{ "type": "object", "additionalProperties": false, "patternProperties": {} }"#,
            r#"{ "type": "array", "additionalProperties": false }"#,
        ] {
            assert!(serde_json::from_str::<Schema>(wrong).is_err(), "{wrong}");
        }
        let open: Schema =
            serde_json::from_str(r#"{ "type": "object", "additionalProperties": true }"#).unwrap();
        assert!(open.check().unwrap_err().contains("must be `false`"));
        for name in ["A", "1a", "a-b", "", "a b"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
