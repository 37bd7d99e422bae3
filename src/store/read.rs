//! Entries read from a log that may still be written: in order, one at a time, and only those that are
//! wanted. The chain of lines is checked on the way.

use std::fs::File;
use std::path::Path;

use jiff::Timestamp;

use super::entries;
use super::scan::{Broken, Lines, Position, ScanError};
use super::verify::VerifyError;
use crate::ports::store::Entry;

/// Which entries are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'k> {
    /// Not those of earlier steps.
    pub since: Timestamp,
    /// Only records of these kinds, as their names in the journal; none: of all.
    pub kinds: &'k [&'k str],
}

/// Shows every wanted entry of the log. A last line that is not whole is one that the daemon is just
/// writing: it is left out.
pub fn read(path: &Path, wanted: Wanted<'_>, show: &mut dyn FnMut(Entry)) -> Result<(), VerifyError> {
    // a cheap look first: most lines need not be decoded
    let all = wanted.kinds.is_empty();
    let marks: Vec<String> = wanted.kinds.iter().map(|kind| format!(r#""kind":"{kind}""#)).collect();
    let mut lines = Lines::from(File::open(path)?, Position::START);
    loop {
        let found = match lines.next() {
            Ok(Some(found)) => found,
            Ok(None) | Err(ScanError::Torn(_)) => return Ok(()),
            Err(ScanError::Io(error)) => return Err(error.into()),
            Err(ScanError::Broken(broken)) => return Err(broken.into()),
        };
        let (line, offset) = (found.line.number, found.start.offset);
        let (step, written) = found.line.into_step();
        if step.at < wanted.since {
            continue;
        }
        for text in written.iter().filter(|text| all || marks.iter().any(|mark| text.body.contains(mark))) {
            show(entries::decode(text).map_err(|what| Broken { line, offset, what })?);
        }
    }
}
