//! What an API's clients see besides what its routes say, as written.

use super::{
    reader::Reader,
    source::{At, Place, Text},
};
use std::time::Duration;

/// The keys of `[api.NAME]` that are about its face.
#[derive(Clone, Debug)]
pub struct Face {
    /// `type`: `rest` or `http`; nothing for neither.
    pub kind: Option<At<&'static str>>,
    /// `type` is there, right or wrong.
    pub typed: bool,
    /// `honest_errors`
    pub honest_errors: At<bool>,
    /// `problem_details`
    pub problem_details: At<bool>,
    /// `request_ids`, if it is given.
    pub request_ids: Option<At<bool>>,
    /// `aws_headers`, if it is given.
    pub aws_headers: Option<At<bool>>,
    /// `cors`
    pub cors: Option<Cors>,
    /// `[api.NAME.gateway_response.TYPE]`
    pub responses: Vec<GatewayResponse>,
}

/// `cors`
#[derive(Clone, Debug)]
pub struct Cors {
    /// Where it stands.
    pub place: Place,
    /// `allow_origins`, not yet checked.
    pub allow_origins: Vec<Text>,
    /// `allow_methods`, not yet checked.
    pub allow_methods: Vec<Text>,
    /// `allow_headers`, not yet checked.
    pub allow_headers: Vec<Text>,
    /// `expose_headers`, not yet checked.
    pub expose_headers: Vec<Text>,
    /// `max_age`, if it is given.
    pub max_age: Option<At<Duration>>,
    /// `allow_credentials`
    pub allow_credentials: At<bool>,
}

/// `[api.NAME.gateway_response.TYPE]`
#[derive(Clone, Debug)]
pub struct GatewayResponse {
    /// The type, not yet looked up.
    pub name: At<String>,
    /// `status`, if it is given.
    pub status: Option<At<u16>>,
    /// `headers`: names and expressions, not yet parsed.
    pub headers: Vec<(At<String>, Vec<Text>)>,
    /// `templates`: media types and texts, not yet parsed.
    pub templates: Vec<(At<String>, Vec<Text>)>,
}

pub(super) fn read(api: &Reader<'_>) -> Face {
    let given = |key: &'static str| api.key_place(key).map(|_| api.bool(key));
    Face {
        kind: api.key_place("type").map(|_| api.choice("type")).filter(|kind| !kind.value.is_empty()),
        typed: api.key_place("type").is_some(),
        honest_errors: api.bool("honest_errors"),
        problem_details: api.bool("problem_details"),
        request_ids: given("request_ids"),
        aws_headers: given("aws_headers"),
        cors: api.table("cors").map(|table| cors(&table)),
        responses: api
            .named("gateway_response")
            .iter()
            .map(|(entry, table)| {
                let name = At { value: entry.key.clone(), place: entry.place };
                response(name, table)
            })
            .collect(),
    }
}

fn cors(table: &Reader<'_>) -> Cors {
    table.must_not_be_empty("allow_origins");
    Cors {
        place: table.place,
        allow_origins: table.texts("allow_origins"),
        allow_methods: table.texts("allow_methods"),
        allow_headers: table.texts("allow_headers"),
        expose_headers: table.texts("expose_headers"),
        max_age: table.key_place("max_age").map(|_| table.duration("max_age")),
        allow_credentials: table.bool("allow_credentials"),
    }
}

fn response(name: At<String>, table: &Reader<'_>) -> GatewayResponse {
    GatewayResponse {
        name,
        status: table.key_place("status").map(|_| table.integer("status")),
        headers: table.map("headers"),
        templates: table.map("templates"),
    }
}
