//! Checks an expression against the fact schema and ties its names to facts: CEL itself would find an
//! unknown name, a missing key or a wrong type only when it is too late.

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SourceInfo};

use super::super::facts::{FACTS, LATER, Type, type_of};
use super::super::problem::meant;
use super::types::{BOOL, FUNCTIONS, TEXT, Ty, literal_type, signature};
use super::{HAS, KEY, MAX_ITEMS, Wrong};
use crate::domain::action::ActionKind;
use crate::domain::finding::Cause;

/// Checks the whole; rewrites it in place so that each fact is one name. Gives the facts it reads.
pub(super) fn check(expr: &mut IdedExpr, info: &SourceInfo, source: &str) -> Result<Vec<String>, Vec<Wrong>> {
    let mut checker = Checker { info, source, locals: Vec::new(), facts: Vec::new(), wrong: Vec::new() };
    let id = expr.id;
    let ty = checker.infer(expr);
    if !ty.fits(&BOOL) {
        checker.wrong(id, format!("the expression gives {}, not true or false", ty.name()), None);
    }
    if checker.wrong.is_empty() { Ok(checker.facts) } else { Err(checker.wrong) }
}

struct Checker<'s> {
    info: &'s SourceInfo,
    source: &'s str,
    /// Variables of the comprehension around the present place.
    locals: Vec<(String, Ty)>,
    facts: Vec<String>,
    wrong: Vec<Wrong>,
}

