//! Expressions: CEL text, checked against the fact schema at load and evaluated over one question. No
//! other room names the `cel` crate.

mod check;
mod types;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use cel::common::types::{CelBool, CelInt, CelString};
use cel::common::value::CowVal;
use cel::context::VariableResolver;
use cel::parser::Expression;
use cel::{Context, Env, ExecutionError, Program, Value};

use super::facts;
use crate::domain::alert::Labels;
use crate::domain::decision::{Fact, Question};

/// The longest expression, and the longest text that one gets to see: the engine has no cost limit. The parser overflows the stack (and aborts) on chains of some thousand terms;
/// 2 KiB hold at most about a thousand, and no rule that a person can read is longer.
const MAX_TEXT: usize = 2048;

/// The most entries of a map or list that an expression gets to see: the engine has no cost limit.
const MAX_ITEMS: usize = 256;

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));
static TIMESTAMP: LazyLock<Option<Program>> = LazyLock::new(|| Program::compile("timestamp(text)").ok());
static DURATION: LazyLock<Option<Program>> = LazyLock::new(|| Program::compile("duration(text)").ok());

/// What is wrong with an expression, and where in its text (in characters).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub offset: usize,
    pub len: usize,
    pub message: String,
    pub help: Option<String>,
}

/// A checked expression that gives true or false.
#[derive(Debug)]
pub(super) struct Rule {
    expression: Expression,
    facts: Vec<String>,
}

/// What an expression said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// True.
    Yes,
    /// False.
    No,
    /// It speaks of a fact that the target's kind does not have.
    NotApplicable(String),
    /// It could not be told: a fact is unknown, or the evaluation failed.
    Error(String),
}

impl Rule {
    /// Compiles and checks an expression.
    pub fn compile(source: &str) -> Result<Self, Vec<Wrong>> {
        let whole = |message: String, help: &str| {
            let len = source.chars().count();
            vec![Wrong { offset: 0, len, message, help: Some(help.to_owned()) }]
        };
        if source.len() > MAX_TEXT {
            let message = format!("the expression is {} bytes long", source.len());
            return Err(whole(message, "at most 2048 are allowed: use several rules"));
        }
        let program = Program::compile(source).map_err(|errors| {
            errors.errors.iter().map(|error| syntax_error(source, error)).collect::<Vec<_>>()
        })?;
        let mut expression = program.expression().clone();
        let facts = check::check(&mut expression, program.source_info(), source)?;
        Ok(Self { expression, facts })
    }

    /// The facts it reads.
    pub fn facts(&self) -> &[String] {
        &self.facts
    }

    /// Evaluates it.
    pub fn ask(&self, question: &Question) -> Verdict {
        let resolver = Facts(question);
        let mut context = Context::with_env(ENV.clone());
        context.set_variable_resolver(&resolver);
        match Value::resolve(&self.expression, &context) {
            Ok(Value::Bool(true)) => Verdict::Yes,
            Ok(Value::Bool(false)) => Verdict::No,
            Ok(_) => Verdict::Error("it gave neither true nor false".to_owned()),
            Err(error) => self.failed(question, &error),
        }
    }

    /// Why it cannot be evaluated although every fact that it reads is known.
    pub fn fault(&self, question: &Question) -> Option<String> {
        let known = |fact: &String| matches!(facts::read(question, fact), Fact::Known(_));
        match self.ask(question) {
            Verdict::Error(why) if self.facts.iter().all(known) => Some(why),
            Verdict::Yes | Verdict::No | Verdict::NotApplicable(_) | Verdict::Error(_) => None,
        }
    }

    fn failed(&self, question: &Question, error: &ExecutionError) -> Verdict {
        let mut not_applicable = None;
        for fact in &self.facts {
            match facts::read(question, fact) {
                Fact::Unknown(why) => return Verdict::Error(format!("{fact} is unknown: {why}")),
                Fact::NotApplicable => not_applicable = not_applicable.or(Some(fact)),
                Fact::Known(facts::Value::Text(text)) if text.len() > MAX_TEXT => {
                    return Verdict::Error(format!("{fact} is longer than {MAX_TEXT} bytes"));
                }
                Fact::Known(facts::Value::Labels(labels)) if !fits(labels) => {
                    return Verdict::Error(format!("{fact} is too large to be looked at"));
                }
                Fact::Known(_) => {}
            }
        }
        match (not_applicable, error) {
            (Some(fact), ExecutionError::UndeclaredReference(_)) => Verdict::NotApplicable(fact.clone()),
            _ => Verdict::Error(error.to_string()),
        }
    }

    /// The facts it reads with their values: `owner.stateful = false`.
    pub fn values(&self, question: &Question) -> String {
        let mut text = String::new();
        self.values_into(&mut text, question);
        text
    }

    /// The same, at the end of `text`: decisions say it for every guard that holds.
    pub fn values_into(&self, text: &mut String, question: &Question) {
        for (i, fact) in self.facts.iter().enumerate() {
            text.push_str(if i == 0 { "" } else { ", " });
            text.push_str(fact);
            value_into(text, question, fact);
        }
    }
}

