//! What belay's own read-only servers share: which namespaces may be read, how an answer looks as text and as
//! structure, how an error reads, how a moment is written, where a page goes on, which prompts there are, and how a
//! server is served.

mod cursor;
mod lean;
mod prompts;
mod reply;
mod scope;
mod served;
mod sessions;
mod table;
mod when;

pub use cursor::{after, cursor};
pub use lean::lean;
pub(crate) use prompts::offers_prompts;
pub use prompts::{Prompt, get_prompt, list_prompts};
pub use reply::{Extent, Readable, answer, or_dash, page};
pub(crate) use scope::narrows;
pub use scope::{Narrowed, Scope, Trouble, did_you_mean, list, object_name, quoted};
pub use served::{Ended, serve_stdio, service};
pub use sessions::{HttpService, Nothing, with_sessions};
pub use table::{grouped, table};
pub use when::{Moment, Span};
