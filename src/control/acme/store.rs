//! The cache: an account and certificates with their keys, in files that only the gateway's user can read.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Makes the folder, if it is not there, for this user alone. Returns what an operator should know about one that is.
///
/// # Errors
/// It cannot be made.
pub(super) fn prepare(folder: &Path) -> io::Result<Option<String>> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mode = fs::metadata(folder)?.permissions().mode() & 0o777;
    let open = mode & 0o077 != 0;
    Ok(open.then(|| format!("others may look into {} (mode {mode:o}): `chmod 700` it", folder.display())))
}

/// Writes a whole file for this user alone: whoever reads meanwhile, and whatever the power does, sees the old or the new.
///
/// # Errors
/// Whatever the system says; the old file is as it was.
pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = beside(path, "new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

/// Moves what is of no use out of the way, and returns where to.
///
/// # Errors
/// Whatever the system says.
pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = beside(path, "bad");
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// The content of a file; `None` if there is none.
///
/// # Errors
/// Whatever the system says.
pub(super) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Takes a file from the eyes of others, if it was put there by hand. Returns whether that was needed.
///
/// # Errors
/// Whatever the system says.
pub(super) fn tighten(path: &Path) -> io::Result<bool> {
    let open = fs::metadata(path)?.permissions().mode() & 0o077 != 0;
    if open {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(open)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::{prepare, read, set_aside, tighten, write};
    use std::{fs, os::unix::fs::PermissionsExt, path::Path};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_can_read_what_is_kept() {
        let top = std::env::temp_dir().join(format!("ringgate-acme-{}", std::process::id()));
        let folder = top.join("a/b");
        assert_eq!(prepare(&folder).unwrap(), None);
        assert_eq!(mode(&folder), 0o700);
        let file = folder.join("x.pem");
        assert_eq!(read(&file).unwrap(), None);
        fs::write(folder.join("x.pem.new"), "left over").unwrap();
        write(&file, b"one").unwrap();
        write(&file, b"two").unwrap();
        assert_eq!((read(&file).unwrap().unwrap(), mode(&file)), (b"two".to_vec(), 0o600));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(tighten(&file).unwrap() && !tighten(&file).unwrap());
        assert_eq!(mode(&file), 0o600);
        let aside = set_aside(&file).unwrap();
        assert!(aside.ends_with("x.pem.bad") && read(&file).unwrap().is_none());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(prepare(&folder).unwrap().is_some_and(|said| said.contains("chmod 700")));
        fs::remove_dir_all(&top).unwrap();
    }
}
