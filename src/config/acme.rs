//! `acme` of `[[server.tls]]` as written, with what an earlier run left in its cache.

use super::{
    files::Files,
    reader::{FileValue, Reader},
    source::{At, Place, Text},
};
use crate::base::limits;
use std::{io, path::PathBuf};

/// `acme`
#[derive(Clone, Debug)]
pub struct Acme {
    /// Where the table begins.
    pub place: Place,
    /// `domains`
    pub domains: Vec<Text>,
    /// `email`
    pub email: Option<Text>,
    /// `directory`
    pub directory: Text,
    /// `directory_ca`; the system's roots unless given.
    pub directory_ca: Option<FileValue>,
    /// `cache`, relative to the working directory, or absolute.
    pub cache: PathBuf,
    /// `challenge`: `auto`, `http-01` or `tls-alpn-01`.
    pub challenge: At<&'static str>,
    /// The file in the cache that certificate and key are in, or will be.
    pub certificate: PathBuf,
    /// The file in the cache that the account is in, or will be.
    pub account: PathBuf,
    /// What is in [`Acme::certificate`]; `None` if there is no such file, `Err` if it cannot be read.
    pub cached: Option<Result<Vec<u8>, String>>,
}

pub(super) fn read(listener: &Reader<'_>) -> Option<Acme> {
    let table = listener.table("acme")?;
    table.must_not_be_empty("domains");
    let (directory, folder) = (table.text("directory")?, table.text("cache")?);
    let cache = table.context.resolve(&folder.value, folder.place);
    let domains = table.texts("domains");
    let mut names: Vec<String> = domains.iter().map(|text| text.value.to_ascii_lowercase()).collect();
    names.sort_unstable();
    let first = domains.first().map_or("", |text| text.value.as_str());
    let certificate = cache.join(file_name(first, &format!("{} {}", directory.value, names.join(" ")), "pem"));
    let host = directory.value.split('/').nth(2).unwrap_or_default();
    let account = cache.join(file_name(&format!("account-{host}"), &directory.value, "json"));
    let mut acme = Acme {
        place: table.place,
        domains,
        email: table.text("email"),
        directory,
        directory_ca: table.file("directory_ca", limits::TLS_FILE_BYTES_MAX),
        cache,
        challenge: table.choice("challenge"),
        certificate,
        account,
        cached: None,
    };
    acme.read_cache(table.context.files);
    Some(acme)
}

impl Acme {
    /// Looks into the cache again.
    pub fn read_cache(&mut self, files: &dyn Files) {
        let limit = limits::TLS_FILE_BYTES_MAX;
        self.cached = match files.read(&self.certificate, limit) {
            Ok(bytes) if bytes.len() > limit => Some(Err("is too large".to_owned())),
            Ok(bytes) => Some(Ok(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(format!("cannot be read: {error}"))),
        };
    }
}

/// A name that says what is in the file, and is another one for other settings.
fn file_name(what: &str, settings: &str, suffix: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c.to_ascii_lowercase() } else { '_' };
    let what: String = what.trim_start_matches('.').chars().take(100).map(good).collect();
    format!("{what}-{:016x}.{suffix}", hash(settings.as_bytes()))
}

/// FNV-1a: the same in every version, unlike the hashes of tables.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files_say_what_is_in_them_and_stay_in_their_folder() {
        assert_eq!(file_name("A.test", "a", "pem"), "a.test-af63dc4c8601ec8c.pem", "the same in all versions");
        assert!(file_name("../../etc/x", "", "pem").starts_with("_.._etc_x-"));
        assert_ne!(file_name("a", "one", "pem"), file_name("a", "two", "pem"));
    }
}
