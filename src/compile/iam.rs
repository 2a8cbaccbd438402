//! Users of signed requests, policies, and lists of addresses: from what was written to what runs.

use super::{Sink, check_name, stage::Variables};
use crate::{
    auth::{address::NotANetwork, api_key::file::seconds},
    config::{
        self, Diagnostic, FileValue,
        access::Guard,
        api::Api,
        diagnostic::Code,
        source::{Place, Text},
    },
    plan::access::{
        AddressRules, AddressSet, IamUser, Network, Policy, PolicyKind, Rules, Secret, User, Users as Table,
    },
};
use ahash::AHashMap;
use std::sync::Arc;

/// Those whose signatures are taken.
pub(super) struct Users {
    /// What signatures are verified with.
    pub(super) table: Arc<Table>,
    /// What is said about them, in the same order.
    pub(super) shown: Arc<[IamUser]>,
}

/// The account of those who name none.
const NO_ACCOUNT: &str = "000000000000";

pub(super) fn users(written: &[config::access::IamUser], sink: &Sink) -> Users {
    let (mut table, mut shown) = (Vec::with_capacity(written.len()), Vec::with_capacity(written.len()));
    let mut keys: AHashMap<&str, Place> = AHashMap::new();
    for one in written {
        check_name(&one.name, "a user", sink);
        let (Some(key), Some(secret)) = (&one.access_key_id, &one.secret_access_key) else { continue };
        let wrong = |place, message: String, expected: &str| {
            sink.add(Diagnostic::error(Code::BAD_IAM_USER, place, message).expected(expected));
        };
        if !(1..=128).contains(&key.value.len()) || !key.value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            wrong(key.place, format!("`{}` is no access key id", key.value), "expected up to 128 letters and digits");
        }
        if secret.bytes.is_empty() {
            wrong(secret.place, "the secret is empty".to_owned(), "expected what the user signs with");
        }
        if let Some(other) = keys.insert(&key.value, key.place) {
            let message = format!("two users have the access key id `{}`", key.value);
            sink.add(Diagnostic::error(Code::BAD_IAM_USER, key.place, message).also(other, "the other one"));
        }
        let arn = match &one.arn {
            None => format!("arn:aws:iam::{NO_ACCOUNT}:user/{}", one.name.value),
            Some(text) => text.value.clone(),
        };
        let account = account(&arn, &["iam", "sts"], false);
        if let (None, Some(text)) = (account, &one.arn) {
            wrong(text.place, format!("`{arn}` is no user's ARN"), "expected arn:aws:iam::123456789012:user/NAME");
        }
        table.push(User {
            access_key_id: key.value.as_str().into(),
            secret_access_key: Secret::new(secret.bytes.as_slice()),
            session_token: one.session_token.as_ref().map(|token| Secret::new(token.bytes.as_slice())),
            expires: one.expires.as_ref().and_then(|text| {
                let moment = seconds(&text.value);
                if moment.is_none() {
                    let message = format!("`{}` is no moment", text.value);
                    wrong(text.place, message, "expected 2027-01-31 or 2027-01-31T12:00:00Z");
                }
                moment
            }),
        });
        shown.push(IamUser {
            name: one.name.value.clone(),
            access_key_id: key.value.clone(),
            account: account.unwrap_or_default().to_owned(),
            policy: one.policy_file.as_ref().and_then(|file| policy(file, PolicyKind::Identity, sink)),
            arn,
        });
    }
    Users { table: Arc::new(Table::new(table)), shown: shown.into() }
}

/// What policies say about an API at one of its stages.
pub(super) fn rules(api: &Api, stage: &str, variables: &Variables, sink: &Sink) -> Arc<Rules> {
    let base = api.arn.as_ref().map(|text| text.value.as_str());
    let own = format!("arn:aws:execute-api:us-east-1:{NO_ACCOUNT}:{}", api.name.value);
    let base = base.unwrap_or(&own);
    let account = account(base, &["execute-api"], true);
    if let (None, Some(text)) = (account, &api.arn) {
        let message = format!("`{base}` is no API's ARN");
        let expected = "expected arn:aws:execute-api:REGION:ACCOUNT:API, without a stage";
        sink.add(Diagnostic::error(Code::BAD_ARN, text.place, message).expected(expected));
    }
    // What Amazon's HTTP APIs call the stage that needs no name.
    let stage = if stage.is_empty() { "$default" } else { stage };
    Arc::new(Rules {
        arn: format!("{base}/{stage}"),
        stage_at: base.len(),
        account: account.unwrap_or_default().to_owned(),
        policy: match (&api.policy, &api.policy_file) {
            (Some(text), _) => checked(text.value.as_bytes(), "", text.place, PolicyKind::Resource, sink),
            (None, file) => file.as_ref().and_then(|file| policy(file, PolicyKind::Resource, sink)),
        },
        variables: variables.pairs().to_vec(),
    })
}

