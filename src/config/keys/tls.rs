//! TLS towards clients.

use super::{Default, Key, Kind, Table, key, table::TIMEOUT, word};
use crate::base::limits;

/// The keys of `server.tls[]`.
pub static TLS: Table = Table {
    path: "server.tls[]",
    doc: "A listener that speaks HTTPS.",
    keys: &[
        key(
            "listen",
            Kind::OneOrMore(&Kind::Text("`IP:PORT`, `[IPv6]:PORT` or `unix:/path`")),
            Default::Required,
            "Where clients connect.",
        ),
        key(
            "certificate",
            Kind::File,
            Default::Nothing,
            "The certificate and its chain, PEM; this one answers for names that no certificate has.",
        ),
        key("key", Kind::File, Default::Nothing, "Its private key, PEM."),
        key("ocsp", Kind::File, Default::Nothing, "An OCSP response for it, DER, that is stapled."),
        key(
            "certificates",
            Kind::List(&Kind::Table(&CERTIFICATE)),
            Default::List(&[]),
            "Further certificates; the name that a client asks for (SNI) chooses: exact, wildcard, then the first one.",
        ),
        CLIENT_CA,
        CLIENT_AUTH,
        CRL,
        key(
            "min_version",
            Kind::Choice(&[word("1.2"), word("1.3")]),
            Default::Text("1.2"),
            "The oldest version of TLS that is spoken.",
        ),
        key(
            "security_policy",
            Kind::Choice(&[
                word("default"),
                word("TLS_1_2"),
                word("SecurityPolicy_TLS13_1_3_2025_09"),
                word("SecurityPolicy_TLS13_1_3_FIPS_2025_09"),
                word("SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_PQ_2025_09"),
                word("SecurityPolicy_TLS13_1_2_2021_06"),
                word("SecurityPolicy_TLS13_2025_EDGE"),
                word("SecurityPolicy_TLS12_PFS_2025_EDGE"),
                word("SecurityPolicy_TLS12_2018_EDGE"),
            ]),
            Default::Text("default"),
            "Versions, cipher suites and groups under Amazon API Gateway's names; what is out of date is never offered.",
        ),
        key(
            "strict_sni",
            Kind::Bool,
            Default::Bool(false),
            "The handshake must name (SNI) a host that a certificate is for, and requests that same host, else 421.",
        ),
        key(
            "handshake_timeout",
            TIMEOUT,
            Default::Duration(limits::TLS_HANDSHAKE_TIMEOUT_DEFAULT),
            "Time for a handshake.",
        ),
        key(
            "acme",
            Kind::Table(&ACME),
            Default::Nothing,
            "Instead of `certificate` and `key`: one that is obtained and renewed by itself.",
        ),
    ],
};

/// The keys of `server.tls[].acme`.
pub static ACME: Table = Table {
    path: "server.tls[].acme",
    doc: "A certificate that is obtained from an ACME authority and renewed by itself.",
    keys: &[
        key(
            "domains",
            Kind::List(&Kind::Text("a domain name")),
            Default::Required,
            "The names that the certificate is for; each must lead to this gateway.",
        ),
        key(
            "email",
            Kind::Text("an e-mail address"),
            Default::Nothing,
            "Where the authority may write to about the account.",
        ),
        key(
            "directory",
            Kind::Text("a URL that begins with `https://`"),
            Default::Text("https://acme-v02.api.letsencrypt.org/directory"),
            "The authority; to name it is to agree to its terms of service. `http://` only on loopback, for tests.",
        ),
        key(
            "directory_ca",
            Kind::File,
            Default::Words("what the operating system trusts"),
            "Authorities that may have issued the certificate of a private `directory`, PEM.",
        ),
        key(
            "cache",
            Kind::Text("a folder"),
            Default::Text("acme/"),
            "Where the account and certificates with their keys are kept, readable by the gateway's user only.",
        ),
        key(
            "challenge",
            Kind::Choice(&[word("auto"), word("http-01"), word("tls-alpn-01")]),
            Default::Text("auto"),
            "How names are proved: http-01 at port 80 of a plain listener, tls-alpn-01 at port 443 of this one, auto either.",
        ),
    ],
};

/// The keys of `server.tls[].certificates[]`.
pub static CERTIFICATE: Table = Table {
    path: "server.tls[].certificates[]",
    doc: "A certificate for the names that it holds; RSA and ECDSA may stand side by side for one name.",
    keys: &[
        key("certificate", Kind::File, Default::Required, "The certificate and its chain, PEM."),
        key("key", Kind::File, Default::Required, "Its private key, PEM."),
        key("ocsp", Kind::File, Default::Nothing, "An OCSP response for it, DER, that is stapled."),
        CLIENT_CA,
        CLIENT_AUTH,
        CRL,
    ],
};

pub(super) const CLIENT_CA: Key = key(
    "client_ca",
    Kind::File,
    Default::Nothing,
    "Clients show a certificate that one of these authorities has issued, PEM (mutual TLS).",
);
pub(super) const CLIENT_AUTH: Key = key(
    "client_auth",
    Kind::Choice(&[word("required"), word("optional")]),
    Default::Text("required"),
    "Whether a client without a certificate is refused.",
);
pub(super) const CRL: Key = key(
    "crl",
    Kind::File,
    Default::Nothing,
    "Revocation lists of all those authorities, PEM; certificates in them, and those that no list is for, are refused.",
);
