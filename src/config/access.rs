//! Who may call: `[authorizer.*]`, `[[api_key]]`, `[api_keys]`, `[usage_plan.*]`, and what APIs and routes say of it, as written.

use super::{
    FileValue,
    call::{self, Call, Credentials},
    reader::Reader,
    source::{At, Place, Text},
    throttle::{self, PlanRoute, Throttle},
};
use crate::base::limits;
use std::{path::PathBuf, time::Duration};

/// `[authorizer.NAME]`
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `type`
    pub kind: At<&'static str>,
    /// `subjects`
    pub subjects: Vec<Text>,
    /// `issuers`
    pub issuers: Vec<Text>,
    /// `names`
    pub names: Vec<Text>,
    /// `region`
    pub region: Option<Text>,
    /// What only one of type `jwt` has.
    pub jwt: Jwt,
    /// What only those have that ask somebody else.
    pub call: Call,
}

/// The keys of an authorizer of type `jwt`.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// `issuer`
    pub issuer: Option<Text>,
    /// `audience`
    pub audience: Vec<Text>,
    /// `jwks_uri`
    pub jwks_uri: Option<Text>,
    /// `jwks_file`
    pub jwks_file: Option<FileValue>,
    /// `jwks_refresh`
    pub jwks_refresh: At<Duration>,
    /// `identity_source`
    pub identity_source: Vec<Text>,
    /// `roles_claim`
    pub roles_claim: Option<Text>,
    /// `claims`: paths with values.
    pub claims: Vec<(At<String>, Vec<Text>)>,
    /// `algorithms`
    pub algorithms: Vec<Text>,
    /// `leeway`
    pub leeway: At<Duration>,
    /// `cache_ttl`
    pub cache_ttl: At<Duration>,
    /// `on_unavailable`
    pub on_unavailable: At<&'static str>,
}

/// `[iam_user.NAME]`
#[derive(Clone, Debug)]
pub struct IamUser {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `access_key_id`; `None` if it could not be read.
    pub access_key_id: Option<Text>,
    /// `secret_access_key` or `secret_access_key_file`; `None` if it could not be read.
    pub secret_access_key: Option<Hidden>,
    /// `session_token`
    pub session_token: Option<Hidden>,
    /// `expires`, not yet checked.
    pub expires: Option<Text>,
    /// `arn`, not yet checked.
    pub arn: Option<Text>,
    /// `policy_file`
    pub policy_file: Option<FileValue>,
}

/// A text that nobody is shown.
#[derive(Clone)]
pub struct Hidden {
    /// Where it, or the name of its file, stands.
    pub place: Place,
    /// The text.
    pub bytes: Vec<u8>,
    /// The file that it came from.
    pub file: Option<PathBuf>,
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

/// `[[api_key]]`
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// `name`; `None` if it could not be read.
    pub name: Option<Text>,
    /// `value_sha256`, not yet checked; `None` if it could not be read.
    pub value_sha256: Option<Text>,
    /// `shown`
    pub shown: Option<Text>,
    /// `enabled`
    pub enabled: At<bool>,
    /// `expires`, not yet checked.
    pub expires: Option<Text>,
    /// `usage_plans`, not yet checked.
    pub usage_plans: Vec<Text>,
}

/// `[usage_plan.NAME]`
#[derive(Clone, Debug)]
pub struct UsagePlan {
    /// Its name and where it stands.
    pub name: At<String>,
    /// `apis`, not yet checked.
    pub apis: Vec<Text>,
    /// `quota`
    pub quota: Option<Quota>,
    /// `throttle`
    pub throttle: Option<Throttle>,
    /// `[[usage_plan.NAME.route]]`
    pub routes: Vec<PlanRoute>,
}

/// `quota` of a usage plan
#[derive(Clone, Debug)]
pub struct Quota {
    /// Where it stands.
    pub place: Place,
    /// `limit`
    pub limit: At<i64>,
    /// `period`
    pub period: At<&'static str>,
    /// `offset`
    pub offset: At<u8>,
}

/// `[usage]`
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// `folder`, resolved.
    pub folder: PathBuf,
    /// `persist`
    pub persist: bool,
}

/// All of it that stands at the top.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// `[authorizer.*]`
    pub authorizers: Vec<Authorizer>,
    /// `[[api_key]]`
    pub keys: Vec<ApiKey>,
    /// `[api_keys] file`
    pub key_file: Option<FileValue>,
    /// Where that is, also if it is not there yet.
    pub key_path: Option<PathBuf>,
    /// `[usage_plan.*]`
    pub plans: Vec<UsagePlan>,
    /// `[usage]`
    pub usage: Usage,
    /// `[iam_user.*]`
    pub users: Vec<IamUser>,
    /// `[credentials.*]`
    pub credentials: Vec<Credentials>,
}

/// What a route or an API says of who may call it.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// `authorizer`, not yet looked up; `none` says that everyone may.
    pub authorizer: Option<Text>,
    /// `api_key`, if it is given.
    pub api_key: Option<At<bool>>,
    /// `scopes`, of routes only.
    pub scopes: Vec<Text>,
    /// `roles`, of routes only.
    pub roles: Vec<Text>,
    /// `allow_from`, if it is given; networks not yet parsed.
    pub allow_from: Option<Vec<Text>>,
    /// `deny_from`, if it is given; networks not yet parsed.
    pub deny_from: Option<Vec<Text>>,
}

impl Guard {
    /// Where it is said that somebody may not call.
    #[must_use]
    pub fn closes(&self) -> Option<Place> {
        let authorizer = self.authorizer.as_ref().filter(|name| name.value != NONE).map(|name| name.place);
        authorizer.or_else(|| self.api_key.filter(|key| key.value).map(|key| key.place))
    }

