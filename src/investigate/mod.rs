//! The model's place: it reads with read-only tools and ends by naming one of a closed set of candidates,
//! by doing nothing, or by calling a person. It decides nothing else, and belay works without it.

pub mod ask;
pub mod budget;
pub mod calls;
pub mod cassette;
pub mod desk;
pub mod ending;
pub mod endpoints;
pub mod fence;
pub mod limits;
pub mod machine;
pub mod outcome;
pub mod playbook;
pub mod prompts;
pub mod replay;
pub mod run;
pub mod shelf;
pub mod step;
pub mod tape;
pub mod tokens;
pub mod transcript;

pub use ask::{Asked, ask};
pub use endpoints::{Endpoint, Endpoints};
pub use limits::Limits;
pub use outcome::{Degraded, Note};
pub use playbook::playbook;
pub use prompts::{Prompts, Query};
pub use run::{Case, Investigated, Mind, Outcome, investigate};
