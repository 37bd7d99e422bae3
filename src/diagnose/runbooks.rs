//! Which runbook is meant for an incident, and which part of it: by what it says of itself, by the file that the
//! alert's `runbook_url` names, and by its words. What stands in it is data: shown to people, fenced for the model.

use std::sync::Arc;

use super::recall::bm25::{Bag, Corpus};
use crate::domain::alert::{Alert, Labels};
use crate::domain::brief::{About, Point};
use crate::domain::canonical::Hash;
use crate::domain::finding::Finding;
use crate::domain::matchers::Matchers;
use crate::domain::redact;
use crate::domain::runbook::{Runbook, STEPS, Step};
use crate::domain::target::RootOwner;
use crate::ports::runbooks::{Fit, Sought};

/// Runbooks that are shown.
const SHOWN: usize = 2;
/// What is shown of a section: a screen.
const SECTION: usize = 1_500;
/// How much of what the alert's words could score a runbook's must, to be shown for its words alone.
const ALIKE: f64 = 0.4;

/// A text, and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// From 1.
    pub line: u64,
    /// The text.
    pub text: String,
}

/// A runbook as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its path below the folder of runbooks.
    pub name: String,
    /// Its title, where it gives one.
    pub title: Option<String>,
    /// Matchers of alerts.
    pub alerts: Vec<Said>,
    /// Workloads: `name` or `namespace/name`.
    pub services: Vec<Said>,
    /// Where people read it.
    pub link: Option<Said>,
    /// Its steps, each with the line it stands in; or why one cannot be used.
    pub steps: Vec<(u64, Result<Step, String>)>,
    /// Its Markdown.
    pub text: String,
}

/// A runbook says something of itself that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("runbook `{name}`, line {line}: {why}")]
pub struct Unusable {
    /// Which.
    pub name: String,
    /// Where.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// All runbooks.
#[derive(Debug, Default)]
pub struct Library {
    books: Vec<Book>,
    corpus: Corpus,
    hash: Option<Hash>,
}

#[derive(Debug)]
struct Book {
    told: Arc<Runbook>,
    alerts: Vec<Matchers>,
    sections: Vec<Section>,
    words: Bag,
}

#[derive(Debug)]
struct Section {
    heading: String,
    text: String,
    words: Bag,
}

/// Why a runbook is shown. Ordered: the earlier, the surer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Alert,
    Link,
    Service,
    Words,
}

