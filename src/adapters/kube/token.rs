//! The bearer token of a file, read anew for each request: whoever rotates it need not tell anybody. White
//! space around it is none of it, as in every file with a secret.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use http::header::HeaderValue;

/// A file with a token, and what it held last.
pub(super) struct TokenFile {
    path: PathBuf,
    last: Mutex<HeaderValue>,
}

impl TokenFile {
    /// Reads it once, so that a file that holds no token is said at the start.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), last: Mutex::new(read(path)?) })
    }

    /// The value of `Authorization`. A file that is gone for a moment, or half written, leaves the last one.
    pub(super) fn bearer(&self) -> HeaderValue {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(fresh) = read(&self.path) {
            *last = fresh;
        }
        last.clone()
    }
}

fn read(path: &Path) -> io::Result<HeaderValue> {
    let text = std::fs::read_to_string(path)?;
    let token = text.trim();
    let no_token = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    if token.is_empty() {
        return Err(no_token("it is empty"));
    }
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| no_token("it holds more than a token in one line"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_anew_and_the_last_one_serves_while_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(TokenFile::open(&path).is_err());
        std::fs::write(&path, " one\n").unwrap();
        let file = TokenFile::open(&path).unwrap();
        assert_eq!(file.bearer(), "Bearer one");
        std::fs::write(&path, "two\r\n").unwrap();
        assert_eq!(file.bearer(), "Bearer two");
        for broken in ["", "\n", "a\nb"] {
            std::fs::write(&path, broken).unwrap();
            assert!(TokenFile::open(&path).is_err(), "{broken:?}");
            assert_eq!(file.bearer(), "Bearer two", "{broken:?}");
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.bearer(), "Bearer two");
        assert!(file.bearer().is_sensitive());
    }
}
