//! A name is not resolved: the name is wrong, or whoever resolves names is not well.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::DnsFailure,
    says: "a name is not resolved",
    place: Where::Anywhere,
    // one look-up that fails is tried again by every resolver
    least: 2,
    patterns: &[
        // Go's net package
        r"\blookup \S+(?: on \S+)?: (?:no such host|i/o timeout|server misbehaving|Temporary failure)",
        // glibc, and musl through what calls it
        r"\b(?:Temporary failure in name resolution|Name or service not known|Name does not resolve)",
        r"could not translate host name \x22",
        // Node.js, the JVM, Rust, curl
        r"\bgetaddrinfo (?:ENOTFOUND|EAI_AGAIN) ",
        r"\bjava\.net\.UnknownHostException: ",
        r"\bfailed to lookup address information: ",
        r"\bCould not resolve host: ",
    ],
}];