fn value_into(out: &mut String, question: &Question, fact: &str) {
    // writing into a string does not fail
    let _ = match facts::read(question, fact) {
        Fact::Known(facts::Value::Bool(b)) => write!(out, " = {b}"),
        Fact::Known(facts::Value::Int(n)) => write!(out, " = {n}"),
        Fact::Known(facts::Value::Text(text)) => {
            write!(out, " = '{}'", text.chars().take(80).collect::<String>().escape_debug())
        }
        Fact::Known(facts::Value::Share(share)) => write!(out, " = {}", f64::from(share) / 1000.0),
        Fact::Known(facts::Value::Time(at)) => write!(out, " = {at}"),
        Fact::Known(facts::Value::Span(span)) => write!(out, " = {span:#}"),
        Fact::Known(facts::Value::Labels(labels)) => write!(out, " = {} entries", labels.len()),
        Fact::Unknown(why) => write!(out, " is unknown: {why}"),
        Fact::NotApplicable => {
            out.push_str(" does not apply");
            Ok(())
        }
    };
}

fn syntax_error(source: &str, error: &cel::ParseError) -> Wrong {
    let (line, column) = error.pos;
    let line = usize::try_from(line.max(1)).unwrap_or(1);
    let column = usize::try_from(column.max(1)).unwrap_or(1);
    let before: usize = source.split_inclusive('\n').take(line - 1).map(|l| l.chars().count()).sum();
    let message = error.msg.lines().next().unwrap_or("it does not parse");
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    Wrong {
        offset: before + column - 1,
        len: 1,
        message: format!("the expression does not parse: {message}"),
        help: None,
    }
}

/// Hands an expression its facts, each when it is asked for.
struct Facts<'q>(&'q Question);

/// Stands between the name of a map and the key that is read from it: no expression can spell it.
const KEY: char = '\u{0}';
/// The same, for asking whether the key is there.
const HAS: char = '\u{1}';

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some((map, key)) = name.split_once(KEY) {
            // A label that is not there is the empty text, as in Alertmanager's matchers.
            let value = self.labels(map)?.get(key).map_or("", String::as_str);
            if value.len() > MAX_TEXT {
                return None;
            }
            return Some(CowVal::owned(CelString::from(value)));
        }
        if let Some((map, key)) = name.split_once(HAS) {
            return Some(CowVal::owned(CelBool::from(self.labels(map)?.contains_key(key))));
        }
        match facts::read(self.0, name) {
            Fact::Known(facts::Value::Text(text)) if text.len() > MAX_TEXT => None,
            Fact::Known(facts::Value::Bool(b)) => Some(CowVal::owned(CelBool::from(b))),
            Fact::Known(facts::Value::Int(n)) => Some(CowVal::owned(CelInt::from(n))),
            Fact::Known(facts::Value::Text(std::borrow::Cow::Borrowed(text))) => {
                Some(CowVal::owned(CelString::from(text)))
            }
            Fact::Known(facts::Value::Text(std::borrow::Cow::Owned(text))) => owned(Value::from(text)),
            Fact::Known(facts::Value::Labels(labels)) => owned(map_value(labels)?),
            Fact::Known(facts::Value::Share(share)) => owned(Value::Float(f64::from(share) / 1000.0)),
            Fact::Known(facts::Value::Time(at)) => owned(made_by_cel(&TIMESTAMP, &at.to_string())?),
            Fact::Known(facts::Value::Span(span)) => {
                owned(made_by_cel(&DURATION, &format!("{}s", span.as_secs()))?)
            }
            Fact::Unknown(_) | Fact::NotApplicable => None,
        }
    }
}

impl<'q> Facts<'q> {
    fn labels(&self, name: &str) -> Option<&'q Labels> {
        match facts::read(self.0, name) {
            Fact::Known(facts::Value::Labels(labels)) => Some(labels),
            Fact::Known(_) | Fact::Unknown(_) | Fact::NotApplicable => None,
        }
    }
}

fn owned<'b>(value: Value) -> Option<CowVal<'b, 'b>> {
    value.try_into().ok().map(CowVal::Owned)
}

fn fits(labels: &Labels) -> bool {
    labels.len() <= MAX_ITEMS && labels.iter().all(|(key, value)| key.len().max(value.len()) <= MAX_TEXT)
}

/// A map that is too large is no value at all: an expression over half of it would be a wrong answer.
fn map_value(labels: &Labels) -> Option<Value> {
    if !fits(labels) {
        return None;
    }
    Some(labels.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<HashMap<_, _>>().into())
}

/// CEL's own types of time are another crate's: let CEL make them.
fn made_by_cel(program: &LazyLock<Option<Program>>, text: &str) -> Option<Value> {
    let mut context = Context::with_env(ENV.clone());
    context.add_variable_from_value("text", text);
    program.as_ref()?.execute(&context).ok()
}
