//! Security policies: named sets of versions, cipher suites and groups.
//!
//! The names are those of Amazon API Gateway. What this build cannot do (TLS 1.0 and 1.1, CBC suites, RSA key exchange)
//! is not offered under any name; a FIPS name gives the algorithms of that policy, not a validated module.

use rustls::{
    NamedGroup, ProtocolVersion, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{self, cipher_suite as suite, kx_group as group},
    },
    version::{TLS12, TLS13},
};
use std::sync::Arc;

/// A named set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: &'static str,
    tls12: bool,
    fips: bool,
    post_quantum: bool,
}

const fn policy(name: &'static str, tls12: bool, fips: bool, post_quantum: bool) -> Policy {
    Policy { name, tls12, fips, post_quantum }
}

impl Policy {
    /// All there are. The first one is used unless another one is named.
    pub const ALL: &'static [Self] = &[
        policy("default", true, false, true),
        policy("TLS_1_2", true, false, true),
        policy("SecurityPolicy_TLS13_1_3_2025_09", false, false, false),
        policy("SecurityPolicy_TLS13_1_3_FIPS_2025_09", false, true, false),
        policy("SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09", true, false, true),
        policy("SecurityPolicy_TLS13_1_2_FIPS_PQ_2025_09", true, true, true),
        policy("SecurityPolicy_TLS13_1_2_FIPS_PFS_PQ_2025_09", true, true, true),
        policy("SecurityPolicy_TLS13_1_2_PQ_2025_09", true, false, true),
        policy("SecurityPolicy_TLS13_1_2_2021_06", true, false, false),
        policy("SecurityPolicy_TLS13_2025_EDGE", false, false, true),
        policy("SecurityPolicy_TLS12_PFS_2025_EDGE", true, false, false),
        policy("SecurityPolicy_TLS12_2018_EDGE", true, false, false),
    ];

    /// The policy of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|policy| policy.name == name).copied()
    }

    /// The same without TLS 1.2.
    #[must_use]
    pub const fn without_tls12(self) -> Self {
        Self { tls12: false, ..self }
    }

    /// Whether TLS 1.2 is allowed.
    #[must_use]
    pub const fn has_tls12(self) -> bool {
        self.tls12
    }

    pub(super) const fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
        const NEW: &[&SupportedProtocolVersion] = &[&TLS13];
        if self.tls12 { BOTH } else { NEW }
    }

    pub(super) fn provider(self) -> Arc<CryptoProvider> {
        let wanted = |suite: &SupportedCipherSuite| {
            let version = suite.version().version == ProtocolVersion::TLSv1_3 || self.tls12;
            version && !(self.fips && is_chacha(*suite))
        };
        let group = |group: &&'static dyn SupportedKxGroup| match group.name() {
            NamedGroup::X25519MLKEM768 | NamedGroup::secp256r1MLKEM768 => self.post_quantum,
            NamedGroup::X25519 => !self.fips,
            _ => true,
        };
        let cipher_suites = SUITES.iter().filter(|suite| wanted(suite)).copied().collect();
        let kx_groups = GROUPS.iter().filter(|one| group(one)).copied().collect();
        Arc::new(CryptoProvider { cipher_suites, kx_groups, ..aws_lc_rs::default_provider() })
    }
}

fn is_chacha(suite: SupportedCipherSuite) -> bool {
    [
        suite::TLS13_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ]
    .contains(&suite)
}

/// In the order of our preference: AES-128 before AES-256, since it is as good as unbreakable and cheaper, and so is its
/// SHA-256 in the handshake.
static SUITES: &[SupportedCipherSuite] = &[
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

static GROUPS: &[&dyn SupportedKxGroup] =
    &[group::X25519MLKEM768, group::SECP256R1MLKEM768, group::X25519, group::SECP256R1, group::SECP384R1];

#[cfg(test)]
mod tests {
    use super::Policy;
    use rustls::NamedGroup;

    #[test]
    fn a_policy_offers_what_its_name_says() {
        for policy in Policy::ALL {
            let provider = policy.provider();
            let suites: Vec<String> = provider.cipher_suites.iter().map(|s| format!("{:?}", s.suite())).collect();
            let groups: Vec<NamedGroup> = provider.kx_groups.iter().map(|g| g.name()).collect();
            let name = policy.name;
            let says = |part: &str| name.contains(part);
            assert_eq!(policy.has_tls12(), !(says("1_3") || says("TLS13_2025")), "{name}");
            assert_eq!(suites.iter().any(|s| s.contains("ECDHE")), policy.has_tls12(), "{name}");
            if says("FIPS") {
                assert!(
                    !suites.iter().any(|s| s.contains("CHACHA")) && !groups.contains(&NamedGroup::X25519),
                    "{name}"
                );
            }
            if says("PQ") || says("default") {
                assert_eq!(groups[0], NamedGroup::X25519MLKEM768, "{name}");
            }
            assert!(suites.len() >= 2 && groups.len() >= 2, "{name}");
        }
        assert_eq!(Policy::named("TLS_1_0"), None);
    }
}