/// From where a route may be called by its own words, the API's in the place of those that it lacks; nothing if it has none.
pub(super) fn addresses(guard: &Guard, api: Option<&Guard>, sink: &Sink) -> Option<Arc<AddressRules>> {
    if guard.allow_from.is_none() && guard.deny_from.is_none() {
        return None;
    }
    // What is wrong with the API's is told once, with the API.
    let quiet = Sink::quiet();
    let read = |own: &Option<Vec<Text>>, others: Option<&Option<Vec<Text>>>| match (own, others) {
        (Some(list), _) => Some(networks(list, sink)),
        (None, Some(Some(list))) => Some(networks(list, &quiet)),
        (None, _) => None,
    };
    Some(Arc::new(AddressRules {
        allow: read(&guard.allow_from, api.map(|api| &api.allow_from)),
        deny: read(&guard.deny_from, api.map(|api| &api.deny_from)).unwrap_or_default(),
    }))
}

fn networks(list: &[Text], sink: &Sink) -> AddressSet {
    let one = |text: &Text| match Network::parse(&text.value) {
        Ok(network) => Some(network),
        Err(wrong) => {
            let message = format!("`{}`: {wrong}", text.value);
            let diagnostic = Diagnostic::error(Code::BAD_NETWORK, text.place, message);
            sink.add(match wrong {
                NotANetwork::Unreadable => diagnostic.expected("expected an address or a network, as \"10.0.0.0/8\""),
                NotANetwork::BitsBehind(around) => diagnostic.expected(format!("expected \"{around}\", or an address")),
            });
            None
        }
    };
    list.iter().filter_map(one).collect()
}

fn policy(file: &FileValue, kind: PolicyKind, sink: &Sink) -> Option<Policy> {
    checked(&file.bytes, &format!("{}: ", file.path.display()), file.written.place, kind, sink)
}

fn checked(content: &[u8], whose: &str, place: Place, kind: PolicyKind, sink: &Sink) -> Option<Policy> {
    match Policy::parse(content, kind) {
        Ok(policy) => Some(policy),
        Err(findings) => {
            for finding in findings {
                sink.add(Diagnostic::error(Code::BAD_POLICY, place, format!("{whose}{finding}")));
            }
            None
        }
    }
}

/// The account in an ARN of one of these services, which has a region or none.
fn account<'a>(arn: &'a str, services: &[&str], regional: bool) -> Option<&'a str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, service, region, account, resource] = parts.as_slice() else { return None };
    let right = partition.starts_with("aws")
        && services.contains(service)
        && region.is_empty() != regional
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !resource.is_empty()
        && !(regional && resource.contains(['/', ':', '*']));
    right.then_some(*account)
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn an_arn_says_whose_it_is() {
        let (user, api) = (["iam", "sts"], ["execute-api"]);
        assert_eq!(account("arn:aws:iam::123456789012:user/robot", &user, false), Some("123456789012"));
        assert_eq!(account("arn:aws:execute-api:eu-west-1:123456789012:shop", &api, true), Some("123456789012"));
        for wrong in ["", "arn:aws:iam::12:user/x", "arn:aws:iam:eu-west-1:123456789012:user/x", "arn:aws:s3:::b"] {
            assert_eq!(account(wrong, &user, false), None, "{wrong}");
        }
        for wrong in ["arn:aws:execute-api::123456789012:shop", "arn:aws:execute-api:eu-west-1:123456789012:shop/prod"]
        {
            assert_eq!(account(wrong, &api, true), None, "{wrong}");
        }
    }
}
