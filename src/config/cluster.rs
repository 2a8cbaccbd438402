//! `[cluster]` as written.

use super::{
    access::Hidden,
    call,
    reader::{FileValue, Reader},
    source::{At, Place, Text},
};
use crate::base::limits;

/// `[cluster]`
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Where it stands.
    pub place: Place,
    /// `redis`, not yet parsed.
    pub redis: Vec<Text>,
    /// `name`
    pub name: Option<Text>,
    /// `on_outage`
    pub on_outage: At<&'static str>,
    /// `username`
    pub username: Option<Text>,
    /// `password` or `password_file`
    pub password: Option<Hidden>,
    /// `sentinel`
    pub sentinel: Option<Text>,
    /// `tls`
    pub tls: Option<Tls>,
}

/// `[cluster.tls]`
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where it stands.
    pub place: Place,
    /// `ca`
    pub ca: Option<FileValue>,
    /// `client_certificate`
    pub certificate: Option<FileValue>,
    /// `client_key`
    pub key: Option<FileValue>,
}

pub(super) fn read(table: &Reader<'_>) -> Cluster {
    table.must_not_be_empty("redis");
    let file = |table: &Reader<'_>, key| table.file(key, limits::TLS_FILE_BYTES_MAX);
    Cluster {
        place: table.place,
        redis: table.texts("redis"),
        name: table.text("name"),
        on_outage: table.choice("on_outage"),
        username: table.text("username"),
        password: call::hidden(table, ("password", "password_file"), None),
        sentinel: table.text("sentinel"),
        tls: table.table("tls").map(|table| Tls {
            place: table.place,
            ca: file(&table, "ca"),
            certificate: file(&table, "client_certificate"),
            key: file(&table, "client_key"),
        }),
    }
}

impl Cluster {
    /// Every byte that it was made of besides the configuration's own text.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        let files = self.tls.iter().flat_map(|tls| [tls.ca.as_ref(), tls.certificate.as_ref(), tls.key.as_ref()]);
        let files = files.flatten().map(|file| file.bytes.as_slice());
        files.chain(self.password.as_ref().map(|hidden| hidden.bytes.as_slice()))
    }
}
