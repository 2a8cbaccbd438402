//! `[[server.tls]]` and `upstream.*.tls`: files become certificates, and what is wrong with them is told before the start.

use super::{Sink, upstream::is_host};
use crate::{
    base::{clock::unix_now, limits},
    config::{
        Diagnostic, FileValue,
        diagnostic::Code,
        source::Place,
        tls::{Certificate, ClientAuth, Listener, Upstream},
    },
    tls::{
        Client, Server, Target,
        certificate::{self, Identity, Problem, Summary},
        client::{self, Trust},
        policy::Policy,
        server::{self, Spec},
    },
};
use rustls::pki_types::{CertificateDer, ServerName};
use std::{cell::OnceCell, sync::Arc};

/// What a listener does with TLS; `None` if that cannot be told.
pub(super) fn listener(written: &Listener, sink: &Sink) -> Option<Server> {
    let before = sink.errors();
    let written_certificates: Vec<&Certificate> = written.main.iter().chain(&written.further).collect();
    if written_certificates.is_empty() {
        let diagnostic =
            Diagnostic::error(Code::REQUIRED, written.place, "`certificate` is missing in `[[server.tls]]`");
        sink.add(diagnostic.expected("expected `certificate` and `key`"));
    }
    super::check_count(
        written_certificates.len(),
        limits::TLS_CERTIFICATES_MAX,
        "certificates",
        Some(written.place),
        sink,
    );
    let clients = clients(&written.clients, None, sink);
    let mut identities: Vec<(Identity, Option<server::ClientAuth>)> = Vec::new();
    let mut places: Vec<Place> = Vec::new();
    for certificate in written_certificates {
        let own = if std::ptr::eq(&raw const *certificate, written.main.as_ref().map_or(std::ptr::null(), |m| m)) {
            clients.clone()
        } else {
            self::clients(&certificate.clients, clients.as_ref(), sink)
        };
        let Some((identity, place)) = identity(certificate, sink) else { continue };
        for (other, place_of_other) in identities.iter().zip(&places) {
            check_twin(&identity, own.as_ref(), place, other, *place_of_other, sink);
        }
        identities.push((identity, own));
        places.push(place);
    }
    let policy = policy(written);
    if sink.errors() > before || identities.is_empty() {
        return None;
    }
    let (strict_sni, handshake_timeout) = (written.strict_sni.value, written.handshake_timeout.value);
    match Server::new(Spec { identities, policy, strict_sni, handshake_timeout }) {
        Ok(server) => Some(server),
        Err(why) => {
            let place = written.clients.ca.as_ref().map_or(written.place, |ca| ca.written.place);
            sink.add(Diagnostic::error(Code::BAD_CERTIFICATE, place, format!("this listener cannot be set up: {why}")));
            None
        }
    }
}

/// Two certificates for one name must make the same demands: which one is presented is the client's choice.
fn check_twin(
    one: &Identity,
    auth: Option<&server::ClientAuth>,
    place: Place,
    (other, other_auth): &(Identity, Option<server::ClientAuth>),
    other_place: Place,
    sink: &Sink,
) {
    let shared = one.summary.names.iter().find(|name| other.summary.names.contains(name));
    if let (Some(name), true) = (shared, auth != other_auth.as_ref()) {
        let message = format!("two certificates for `{name}` ask clients for different things");
        let diagnostic = Diagnostic::error(Code::TLS_COMBINATION, place, message).also(other_place, "the other one");
        sink.add(diagnostic.expected("expected the same `client_ca`, `client_auth` and `crl` for both"));
    }
}

fn policy(written: &Listener) -> Policy {
    let policy = Policy::named(written.security_policy.value).unwrap_or(Policy::ALL[0]);
    if written.min_version.value == "1.3" { policy.without_tls12() } else { policy }
}

