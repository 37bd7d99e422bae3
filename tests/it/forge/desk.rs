//! An action server with a fake cluster and a repository on a fake forge.

use std::path::PathBuf;
use std::sync::Arc;

use belay::adapters::github::GitHub;
use belay::adapters::gitlab::GitLab;
use belay::domain::action::Action;
use belay::domain::action::pull_request::FileRule;
use belay::domain::ids::IntentId;
use belay::domain::plan::{self, Place, Plan, Refusal};
use belay::domain::warrant::{Applied, Proposed, Stands};
use belay::ports::clock::{Clock as _, ManualClock, SharedClock};
use belay::ports::forge::Forge;
use belay::servers::actions::{Engine, Ledger, Repositories, Repository, VerifyingKeys};
use belay::sim::forge::{FakeForge, Vendor};
use tokio_util::sync::CancellationToken;

use crate::hands::fake::FakeHand;
use crate::hands::world::{Key, body, deployment, limits, owner, scale_to, start};

pub const TOKEN: &str = "s3cret-forge-token";
pub const PATH: &str = "apps/shop/web.yaml";
pub const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3 # three
  template:
    spec:
      containers:
        - name: web
          image: web:2
";
pub const BOTH: [Vendor; 2] = [Vendor::GitHub, Vendor::GitLab];

pub struct Desk {
    pub forge: FakeForge,
    pub hand: FakeHand,
    pub clock: Arc<ManualClock>,
    key: Key,
    folder: tempfile::TempDir,
    engine: Option<Engine>,
    started: u32,
    vendor: Vendor,
}

/// The forge's client.
pub fn client(vendor: Vendor, place: &Place, token: &str, clock: SharedClock) -> Arc<dyn Forge> {
    rustls::crypto::ring::default_provider().install_default().ok();
    match vendor {
        Vendor::GitHub => Arc::new(GitHub::new(place, token.into(), clock).unwrap()),
        Vendor::GitLab => Arc::new(GitLab::new(place, token.into(), clock).unwrap()),
    }
}

pub fn place(forge: &FakeForge, vendor: Vendor) -> Place {
    Place {
        forge: match vendor {
            Vendor::GitHub => plan::Forge::Github,
            Vendor::GitLab => plan::Forge::Gitlab,
        },
        url: forge.url(),
        repository: forge.repository().to_owned(),
        into: "main".to_owned(),
    }
}

impl Desk {
    pub async fn new(vendor: Vendor) -> Self {
        let forge = FakeForge::start(vendor, TOKEN, &[(PATH, WEB), ("README.md", "x")]).await.unwrap();
        let hand = FakeHand::default();
        hand.world().workload = Some(deployment());
        let (clock, folder) = (ManualClock::new(start()), tempfile::tempdir().unwrap());
        let mut desk =
            Self { forge, hand, clock, key: Key::from_seed(5), folder, engine: None, started: 0, vendor };
        desk.restart();
        desk
    }

    /// Ends the server as a crash would, and starts another one on what it had written.
    pub fn restart(&mut self) {
        self.engine = None;
        let file = |number: u32| -> PathBuf { self.folder.path().join(format!("used-{number}.jsonl")) };
        if self.started > 0 {
            std::fs::copy(file(self.started - 1), file(self.started)).unwrap();
        }
        let ledger = Ledger::open(&file(self.started), self.clock.now()).unwrap();
        self.started += 1;
        let keys = VerifyingKeys::new([self.key.public()]).unwrap();
        let clock: SharedClock = Arc::clone(&self.clock) as _;
        let place = place(&self.forge, self.vendor);
        let rule = FileRule::new([None, None, None], "apps/{namespace}/{name}.yaml").unwrap();
        let forge = client(self.vendor, &place, TOKEN, Arc::clone(&clock));
        let repositories = Repositories::new(vec![Repository { place, files: vec![rule], forge }]);
        let engine = Engine::new(Arc::new(self.hand.clone()), keys, limits(), clock, ledger);
        self.engine = Some(engine.proposing(repositories));
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().unwrap()
    }

    pub async fn try_plan(&self, instead_of: Action) -> Result<Plan, Refusal> {
        let action = Action::OpenPullRequest { instead_of: Box::new(instead_of) };
        self.engine().plan(&action, &owner()).await
    }

    pub async fn plan(&self) -> Plan {
        self.try_plan(scale_to(5)).await.unwrap()
    }

    pub async fn revert(&self, done: &Plan, intent: &str) -> Result<Plan, Refusal> {
        self.engine().plan_revert(done, &[IntentId::new(intent)]).await
    }

    /// With a fresh warrant, as the daemon asks each time.
    pub async fn apply(&self, plan: &Plan, intent: &str, warrant: &str) -> Applied {
        let body = body(plan.hash().unwrap(), warrant, intent, self.clock.now());
        self.engine().apply(plan, &self.key.sign(&body), &CancellationToken::new()).await
    }

    pub async fn status(&self, plan: &Plan, intent: &str) -> Applied {
        self.engine().status(plan, &IntentId::new(intent)).await
    }

    /// What the repository holds besides what it began with: branches and pull requests.
    pub fn made(&self) -> (usize, usize) {
        let repo = self.forge.repo();
        (repo.branches.len() - 1, repo.pulls.len())
    }
}

pub fn stands(applied: &Applied) -> Option<Stands> {
    match applied {
        Applied::Done { proposed: Some(Proposed { stands, .. }), .. } => Some(*stands),
        _ => None,
    }
}

pub fn done(applied: &Applied) -> bool {
    matches!(applied, Applied::Done { .. })
}

pub fn refusal(applied: Applied) -> Refusal {
    match applied {
        Applied::Refused { refusal } => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
