//! The commit that a folder is checked out at, as the files of git's own folder say it. Nothing is run, and nothing
//! outside of git's folder is read.

use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// Folders above the one in question that are looked at: documents stand that deep in a repository.
const UP: usize = 8;
/// A line with a name or an id.
const LINE: u64 = 4 * 1024;
/// Packed references of a repository with some 50,000 of them.
const PACKED: u64 = 4 * 1024 * 1024;

/// The commit of the checkout that the folder stands in; `None`: it stands in none, or that cannot be told.
pub fn commit_of(dir: &Path) -> Option<String> {
    // what a sidecar swaps is a link to the checkout of one moment
    let dir = fs::canonicalize(dir).ok()?;
    let git = dir.ancestors().take(UP).map(|dir| dir.join(".git")).find(|git| git.exists())?;
    let git = if git.is_dir() { git } else { linked(&git)? };
    let head = text(&git.join("HEAD"), LINE)?;
    let Some(reference) = head.strip_prefix("ref:") else { return id(&head) };
    let reference = plain(reference.trim())?;
    // the references of a linked work tree are those of the repository that it belongs to
    let common = text(&git.join("commondir"), LINE).map(|common| git.join(common));
    let folders: Vec<PathBuf> = [Some(git), common].into_iter().flatten().collect();
    let loose = folders.iter().find_map(|folder| id(&text(&folder.join(&reference), LINE)?));
    loose.or_else(|| folders.iter().find_map(|folder| packed(&folder.join("packed-refs"), &reference)))
}

/// Git's folder where `.git` is a file that names it, as in a linked work tree.
fn linked(file: &Path) -> Option<PathBuf> {
    let said = text(file, LINE)?;
    let named = file.parent()?.join(said.strip_prefix("gitdir:")?.trim());
    named.join("HEAD").is_file().then_some(named)
}

/// The name of a reference that leads nowhere else.
fn plain(reference: &str) -> Option<PathBuf> {
    let path = PathBuf::from(reference);
    let inside =
        reference.starts_with("refs/") && path.components().all(|part| matches!(part, Component::Normal(_)));
    inside.then_some(path)
}

fn packed(file: &Path, reference: &Path) -> Option<String> {
    let all = text(file, PACKED)?;
    all.lines().find_map(|line| {
        let (commit, name) = line.split_once(' ')?;
        (Path::new(name) == reference).then(|| id(commit)).flatten()
    })
}

/// The id of a commit: SHA-1 or SHA-256 in hexadecimal.
fn id(text: &str) -> Option<String> {
    let fits = matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit());
    fits.then(|| text.to_ascii_lowercase())
}

/// The text of a plain file of at most so many bytes.
fn text(path: &Path, most: u64) -> Option<String> {
    let file = fs::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    let mut text = String::new();
    let read = file.take(most + 1).read_to_string(&mut text).ok()?;
    (read as u64 <= most).then(|| text.trim().to_owned())
}