impl Checker<'_> {
    fn wrong(&mut self, id: u64, message: String, help: Option<String>) {
        let (start, stop) = self.info.offset_for(id).unwrap_or((0, 0));
        let offset = usize::try_from(start).unwrap_or_default();
        let len = usize::try_from(stop.saturating_sub(start)).unwrap_or_default().max(1);
        self.wrong.push(Wrong { offset, len, message, help });
    }

    /// Marks `word` in the text, where it can be found; the parser's offsets of a path point at its dots.
    fn wrong_word(&mut self, word: &str, message: String, help: String) {
        let before = self.source.find(word).and_then(|byte| self.source.get(..byte));
        let offset = before.map_or(0, |text| text.chars().count());
        self.wrong.push(Wrong { offset, len: word.chars().count(), message, help: Some(help) });
    }

    fn infer(&mut self, expr: &mut IdedExpr) -> Ty {
        if let Some(path) = self.path(&expr.expr) {
            return self.fact(expr, &path);
        }
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.local(name).unwrap_or(Ty::Any),
            Expr::List(list) => {
                let types: Vec<Ty> = list.elements.iter_mut().map(|e| self.infer(e)).collect();
                self.list(id, types)
            }
            Expr::Call(_) => self.call(expr),
            Expr::Comprehension(_) => self.comprehension(expr),
            Expr::Select(select) if select.test => self.has(expr),
            Expr::Select(select) => {
                self.infer(&mut select.operand);
                Ty::Any
            }
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.infer(&mut entry.key);
                        self.infer(&mut entry.value);
                    }
                }
                Ty::Fact(Type::Labels)
            }
            Expr::Struct(_) | Expr::Unspecified => {
                self.wrong(id, "structures are not supported".to_owned(), None);
                Ty::Any
            }
        }
    }

    fn list(&mut self, id: u64, types: Vec<Ty>) -> Ty {
        if types.len() > MAX_ITEMS {
            self.wrong(id, format!("a list of {} items", types.len()), Some("at most 256".to_owned()));
        }
        let mut types = types.into_iter();
        let first = types.next().unwrap_or(Ty::Any);
        let all = types.all(|t| t.fits(&first));
        Ty::List(Box::new(if all { first } else { Ty::Any }))
    }

    /// `a.b.c`, if it begins with a name that is no local variable.
    fn path(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Ident(name) if self.local(name).is_none() && !name.starts_with('@') => Some(name.clone()),
            Expr::Select(select) if !select.test => {
                self.path(&select.operand.expr).map(|path| format!("{path}.{}", select.field))
            }
            _ => None,
        }
    }

    fn local(&self, name: &str) -> Option<Ty> {
        self.locals.iter().rev().find(|(local, _)| local == name).map(|(_, ty)| ty.clone())
    }

    fn fact(&mut self, expr: &mut IdedExpr, path: &str) -> Ty {
        if let Some(ty) = type_of(path) {
            self.reads(path);
            expr.expr = Expr::Ident(path.to_owned());
            return Ty::of(ty);
        }
        if let Some((map, key)) = labels_path(path) {
            self.reads(map);
            expr.expr = Expr::Ident(format!("{map}{KEY}{key}"));
            return TEXT;
        }
        self.no_such_fact(path);
        Ty::Any
    }

    fn reads(&mut self, fact: &str) {
        if !self.facts.iter().any(|known| known == fact) {
            self.facts.push(fact.to_owned());
        }
    }

    fn no_such_fact(&mut self, path: &str) {
        let names: Vec<&str> = FACTS.iter().map(|(name, _)| *name).collect();
        let within: Vec<&str> = names
            .iter()
            .copied()
            .filter(|name| name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
            .collect();
        let object = path.split('.').next().unwrap_or(path);
        let near: Vec<&str> =
            names.iter().copied().filter(|name| name.split('.').next() == Some(object)).collect();
        if LATER.contains(&path) {
            let help = "this version does not know it: leave it out".to_owned();
            self.wrong_word(path, format!("the fact `{path}` is not supported yet"), help);
        } else if within.is_empty() {
            let help = meant(path, if near.is_empty() { &names } else { &near });
            self.wrong_word(path, format!("there is no fact `{path}`"), help);
        } else {
            self.wrong_word(path, format!("`{path}` is not a fact by itself"), meant("", &within));
        }
    }

    fn has(&mut self, expr: &mut IdedExpr) -> Ty {
        let Expr::Select(select) = &expr.expr else { return Ty::Any };
        match self.path(&select.operand.expr) {
            Some(map) if type_of(&map) == Some(Type::Labels) => {
                self.reads(&map);
                expr.expr = Expr::Ident(format!("{map}{HAS}{}", select.field));
            }
            Some(_) | None => {
                let help = "every other fact is there, or unknown; an unknown fact is handled by itself";
                self.wrong(expr.id, "`has` is for labels and annotations".to_owned(), Some(help.to_owned()));
            }
        }
        BOOL
    }

    fn comprehension(&mut self, expr: &mut IdedExpr) -> Ty {
        let id = expr.id;
        let Expr::Comprehension(inner) = &mut expr.expr else { return Ty::Any };
        if !self.locals.is_empty() {
            let help = "the engine has no cost limit: write two rules";
            self.wrong(
                id,
                "`all`, `exists`, `map` or `filter` within another one".to_owned(),
                Some(help.to_owned()),
            );
            return Ty::Any;
        }
        let ComprehensionExpr { iter_range, iter_var, iter_var2, accu_var, accu_init, .. } = &mut **inner;
        let item = match self.infer(iter_range) {
            Ty::List(item) => *item,
            Ty::Fact(Type::Labels) => TEXT,
            _ => Ty::Any,
        };
        let accumulated = self.infer(accu_init);
        self.locals.push((iter_var.clone(), item));
        self.locals.extend(iter_var2.clone().map(|name| (name, Ty::Any)));
        self.locals.push((accu_var.clone(), accumulated));
        self.infer(&mut inner.loop_cond);
        self.infer(&mut inner.loop_step);
        let ty = self.infer(&mut inner.result);
        self.locals.clear();
        ty
    }

    fn call(&mut self, expr: &mut IdedExpr) -> Ty {
        if let Some(ty) = self.index(expr) {
            return ty;
        }
        let id = expr.id;
        let Expr::Call(call) = &mut expr.expr else { return Ty::Any };
        let CallExpr { func_name, target, args } = call;
        let mut types: Vec<Ty> = target.iter_mut().map(|t| self.infer(t)).collect();
        types.extend(args.iter_mut().map(|a| self.infer(a)));
        let parts: Vec<&IdedExpr> = target.iter().map(|t| &**t).chain(args.iter()).collect();
        if let [left, right] = parts.as_slice() {
            self.closed_words(func_name, left, right);
            self.pattern(func_name, right);
        }
        if func_name.chars().all(char::is_alphanumeric) && !FUNCTIONS.contains(&func_name.as_str()) {
            let (message, help) =
                (format!("there is no function `{func_name}`"), meant(func_name, &FUNCTIONS));
            let word = func_name.clone();
            self.wrong_word(&word, message, help);
            return Ty::Any;
        }
        match signature(func_name, &types) {
            Ok(ty) => ty,
            Err(message) => {
                self.wrong(id, message, None);
                Ty::Any
            }
        }
    }

    /// `labels['key']` becomes one name, so that a label which is not there is the empty text.
    fn index(&mut self, expr: &mut IdedExpr) -> Option<Ty> {
        let Expr::Call(call) = &expr.expr else { return None };
        let (op::INDEX, [map, key]) = (call.func_name.as_str(), call.args.as_slice()) else { return None };
        let map = self.path(&map.expr).filter(|path| type_of(path) == Some(Type::Labels))?;
        let Expr::Literal(LiteralValue::String(key)) = &key.expr else { return None };
        let name = format!("{map}{KEY}{}", key.inner());
        self.reads(&map);
        expr.expr = Expr::Ident(name);
        Some(TEXT)
    }

    /// Facts with a closed set of words are compared with those words only.
    fn closed_words(&mut self, operator: &str, left: &IdedExpr, right: &IdedExpr) {
        if ![op::EQUALS, op::NOT_EQUALS, op::IN].contains(&operator) {
            return;
        }
        for (fact, other) in [(left, right), (right, left)] {
            let Expr::Ident(fact) = &fact.expr else { continue };
            let Some(words) = words_of(fact) else { continue };
            for word in literals(other) {
                if !words.contains(&word) {
                    let help = meant(word, &words);
                    self.wrong_word(word, format!("`{fact}` is never `{word}`"), help);
                }
            }
        }
    }

    fn pattern(&mut self, function: &str, pattern: &IdedExpr) {
        let Expr::Literal(LiteralValue::String(pattern)) = &pattern.expr else { return };
        if function == "matches" && regex::Regex::new(pattern.inner()).is_err() {
            let word = pattern.inner().to_owned();
            self.wrong_word(&word, format!("`{word}` is not a regular expression"), "RE2 syntax".to_owned());
        }
    }
}

fn labels_path(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('.').filter(|(map, _)| type_of(map) == Some(Type::Labels))
}

fn literals(expr: &IdedExpr) -> Vec<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => vec![text.inner()],
        Expr::List(list) => list.elements.iter().flat_map(literals).collect(),
        _ => Vec::new(),
    }
}

fn words_of(fact: &str) -> Option<Vec<&'static str>> {
    Some(match fact {
        "finding.cause" => Cause::NAMES.to_vec(),
        "finding.certainty" => vec!["possible", "likely", "certain"],
        "alert.severity" => vec!["info", "warning", "critical"],
        "action.kind" => ActionKind::ALL.iter().map(|kind| kind.name()).collect(),
        "action.class.risk" => vec!["low", "medium", "high"],
        "action.class.undo" => vec!["exact", "self_healing", "side_effects", "none"],
        _ => return None,
    })
}
