//! The incidents server: belay's own incidents with their timelines, what is remembered that is like them, drafts of
//! post-mortems, and the one door for proposals. A proposal is written down and shown, goes before policy and then before a
//! person; nothing that comes through here is ever carried out by itself.

mod views;

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::action::ActionKind;
use crate::domain::target::Kind;
use crate::ports::incidents::{IncidentAnswer, IncidentAsk, Incidents, Proposal};
use crate::ports::reads::ReadError;
use crate::servers::kit::{Prompt, Scope, Trouble, answer, lean, list, object_name, offers_prompts, quoted};
use views::{IncidentList, Markdown, Outcome, Sentences, StoryView};

/// The tools of the incidents server, by name.
pub const TOOLS: [&str; 5] =
    ["list_incidents", "get_incident", "similar_incidents", "draft_post_mortem", "propose_action"];
/// Those of them that only read.
pub const READING: [&str; 4] = ["list_incidents", "get_incident", "similar_incidents", "draft_post_mortem"];

/// What `list_incidents` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// Closed ones too.
    #[serde(default)]
    pub all: bool,
}

/// What a tool about one incident takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentArgs {
    /// The incident's namespace.
    pub namespace: String,
    /// Its name, or the beginning of it.
    #[schemars(length(min = 4, max = 64))]
    pub incident: String,
}

/// What `propose_action` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeArgs {
    /// The incident's namespace, and the object's.
    pub namespace: String,
    /// The open incident.
    #[schemars(length(min = 4, max = 64))]
    pub incident: String,
    /// A kind of action, as in `restart_workload`.
    #[schemars(length(max = 40))]
    pub action: String,
    /// The object's kind, as in `Deployment`.
    #[schemars(length(max = 40))]
    pub kind: String,
    /// The object's name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Why, for the person who decides.
    #[schemars(length(max = 1000))]
    pub why: String,
}

