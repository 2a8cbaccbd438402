//! Rules about the certificate that a client has shown, verified by the TLS handshake (reference, section 7.7).

/// What is known of a client's certificate.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The distinguished name of its subject.
    pub subject: &'a str,
    /// The distinguished name of its issuer.
    pub issuer: &'a str,
    /// Its subject's alternative names, as `DNS:a.example`, `URI:spiffe://…`, `IP:…`, `email:…`.
    pub names: &'a [String],
}

/// Which certificates are let in: each list that is not empty has to have one that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Subjects.
    pub subjects: Box<[Box<str>]>,
    /// Issuers.
    pub issuers: Box<[Box<str>]>,
    /// Alternative names.
    pub names: Box<[Box<str>]>,
}

/// Why a client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It has shown no certificate.
    Missing,
    /// No rule about subjects has it.
    Subject,
    /// No rule about issuers has it.
    Issuer,
    /// No rule about alternative names has it.
    Name,
}

impl Refused {
    /// The word for it in logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Missing => "no_client_certificate",
            Self::Subject => "certificate_subject",
            Self::Issuer => "certificate_issuer",
            Self::Name => "certificate_name",
        }
    }
}

impl Rules {
    /// Checks what was shown.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn check(&self, shown: Option<Shown<'_>>) -> Result<(), Refused> {
        let shown = shown.ok_or(Refused::Missing)?;
        let fits = |rules: &[Box<str>], value: &str| rules.iter().any(|rule| matches(rule, value));
        if !self.subjects.is_empty() && !fits(&self.subjects, shown.subject) {
            return Err(Refused::Subject);
        }
        if !self.issuers.is_empty() && !fits(&self.issuers, shown.issuer) {
            return Err(Refused::Issuer);
        }
        if !self.names.is_empty() && !shown.names.iter().any(|name| fits(&self.names, name)) {
            return Err(Refused::Name);
        }
        Ok(())
    }
}

/// Whether `value` is `pattern`, in which `*` stands for any text. Linear but for the last star: no pattern takes long.
#[must_use]
pub fn matches(pattern: &str, value: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = value.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{Refused, Rules, Shown, matches};

    #[test]
    fn a_star_is_any_text() {
        for (pattern, value, expected) in [
            ("CN=a", "CN=a", true),
            ("CN=a", "CN=ab", false),
            ("CN=*", "CN=", true),
            ("CN=*,O=x", "CN=a.b,O=x", true),
            ("CN=*,O=x", "CN=a.b,O=xy", false),
            ("*a*a", "a", false),
            ("*a*a", "aa", true),
            ("a*b*c", "a-c-b-c", true),
            ("ab*bc", "abc", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern} {value}");
        }
    }

    #[test]
    fn every_list_that_is_not_empty_has_to_be_kept() {
        let list = |text: &str| text.split(' ').filter(|t| !t.is_empty()).map(Into::into).collect::<Box<[Box<str>]>>();
        let names = ["DNS:a.example".to_owned(), "URI:spiffe://x/y".to_owned()];
        let shown = Some(Shown { subject: "CN=a", issuer: "CN=ca", names: &names });
        for (subjects, issuers, sans, expected) in [
            ("", "", "", Ok(())),
            ("CN=b CN=a", "CN=ca", "DNS:*.example", Ok(())),
            ("CN=b", "", "", Err(Refused::Subject)),
            ("", "CN=b", "", Err(Refused::Issuer)),
            ("", "", "URI:spiffe://z/*", Err(Refused::Name)),
        ] {
            let rules = Rules { subjects: list(subjects), issuers: list(issuers), names: list(sans) };
            assert_eq!(rules.check(shown), expected, "{rules:?}");
            assert_eq!(rules.check(None), Err(Refused::Missing));
        }
    }
}
