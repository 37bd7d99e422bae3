//! Reading the log from some line on, each line checked against the one before.

use std::io::{self, BufRead as _, BufReader, Read};

use super::line::{Line, MAX_LINE};
use crate::domain::canonical::Hash;

/// A place between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// How many lines lie before it.
    pub(super) lines: u64,
    /// How many bytes lie before it.
    pub(super) offset: u64,
    /// The hash of the line before it.
    pub(super) hash: Hash,
}

impl Position {
    /// Before the first line.
    pub(super) const START: Self = Self { lines: 0, offset: 0, hash: Hash::ZERO };
}

/// Where a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} (at byte {offset}) is broken: {what}")]
pub struct Broken {
    /// The line's number, from 1.
    pub line: u64,
    /// The byte it begins at, from 0.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// Why the next line was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ScanError {
    /// The file could not be read.
    #[error("the log could not be read")]
    Io(#[from] io::Error),
    /// The line is broken and more follows it.
    #[error(transparent)]
    Broken(Broken),
    /// The last line is not whole: what a crash during a write leaves.
    #[error(transparent)]
    Torn(Broken),
}

/// A line that was read.
pub(super) struct Found {
    /// What it says.
    pub(super) line: Line,
    /// Where it begins.
    pub(super) start: Position,
    /// Where it ends.
    pub(super) end: Position,
}

/// The lines of a log from some place on.
pub(super) struct Lines<R> {
    input: BufReader<R>,
    at: Position,
    buffer: Vec<u8>,
}

impl<R: Read> Lines<R> {
    /// `input` stands at `at`.
    pub(super) fn from(input: R, at: Position) -> Self {
        Self { input: BufReader::new(input), at, buffer: Vec::new() }
    }

    /// Where the next line begins.
    pub(super) const fn position(&self) -> Position {
        self.at
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>, ScanError> {
        self.buffer.clear();
        (&mut self.input).take(MAX_LINE as u64).read_until(b'\n', &mut self.buffer)?;
        if self.buffer.is_empty() {
            return Ok(None);
        }
        let start = self.at;
        match Line::read(&self.buffer, start.hash, start.lines + 1) {
            Ok((line, hash)) => {
                let offset = start.offset + self.buffer.len() as u64;
                self.at = Position { lines: start.lines + 1, offset, hash };
                Ok(Some(Found { line, start, end: self.at }))
            }
            Err(what) => Err(self.broken(what)?),
        }
    }

    /// A broken line is a torn one if nothing follows it.
    fn broken(&mut self, what: String) -> Result<ScanError, io::Error> {
        let broken = Broken { line: self.at.lines + 1, offset: self.at.offset, what };
        if self.input.fill_buf()?.is_empty() {
            return Ok(ScanError::Torn(broken));
        }
        Ok(ScanError::Broken(broken))
    }
}
