//! How a limit is told, the same by the admin listener and by `explain`.

use crate::{config::json::Json, plan::throttle::Limit};

/// A limit on how often, and what is left of it as far as that is known.
pub(super) fn limit(limit: &Limit, left: Option<u64>) -> Json {
    Json::object([
        ("name", Json::text(limit.name.as_str())),
        ("rate", Json::Text(limit.terms.rate.to_string())),
        ("burst", Json::number(limit.terms.burst)),
        ("per", Json::Text(limit.per.to_string())),
        ("dry_run", Json::Bool(limit.dry_run)),
        ("shared", Json::Bool(limit.shared)),
        ("left", left.map_or(Json::Null, Json::number)),
    ])
}