    /// Whether it says anything.
    #[must_use]
    pub const fn speaks(&self) -> bool {
        self.authorizer.is_some() || self.api_key.is_some() || self.allow_from.is_some()
    }
}

/// The authorizer that lets everyone pass.
pub const NONE: &str = "none";

pub(super) fn read(root: &Reader<'_>) -> Access {
    let file = root.table("api_keys");
    let path = file.and_then(|table| table.text("file")).map(|text| root.context.resolve(&text.value, text.place));
    Access {
        authorizers: authorizers(root, "authorizer"),
        keys: root.tables("api_key").iter().map(key).collect(),
        key_file: file.and_then(|table| table.file("file", limits::KEY_FILE_BYTES_MAX)),
        key_path: path,
        plans: root.named("usage_plan").iter().map(|(entry, table)| plan(named(entry), table)).collect(),
        usage: usage(root),
        users: root.named("iam_user").iter().map(|(entry, table)| user(named(entry), table)).collect(),
        credentials: call::credentials(root),
    }
}

/// Those at the top, or those of an API, under `key`.
pub(super) fn authorizers(table: &Reader<'_>, key: &'static str) -> Vec<Authorizer> {
    table.named(key).iter().map(|(entry, table)| authorizer(named(entry), table)).collect()
}

/// What a route says.
pub(super) fn route_guard(table: &Reader<'_>) -> Guard {
    Guard { scopes: table.texts("scopes"), roles: table.texts("roles"), ..guard(table) }
}

/// What a route or an API says.
pub(super) fn guard(table: &Reader<'_>) -> Guard {
    let given = |key| table.key_place(key);
    Guard {
        authorizer: table.text("authorizer"),
        api_key: given("api_key").map(|_| table.bool("api_key")),
        allow_from: given("allow_from").map(|_| table.texts("allow_from")),
        deny_from: given("deny_from").map(|_| table.texts("deny_from")),
        ..Guard::default()
    }
}

fn named(entry: &super::tree::Entry) -> At<String> {
    At { value: entry.key.clone(), place: entry.place }
}

fn authorizer(name: At<String>, table: &Reader<'_>) -> Authorizer {
    let kind = table.required_choice("type");
    Authorizer {
        name,
        call: call::read(kind.value, table),
        kind,
        subjects: table.texts("subjects"),
        issuers: table.texts("issuers"),
        names: table.texts("names"),
        region: table.text("region"),
        jwt: jwt(table),
    }
}

fn jwt(table: &Reader<'_>) -> Jwt {
    Jwt {
        issuer: table.text("issuer"),
        audience: table.texts("audience"),
        jwks_uri: table.text("jwks_uri"),
        jwks_file: table.file("jwks_file", limits::JWKS_BYTES_MAX),
        jwks_refresh: table.duration("jwks_refresh"),
        identity_source: identity_source(table),
        roles_claim: table.text("roles_claim"),
        claims: table.map("claims"),
        algorithms: table.texts("algorithms"),
        leeway: table.duration("leeway"),
        cache_ttl: table.duration("cache_ttl"),
        on_unavailable: table.choice("on_unavailable"),
    }
}

/// Where the token is; the usual place if nothing is said.
fn identity_source(table: &Reader<'_>) -> Vec<Text> {
    if table.key_place("identity_source").is_some() {
        return table.texts("identity_source");
    }
    vec![Text { value: "header.authorization".to_owned(), place: table.place, exact: false, from_env: false }]
}

fn user(name: At<String>, table: &Reader<'_>) -> IamUser {
    let hidden = |text: Text| Hidden { place: text.place, bytes: text.value.into_bytes(), file: None };
    IamUser {
        access_key_id: table.text("access_key_id"),
        secret_access_key: call::hidden(table, ("secret_access_key", "secret_access_key_file"), Some(&name.value)),
        session_token: table.text("session_token").map(hidden),
        expires: table.text("expires"),
        arn: table.text("arn"),
        policy_file: table.file("policy_file", limits::POLICY_BYTES_MAX),
        name,
    }
}

fn key(table: &Reader<'_>) -> ApiKey {
    ApiKey {
        name: table.text("name"),
        value_sha256: table.text("value_sha256"),
        shown: table.text("shown"),
        enabled: table.bool("enabled"),
        expires: table.text("expires"),
        usage_plans: table.texts("usage_plans"),
    }
}

fn plan(name: At<String>, table: &Reader<'_>) -> UsagePlan {
    UsagePlan {
        name,
        apis: table.texts("apis"),
        quota: table.table("quota").map(|table| quota(&table)),
        throttle: throttle::of_plan(table),
        routes: throttle::of_routes(table),
    }
}

fn quota(table: &Reader<'_>) -> Quota {
    if table.key_place("limit").is_none() {
        let _: Option<()> = table.missing("limit");
    }
    Quota {
        place: table.place,
        limit: table.integer("limit"),
        period: table.required_choice("period"),
        offset: table.integer("offset"),
    }
}

/// `[usage]`; what it does not say is what stands beside the configuration.
fn usage(root: &Reader<'_>) -> Usage {
    let table = root.table("usage");
    let folder = table.and_then(|table| table.text("folder"));
    let (name, place) = folder.map_or_else(|| (USAGE_FOLDER.to_owned(), root.place), |text| (text.value, text.place));
    Usage { folder: root.context.resolve(&name, place), persist: table.is_none_or(|table| table.bool("persist").value) }
}

/// Where usage is kept unless configured.
pub const USAGE_FOLDER: &str = "ringgate.usage";
