//! What policies are asked about a request, and what they say together (reference, sections 7.5 and 7.6).

use super::access::{Access, IamUser};
use crate::{
    auth::answer::Says,
    auth::policy::{self, Action, Decision, Facts, Key, Outcome, Policy, Principal, Request, Value, Verdict, combine},
    http::{field::Known, head::RequestHead, list},
};
use ipnet::IpNet;
use std::net::IpAddr;

/// What is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// What the head's places lie in.
    pub bytes: &'a [u8],
    /// Where it comes from: see [`source`].
    pub source: IpAddr,
    /// It came over TLS.
    pub secure: bool,
    /// When it came, in seconds since 1970.
    pub seconds: u64,
    /// Who has signed it.
    pub user: Option<&'a IamUser>,
}

/// What policies say about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// Together.
    pub verdict: Verdict,
    /// The user's, if it has one.
    pub identity: Option<Decision>,
    /// The API's, if it has one.
    pub resource: Option<Decision>,
}

impl Circumstances<'_> {
    /// What the policies of the user and of the API say about doing that with the path `matched` of an API with this base path. Its
    /// ARN goes into `arn`.
    pub fn judge(
        &self,
        (action, access): (Action, &Access),
        (matched, base): (&[u8], &str),
        arn: &mut Vec<u8>,
    ) -> Judgement {
        self.method_arn(access, matched, base, arn);
        let user = self.user.map(|user| Principal::User { arn: &user.arn, account: &user.account });
        let request = Request {
            action,
            arn,
            stage_at: access.rules.stage_at,
            principal: user.unwrap_or(Principal::Anonymous),
            facts: self,
        };
        let of = |policy: &Policy| policy.decide(&request);
        let identity = self.user.and_then(|user| user.policy.as_ref()).map(of);
        let resource = access.rules.policy.as_ref().map(of);
        let way = match (self.user, &access.authorizer) {
            (Some(user), _) if user.account == access.rules.account => policy::Access::SameAccount,
            (Some(_), _) => policy::Access::OtherAccount,
            (None, Some(_)) => policy::Access::Token,
            (None, None) => policy::Access::Open,
        };
        let outcome = identity.map_or(Outcome::Silent, |decision| decision.outcome);
        let verdict = combine(way, outcome, resource.map(|decision| decision.outcome));
        Judgement { verdict, identity, resource }
    }

    /// What an authorizer that was asked and the policy of the API say together (reference, section 7.6, table A); before it is
    /// asked, whether that of the API denies it.
    pub fn consult(&self, access: &Access, arn: &[u8], says: Option<&Says>) -> Verdict {
        let request = Request {
            action: Action::Invoke,
            arn,
            stage_at: access.rules.stage_at,
            principal: Principal::Anonymous,
            facts: self,
        };
        let resource = access.rules.policy.as_ref().map(|policy| policy.evaluate(&request));
        let outcome = match says {
            None if resource == Some(Outcome::Deny) => return Verdict::ExplicitDeny,
            None => return Verdict::Allow,
            Some(Says::Yes) => Outcome::Allow,
            // What the API's policy allows is no answer to a no.
            Some(Says::No) => return Verdict::ExplicitDeny,
            Some(Says::Policy(policy)) => policy.evaluate(&request),
        };
        combine(policy::Access::Lambda, outcome, resource)
    }

    /// What who may not do it is told, in Amazon's words.
    #[must_use]
    pub fn refusal(&self, access: &Access, arn: &[u8], suffix: &str) -> String {
        let who = self.user.map_or("anonymous", |user| user.arn.as_str());
        let (action, account) = (Action::Invoke.name(), &access.rules.account);
        // As much of the account as Amazon shows.
        let shown = format!(":********{}:", account.get(8..).unwrap_or_default());
        let arn = String::from_utf8_lossy(arn).replacen(&format!(":{account}:"), &shown, 1);
        format!("User: {who} is not authorized to perform: {action} on resource: {arn}{suffix}")
    }

    /// Writes `…/{stage}/{method}/{path}`, the path in its one spelling and without the API's base path.
    pub fn method_arn(&self, access: &Access, matched: &[u8], base: &str, out: &mut Vec<u8>) {
        let rest = matched.strip_prefix(base.trim_end_matches('/').as_bytes()).unwrap_or(matched);
        // A slash at the end leads to the same route.
        let rest = rest.strip_suffix(b"/").unwrap_or(rest);
        out.clear();
        out.extend_from_slice(access.rules.arn.as_bytes());
        out.push(b'/');
        out.extend_from_slice(self.head.method_token.of(self.bytes));
        out.extend_from_slice(if rest.is_empty() { b"/" } else { rest });
    }
}