/// A certificate with its key, and where its file is named.
fn identity(written: &Certificate, sink: &Sink) -> Option<(Identity, Place)> {
    let (chain, key) = match (&written.chain, &written.key) {
        (Some(chain), Some(key)) => (chain, key),
        (Some(chain), None) => {
            lonely(&chain.written.place, "certificate", "key", sink);
            return None;
        }
        (None, Some(key)) => {
            lonely(&key.written.place, "key", "certificate", sink);
            return None;
        }
        (None, None) => return None,
    };
    let ocsp = written.ocsp.as_ref().filter(|file| !file.bytes.is_empty()).map(|file| file.bytes.clone());
    let identity = read_identity(chain, key, ocsp, sink)?;
    Some((identity, chain.written.place))
}

/// One key is there, its companion is not, or could not be read.
fn lonely(place: &Place, key: &str, missing: &str, sink: &Sink) {
    // A file that could not be read has been reported.
    if sink.broken {
        return;
    }
    let message = format!("`{key}` stands without a usable `{missing}`");
    sink.add(
        Diagnostic::error(Code::TLS_COMBINATION, *place, message).expected(format!("expected `{missing}` beside it")),
    );
}

fn read_identity(chain: &FileValue, key: &FileValue, ocsp: Option<Vec<u8>>, sink: &Sink) -> Option<Identity> {
    match Identity::read(&chain.bytes, &key.bytes, ocsp) {
        Ok(identity) => {
            check_time(&identity.summary, chain, sink);
            Some(identity)
        }
        Err(Problem::Certificate(why)) => {
            bad(chain, &why, sink);
            None
        }
        Err(Problem::Key(why)) => {
            bad(key, &why, sink);
            None
        }
    }
}

fn bad(file: &FileValue, why: &str, sink: &Sink) {
    let message = format!("`{}` {why}", file.path.display());
    sink.add(Diagnostic::error(Code::BAD_CERTIFICATE, file.written.place, message));
}

fn check_time(summary: &Summary, file: &FileValue, sink: &Sink) {
    let now = i64::try_from(unix_now().seconds()).unwrap_or(i64::MAX);
    let path = file.path.display();
    let soon = i64::try_from(limits::TLS_EXPIRY_WARNING.as_secs()).unwrap_or(i64::MAX);
    if summary.not_after <= now {
        let message = format!("the certificate `{path}` expired {} ago", span(now - summary.not_after));
        let diagnostic = Diagnostic::error(Code::BAD_CERTIFICATE, file.written.place, message);
        sink.add(diagnostic.help("renew it: clients refuse it"));
    } else if summary.not_before > now {
        let message = format!("the certificate `{path}` becomes valid in {}", span(summary.not_before - now));
        let diagnostic = Diagnostic::error(Code::BAD_CERTIFICATE, file.written.place, message);
        sink.add(diagnostic.help("look at the clock of this machine, or wait"));
    } else if summary.not_after - now < soon {
        let message = format!("the certificate `{path}` expires in {}", span(summary.not_after - now));
        sink.add(Diagnostic::warning(Code::EXPIRES_SOON, file.written.place, message).help("renew it"));
    }
}

/// Seconds for people.
fn span(seconds: i64) -> String {
    let (count, unit) = match seconds {
        s if s >= 2 * 86_400 => (s / 86_400, "days"),
        s if s >= 2 * 3600 => (s / 3600, "hours"),
        s if s >= 120 => (s / 60, "minutes"),
        s => (s, "seconds"),
    };
    format!("{count} {unit}")
}

/// What is demanded of clients: as written here, or else what the listener demands.
fn clients(written: &ClientAuth, otherwise: Option<&server::ClientAuth>, sink: &Sink) -> Option<server::ClientAuth> {
    let optional = written.mode.value == "optional";
    let Some(ca) = &written.ca else {
        let stray = written.mode_place.or_else(|| written.crl.as_ref().map(|crl| crl.written.place));
        if let (Some(place), false) = (stray, sink.broken) {
            let message = "`client_auth` and `crl` mean nothing without a `client_ca` beside them";
            sink.add(Diagnostic::error(Code::TLS_COMBINATION, place, message).expected("expected `client_ca`"));
        }
        return otherwise.cloned();
    };
    let authorities = authorities(ca, sink)?;
    let revoked = match &written.crl {
        None => Vec::new(),
        Some(file) => match certificate::revocation_lists(&file.bytes) {
            Ok(lists) => lists,
            Err(why) => {
                bad(file, &why, sink);
                return None;
            }
        },
    };
    Some(server::ClientAuth { authorities, revoked, optional })
}

