//! `acme` of `[[server.tls]]`: what is to be obtained, and what stands in for it until then.

use super::{Sink, check_count, server::listen_address, tls::authorities, upstream::is_host};
use crate::{
    base::{clock::unix_now, limits},
    config::{Diagnostic, acme::Acme, diagnostic::Code, server::Server, source::Text, tls::Listener},
    plan::{self, Challenge, ListenAddress},
    tls::{
        certificate::{self, Identity, Problem},
        server::Slot,
    },
};
use std::{net::IpAddr, sync::Arc};

/// The certificate to begin with: the one in the cache, or else one of our own making that nobody trusts.
pub(super) fn identity(written: &Acme, sink: &Sink) -> Option<Identity> {
    let before = sink.errors();
    let names: Vec<String> = written.domains.iter().filter_map(|text| domain(text, sink)).collect();
    for (index, text) in written.domains.iter().enumerate() {
        let earlier = written.domains.iter().take(index);
        if let Some(first) = earlier.clone().find(|other| other.value.eq_ignore_ascii_case(&text.value)) {
            let diagnostic = Diagnostic::error(Code::BAD_ACME, text.place, format!("`{}` is listed twice", text.value));
            sink.add(diagnostic.also(first.place, "first here"));
        }
    }
    check_count(names.len(), limits::ACME_DOMAINS_MAX, "domains", Some(written.place), sink);
    check_directory(written, sink);
    check_email(written, sink);
    if let Some(file) = &written.directory_ca {
        let _ = authorities(file, sink);
    }
    if sink.errors() > before || names.is_empty() {
        return None;
    }
    if let Ok(Some(identity)) = cached(written) {
        return Some(identity);
    }
    let placeholder = certificate::placeholder(&names);
    placeholder.map_err(|why| sink.add(Diagnostic::error(Code::BAD_CERTIFICATE, written.place, why))).ok()
}

/// What is in the cache, if it can be used now; `Err` if it is not what it should be.
fn cached(written: &Acme) -> Result<Option<Identity>, String> {
    let bytes = match &written.cached {
        None => return Ok(None),
        Some(Err(why)) => return Err(why.clone()),
        Some(Ok(bytes)) => bytes,
    };
    let identity = Identity::read(bytes, bytes, None).map_err(|problem| match problem {
        Problem::Certificate(why) | Problem::Key(why) => why,
    })?;
    let summary = &identity.summary;
    let lacks = |text: &&Text| !summary.names.iter().any(|name| name.eq_ignore_ascii_case(&text.value));
    if let Some(text) = written.domains.iter().find(lacks) {
        return Err(format!("holds a certificate that is not for `{}`", text.value));
    }
    let now = i64::try_from(unix_now().seconds()).unwrap_or(i64::MAX);
    Ok((summary.not_after > now).then_some(identity))
}

/// What control has to do for a listener whose [`identity`] was found.
pub(super) fn job(written: &Acme, listener: &Listener, server: &Server, slot: &Arc<Slot>, sink: &Sink) -> plan::Acme {
    let read = cached(written);
    plan::Acme {
        domains: written.domains.iter().map(|text| text.value.to_ascii_lowercase()).collect(),
        email: written.email.as_ref().map(|text| text.value.clone()),
        directory: written.directory.value.clone(),
        authorities: written.directory_ca.as_ref().and_then(|file| authorities(file, sink)).unwrap_or_default(),
        cache: written.cache.clone(),
        certificate: written.certificate.clone(),
        account: written.account.clone(),
        challenges: challenges(written, listener, server, sink),
        unusable: read.as_ref().err().cloned(),
        cached: read.ok().flatten().map(|identity| identity.summary),
        slot: Arc::clone(slot),
    }
}

/// The challenges that may be answered, the most promising one first.
fn challenges(written: &Acme, listener: &Listener, server: &Server, sink: &Sink) -> Vec<Challenge> {
    let quiet = Sink::quiet();
    let has_port = |texts: &[Text], port: u16| {
        let port_of = |text: &Text| match listen_address(text, &quiet) {
            Some(ListenAddress::Tcp(address)) => Some(address.port()),
            _ => None,
        };
        texts.iter().filter_map(port_of).any(|found| found == port)
    };
    match written.challenge.value {
        "tls-alpn-01" => vec![Challenge::TlsAlpn01],
        "http-01" => {
            if server.listen.is_empty() {
                let message = "`challenge = \"http-01\"` needs a listener for plain HTTP";
                let diagnostic = Diagnostic::error(Code::TLS_COMBINATION, written.challenge.place, message);
                sink.add(diagnostic.expected("expected `listen = [\"0.0.0.0:80\", \"[::]:80\"]` in `[server]`"));
            }
            vec![Challenge::Http01]
        }
        _ if server.listen.is_empty() => vec![Challenge::TlsAlpn01],
        _ if has_port(&server.listen, HTTP_PORT) || !has_port(&listener.listen, HTTPS_PORT) => {
            vec![Challenge::Http01, Challenge::TlsAlpn01]
        }
        _ => vec![Challenge::TlsAlpn01, Challenge::Http01],
    }
}

fn domain(text: &Text, sink: &Sink) -> Option<String> {
    let name = text.value.as_str();
    let error = |message: String, expected: &str| {
        sink.add(Diagnostic::error(Code::BAD_ACME, text.place, message).expected(expected.to_owned()));
        None
    };
    if name.starts_with("*.") {
        let expected = "expected the names themselves: what proves a wildcard is a DNS record (dns-01)";
        return error(format!("a wildcard, `{name}`, cannot be proved by http-01 or tls-alpn-01"), expected);
    }
    if name.parse::<IpAddr>().is_ok() || name.ends_with('.') || name.contains('_') || !is_host(name) {
        return error(format!("`{name}` is not a domain name"), "expected a name like \"api.example.com\"");
    }
    Some(name.to_ascii_lowercase())
}

fn check_directory(written: &Acme, sink: &Sink) {
    let text = &written.directory;
    let parsed = text.value.split_once("://").map(|(scheme, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        let plain = rest.bytes().all(|b| b.is_ascii_graphic()) && !authority.contains('@');
        (scheme, host, plain)
    });
    let ip = |host: &str| host.parse::<IpAddr>().ok();
    let good = match parsed {
        Some(("https", host, true)) => is_host(host) || ip(host).is_some(),
        Some(("http", host, true)) => host == "localhost" || ip(host).is_some_and(|ip| ip.is_loopback()),
        _ => false,
    };
    if !good {
        let message = format!("`{}` cannot be the directory of an authority", text.value);
        let diagnostic = Diagnostic::error(Code::BAD_ACME, text.place, message);
        sink.add(diagnostic.expected("expected a URL that begins with `https://` (`http://` only on loopback)"));
    }
}

fn check_email(written: &Acme, sink: &Sink) {
    let Some(text) = &written.email else { return };
    let good = text.value.split_once('@').is_some_and(|(who, host)| !who.is_empty() && is_host(host))
        && text.value.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'?' | b'<' | b'>' | b':'));
    if !good {
        let message = format!("`{}` is not an e-mail address", text.value);
        sink.add(Diagnostic::error(Code::BAD_ACME, text.place, message).expected("expected \"ops@example.com\""));
    }
}

const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
