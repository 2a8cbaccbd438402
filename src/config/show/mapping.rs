//! Mappings of requests and answers as they are shown.

use super::put_map;
use crate::config::{
    json::Json,
    response::{Mapping, Response},
};

pub(super) fn route(shown: &mut Json, mapping: &Mapping) {
    put_map(shown, "request_parameters", &mapping.request_parameters);
    put_map(shown, "request_templates", &mapping.request_templates);
    if let Some(passthrough) = &mapping.passthrough {
        shown.put("passthrough_behavior", Json::text(passthrough.value));
    }
    if !mapping.responses.is_empty() {
        let all = mapping.responses.iter().map(|one| (one.pattern.value.clone(), response(one)));
        shown.put("response", Json::Object(all.collect()));
    }
}

fn response(response: &Response) -> Json {
    let mut shown = Json::object([]);
    if !response.edits() || response.status_given.is_some() {
        shown.put("status", Json::number(response.status.value));
    }
    put_map(&mut shown, "parameters", &response.parameters);
    put_map(&mut shown, "templates", &response.templates);
    shown
}
