//! What the service calls does not answer: the cascade, whose cause is elsewhere.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::DependencyDown,
    says: "what it calls refuses connections or does not answer",
    place: Where::Anywhere,
    // a rollout over there costs a connection or two
    least: 3,
    patterns: &[
        // Go's net package
        r"\bdial (?:tcp|udp) \S+: (?:connect: (?:connection refused|no route to host|connection timed out)|i/o timeout)",
        // Node.js, CPython, requests
        r"\bconnect (?:ECONNREFUSED|ETIMEDOUT|EHOSTUNREACH) ",
        r"\bConnectionRefusedError: \[Errno 111\]",
        r"\brequests\.exceptions\.(?:ConnectionError|ConnectTimeout): ",
        // libpq, PgJDBC, MySQL's connectors
        r"connection to server at \x22[^\x22]+\x22(?: \([^)]*\))?, port \d+ failed: (?:Connection refused|timeout expired|No route)",
        r"\bConnection to \S+:\d+ refused\.",
        r"\bCommunications link failure\b",
        r"\bCan't connect to (?:MySQL )?server on '",
        // the JVM, Redis clients, MongoDB's drivers, RabbitMQ's, Kafka's
        r"\bjava\.net\.(?:ConnectException: Connection (?:refused|timed out)|NoRouteToHostException: )",
        r"\bCould not connect to Redis at ",
        r"\b(?:MongoServerSelectionError|ServerSelectionTimeoutError): ",
        r"\bAMQPConnectionError\b",
        r"\bConnection to node -?\d+ \([^)]*\) could not be established",
        // gRPC, Envoy, nginx
        r"rpc error: code = Unavailable desc = ",
        r"upstream connect error or disconnect/reset before headers",
        r"connect\(\) failed \(111: Connection refused\) while connecting to upstream",
        // Rust
        r"\btcp connect error: .*(?:Connection refused|os error 111)",
    ],
}];
