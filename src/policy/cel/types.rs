//! The types of expressions, and what each operator and function takes and gives.

use cel::common::ast::LiteralValue;
use cel::common::ast::operators as op;

use super::super::facts::Type;

/// What a part of an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ty {
    Fact(Type),
    Float,
    Duration,
    List(Box<Ty>),
    Any,
}

pub(super) const BOOL: Ty = Ty::Fact(Type::Bool);
pub(super) const INT: Ty = Ty::Fact(Type::Int);
pub(super) const TEXT: Ty = Ty::Fact(Type::Text);
const TIME: Ty = Ty::Fact(Type::Time);

impl Ty {
    /// The type of a fact, where the language has a word of its own for it.
    pub fn of(fact: Type) -> Self {
        match fact {
            Type::Share => Self::Float,
            Type::Span => Self::Duration,
            Type::Bool | Type::Int | Type::Text | Type::Labels | Type::Time => Self::Fact(fact),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Fact(Type::Bool) => "true or false",
            Self::Fact(Type::Int) => "a whole number",
            Self::Fact(Type::Text) => "text",
            Self::Fact(Type::Labels) => "a map",
            Self::Fact(Type::Time) => "a time",
            Self::Float | Self::Fact(Type::Share) => "a fraction",
            Self::Duration | Self::Fact(Type::Span) => "a duration",
            Self::List(_) => "a list",
            Self::Any => "something unknown",
        }
    }

    pub fn fits(&self, other: &Self) -> bool {
        let number = |t: &Self| *t == INT || *t == Self::Float;
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(a), Self::List(b)) => a.fits(b),
            (a, b) => a == b || number(a) && number(b),
        }
    }
}

pub(super) fn literal_type(literal: &LiteralValue) -> Ty {
    match literal {
        LiteralValue::Boolean(_) => BOOL,
        LiteralValue::Int(_) => INT,
        LiteralValue::Double(_) => Ty::Float,
        LiteralValue::String(_) => TEXT,
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) | LiteralValue::Null => Ty::Any,
    }
}

/// The type of a call, or why it cannot be.
pub(super) fn signature(function: &str, types: &[Ty]) -> Result<Ty, String> {
    let wants = |want: &[Ty], gives: Ty| {
        let fit = want.len() == types.len() && want.iter().zip(types).all(|(w, t)| w.fits(t));
        let given: Vec<&str> = types.iter().map(Ty::name).collect();
        fit.then_some(gives)
            .ok_or_else(|| format!("`{}` does not take {}", word(function), given.join(" and ")))
    };
    let same = |gives: Ty| match types {
        [a, b] if a.fits(b) => Ok(gives),
        [a, b] => Err(format!("`{}` between {} and {}", word(function), a.name(), b.name())),
        _ => Err(format!("`{}` takes two operands", word(function))),
    };
    match function {
        op::LOGICAL_AND | op::LOGICAL_OR => wants(&[BOOL, BOOL], BOOL),
        op::LOGICAL_NOT => wants(&[BOOL], BOOL),
        op::EQUALS | op::NOT_EQUALS => same(BOOL),
        op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS => match types {
            [Ty::Fact(Type::Bool | Type::Labels) | Ty::List(_), _] => wants(&[INT, INT], BOOL),
            _ => same(BOOL),
        },
        op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO => match types {
            [Ty::Fact(Type::Int), Ty::Fact(Type::Int)] => Ok(INT),
            [Ty::Fact(Type::Int), Ty::Float] | [Ty::Float, Ty::Fact(Type::Int)] => {
                Err(format!("`{}` between a whole number and a fraction: write double(…)", word(function)))
            }
            [Ty::Fact(Type::Bool), _] | [_, Ty::Fact(Type::Bool)] => wants(&[INT, INT], INT),
            _ => Ok(Ty::Any),
        },
        op::NEGATE => Ok(types.first().cloned().unwrap_or(Ty::Any)),
        op::CONDITIONAL => match types {
            [cond, a, b] if cond.fits(&BOOL) && a.fits(b) => Ok(a.clone()),
            _ => Err("`? :` needs a condition and two values of one type".to_owned()),
        },
        op::IN => match types {
            [_, Ty::Fact(Type::Labels) | Ty::Any] => Ok(BOOL),
            [item, Ty::List(of)] if item.fits(of) => Ok(BOOL),
            _ => Err("`in` needs a list of such values, or a map".to_owned()),
        },
        op::INDEX => Ok(Ty::Any),
        op::NOT_STRICTLY_FALSE => Ok(BOOL),
        "startsWith" | "endsWith" | "contains" | "matches" => wants(&[TEXT, TEXT], BOOL),
        "size" | "int" => Ok(INT),
        "string" => Ok(TEXT),
        "double" => Ok(Ty::Float),
        "timestamp" => wants(&[TEXT], TIME),
        "duration" => wants(&[TEXT], Ty::Duration),
        "getHours" | "getMinutes" | "getDayOfWeek" | "getDayOfMonth" | "getMonth" | "getFullYear" => {
            if types.len() == 1 { wants(&[TIME], INT) } else { wants(&[TIME, TEXT], INT) }
        }
        other => Err(format!("`{}` is not supported", word(other))),
    }
}

pub(super) const FUNCTIONS: [&str; 16] = [
    "startsWith",
    "endsWith",
    "contains",
    "matches",
    "size",
    "string",
    "int",
    "double",
    "timestamp",
    "duration",
    "getHours",
    "getMinutes",
    "getDayOfWeek",
    "getDayOfMonth",
    "getMonth",
    "getFullYear",
];

/// The operator as it is written: `_&&_` is `&&`.
fn word(function: &str) -> String {
    function.replace(['_', '@'], "")
}
