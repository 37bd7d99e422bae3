//! A certificate that the pods hold expires, and was not renewed.

use jiff::SignedDuration;

use crate::diagnose::evidence::{Book, Key};
use crate::domain::cluster::Snapshot;
use crate::domain::finding::{Cause, Certainty, Finding};

/// cert-manager renews when a third of the time is left, which is 30 days of the usual 90: a week before the end it
/// has failed for weeks.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The finding, about the owner: the certificate is of a kind that belay does not speak of.
pub fn analyse(snapshot: &Snapshot, book: &Book) -> Option<Finding> {
    let all = snapshot.around.certificates.as_ref().ok()?;
    let mut ending: Vec<_> = all
        .iter()
        .filter_map(|c| c.not_after.map(|end| (end, c)))
        .filter(|(end, _)| end.duration_since(snapshot.at) <= SOON)
        .collect();
    ending.sort_by_key(|(end, _)| *end);
    let (end, certificate) = ending.first()?;
    let over = *end <= snapshot.at;
    let left = end.duration_since(snapshot.at);
    let when = if over {
        format!("expired {} hours ago", (-left).as_hours())
    } else {
        format!("expires in {} hours", left.as_hours())
    };
    let failing = if certificate.ready == Some(false) { "; it is not ready" } else { "" };
    Some(Finding {
        summary: format!(
            "certificate `{}` in Secret `{}` {when}{failing}",
            certificate.name, certificate.secret
        ),
        cause: Cause::CertificateExpiring { certificate: certificate.name.clone(), not_after: *end },
        subject: snapshot.owner.0.clone(),
        certainty: if over { Certainty::Certain } else { Certainty::Likely },
        evidence: book.cite(&[Key::Certificates, Key::Workload]),
        rules_out: vec![],
        suggests: vec![],
    })
}