fn authorities(file: &FileValue, sink: &Sink) -> Option<Vec<CertificateDer<'static>>> {
    let read = certificate::certificates(&file.bytes);
    let read = read.and_then(|all| {
        all.iter().try_for_each(|one| certificate::summary(one).map(drop))?;
        Ok(all)
    });
    read.map_err(|why| bad(file, &why, sink)).ok()
}

/// Makes the targets of upstream servers; looks at the system's roots once, and only if they are needed.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    system: OnceCell<Vec<CertificateDer<'static>>>,
}

impl Upstreams {
    /// How the servers of an upstream are spoken to; `place` is one of an `https://` URL.
    pub(super) fn client(&self, written: Option<&Upstream>, place: Place, sink: &Sink) -> Option<Client> {
        let insecure = written.is_some_and(|tls| tls.insecure.value);
        let (trust, place) = match written.and_then(|tls| tls.ca.as_ref()) {
            _ if insecure => {
                let at = written.map_or(place, |tls| tls.insecure.place);
                let message = "servers of this upstream are not verified: anyone in between can pretend to be them";
                let diagnostic = Diagnostic::warning(Code::INSECURE, at, message);
                sink.add(diagnostic.help("name the authority of their certificates with `tls.ca` instead"));
                (Trust::Anyone, place)
            }
            Some(ca) => (Trust::Authorities(authorities(ca, sink)?), ca.written.place),
            None => (Trust::Authorities(self.system_roots(place, sink)?.clone()), place),
        };
        let identity = match written.map(|tls| (&tls.certificate, &tls.key)) {
            None | Some((None, None)) => None,
            Some((Some(chain), Some(key))) => Some(read_identity(chain, key, None, sink)?),
            Some((Some(chain), None)) => {
                lonely(&chain.written.place, "client_certificate", "client_key", sink);
                return None;
            }
            Some((None, Some(key))) => {
                lonely(&key.written.place, "client_key", "client_certificate", sink);
                return None;
            }
        };
        let client = Client::new(client::Spec { trust, identity });
        client
            .map_err(|why| {
                sink.add(Diagnostic::error(Code::BAD_CERTIFICATE, place, format!("TLS cannot be set up: {why}")));
            })
            .ok()
    }

    fn system_roots(&self, place: Place, sink: &Sink) -> Option<&Vec<CertificateDer<'static>>> {
        let roots = self.system.get_or_init(|| client::system_roots().0);
        if roots.is_empty() {
            let message = "the operating system has no list of trusted authorities";
            let diagnostic = Diagnostic::error(Code::BAD_CERTIFICATE, place, message);
            sink.add(diagnostic.help("install the package `ca-certificates`, or name the authority with `tls.ca`"));
            return None;
        }
        Some(roots)
    }
}

/// How the server at `host` (IPv6 in brackets) is spoken to.
pub(super) fn target(
    client: &Client,
    written: Option<&Upstream>,
    host: &str,
    place: Place,
    sink: &Sink,
) -> Option<Target> {
    let text = written.and_then(|tls| tls.server_name.as_ref());
    let (name, place) = match text {
        Some(text) => (text.value.as_str(), text.place),
        None => (host.trim_matches(['[', ']']), place),
    };
    let fits = text.is_none() || is_host(name) || name.parse::<std::net::IpAddr>().is_ok();
    match ServerName::try_from(name.trim_end_matches('.').to_owned()) {
        Ok(name) if fits => Some(Target { client: client.clone(), name }),
        _ => {
            let message = format!("`{name}` cannot be the name of a certificate");
            let diagnostic = Diagnostic::error(Code::BAD_SERVER, place, message);
            sink.add(
                diagnostic.expected("expected a host name or an address").help("give a name with `tls.server_name`"),
            );
            None
        }
    }
}

/// A listener's side of TLS, to be replaced as a whole.
pub(super) fn slot(server: Server) -> Arc<server::Slot> {
    Arc::new(server::Slot::new(server))
}
