//! What the writing account may do, asked of the API server itself, and a hand that stays shut until that was
//! found to be neither too little nor too much.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::probe;
use super::writes::KubeHand;
use crate::domain::action::Action;
use crate::domain::action::edit::Edit;
use crate::domain::action::job::{CreateJob, LiveJob};
use crate::domain::action::live::{LiveAbout, LiveObject, LivePod};
use crate::domain::action::restart_pod::Evict;
use crate::domain::action::rights::{Exempt, Held, Right, Verdict, weigh};
use crate::domain::ids::IntentId;
use crate::domain::target::Object;
use crate::ports::cluster_writes::{Answer, Hand, Mode};
use crate::ports::reads::ReadError;

/// What the account is held against.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Where it is asked about.
    pub namespaces: BTreeSet<String>,
    /// What the enabled actions need.
    pub needs: BTreeSet<Right>,
    /// What they need in some namespaces only.
    pub apart: BTreeMap<String, BTreeSet<Right>>,
    /// What it may do besides.
    pub exempt: Vec<Exempt>,
}

/// A hand that does nothing before its rights were found to be right.
pub struct CheckedHand {
    hand: KubeHand,
    wanted: Wanted,
    found: OnceCell<()>,
}

impl CheckedHand {
    /// This hand, held against this.
    pub fn new(hand: KubeHand, wanted: Wanted) -> Self {
        Self { hand, wanted, found: OnceCell::new() }
    }

    /// Asks the API server, once, and weighs what it says.
    pub async fn check(&self) -> Result<Verdict, ReadError> {
        let mut verdict = Verdict::default();
        for namespace in &self.wanted.namespaces {
            let apart = self.wanted.apart.get(namespace).into_iter().flatten();
            let needs = self.wanted.needs.iter().chain(apart).copied().collect();
            verdict.add(weigh(&[self.held(namespace).await?], &needs, &self.wanted.exempt));
        }
        if verdict.is_right() {
            // whoever found it first is as good
            let _ = self.found.set(());
        }
        Ok(verdict)
    }

    async fn held(&self, namespace: &str) -> Result<Held, ReadError> {
        probe::held(&self.hand.client(), namespace, "what belay may write").await
    }

    /// Opens the hand, where that could not be done at the start.
    async fn open(&self) -> Result<(), ReadError> {
        if self.found.initialized() {
            return Ok(());
        }
        let verdict = self.check().await?;
        if verdict.is_right() {
            return Ok(());
        }
        Err(ReadError::Refused { what: "the cluster in order to act".to_owned(), why: verdict.to_string() })
    }
}

#[async_trait]
impl Hand for CheckedHand {
    async fn object(&self, action: &Action) -> Result<Option<LiveObject>, ReadError> {
        self.open().await?;
        self.hand.object(action).await
    }

    async fn pod(&self, pod: &Object) -> Result<Option<LivePod>, ReadError> {
        self.open().await?;
        self.hand.pod(pod).await
    }

    async fn about(&self, object: &Object) -> Result<Option<LiveAbout>, ReadError> {
        self.open().await?;
        self.hand.about(object).await
    }

    async fn job(&self, namespace: &str, name: &str) -> Result<Option<LiveJob>, ReadError> {
        self.open().await?;
        self.hand.job(namespace, name).await
    }

    async fn create_job(&self, order: &CreateJob, mode: Mode<'_>) -> Answer {
        match self.open().await {
            Ok(()) => self.hand.create_job(order, mode).await,
            Err(shut) => refused(&shut),
        }
    }

    async fn edit(&self, order: &Edit, mode: Mode<'_>) -> Answer {
        match self.open().await {
            Ok(()) => self.hand.edit(order, mode).await,
            Err(shut) => refused(&shut),
        }
    }

    async fn rehearse_template(&self, order: &Edit) -> Answer {
        match self.open().await {
            Ok(()) => self.hand.rehearse_template(order).await,
            Err(shut) => refused(&shut),
        }
    }

    async fn rehearse(&self, order: &Evict) -> Answer {
        match self.open().await {
            Ok(()) => self.hand.rehearse(order).await,
            Err(shut) => refused(&shut),
        }
    }

    async fn mark(&self, order: &Evict, intent: &IntentId) -> Answer {
        match self.open().await {
            Ok(()) => self.hand.mark(order, intent).await,
            Err(shut) => refused(&shut),
        }
    }

    async fn evict(&self, order: &Evict, mode: Mode<'_>) -> Answer {
        match self.open().await {
            Ok(()) => self.hand.evict(order, mode).await,
            Err(shut) => refused(&shut),
        }
    }
}

/// An order that never left.
fn refused(shut: &ReadError) -> Answer {
    super::writes::unsent(&shut.to_string())
}
