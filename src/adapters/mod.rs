//! One vendor each: how belay reaches clusters, telemetry, models and people. Nothing here decides.

pub mod pager_webhook;
pub mod slack;
pub mod terminal;
pub mod visible;
