//! A certificate is no longer good.

use super::{Sign, Where};
use crate::domain::cause::CauseWord;

pub(super) const SIGNS: &[Sign] = &[Sign {
    word: CauseWord::CertificateExpiring,
    says: "a certificate has expired",
    place: Where::Anywhere,
    least: 1,
    patterns: &[
        // Go's crypto/x509 and crypto/tls
        r"\bx509: certificate has expired or is not yet valid",
        r"\btls: expired certificate",
        // OpenSSL and what is built on it, Node.js, the JVM, rustls, browsers' alerts as servers log them
        r"certificate verify failed: certificate has expired",
        r"\bcode: 'CERT_HAS_EXPIRED'",
        r"\bCertificateExpiredException: NotAfter: ",
        r"invalid peer certificate: (?:certificate )?[Ee]xpired",
        r"\balert certificate expired\b",
    ],
}];
