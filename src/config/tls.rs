//! `[[server.tls]]` and `upstream.*.tls` as written, with the files that they name.

use super::{
    acme::{self, Acme},
    files::Files,
    keys, load,
    reader::{FileValue, Reader},
    source::{At, Place, Text},
    unit,
};
use crate::base::limits;
use std::time::Duration;

/// `[[server.tls]]`
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where the table begins.
    pub place: Place,
    /// `listen`, addresses not yet parsed.
    pub listen: Vec<Text>,
    /// `certificate`, `key`, `ocsp` of the table itself, if it has any of them.
    pub main: Option<Certificate>,
    /// `acme`
    pub acme: Option<Acme>,
    /// Where `acme` was written.
    pub acme_place: Option<Place>,
    /// `certificates`
    pub further: Vec<Certificate>,
    /// `client_ca`, `client_auth`, `crl` for all certificates that say nothing of their own.
    pub clients: ClientAuth,
    /// `min_version`: `1.2` or `1.3`.
    pub min_version: At<&'static str>,
    /// `security_policy`
    pub security_policy: At<&'static str>,
    /// `strict_sni`
    pub strict_sni: At<bool>,
    /// `handshake_timeout`
    pub handshake_timeout: At<Duration>,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Where the table begins.
    pub place: Place,
    /// `certificate`: the chain.
    pub chain: Option<FileValue>,
    /// `key`
    pub key: Option<FileValue>,
    /// `ocsp`: a response to be stapled.
    pub ocsp: Option<FileValue>,
    /// `client_ca`, `client_auth`, `crl` of its own.
    pub clients: ClientAuth,
}

/// Which clients' certificates are taken.
#[derive(Clone, Debug)]
pub struct ClientAuth {
    /// `client_ca`
    pub ca: Option<FileValue>,
    /// `client_auth`: `required` or `optional`.
    pub mode: At<&'static str>,
    /// Where `client_auth` was written.
    pub mode_place: Option<Place>,
    /// `crl`
    pub crl: Option<FileValue>,
}

/// `upstream.*.tls`
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Where the table begins.
    pub place: Place,
    /// `ca`; the system's roots unless given.
    pub ca: Option<FileValue>,
    /// `server_name`, instead of the URL's host.
    pub server_name: Option<Text>,
    /// `client_certificate`
    pub certificate: Option<FileValue>,
    /// `client_key`
    pub key: Option<FileValue>,
    /// `insecure_skip_verification`
    pub insecure: At<bool>,
}

pub(super) fn read(server: &Reader<'_>) -> Vec<Listener> {
    server.tables("tls").iter().map(listener).collect()
}

fn listener(table: &Reader<'_>) -> Listener {
    table.must_not_be_empty("listen");
    let has_main = ["certificate", "key", "ocsp"].iter().any(|key| table.key_place(key).is_some());
    Listener {
        place: table.place,
        listen: table.texts("listen"),
        main: has_main.then(|| certificate(table)),
        acme: acme::read(table),
        acme_place: table.key_place("acme"),
        further: table
            .list("certificates")
            .iter()
            .filter_map(|node| table.element(node, "certificates", &keys::tls::CERTIFICATE))
            .map(|table| certificate(&table))
            .collect(),
        clients: clients(table),
        min_version: table.choice("min_version"),
        security_policy: table.choice("security_policy"),
        strict_sni: table.bool("strict_sni"),
        handshake_timeout: table.duration("handshake_timeout"),
    }
}

fn certificate(table: &Reader<'_>) -> Certificate {
    let file = |key| table.file(key, limits::TLS_FILE_BYTES_MAX);
    Certificate {
        place: table.place,
        chain: file("certificate"),
        key: file("key"),
        ocsp: file("ocsp"),
        clients: clients(table),
    }
}

fn clients(table: &Reader<'_>) -> ClientAuth {
    ClientAuth {
        ca: table.file("client_ca", limits::TLS_FILE_BYTES_MAX),
        mode: table.choice("client_auth"),
        mode_place: table.key_place("client_auth"),
        crl: table.file("crl", limits::TLS_FILE_BYTES_MAX),
    }
}

