//! `ringgate certs`: which certificates are loaded, for what, and until when.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    check,
    terminal::{Terminal, table},
};
use crate::{
    config::json::Json,
    control::rotation::{self, InUse},
    http::date::{civil, rfc3339},
};

/// `ringgate certs`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let Some(compiled) = check::compiled(&check::source(matches), terminal) else { return Ok(Exit::Invalid) };
    let all = rotation::in_use(&compiled.config, &compiled.plan);
    if matches.text("format")? == Some("json") {
        terminal.out.line(&Json::List(all.iter().map(json).collect()).pretty());
    } else if all.is_empty() {
        terminal.out.line("no certificates: nothing in this configuration shows one");
    } else {
        let heading = ["FOR", "NAMES", "ISSUER", "KEY", "NOT BEFORE", "NOT AFTER", "DAYS LEFT", "FILE"];
        let heading = heading.map(str::to_owned).to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(heading).chain(all.iter().map(row)).collect();
        terminal.out.text(&table(&rows));
    }
    Ok(Exit::Done)
}

fn row(one: &InUse) -> Vec<String> {
    let summary = &one.summary;
    vec![
        one.user.clone(),
        shown_names(one),
        summary.issuer.clone(),
        summary.key_type.clone(),
        date(summary.not_before),
        date(summary.not_after),
        rotation::days_left(summary).to_string(),
        one.file.clone(),
    ]
}

fn names(one: &InUse) -> Vec<String> {
    let summary = &one.summary;
    summary.names.iter().cloned().chain(summary.addresses.iter().map(ToString::to_string)).collect()
}

/// The first names, and how many there are besides; the subject where there are none.
fn shown_names(one: &InUse) -> String {
    let all = names(one);
    match all.len() {
        0 => one.summary.subject.clone(),
        count if count > NAMES_SHOWN => {
            format!("{} and {} more", all[..NAMES_SHOWN].join(" "), count - NAMES_SHOWN)
        }
        _ => all.join(" "),
    }
}

fn json(one: &InUse) -> Json {
    let summary = &one.summary;
    Json::object([
        ("for", Json::text(&one.user)),
        ("names", Json::texts(names(one))),
        ("subject", Json::text(&summary.subject)),
        ("issuer", Json::text(&summary.issuer)),
        ("key", Json::text(&summary.key_type)),
        ("not_before", Json::text(time(summary.not_before))),
        ("not_after", Json::text(time(summary.not_after))),
        ("days_left", Json::Integer(rotation::days_left(summary))),
        ("file", Json::text(&one.file)),
    ])
}

/// `2026-11-22`, of seconds of Unix time; what was before 1970 is shown as its beginning.
fn date(seconds: i64) -> String {
    let (year, month, day) = civil(u64::try_from(seconds).unwrap_or(0) / 86_400);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The same with the time of day (RFC 3339).
fn time(seconds: i64) -> String {
    rfc3339(u64::try_from(seconds).unwrap_or(0))
}

/// Names in a line of the table.
const NAMES_SHOWN: usize = 4;

#[cfg(test)]
mod tests {
    use super::{date, time};

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(time(1_795_357_445), "2026-11-22T14:24:05Z");
        assert_eq!(date(64_060_588_800), "4000-01-01");
        assert_eq!(date(-1), "1970-01-01");
    }
}
