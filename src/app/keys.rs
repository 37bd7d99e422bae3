//! The key that signs warrants: kept in the state directory, or in a file of the user's own; and how another takes its
//! place while warrants of both are good.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{Config, ConfigError};
use crate::execute::{KeyError, Signer};
use crate::servers::actions::VerifyingKeys;

use super::build::{BuildError, make_private};

/// The key that signs.
const KEY: &str = "warrant.key";
/// The key that will sign: action servers are told of it before it does.
const NEXT: &str = "warrant.next.key";

/// There is no key to do that with.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The user keeps the key.
    #[error(
        "the key is in `{}`, which belay does not write: add the public key of another to `warrantKeys` of each action \
         server, put that one in its place, and restart the daemon", .0.display()
    )]
    Theirs(PathBuf),
    /// There is no next key.
    #[error(
        "no next key is prepared: `belay mcp key --next` makes one; add what it prints to `warrantKeys` of each action \
         server, and only then rotate"
    )]
    NoNext,
    /// A key or its file cannot be used.
    #[error(transparent)]
    Build(#[from] Box<BuildError>),
}

/// The signer of this daemon; its key is made at the first start.
pub fn signer(config: &Config) -> Result<Signer, BuildError> {
    if let Some(file) = &config.warrant_key_file {
        return theirs(file);
    }
    make_private(&config.state_dir)?;
    let path = config.state_dir.join(KEY);
    match read(&path)? {
        Some(signer) => Ok(signer),
        None => made(&path),
    }
}

/// The keys that an action server in this process takes: the one that signs, and the one that will.
pub(super) fn verifying(config: &Config) -> Result<VerifyingKeys, BuildError> {
    let (signs, next) = (signer(config)?, next(config)?);
    let keys = [Some(&signs), next.as_ref()].into_iter().flatten().map(Signer::public_key);
    Ok(VerifyingKeys::new(keys)?)
}

/// The public keys as `warrantKeys` names them: that of the key that signs, and of the one that will.
pub fn public_keys(config: &Config) -> Result<Vec<String>, BuildError> {
    let signs = signer(config)?;
    Ok([Some(signs), next(config)?].iter().flatten().map(public).collect())
}

/// Prepares the key that will sign, unless one is; its public key.
pub fn prepare(config: &Config) -> Result<String, RotationError> {
    let path = own(config)?.join(NEXT);
    // the first key first: it is the one that warrants are signed with until then
    signer(config).map_err(Box::new)?;
    let next = match read(&path).map_err(Box::new)? {
        Some(next) => next,
        None => made(&path).map_err(Box::new)?,
    };
    Ok(public(&next))
}

/// Puts the prepared key in the place of the one that signs; its public key. The daemon signs with it from its next
/// start on.
pub fn rotate(config: &Config) -> Result<String, RotationError> {
    let dir = own(config)?;
    let (from, to) = (dir.join(NEXT), dir.join(KEY));
    let next = read(&from).map_err(Box::new)?.ok_or(RotationError::NoNext)?;
    let moved = fs::rename(&from, &to).and_then(|()| fs::File::open(dir)?.sync_all());
    moved.map_err(|source| Box::new(BuildError::Write { path: to, source }))?;
    Ok(public(&next))
}

fn own(config: &Config) -> Result<&Path, RotationError> {
    match &config.warrant_key_file {
        Some(file) => Err(RotationError::Theirs(file.clone())),
        None => Ok(&config.state_dir),
    }
}

fn public(signer: &Signer) -> String {
    STANDARD.encode(signer.public_key())
}

fn next(config: &Config) -> Result<Option<Signer>, BuildError> {
    match config.warrant_key_file {
        Some(_) => Ok(None),
        None => read(&config.state_dir.join(NEXT)),
    }
}

/// The key that the user keeps: in PEM, and readable by nobody else.
fn theirs(path: &Path) -> Result<Signer, BuildError> {
    let unread = |source| ConfigError::Read { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unread)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(BuildError::OpenKey { path: path.to_owned(), mode: mode & 0o777 });
    }
    let bytes = fs::read(path).map_err(unread)?;
    Signer::from_pem(&bytes).map_err(|source| BuildError::TheirKey { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<Option<Signer>, BuildError> {
    match fs::read(path) {
        Ok(bytes) => Signer::from_pkcs8(&bytes).map(Some).map_err(|source| broken(path, source)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }.into()),
    }
}

fn made(path: &Path) -> Result<Signer, BuildError> {
    let (signer, secret) = Signer::generate().map_err(|source| broken(path, source))?;
    keep_private(path, secret.expose())
        .map_err(|source| BuildError::Write { path: path.to_owned(), source })?;
    Ok(signer)
}

fn broken(path: &Path, source: KeyError) -> BuildError {
    BuildError::Key { path: path.to_owned(), source }
}

/// Writes a file that only its owner can read, wholly or not at all.
fn keep_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}
