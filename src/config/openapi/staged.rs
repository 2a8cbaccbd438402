//! One stage of an API, for an export that stands for itself: where it is served, with the values of its variables.

use crate::config::json::Json;

/// The API as its stage `stage` is; `None` if it has none of that name.
pub(super) fn of(api: &Json, stage: &str) -> Option<Json> {
    let text = |key: &str| if let Some(Json::Text(text)) = api.get(key) { Some(text.as_str()) } else { None };
    let own = api.get("stages").and_then(|stages| stages.get(stage));
    if own.is_none() && text("stage") != Some(stage) {
        return None;
    }
    let mut out = api.clone();
    for key in ["host", "base_path"] {
        if let Some(value) = own.and_then(|own| own.get(key)) {
            put(&mut out, key, value.clone());
        }
    }
    if api.get("stage_in_path") == Some(&Json::Bool(true)) && stage != "$default" {
        let base = if let Some(Json::Text(base)) = out.get("base_path") { base.as_str() } else { "" };
        let base = format!("{}/{stage}", base.trim_end_matches('/'));
        put(&mut out, "base_path", Json::Text(base));
    }
    let mut values = Vec::new();
    for variables in [own.and_then(|own| own.get("variables")), api.get("variables")].into_iter().flatten() {
        let Json::Object(variables) = variables else { continue };
        values.extend(variables.iter().filter_map(|(name, value)| match value {
            Json::Text(value) => Some((name.as_str(), value.as_str())),
            _ => None,
        }));
    }
    if let Json::Object(members) = &mut out {
        members.iter_mut().filter(|(key, _)| key == "route").for_each(|(_, routes)| fill(routes, &values));
    }
    Some(out)
}

fn put(object: &mut Json, key: &str, value: Json) {
    if let Json::Object(members) = object {
        members.retain(|(known, _)| known != key);
    }
    object.put(key, value);
}

/// Writes the values of variables, of which the first of a name counts, wherever they are named.
fn fill(json: &mut Json, values: &[(&str, &str)]) {
    match json {
        Json::Text(text) if text.contains("stageVariables.") => {
            let named = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            if let Some(value) = text.strip_prefix("stageVariables.").and_then(named) {
                // The source of a mapping: a text is quoted there.
                *text = format!("'{value}'");
            } else {
                for (name, value) in values {
                    *text = text.replace(&format!("${{stageVariables.{name}}}"), value);
                }
            }
        }
        Json::List(list) => list.iter_mut().for_each(|one| fill(one, values)),
        Json::Object(members) => members.iter_mut().for_each(|(_, value)| fill(value, values)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::config::json::Json;

    fn text(json: &Json, path: &[&str]) -> String {
        let found = path.iter().try_fold(json, |at, key| at.get(key));
        if let Some(Json::Text(text)) = found { text.clone() } else { format!("{found:?}") }
    }

    fn api() -> Json {
        let object = |members: &[(&str, &str)]| {
            Json::Object(members.iter().map(|(key, value)| ((*key).to_owned(), Json::text(*value))).collect())
        };
        let mut dev = Json::object([("variables", object(&[("host", "dev.test")]))]);
        dev.put("host", Json::text("dev.example.com"));
        let mut route =
            Json::object([("integration", object(&[("uri", "http://${stageVariables.host}/${stageVariables.v}")]))]);
        route.put("request_parameters", object(&[("integration.request.header.x", "stageVariables.host")]));
        let mut api = Json::object([("host", Json::text("example.com")), ("base_path", Json::text("/shop"))]);
        api.put("stage_in_path", Json::Bool(true));
        api.put("variables", object(&[("host", "test"), ("v", "1")]));
        api.put("stages", Json::object([("dev", dev), ("prod", Json::object([]))]));
        api.put("route", Json::List(vec![route]));
        api
    }

    #[test]
    fn a_stage_is_exported_as_it_is_served() {
        for (stage, host, base, uri, header) in [
            ("dev", "dev.example.com", "/shop/dev", "http://dev.test/1", "'dev.test'"),
            ("prod", "example.com", "/shop/prod", "http://test/1", "'test'"),
        ] {
            let api = of(&api(), stage).unwrap();
            assert_eq!((text(&api, &["host"]).as_str(), text(&api, &["base_path"]).as_str()), (host, base), "{stage}");
            let Some(Json::List(routes)) = api.get("route") else { panic!("{api:?}") };
            assert_eq!(text(&routes[0], &["integration", "uri"]), uri, "{stage}");
            assert_eq!(text(&routes[0], &["request_parameters", "integration.request.header.x"]), header, "{stage}");
        }
        assert_eq!(of(&api(), "test"), None);
    }
}