impl Library {
    /// Takes in these files; the first that cannot be used is the error.
    pub fn load(sources: Vec<Source>) -> Result<Self, Unusable> {
        let parts: Vec<Vec<u8>> = sources.iter().map(|source| format!("{source:?}").into_bytes()).collect();
        let hash = Hash::of_parts(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let mut library = Self { books: Vec::new(), corpus: Corpus::default(), hash: Some(hash) };
        for source in sources {
            let book = Book::new(source)?;
            library.corpus.add(&book.words);
            library.books.push(book);
        }
        Ok(library)
    }

    /// Names what is in it: any change of any file changes it.
    pub const fn hash(&self) -> Option<Hash> {
        self.hash
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.books.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.books.is_empty()
    }

    /// Whether any of them says that it is for this service.
    pub fn names(&self, namespace: &str, service: &str) -> bool {
        self.books.iter().any(|book| book.names(namespace, service))
    }

    /// All of them, by name.
    pub fn books(&self) -> impl Iterator<Item = &Arc<Runbook>> {
        self.books.iter().map(|book| &book.told)
    }

    /// What is written for this incident (link, heading and the beginning of the section that fits best), and the
    /// runbooks that it was taken from.
    pub fn point(
        &self,
        alert: &Alert,
        owner: &RootOwner,
        findings: &[Finding],
    ) -> (Point, Vec<Arc<Runbook>>) {
        let causes: Vec<&str> = findings.iter().map(|finding| finding.cause.name()).collect();
        let text = super::recall::text(alert, findings);
        let query = Bag::of(&format!("{} {} {text}", alert.name(), causes.join(" ")));
        let named = &owner.0.named;
        let about = On {
            labels: &alert.labels,
            namespace: &named.namespace,
            service: Some(&named.name),
            link: link_of(alert),
        };
        let mut point = Point::found(About::Runbooks, Vec::new());
        let mut shown = Vec::new();
        for (why, book, section) in self.fitting(&about, &query).into_iter().take(SHOWN) {
            point.says.push(book.says(why, section));
            let text = section.map(Section::shown).unwrap_or_default();
            point.quoted.extend((!text.is_empty()).then_some(text));
            shown.push(Arc::clone(&book.told));
        }
        if point.says.is_empty() {
            point.says.push(match self.books.len() {
                0 => "there are no runbooks".to_owned(),
                n => format!("none of the {n} runbooks is for this"),
            });
        }
        (point, shown)
    }

    /// The runbooks that fit, the surest first, at most so many: of each, why, and heading and beginning of its section
    /// that fits best.
    pub fn find(&self, sought: &Sought, most: usize) -> Vec<Fit> {
        let Sought { labels, namespace, service, text } = sought;
        let name = labels.get("alertname").map_or("", String::as_str);
        let query = Bag::of(&format!("{name} {text}"));
        let about = On { labels, namespace, service: service.as_deref(), link: None };
        let fit = |(why, book, section): (Why, &Book, Option<&Section>)| Fit {
            book: Arc::clone(&book.told),
            why: why.words(),
            heading: section.map(|section| redact::line(&section.heading, 120)).unwrap_or_default(),
            section: section.map(Section::shown).unwrap_or_default(),
        };
        let fitting = self.fitting(&about, &query).into_iter();
        fitting.filter(|(_, book, _)| !book.told.is_elsewhere(namespace)).take(most).map(fit).collect()
    }

    fn fitting(&self, about: &On<'_>, query: &Bag) -> Vec<(Why, &Book, Option<&Section>)> {
        let mut found: Vec<(Why, f64, &Book)> = self
            .books
            .iter()
            .filter_map(|book| {
                let score = self.corpus.score(query, &book.words);
                let alike = score > 0.0 && score >= self.corpus.score(query, query) * ALIKE;
                let why = book.why(about).or(alike.then_some(Why::Words))?;
                Some((why, score, book))
            })
            .collect();
        found.sort_by(|(why_a, score_a, a), (why_b, score_b, b)| {
            why_a.cmp(why_b).then(score_b.total_cmp(score_a)).then(a.told.name.cmp(&b.told.name))
        });
        found
            .into_iter()
            .map(|(why, _, book)| (why, book, book.section(&self.corpus, query, about)))
            .collect()
    }
}

/// What runbooks are held against.
struct On<'a> {
    labels: &'a Labels,
    namespace: &'a str,
    service: Option<&'a str>,
    link: Option<(&'a str, Option<&'a str>)>,
}

impl Why {
    const fn words(self) -> &'static str {
        match self {
            Self::Alert => "is for this alert",
            Self::Link => "is what the alert links to",
            Self::Service => "is for this service",
            Self::Words => "speaks of the like",
        }
    }
}

impl Section {
    fn shown(&self) -> String {
        redact::safe(self.text.trim(), SECTION)
    }
}

impl Book {
    fn new(source: Source) -> Result<Self, Unusable> {
        let Source { name, title, alerts, services, link, steps, text } = source;
        let refuse = |said: &Said, why: String| Unusable { name: name.clone(), line: said.line, why };
        let read = |said: &Said| {
            let why =
                |why: String| format!("`{}` is no matcher of alerts: {why}", redact::line(&said.text, 120));
            Matchers::parse(&said.text).map_err(|e| refuse(said, why(e)))
        };
        let matchers = alerts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        for said in &services {
            let parts: Vec<&str> = said.text.split('/').collect();
            let fits = parts.len() <= 2 && parts.iter().all(|part| is_name(part));
            if !fits {
                let text = redact::line(&said.text, 120);
                return Err(refuse(said, format!("`{text}` is neither `name` nor `namespace/name`")));
            }
        }
        if let Some(said) = link.as_ref().filter(|said| !is_link(&said.text)) {
            return Err(refuse(said, "`link` must begin with https:// and hold no spaces".to_owned()));
        }
        let steps = steps
            .into_iter()
            .map(|(line, step)| step.map_err(|why| Unusable { name: name.clone(), line, why }));
        let steps = steps.collect::<Result<Vec<_>, _>>()?;
        if steps.len() > STEPS {
            let why = format!("it has {} steps, and may have {STEPS}", steps.len());
            return Err(Unusable { name, line: 1, why });
        }
        let sections = sections(&text);
        let heading = sections.iter().map(|section| &section.heading).find(|heading| !heading.is_empty());
        let title = title.or_else(|| heading.cloned()).unwrap_or_else(|| name.clone());
        let words = Bag::of(&format!("{title} {text}"));
        let services = services.into_iter().map(|said| said.text).collect();
        let told = Runbook { name, title, link: link.map(|said| said.text), services, steps, text };
        Ok(Self { told: Arc::new(told), alerts: matchers, sections, words })
    }

