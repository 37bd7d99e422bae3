//! The log file: what is appended is on disk, or it is as if it had never been.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::scan::Position;
use crate::ports::store::StoreError;

/// What a log is written on. A file; tests put one that fails in its place.
pub(super) trait Medium: Send + Sync {
    /// Writes all bytes at this offset.
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Returns once what was written is on disk.
    fn flush(&self) -> io::Result<()>;
    /// Cuts the file off behind this many bytes.
    fn cut(&self, length: u64) -> io::Result<()>;
    /// Fills the buffer from this offset on.
    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl Medium for File {
    fn write(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn flush(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn read(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

/// The log, open for appending.
pub(super) struct Log {
    medium: Arc<dyn Medium>,
    end: Position,
    /// Why nothing is written any more.
    stopped: Option<StoreError>,
}

impl Log {
    /// A log that ends at `end`.
    pub(super) const fn ending_at(medium: Arc<dyn Medium>, end: Position) -> Self {
        Self { medium, end, stopped: None }
    }

    /// Where it ends.
    pub(super) const fn end(&self) -> Position {
        self.end
    }

    /// Why nothing is written any more, if so.
    pub(super) const fn stopped(&self) -> Option<&StoreError> {
        self.stopped.as_ref()
    }

    /// From now on nothing is written.
    pub(super) fn stop(&mut self, why: StoreError) {
        self.stopped.get_or_insert(why);
    }

    /// Appends whole lines that end at `end`, durably. After an error none of them counts: a full disk
    /// leaves the log as it was and usable, anything else stops it.
    pub(super) fn append(&mut self, lines: &[u8], end: Position) -> Result<(), StoreError> {
        if let Some(why) = &self.stopped {
            return Err(why.clone());
        }
        if let Err(error) = self.medium.write(lines, self.end.offset) {
            return Err(self.unwrite(&error));
        }
        if let Err(error) = self.medium.flush() {
            // a kernel that failed to write pages back may call them clean: no later flush proves anything
            return Err(self.halt(&format!("the journal could not be flushed: {error}")));
        }
        self.end = end;
        Ok(())
    }

    /// Takes back what a failed write left.
    fn unwrite(&mut self, error: &io::Error) -> StoreError {
        if let Err(cut) = self.medium.cut(self.end.offset) {
            return self.halt(&format!("the journal could not be written ({error}) nor cut back ({cut})"));
        }
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::Unavailable(format!("the disk of the journal is full: {error}"))
            }
            _ => self.halt(&format!("the journal could not be written: {error}")),
        }
    }

    fn halt(&mut self, what: &str) -> StoreError {
        let why = StoreError::Unavailable(format!("{what}; restart belay once the disk is well"));
        self.stop(why.clone());
        why
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::canonical::Hash;

    /// A medium that fails as it is told to, after having written half.
    #[derive(Default)]
    struct Flaky {
        bytes: Mutex<Vec<u8>>,
        write: Mutex<Option<io::ErrorKind>>,
        flush: Mutex<bool>,
        cut: Mutex<bool>,
    }

    impl Medium for Flaky {
        fn write(&self, new: &[u8], offset: u64) -> io::Result<()> {
            let mut bytes = self.bytes.lock().unwrap();
            bytes.truncate(usize::try_from(offset).unwrap());
            match self.write.lock().unwrap().take() {
                None => bytes.extend_from_slice(new),
                Some(kind) => {
                    bytes.extend_from_slice(&new[..new.len() / 2]);
                    return Err(kind.into());
                }
            }
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            if *self.flush.lock().unwrap() { Err(io::ErrorKind::Other.into()) } else { Ok(()) }
        }

        fn cut(&self, length: u64) -> io::Result<()> {
            if *self.cut.lock().unwrap() {
                return Err(io::ErrorKind::Other.into());
            }
            self.bytes.lock().unwrap().truncate(usize::try_from(length).unwrap());
            Ok(())
        }

        fn read(&self, _: &mut [u8], _: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    const fn at(offset: u64) -> Position {
        Position { lines: offset / 4, offset, hash: Hash::ZERO }
    }

    #[test]
    fn a_full_disk_leaves_the_log_usable() {
        let medium = Arc::new(Flaky::default());
        let mut log = Log::ending_at(Arc::clone(&medium) as _, Position::START);
        log.append(b"one\n", at(4)).unwrap();
        for full in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            *medium.write.lock().unwrap() = Some(full);
            assert!(matches!(log.append(b"two\n", at(8)), Err(StoreError::Unavailable(_))));
            assert_eq!(*medium.bytes.lock().unwrap(), b"one\n");
        }
        log.append(b"tri\n", at(8)).unwrap();
        assert_eq!((&medium.bytes.lock().unwrap()[..], log.end()), (&b"one\ntri\n"[..], at(8)));
    }

    #[test]
    fn anything_else_stops_it() {
        let broken: [fn(&Flaky); 3] = [
            |m| *m.write.lock().unwrap() = Some(io::ErrorKind::Other),
            |m| *m.flush.lock().unwrap() = true,
            |m| {
                *m.write.lock().unwrap() = Some(io::ErrorKind::StorageFull);
                *m.cut.lock().unwrap() = true;
            },
        ];
        for break_it in broken {
            let medium = Arc::new(Flaky::default());
            let mut log = Log::ending_at(Arc::clone(&medium) as _, Position::START);
            break_it(&medium);
            let first = log.append(b"two\n", at(4)).unwrap_err();
            *medium.flush.lock().unwrap() = false;
            *medium.cut.lock().unwrap() = false;
            assert_eq!(log.append(b"two\n", at(4)).unwrap_err(), first, "it stays stopped");
            assert_eq!(log.end(), Position::START);
        }
    }
}
