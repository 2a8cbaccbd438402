//! What is made of requests on their way to an integration, and of its answers, as written.

use super::{
    reader::Reader,
    source::{At, Place, Text},
};

/// The keys of a route that are about mapping.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// `request_parameters`: targets and sources, not yet parsed.
    pub request_parameters: Vec<(At<String>, Vec<Text>)>,
    /// `request_templates`: media types and texts, not yet parsed.
    pub request_templates: Vec<(At<String>, Vec<Text>)>,
    /// `passthrough_behavior`, if it is given.
    pub passthrough: Option<At<&'static str>>,
    /// `[api.NAME.route.response.PATTERN]`, in the order in which they are written.
    pub responses: Vec<Response>,
}

/// `[api.NAME.route.response.PATTERN]`
#[derive(Clone, Debug)]
pub struct Response {
    /// The pattern, not yet parsed.
    pub pattern: At<String>,
    /// `status`
    pub status: At<u16>,
    /// Where it is given, if it is.
    pub status_given: Option<Place>,
    /// `parameters`: targets and sources, not yet parsed.
    pub parameters: Vec<(At<String>, Vec<Text>)>,
    /// `templates`: media types and texts, not yet parsed.
    pub templates: Vec<(At<String>, Vec<Text>)>,
}

impl Mapping {
    /// Where something stands that only integrations that map bodies and answers use.
    #[must_use]
    pub fn custom(&self) -> Option<(&'static str, Place)> {
        let template = self.request_templates.first().map(|(name, _)| ("request_templates", name.place));
        let response = self.responses.first().map(|response| ("response", response.pattern.place));
        template.or(response)
    }

    /// Whether `response` says what is changed of answers that pass otherwise, as in HTTP APIs.
    #[must_use]
    pub fn edits(&self) -> bool {
        self.responses.iter().any(Response::edits)
    }
}

impl Response {
    /// Whether it says what is changed of an answer that passes otherwise.
    #[must_use]
    pub fn edits(&self) -> bool {
        self.parameters.iter().any(|(name, _)| is_change(&name.value))
    }
}

/// Whether the name of a mapping says what is done, as in HTTP APIs: `append:header.x`.
#[must_use]
pub fn is_change(name: &str) -> bool {
    ["append:", "overwrite:", "remove:"].iter().any(|act| name.starts_with(act))
}

pub(super) fn read(route: &Reader<'_>) -> Mapping {
    let response = |(entry, table): &(&super::tree::Entry, Reader<'_>)| Response {
        pattern: At { value: entry.key.clone(), place: entry.place },
        status: table.integer("status"),
        status_given: table.key_place("status"),
        parameters: table.map("parameters"),
        templates: table.map("templates"),
    };
    Mapping {
        request_parameters: route.map("request_parameters"),
        request_templates: route.map("request_templates"),
        passthrough: route.key_place("passthrough_behavior").map(|_| route.choice("passthrough_behavior")),
        responses: route.named("response").iter().map(response).collect(),
    }
}
