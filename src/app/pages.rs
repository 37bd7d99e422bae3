//! What others say about the workload, bound into the diagnosis as evidence to read: never a finding, never a candidate.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::domain::evidence::{Evidence, Source};
use crate::domain::ids::EvidenceId;
use crate::domain::record::Diagnosis;
use crate::domain::{redact, suspicion};
use crate::incident::State;
use crate::ports::brief::{About, Missing, Page};

use super::Daemon;
use super::effects::NotNow;

/// As much of a page as other pieces of evidence have: two lines on a screen.
const SUMMARY: usize = 400;
/// As much of a reason as is read at a glance.
const REASON: usize = 200;

impl Daemon {
    /// What others say about the incident's workload, within their bound.
    pub(super) async fn pages(&self, state: &State) -> Vec<Result<Page, Missing>> {
        let about = state.owner.as_ref().map(|owner| {
            let named = &owner.0.named;
            About {
                cluster: state.cluster.clone(),
                namespace: named.namespace.clone(),
                kind: named.kind.name().to_owned(),
                workload: named.name.clone(),
            }
        });
        let logged = async {
            let site = self.site(&state.cluster).ok();
            match (site.and_then(|site| site.logged.as_ref()), &about) {
                (Some(logged), Some(about)) => logged.pages(about).await,
                (None, _) | (_, None) => Vec::new(),
            }
        };
        let (mut pages, logged) = tokio::join!(self.ports().strangers.pages(about.as_ref()), logged);
        pages.extend(logged);
        pages
    }

    /// Adds the pages to the diagnosis; each is kept whole, as redacted text.
    pub(super) async fn bind(
        &self,
        diagnosis: &mut Diagnosis,
        pages: Vec<Result<Page, Missing>>,
    ) -> Result<(), NotNow> {
        for page in pages {
            match page {
                Ok(page) => {
                    let text = redact::safe(&page.text, usize::MAX);
                    let blob = self.ports().store.put_blob(text.into_bytes()).await?;
                    let evidence = Evidence { blob: Some(blob), ..evidence(diagnosis, &page, self.now()) };
                    diagnosis.evidence.push(evidence);
                }
                Err(missing) => diagnosis.missing.push(words(&missing)),
            }
        }
        Ok(())
    }
}

/// Marks each piece of evidence with what its text does that data does not.
pub(super) fn flag(diagnosis: &mut Diagnosis) {
    for evidence in &mut diagnosis.evidence {
        evidence.flags.extend(suspicion::flags(&evidence.summary));
        evidence.flags.extend(suspicion::flags(&evidence.title));
    }
}

fn evidence(diagnosis: &Diagnosis, page: &Page, at: Timestamp) -> Evidence {
    let taken: BTreeSet<&str> = diagnosis.evidence.iter().map(|e| e.id.as_str()).collect();
    // one more than are taken
    let free = (1..=taken.len() + 1).map(|n| format!("e{n}")).find(|id| !taken.contains(id.as_str()));
    Evidence {
        id: EvidenceId::new(free.unwrap_or_default()),
        source: Source::Tool,
        title: redact::line(&format!("{} from {}", page.topic.words(), page.source), 120),
        summary: redact::safe(page.text.trim(), SUMMARY),
        blob: None,
        at,
        flags: suspicion::flags(&page.text),
    }
}

fn words(missing: &Missing) -> String {
    let Missing { topic, source, why } = missing;
    redact::line(&format!("{} from {source}: {why}", topic.words()), REASON)
}
