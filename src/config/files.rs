//! Where files come from: the disk, or a table in memory for tests, fuzzing and the built-in demo.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Reads files and lists directories.
pub trait Files {
    /// The content of a regular file of at most `limit` bytes (one byte more is returned when it is larger).
    ///
    /// # Errors
    /// Whatever the system says; [`io::ErrorKind::InvalidInput`] for what is not a regular file.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;

    /// The names of what is in a directory, sorted, directories themselves left out.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self, directory: &Path) -> io::Result<Vec<String>>;

    /// One name for one file, however it was reached.
    fn identity(&self, path: &Path) -> PathBuf;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        // Looked at before it is opened: opening a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let file = std::fs::File::open(path)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, limit as u64 + 1), &mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            if !entry.path().is_dir() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_owned())
    }
}

/// Files in memory: path and content.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub Vec<(PathBuf, Vec<u8>)>);

impl Files for Memory {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
        let found = self.0.iter().find(|(name, _)| name == path);
        let (_, bytes) = found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(bytes.iter().copied().take(limit.saturating_add(1)).collect())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let inside = |path: &&(PathBuf, Vec<u8>)| path.0.parent() == Some(directory);
        let name = |path: &(PathBuf, Vec<u8>)| path.0.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        let mut names: Vec<String> = self.0.iter().filter(inside).filter_map(name).collect();
        names.sort_unstable();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }

    fn identity(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// Whether `name` matches `pattern`, in which `*` stands for any characters and `?` for one. A leading dot must be written out.
///
/// ```
/// use ringgate::config::files::matches;
/// assert!(matches("*.toml", "orders.toml"));
/// assert!(!matches("*.toml", ".hidden.toml"));
/// ```
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` was and how much it has taken, to come back to.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The file name in `directory` nearest to `wanted`.
pub(super) fn nearest(files: &dyn Files, wanted: &Path) -> Option<String> {
    let directory = match wanted.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = wanted.file_name()?.to_str()?;
    let names = files.list(directory).ok()?;
    super::reader::nearest(name, names.iter().map(String::as_str)).map(|found| {
        let found = wanted.with_file_name(found);
        found.display().to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_takes_as_much_as_it_must() {
        for (pattern, name) in [("*", "a"), ("a*c", "abbc"), ("*a*b*", "xxaxxb"), ("a?c", "abc"), ("a.toml", "a.toml")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.toml", "a.tom"), ("a*c", "abcd"), ("", "a"), ("?", ""), ("*", ".a"), ("b*", "ab")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
