//! Certificates and keys: read from PEM, checked, and told about.

use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use std::{net::IpAddr, sync::Arc};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
    public_key::PublicKey,
};

/// A client's certificate, as far as logs and authorizers want to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate as PEM.
    pub pem: String,
    /// The distinguished name of its subject.
    pub subject: String,
    /// The distinguished name of its issuer.
    pub issuer: String,
    /// Its subject's alternative names: `DNS:`, `URI:`, `IP:` or `email:` and the name.
    pub names: Vec<String>,
    /// Its serial number, in hexadecimal with colons.
    pub serial: String,
    /// Valid from, as `Nov 22 13:00:00 2026 GMT`.
    pub not_before: String,
    /// Valid until.
    pub not_after: String,
}

/// A certificate with its key and its chain, ready to be presented.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What rustls presents.
    pub key: Arc<CertifiedKey>,
    /// What is known about the first certificate.
    pub summary: Summary,
}

/// What is known about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// DNS names it is for, lower case, wildcards as `*.example.com`.
    pub names: Vec<String>,
    /// Addresses it is for.
    pub addresses: Vec<IpAddr>,
    /// The distinguished name of its subject.
    pub subject: String,
    /// The distinguished name of its issuer.
    pub issuer: String,
    /// `RSA 2048`, `ECDSA P-256` and so on.
    pub key_type: String,
    /// Seconds of Unix time from which it is valid.
    pub not_before: i64,
    /// Seconds of Unix time until which it is valid.
    pub not_after: i64,
}

/// Why a file is not what it should be: a sentence without a subject, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The certificate file.
    Certificate(String),
    /// The key file.
    Key(String),
}

impl Identity {
    /// A certificate chain and its key, both PEM; `ocsp` is a DER response to be stapled.
    ///
    /// # Errors
    /// Either is not what it should be, the key is another certificate's, or the chain is out of order.
    pub fn read(chain: &[u8], key: &[u8], ocsp: Option<Vec<u8>>) -> Result<Self, Problem> {
        let chain = certificates(chain).map_err(Problem::Certificate)?;
        let summary = summary(chain.first().map(AsRef::as_ref).unwrap_or_default()).map_err(Problem::Certificate)?;
        check_order(&chain).map_err(Problem::Certificate)?;
        let key = private_key(key).map_err(Problem::Key)?;
        let provider = aws_lc_rs::default_provider();
        let signer = provider.key_provider.load_private_key(key);
        let signer = signer.map_err(|_| Problem::Key("holds a key of a kind that is not supported".to_owned()))?;
        let mut certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(Problem::Key("is not the key of the certificate".to_owned())),
        }
        certified.ocsp = ocsp;
        Ok(Self { key: Arc::new(certified), summary })
    }
}

/// A certificate of our own making for `names`, which nobody trusts: it stands in until there is a real one.
///
/// # Errors
/// It cannot be made; a sentence.
pub fn placeholder(names: &[String]) -> Result<Identity, String> {
    let failed = |why: rcgen::Error| format!("no certificate to stand in can be made: {why}");
    let own = rcgen::KeyPair::generate().map_err(failed)?;
    let mut params = rcgen::CertificateParams::new(names.to_vec()).map_err(failed)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "ringgate has no certificate yet");
    let pem = params.self_signed(&own).map_err(failed)?.pem();
    Identity::read(pem.as_bytes(), own.serialize_pem().as_bytes(), None).map_err(|problem| match problem {
        Problem::Certificate(why) | Problem::Key(why) => format!("no certificate to stand in can be made: it {why}"),
    })
}

/// All certificates of a PEM file, at least one.
///
/// # Errors
/// What is wrong with it.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| "is not valid PEM".to_owned())?;
    if found.is_empty() {
        let what = if PrivateKeyDer::from_pem_slice(pem).is_ok() { ", but a private key" } else { "" };
        return Err(format!("holds no certificate (`-----BEGIN CERTIFICATE-----`){what}"));
    }
    Ok(found)
}