pub(super) fn read_upstream(upstream: &Reader<'_>) -> Option<Upstream> {
    let table = upstream.table("tls")?;
    let file = |key| table.file(key, limits::TLS_FILE_BYTES_MAX);
    Some(Upstream {
        place: table.place,
        ca: file("ca"),
        server_name: table.text("server_name"),
        certificate: file("client_certificate"),
        key: file("client_key"),
        insecure: table.bool("insecure_skip_verification"),
    })
}

/// The `tls` of an integration: what matters for one server of a URI.
pub(super) fn read_integration(integration: &Reader<'_>) -> Option<Upstream> {
    let table = integration.table("tls")?;
    Some(Upstream {
        place: table.place,
        ca: None,
        server_name: table.text("server_name"),
        certificate: None,
        key: None,
        insecure: table.bool("insecure_skip_verification"),
    })
}

impl Listener {
    /// Every file that it names.
    pub fn files(&self) -> impl Iterator<Item = &FileValue> {
        let certificates = self.main.iter().chain(&self.further);
        certificates
            .flat_map(|c| {
                [c.chain.as_ref(), c.key.as_ref(), c.ocsp.as_ref(), c.clients.ca.as_ref(), c.clients.crl.as_ref()]
            })
            .chain([self.clients.ca.as_ref(), self.clients.crl.as_ref()])
            .chain([self.acme.as_ref().and_then(|acme| acme.directory_ca.as_ref())])
            .flatten()
    }
}

impl Listener {
    /// Lets go of the contents of all files.
    pub fn forget(&mut self) {
        self.files_mut().for_each(|file| file.bytes = Vec::new());
        if let Some(acme) = &mut self.acme {
            acme.cached = None;
        }
    }

    /// Reads every file again.
    ///
    /// # Errors
    /// The first one that cannot be had, and why, as a sentence.
    pub fn read_again(&mut self, files: &dyn Files) -> Result<(), String> {
        if let Some(acme) = &mut self.acme {
            acme.read_cache(files);
        }
        self.files_mut().try_for_each(|file| file.read_again(files))
    }

    /// All but what only a reload can change: whom the authority of `acme` is known by.
    fn files_mut(&mut self) -> impl Iterator<Item = &mut FileValue> {
        let own = [self.clients.ca.as_mut(), self.clients.crl.as_mut()];
        let certificates = self.main.iter_mut().chain(&mut self.further).flat_map(|c| {
            [c.chain.as_mut(), c.key.as_mut(), c.ocsp.as_mut(), c.clients.ca.as_mut(), c.clients.crl.as_mut()]
        });
        own.into_iter().chain(certificates).flatten()
    }
}

impl Upstream {
    /// Lets go of the contents of all files.
    pub fn forget(&mut self) {
        self.files_mut().for_each(|file| file.bytes = Vec::new());
    }

    /// Reads every file again.
    ///
    /// # Errors
    /// The first one that cannot be had, and why, as a sentence.
    pub fn read_again(&mut self, files: &dyn Files) -> Result<(), String> {
        self.files_mut().try_for_each(|file| file.read_again(files))
    }

    fn files_mut(&mut self) -> impl Iterator<Item = &mut FileValue> {
        [self.ca.as_mut(), self.certificate.as_mut(), self.key.as_mut()].into_iter().flatten()
    }

    /// Every file that it names.
    pub fn files(&self) -> impl Iterator<Item = &FileValue> {
        [self.ca.as_ref(), self.certificate.as_ref(), self.key.as_ref()].into_iter().flatten()
    }
}

impl FileValue {
    fn read_again(&mut self, files: &dyn Files) -> Result<(), String> {
        let path = self.path.display();
        match files.read(&self.path, limits::TLS_FILE_BYTES_MAX) {
            Ok(bytes) if bytes.len() > limits::TLS_FILE_BYTES_MAX => {
                Err(format!("`{path}` is larger than {}", unit::show_size(limits::TLS_FILE_BYTES_MAX as u64)))
            }
            Ok(bytes) => {
                self.bytes = bytes;
                Ok(())
            }
            Err(error) => Err(format!("cannot read `{path}`: {}", load::reason(&error))),
        }
    }
}
