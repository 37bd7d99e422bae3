//! One vendor each: the ports' traits over somebody's wire.

pub mod openai;
