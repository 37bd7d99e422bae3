//! What comes in over HTTP: verified and read here, carried out by the handles that `app` gives.

pub mod slack;