/// The MCP face of the incidents.
#[derive(Clone)]
pub struct IncidentsServer {
    incidents: Arc<dyn Incidents>,
    scope: Scope,
    caller: Arc<str>,
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl IncidentsServer {
    /// Serves these incidents within `scope` to `caller`, who is named with whatever they propose: whoever builds this has
    /// made sure who they are.
    pub fn new(incidents: Arc<dyn Incidents>, scope: Scope, caller: impl Into<Arc<str>>) -> Self {
        Self { incidents, scope, caller: caller.into(), tool_router: lean(Self::tool_router()) }
    }

    /// The same for another caller, who may see this much.
    #[must_use]
    pub fn serving(&self, caller: impl Into<Arc<str>>, scope: Scope) -> Self {
        Self { caller: caller.into(), scope, ..self.clone() }
    }

    /// List belay's incidents in a namespace, the newest first.
    #[tool(
        name = "list_incidents",
        output_schema = schema_for_output::<IncidentList>(),
        annotations(
            title = "List incidents",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn list_incidents(&self, Parameters(args): Parameters<ListArgs>) -> CallToolResult {
        let ListArgs { namespace, all } = args;
        let asked = self.asked(&namespace, IncidentAsk::List { namespace: namespace.clone(), all }).await;
        answer(asked.and_then(|is| match is {
            IncidentAnswer::List(lines, more) => Ok(IncidentList::new(namespace, &lines, more)),
            _ => Err(odd()),
        }))
    }

    /// Read one incident: its timeline, its candidates, and whether a proposal would be decided now.
    #[tool(
        name = "get_incident",
        output_schema = schema_for_output::<StoryView>(),
        annotations(
            title = "Read an incident",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn get_incident(&self, Parameters(args): Parameters<IncidentArgs>) -> CallToolResult {
        let IncidentArgs { namespace, incident } = args;
        let asked =
            self.asked(&namespace, IncidentAsk::Show { namespace: namespace.clone(), incident }).await;
        answer(asked.and_then(|is| match is {
            IncidentAnswer::Show(story) => Ok(StoryView::from(&*story)),
            _ => Err(odd()),
        }))
    }

    /// What is remembered of incidents like this one, what was done then, and whether it helped.
    #[tool(
        name = "similar_incidents",
        output_schema = schema_for_output::<Sentences>(),
        annotations(
            title = "Similar incidents",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn similar_incidents(&self, Parameters(args): Parameters<IncidentArgs>) -> CallToolResult {
        let IncidentArgs { namespace, incident } = args;
        let ask = IncidentAsk::Similar { namespace: namespace.clone(), incident };
        answer(self.asked(&namespace, ask).await.and_then(|is| match is {
            IncidentAnswer::Similar(says) => Ok(Sentences { says }),
            _ => Err(odd()),
        }))
    }

    /// Draft a post-mortem from the journal's facts, in Markdown.
    #[tool(
        name = "draft_post_mortem",
        output_schema = schema_for_output::<Markdown>(),
        annotations(
            title = "Draft a post-mortem",
            read_only_hint = true,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn draft_post_mortem(&self, Parameters(args): Parameters<IncidentArgs>) -> CallToolResult {
        let IncidentArgs { namespace, incident } = args;
        let ask = IncidentAsk::PostMortem { namespace: namespace.clone(), incident };
        answer(self.asked(&namespace, ask).await.and_then(|is| match is {
            IncidentAnswer::PostMortem(markdown) => Ok(Markdown { markdown }),
            _ => Err(odd()),
        }))
    }

    /// Propose one of an incident's candidates. It goes to policy and then to a person; this never carries anything out.
    #[tool(
        name = "propose_action",
        output_schema = schema_for_output::<Outcome>(),
        annotations(
            title = "Propose an action",
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = false
        )
    )]
    async fn propose_action(&self, Parameters(args): Parameters<ProposeArgs>) -> CallToolResult {
        answer(self.propose(args).await)
    }

    async fn propose(&self, args: ProposeArgs) -> Result<Outcome, Trouble> {
        let ProposeArgs { namespace, incident, action, kind, name, why } = args;
        let known = ActionKind::ALL.into_iter().find(|known| known.name() == action);
        let action = known.ok_or_else(|| {
            let all = ActionKind::ALL.map(ActionKind::name);
            Trouble::Argument(format!(
                "`action` is `{}`, which belay does not know; some that it does are {}",
                quoted(&action),
                list(all.into_iter())
            ))
        })?;
        let kind = match Kind::from_name(&kind) {
            Kind::Other => {
                return Err(Trouble::Argument(format!(
                    "`kind` is `{}`: write it as Kubernetes does, as in `Deployment`",
                    quoted(&kind)
                )));
            }
            kind => kind,
        };
        object_name(&name, "an object")?;
        if why.trim().is_empty() {
            return Err(Trouble::Argument(
                "`why` is empty: say what the person who decides should know".into(),
            ));
        }
        let proposal = Proposal { namespace: namespace.clone(), incident, action, kind, name, why };
        match self.asked(&namespace, IncidentAsk::Propose(proposal)).await? {
            IncidentAnswer::Proposed(proposed) => Ok(Outcome::from(proposed)),
            _ => Err(odd()),
        }
    }

    async fn asked(&self, namespace: &str, ask: IncidentAsk) -> Result<IncidentAnswer, Trouble> {
        self.scope.check(namespace)?;
        Ok(self.incidents.ask(ask, &self.caller).await?)
    }
}

fn odd() -> Trouble {
    let (what, why) = ("the daemon's incidents".to_owned(), "it answered something else".to_owned());
    Trouble::Read(ReadError::Failed { what, why })
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for IncidentsServer {
    offers_prompts!(Prompt::SHARED, scope);

    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_prompts().build())
            .with_server_info(Implementation::new("belay-incidents", env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "Tells of belay's incidents, and takes proposals for them: policy and a person decide about those.",
            )
    }
}