/// All revocation lists of a PEM file, at least one.
///
/// # Errors
/// What is wrong with it.
pub fn revocation_lists(pem: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|_| "is not valid PEM".to_owned())?;
    if found.is_empty() {
        return Err("holds no revocation list (`-----BEGIN X509 CRL-----`)".to_owned());
    }
    Ok(found)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    if let Ok(key) = PrivateKeyDer::from_pem_slice(pem) {
        return Ok(key);
    }
    let has = |text: &str| pem.windows(text.len()).any(|window| window == text.as_bytes());
    Err(if has("ENCRYPTED") {
        "is encrypted; decrypt it with `openssl pkey -in KEY -out NEW`".to_owned()
    } else if has("BEGIN CERTIFICATE") {
        "holds no private key, but a certificate".to_owned()
    } else {
        "holds no private key (`-----BEGIN PRIVATE KEY-----`)".to_owned()
    })
}

/// What the DER certificate `der` says.
///
/// # Errors
/// It is not one.
pub fn summary(der: &[u8]) -> Result<Summary, String> {
    let (_, parsed) =
        X509Certificate::from_der(der).map_err(|_| "holds a certificate that cannot be read".to_owned())?;
    let mut names = Vec::new();
    let mut addresses = Vec::new();
    if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
    }
    Ok(Summary {
        names,
        addresses,
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        key_type: key_type(&parsed),
        not_before: parsed.validity().not_before.timestamp(),
        not_after: parsed.validity().not_after.timestamp(),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

fn key_type(certificate: &X509Certificate<'_>) -> String {
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
        Ok(PublicKey::EC(point)) => format!("ECDSA P-{}", point.key_size()),
        _ => match certificate.public_key().algorithm.algorithm.to_id_string().as_str() {
            "1.3.101.112" => "Ed25519".to_owned(),
            other => other.to_owned(),
        },
    }
}

/// Each certificate must be issued by the next one (RFC 8446 §4.4.2).
fn check_order(chain: &[CertificateDer<'_>]) -> Result<(), String> {
    for (index, pair) in chain.windows(2).enumerate() {
        let [one, next] = pair else { continue };
        let (Ok((_, one)), Ok((_, next))) = (X509Certificate::from_der(one), X509Certificate::from_der(next)) else {
            return Err("holds a certificate that cannot be read".to_owned());
        };
        if one.issuer().as_raw() != next.subject().as_raw() {
            return Err(format!(
                "is out of order: certificate {} (`{}`) is issued by `{}`, but certificate {} is `{}`",
                index + 1,
                one.subject(),
                one.issuer(),
                index + 2,
                next.subject()
            ));
        }
    }
    Ok(())
}

impl ClientCertificate {
    /// What the DER certificate `der` says; `None` if it cannot be read.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let time = |at: x509_parser::time::ASN1Time| {
            let at = at.to_datetime();
            let month = MONTHS.get(usize::from(u8::from(at.month())) - 1).copied().unwrap_or_default();
            let (hour, minute, second) = at.to_hms();
            format!("{month} {:>2} {hour:02}:{minute:02}:{second:02} {} GMT", at.day(), at.year())
        };
        Some(Self {
            pem: pem(der),
            subject: parsed.subject().to_string(),
            issuer: parsed.issuer().to_string(),
            names: alternative_names(&parsed),
            serial: parsed.raw_serial_as_string(),
            not_before: time(parsed.validity().not_before),
            not_after: time(parsed.validity().not_after),
        })
    }
}

fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{}", name.to_ascii_lowercase())),
        GeneralName::URI(uri) => Some(format!("URI:{uri}")),
        GeneralName::RFC822Name(of) => Some(format!("email:{of}")),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| format!("IP:{address}")),
        _ => None,
    };
    alternatives.value.general_names.iter().filter_map(name).collect()
}

/// `der` as PEM (RFC 7468).
fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    // 48 bytes are one line of 64 digits.
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let byte = |index: usize| three.get(index).copied().map_or(0, u32::from);
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            for digit in 0..4 {
                let value = bits >> (18 - 6 * digit) & 63;
                let known = digit <= three.len();
                text.push(if known { char::from(DIGITS[value as usize]) } else { '=' });
            }
        }
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