impl Facts for Circumstances<'_> {
    fn value(&self, key: &Key, index: usize) -> Option<Value<'_>> {
        if index > 0 {
            return None;
        }
        let header = |name: &[u8]| {
            let mut lines = self.head.fields.iter();
            let line = lines.find(|line| line.name.of(self.bytes).eq_ignore_ascii_case(name))?;
            Some(Value::Text(line.value.of(self.bytes)))
        };
        let user = |text: fn(&IamUser) -> &str| self.user.map(|user| Value::Text(text(user).as_bytes()));
        match key {
            Key::SourceIp => Some(Value::Address(self.source)),
            Key::CurrentTime => Some(Value::Time(self.seconds)),
            Key::EpochTime => Some(Value::Number(i64::try_from(self.seconds).unwrap_or(i64::MAX))),
            Key::SecureTransport => Some(Value::Bool(self.secure)),
            Key::UserAgent => header(b"user-agent"),
            Key::Referer => header(b"referer"),
            Key::PrincipalAccount => user(|user| &user.account),
            Key::PrincipalArn => user(|user| &user.arn),
            Key::PrincipalType => user(|_| "User"),
            Key::UserId | Key::Username => user(|user| &user.name),
            _ => None,
        }
    }
}

/// Where a request comes from: the client's address, or, if that is a trusted proxy's, the last one that proxies have noted in
/// `X-Forwarded-For` and none of them has. What cannot be read ends the search.
#[must_use]
pub fn source(proxies: &[IpNet], (client, trusted): (IpAddr, bool), head: &RequestHead, bytes: &[u8]) -> IpAddr {
    let mut source = client;
    if !trusted {
        return source;
    }
    for line in head.fields.iter().rev().filter(|line| line.known == Known::XForwardedFor) {
        for element in line.value.of(bytes).rsplit(|b| *b == b',') {
            let text = std::str::from_utf8(list::trim(element)).ok();
            let Some(address) = text.and_then(|text| text.parse::<IpAddr>().ok()) else { return source };
            source = address.to_canonical();
            if !proxies.iter().any(|network| network.contains(&source)) {
                return source;
            }
        }
    }
    source
}

#[cfg(test)]
mod tests {
    use super::{Action, Circumstances, source};
    use crate::{
        auth::sigv4::fuzz::request,
        plan::access::{Access, Rules},
    };
    use std::{net::IpAddr, sync::Arc};

    #[test]
    fn an_address_is_believed_as_far_as_proxies_are_trusted() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        for (client, trusted, forwarded, expect, why) in [
            ("192.0.2.1", false, "198.51.100.1", "192.0.2.1", "hearsay"),
            ("10.0.0.1", true, "198.51.100.1", "198.51.100.1", "a proxy's word"),
            ("10.0.0.1", true, "203.0.113.9, 198.51.100.1", "198.51.100.1", "what the client wrote is not believed"),
            ("10.0.0.1", true, "198.51.100.1, 10.0.0.2", "198.51.100.1", "two proxies"),
            ("10.0.0.1", true, "198.51.100.1,unknown", "10.0.0.1", "what cannot be read ends it"),
            ("10.0.0.1", true, "10.0.0.3, 10.0.0.2", "10.0.0.3", "all of them are proxies"),
            ("10.0.0.1", true, "::ffff:198.51.100.1", "198.51.100.1", "an IPv4 address"),
        ] {
            let text = format!("GET / HTTP/1.1\nhost:h\nx-forwarded-for:{forwarded}\n\n");
            let (head, bytes) = request(text.as_bytes()).unwrap();
            let client: IpAddr = client.parse().unwrap();
            assert_eq!(source(&proxies, (client, trusted), &head, &bytes), expect.parse::<IpAddr>().unwrap(), "{why}");
        }
    }

    #[test]
    fn what_a_policy_is_asked_about_is_the_route_and_not_its_spelling() {
        let arn = "arn:aws:execute-api:eu-west-1:123456789012:shop/prod";
        let rules = Rules { arn: arn.to_owned(), stage_at: arn.len() - 5, ..Rules::default() };
        let access = Access { rules: Arc::new(rules), ..Access::default() };
        let (head, bytes) = request(b"GET /x HTTP/1.1\nhost:h\n\n").unwrap();
        let source = IpAddr::from([192, 0, 2, 1]);
        let about = Circumstances { head: &head, bytes: &bytes, source, secure: false, seconds: 0, user: None };
        for (path, base, expect, why) in [
            ("/pets/1", "/", "/GET/pets/1", "no base path"),
            ("/v1/pets/1", "/v1", "/GET/pets/1", "without the base path"),
            ("/v1/pets/", "/v1", "/GET/pets", "a slash at the end leads to the same route"),
            ("/v1", "/v1", "/GET/", "the root"),
            ("/", "/", "/GET/", "the root"),
        ] {
            let mut out = Vec::new();
            about.judge((Action::Invoke, &access), (path.as_bytes(), base), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("{arn}{expect}"), "{why}");
        }
    }
}