    fn why(&self, about: &On<'_>) -> Option<Why> {
        let On { labels, namespace, service, link } = about;
        let linked = || link.is_some_and(|(file, _)| self.stem().eq_ignore_ascii_case(file));
        let ours = || self.names(namespace, service.unwrap_or_default());
        if self.alerts.iter().any(|matchers| matchers.hold(labels)) {
            Some(Why::Alert)
        } else if linked() {
            Some(Why::Link)
        } else {
            ours().then_some(Why::Service)
        }
    }

    fn names(&self, namespace: &str, name: &str) -> bool {
        let whole = format!("{namespace}/{name}");
        self.told.services.iter().any(|service| *service == name || *service == whole)
    }

    fn stem(&self) -> &str {
        let file = self.told.name.rsplit('/').next().unwrap_or(&self.told.name);
        file.strip_suffix(".md").unwrap_or(file)
    }

    /// The section that the link's anchor names, else the one whose words fit best, else the first with text.
    fn section(&self, corpus: &Corpus, query: &Bag, about: &On<'_>) -> Option<&Section> {
        let anchor = about.link.and_then(|(_, anchor)| anchor);
        let named = anchor.and_then(|anchor| self.sections.iter().find(|s| slug(&s.heading) == slug(anchor)));
        let told = || self.sections.iter().filter(|section| !section.text.trim().is_empty());
        let score = |section: &Section| corpus.score(query, &section.words);
        let best = || told().rev().max_by(|a, b| score(a).total_cmp(&score(b)));
        named.or_else(|| best().filter(|section| score(section) > 0.0)).or_else(|| told().next())
    }

    fn says(&self, why: Why, section: Option<&Section>) -> String {
        let why = why.words();
        let heading =
            section.map(|section| redact::line(&section.heading, 120)).filter(|heading| !heading.is_empty());
        let at = heading.map_or_else(String::new, |heading| format!(", section `{heading}`"));
        let told = &self.told;
        let link = told.link.as_ref().map_or_else(String::new, |link| format!(" ({link})"));
        let (title, name) = (redact::line(&told.title, 120), redact::line(&told.name, 160));
        format!("runbook `{title}` (`{name}`){link} {why}{at}")
    }
}

/// The file's name without ending, and the anchor, of the alert's `runbook_url`. Nothing is fetched from there.
fn link_of(alert: &Alert) -> Option<(&str, Option<&str>)> {
    let url = alert.annotations.get("runbook_url").or_else(|| alert.annotations.get("runbook"))?;
    let (path, anchor) =
        url.split_once('#').map_or((url.as_str(), None), |(path, anchor)| (path, Some(anchor)));
    let path = path.split('?').next().unwrap_or(path).trim_end_matches('/');
    let file = path.rsplit('/').next().unwrap_or(path);
    let file = file.strip_suffix(".md").or_else(|| file.strip_suffix(".html")).unwrap_or(file);
    (!file.is_empty()).then_some((file, anchor))
}

fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    !text.is_empty() && text.len() <= 253 && text.chars().all(fits)
}

