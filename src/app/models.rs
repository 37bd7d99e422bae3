//! The endpoints of models as the configuration names them, and what may be spent on them.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use crate::adapters::openai::{self, OpenAi, TokenField};
use crate::config::{self, BudgetConfig, Config, ConfigError, ModelBudgetConfig, ModelConfig, PriceConfig};
use crate::domain::spend::{Money, Price};
use crate::investigate::budget::{Budget, Budgets};
use crate::investigate::endpoints::egress::Egress;
use crate::investigate::{Endpoint, Endpoints};
use crate::ports::clock::SharedClock;
use crate::ports::store::Store;

use super::accounts::Accounts;
use super::build::BuildError;

/// How long one try of a model may take.
const MODEL_WITHIN: Duration = Duration::from_secs(60);

/// The endpoints and their accounts.
pub(super) type Models = (Arc<Endpoints>, Arc<Accounts>);

/// Those of this configuration; `None` where no model is configured.
pub(super) fn endpoints(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: &SharedClock,
) -> Result<Option<Models>, BuildError> {
    let all: Vec<Endpoint> = config.endpoints().map(endpoint).collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Ok(None);
    }
    let accounts =
        Arc::new(Accounts::new(Arc::clone(store), Arc::clone(clock), budgets(&config.model_budget)));
    let endpoints = Arc::new(Endpoints::new(all, Some(Arc::clone(&accounts) as _)));
    Ok(Some((endpoints, accounts)))
}

/// One of them. What is neither on this machine nor a Service of the cluster is hosted elsewhere: nothing
/// leaves for it unless that is written down.
pub fn endpoint(model: &ModelConfig) -> Result<Endpoint, BuildError> {
    let ModelConfig { name, egress, price, .. } = model;
    let openai = openai(model)?;
    let label = format!("{name} at {}", openai.place());
    let egress = match egress {
        Some(places) => Egress::parse(places)
            .map_err(|e| ConfigError::Conflict(format!("the `egress` of model `{name}`: {e}")))?,
        None if openai.is_local() => Egress::everything(),
        None => Egress::nothing(),
    };
    if egress == Egress::nothing() {
        tracing::warn!(endpoint = %label, "this model is never asked: nothing may leave for it; say what may under `egress`");
    }
    Ok(Endpoint { name: label, model: Arc::new(openai), egress, price: price.map(self::price) })
}

/// The client of one of them.
pub(super) fn openai(model: &ModelConfig) -> Result<OpenAi, BuildError> {
    let ModelConfig { url, name, api_key_file, stream, .. } = model;
    Ok(OpenAi::new(openai::Settings {
        base_url: url.clone(),
        key: api_key_file.as_deref().map(config::secret).transpose()?,
        model: name.clone(),
        per_try: MODEL_WITHIN,
        proxy: None,
        token_field: TokenField::default(),
        stream: *stream,
    })?)
}

fn price(PriceConfig { prompt, completion, cached }: PriceConfig) -> Price {
    Price {
        prompt: Money::billionths(prompt.0),
        completion: Money::billionths(completion.0),
        cached: Money::billionths(cached.unwrap_or(prompt).0),
    }
}

fn budgets(ModelBudgetConfig { per_incident, per_day }: &ModelBudgetConfig) -> Budgets {
    Budgets { incident: budget(per_incident), day: budget(per_day) }
}

fn budget(BudgetConfig { turns, tokens, seconds, money }: &BudgetConfig) -> Budget {
    let waited = SignedDuration::from_secs(i64::try_from(*seconds).unwrap_or(i64::MAX));
    let money = money.map(|amount| Money::billionths(amount.0));
    Budget { turns: *turns, tokens: *tokens, waited, money }
}
