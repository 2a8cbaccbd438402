//! Certificates made at test time, so that none expires in the repository.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    missing_docs,
    reason = "used by several test programs, none of which needs all"
)]

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RevokedCertParams,
    RsaKeySize, SerialNumber, date_time_ymd,
};
use std::sync::OnceLock;

/// Somebody who issues certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, PEM.
    pub pem: String,
}

/// A certificate with its key, PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    pub certificate: String,
    pub key: String,
    pub serial: u64,
}

/// What an issued certificate is like.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub serial: u64,
    pub rsa: bool,
    /// The last day of its life is long past.
    pub expired: bool,
    /// As from a public authority: for 90 days from yesterday, for servers only, with all extensions.
    pub short: bool,
    /// Its life ends so many seconds from now.
    pub ends_in: Option<u64>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { serial: 1, rsa: false, expired: false, short: false, ends_in: None }
    }
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these names, the first of which is its common name.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_as(names, Wish::default())
    }

    pub fn issue_as(&self, names: &[&str], wish: Wish) -> Issued {
        let key = if wish.rsa { rsa_key() } else { KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap() };
        let params = params(names, wish);
        let certificate: Certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem(), serial: wish.serial }
    }

    /// What an ACME authority issues for a request in DER: valid for `life` from `now` on, its own certificate behind it.
    pub fn certify(&self, request: &[u8], now: std::time::SystemTime, life: std::time::Duration) -> String {
        let mut request = rcgen::CertificateSigningRequestParams::from_der(&request.into()).unwrap();
        (request.params.not_before, request.params.not_after) = (now.into(), (now + life).into());
        let certificate = request.signed_by(&self.issuer).unwrap();
        format!("{}{}", certificate.pem(), self.pem)
    }

    /// An authority below this one; its certificates carry its own behind them.
    pub fn intermediate(&self, name: &str) -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A list that revokes these serial numbers, PEM.
    pub fn revoke(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2025, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(4000, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn params(names: &[&str], wish: Wish) -> CertificateParams {
    let names_owned: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names_owned).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, names[0]);
    params.serial_number = Some(SerialNumber::from(wish.serial));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = if wish.expired { date_time_ymd(2021, 1, 1) } else { date_time_ymd(4000, 1, 1) };
    if let Some(seconds) = wish.ends_in {
        params.not_after = (std::time::SystemTime::now() + std::time::Duration::from_secs(seconds)).into();
    }
    if wish.short {
        let days = |n: u32| std::time::Duration::from_secs(86_400 * u64::from(n));
        let now = std::time::SystemTime::now();
        (params.not_before, params.not_after) = ((now - days(1)).into(), (now + days(89)).into());
        params.use_authority_key_identifier_extension = true;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    }
    params
}

/// Made once per process: it takes its time.
fn rsa_key() -> KeyPair {
    static PEM: OnceLock<String> = OnceLock::new();
    let pem =
        PEM.get_or_init(|| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap().serialize_pem());
    KeyPair::from_pem(pem).unwrap()
}