fn is_link(text: &str) -> bool {
    text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty())
        && text.len() <= 500
        && text.chars().all(|c| c.is_ascii_graphic() && !"<>|`\"'()".contains(c))
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The parts under each heading (`#`), but not of what only looks like one inside a block of code.
fn sections(text: &str) -> Vec<Section> {
    let mut found = vec![(String::new(), String::new())];
    let mut code = false;
    for line in text.lines() {
        code ^= line.trim_start().starts_with("```");
        let heading = line.trim_start_matches('#');
        if !code && heading.len() < line.len() && heading.starts_with(' ') {
            found.push((heading.trim().to_owned(), String::new()));
        } else if let Some((_, body)) = found.last_mut() {
            body.push_str(line);
            body.push('\n');
        }
    }
    let section = |(heading, text): (String, String)| {
        let words = Bag::of(&format!("{heading} {text}"));
        Section { heading, text, words }
    };
    found.into_iter().map(section).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::alert::AlertStatus;
    use crate::domain::ids::{Cluster, Fingerprint};
    use crate::domain::target::{Kind, Named, Object};

    fn said(text: &str) -> Said {
        Said { line: 3, text: text.to_owned() }
    }

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), text: text.to_owned(), ..Source::default() }
    }

    fn alert(name: &str, summary: &str, runbook: &str) -> Alert {
        let annotations = [("summary", summary), ("runbook_url", runbook)];
        Alert {
            fingerprint: Fingerprint::new("f"),
            status: AlertStatus::Firing,
            labels: [("alertname".to_owned(), name.to_owned())].into(),
            annotations: annotations.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            starts_at: Timestamp::UNIX_EPOCH,
            ends_at: None,
            generator_url: String::new(),
        }
    }

    fn owner() -> RootOwner {
        let (cluster, kind) = (Cluster::new("eu"), Kind::Deployment);
        let named = Named { cluster, kind, namespace: "shop".to_owned(), name: "web".to_owned() };
        RootOwner(Object { named, uid: "u".to_owned() })
    }

    const TEXT: &str =
        "# Web\nIntro.\n## Queue lags\nRestart the consumer.\n```\n# no heading\n```\n## Disk\nGrow it.\n";

    fn shown(source: Source, alert: &Alert) -> (Vec<String>, Vec<String>) {
        let rest = self::source("savanna.md", "# Savanna\nzebra giraffe lion tiger");
        let library = Library::load(vec![source, rest]).unwrap();
        let (point, _) = library.point(alert, &owner(), &[]);
        (point.says, point.quoted)
    }

    #[test]
    fn by_what_it_says_of_itself() {
        let by_alert = Source { alerts: vec![said("alertname=~\"Queue.*\"")], ..source("web.md", TEXT) };
        let (says, quoted) = shown(by_alert, &alert("QueueLag", "queue lags", ""));
        assert_eq!(says, ["runbook `Web` (`web.md`) is for this alert, section `Queue lags`"]);
        assert_eq!(quoted, ["Restart the consumer.\n```\n# no heading\n```"]);
        let link = Some(said("https://wiki.example/web"));
        let by_service = Source { services: vec![said("shop/web")], link, ..source("web.md", TEXT) };
        let (says, _) = shown(by_service, &alert("Other", "", ""));
        assert_eq!(
            says,
            ["runbook `Web` (`web.md`) (https://wiki.example/web) is for this service, section `Web`"]
        );
        let elsewhere = Source { services: vec![said("cart/web")], ..source("web.md", TEXT) };
        assert_eq!(shown(elsewhere, &alert("Other", "", "")).0, ["none of the 2 runbooks is for this"]);
    }

    #[test]
    fn by_the_file_and_anchor_that_the_alert_links_to() {
        let linked = alert("Other", "", "https://runbooks.example/team/web.md?x=1#disk");
        let (says, quoted) = shown(source("team/web.md", TEXT), &linked);
        assert_eq!(says, ["runbook `Web` (`team/web.md`) is what the alert links to, section `Disk`"]);
        assert_eq!(quoted, ["Grow it."]);
    }

    #[test]
    fn by_its_words() {
        let (says, _) =
            shown(source("web.md", TEXT), &alert("ConsumerQueueLags", "queue lags, restart consumer", ""));
        assert_eq!(says, ["runbook `Web` (`web.md`) speaks of the like, section `Queue lags`"]);
        assert_eq!(shown(source("web.md", TEXT), &alert("X", "nothing alike", "")).1, [""; 0]);
    }

    #[test]
    fn what_cannot_be_used_is_said_with_file_and_line() {
        let load = |source: Source| Library::load(vec![source]).unwrap_err().to_string();
        let bad = Source { alerts: vec![said("alertname")], ..source("a.md", "") };
        assert!(load(bad).starts_with("runbook `a.md`, line 3: `alertname` is no matcher of alerts: "));
        let bad = Source { services: vec![said("a/b/c")], ..source("a.md", "") };
        assert_eq!(load(bad), "runbook `a.md`, line 3: `a/b/c` is neither `name` nor `namespace/name`");
        let bad = Source { link: Some(said("http://x|y")), ..source("a.md", "") };
        assert_eq!(load(bad), "runbook `a.md`, line 3: `link` must begin with https:// and hold no spaces");
    }

    #[test]
    fn secrets_in_a_runbook_stay_there() {
        let text = "# Web\nqueue lags: password=hunter22 and so on";
        let by_alert = Source { alerts: vec![said("alertname=\"Q\"")], ..source("web.md", text) };
        assert_eq!(shown(by_alert, &alert("Q", "", "")).1, ["queue lags: password=[redacted] and so on"]);
    }
}
