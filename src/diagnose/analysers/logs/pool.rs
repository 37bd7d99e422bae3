//! All connections of a pool, or of the server behind it, are taken.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::ConnectionPoolExhausted,
    says: "no connection is left in a pool or at its server",
    place: Where::Anywhere,
    // one request that waited too long is a slow query
    least: 2,
    patterns: &[
        // HikariCP, Tomcat, Jedis
        r"Connection is not available, request timed out after \d+ms",
        r"\bPoolExhaustedException: ",
        r"\bCould not get a resource from the pool",
        // SQLAlchemy, sqlx, Prisma, knex, node-postgres
        r"\bQueuePool limit of size \d+ overflow \d+ reached",
        r"\bpool timed out while waiting for an open connection",
        r"\bTimed out fetching a new connection from the connection pool",
        r"\bKnex: Timeout acquiring a connection\.",
        r"\btimeout exceeded when trying to connect",
        // PostgreSQL, PgBouncer, MySQL, Redis
        r"\bsorry, too many clients already",
        r"\bremaining connection slots are reserved for ",
        r"\bno more connections allowed \(max_client_conn\)",
        r"\bERROR 1040 \(|\bToo many connections$",
        r"\bERR max number of clients reached",
    ],
}];
