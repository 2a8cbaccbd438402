//! Findings as text: for people, with the source line underlined, and for tools, as JSON.

use super::{
    diagnostic::{Diagnostic, Report, Severity},
    json::Json,
    source::{Place, Source, Sources},
    veil::veiled,
};
use std::fmt::Write;

/// Characters of a source line that are shown; a longer line is cut around the place.
const WIDTH: usize = 160;

/// Findings that are shown to people; nobody reads further before mending the first of them.
const SHOWN_MAX: usize = 200;

/// Everything in `report` for people.
pub(super) fn human(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    let paint = Paint(colour);
    for diagnostic in report.diagnostics.iter().take(SHOWN_MAX) {
        one(&mut out, diagnostic, &report.sources, paint);
        out.push('\n');
    }
    if report.diagnostics.len() > SHOWN_MAX {
        let more = report.diagnostics.len() - SHOWN_MAX;
        let _ = writeln!(out, "… and {more} more, which `--format json` lists\n");
    }
    if !report.diagnostics.is_empty() {
        let _ = writeln!(out, "{}", count(report));
    }
    out
}

/// `2 errors and 1 warning`
fn count(report: &Report) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (report.errors(), report.warnings()) {
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!("{} and {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// Everything in `report` for tools.
pub(super) fn json(report: &Report) -> String {
    Json::List(report.diagnostics.iter().map(|d| diagnostic_json(d, &report.sources)).collect()).compact()
}

fn diagnostic_json(diagnostic: &Diagnostic, sources: &Sources) -> Json {
    let mut object = Json::object([
        ("severity", Json::text(diagnostic.severity.name())),
        ("code", Json::text(diagnostic.code.to_string())),
        ("message", Json::text(veiled(&diagnostic.message))),
    ]);
    place_json(&mut object, diagnostic.place, sources);
    if !diagnostic.expected.is_empty() {
        object.put("expected", Json::text(&diagnostic.expected));
    }
    object.put("help", Json::texts(&diagnostic.help));
    let also = diagnostic.also.iter().map(|(place, what)| {
        let mut object = Json::object([("message", Json::text(what))]);
        place_json(&mut object, *place, sources);
        object
    });
    object.put("also", Json::List(also.collect()));
    object
}

fn place_json(object: &mut Json, place: Place, sources: &Sources) {
    let Some(source) = sources.get(place.file) else { return };
    let start = source.line_column(place.span.start as usize);
    let end = source.line_column(place.span.end as usize);
    object.put("file", Json::text(&source.name));
    object.put("line", Json::number(start.line));
    object.put("column", Json::number(start.column));
    object.put("end_line", Json::number(end.line));
    object.put("end_column", Json::number(end.column));
}

fn one(out: &mut String, diagnostic: &Diagnostic, sources: &Sources, paint: Paint) {
    let head = match diagnostic.severity {
        Severity::Error => paint.red(&format!("error[{}]", diagnostic.code)),
        Severity::Warning => paint.yellow(&format!("warning[{}]", diagnostic.code)),
    };
    let _ = writeln!(out, "{head}{}", paint.bold(&format!(": {}", printable(&veiled(&diagnostic.message)))));
    let gutter = gutter(diagnostic, sources);
    let main = Excerpt { arrow: "-->", mark: '^', label: &diagnostic.expected };
    excerpt(out, diagnostic.place, sources, gutter, &main, paint);
    for (place, what) in &diagnostic.also {
        let other = Excerpt { arrow: ":::", mark: '-', label: what };
        excerpt(out, *place, sources, gutter, &other, paint);
    }
    for help in &diagnostic.help {
        let _ = writeln!(out, "{:gutter$} {} {}", "", paint.blue("="), printable(&format!("help: {help}")));
    }
}

/// How wide the largest line number is.
fn gutter(diagnostic: &Diagnostic, sources: &Sources) -> usize {
    let places = std::iter::once(diagnostic.place).chain(diagnostic.also.iter().map(|(place, _)| *place));
    let line = |p: Place| sources.get(p.file).map_or(1, |s| s.line_column(p.span.start as usize).line);
    places.map(|p| line(p).to_string().len()).max().unwrap_or(1)
}

/// How one place is shown.
struct Excerpt<'a> {
    arrow: &'a str,
    mark: char,
    label: &'a str,
}

fn excerpt(out: &mut String, place: Place, sources: &Sources, gutter: usize, how: &Excerpt<'_>, paint: Paint) {
    let Some(source) = sources.get(place.file) else { return };
    let at = source.line_column(place.span.start as usize);
    let arrow = paint.blue(how.arrow);
    let name = printable(&source.name);
    if source.text.is_empty() {
        let _ = writeln!(out, "{:gutter$}{arrow} {name}", "");
        if !how.label.is_empty() {
            let _ = writeln!(out, "{:gutter$} {} {}", "", paint.blue("="), printable(how.label));
        }
        return;
    }
    let bar = paint.blue("|");
    let _ = writeln!(out, "{:gutter$}{arrow} {name}:{}:{}", "", at.line, at.column);
    let (shown, before, marked) = window(source, place, at.line);
    let number = paint.blue(&format!("{:gutter$}", at.line));
    let marks: String = std::iter::repeat_n(how.mark, marked).collect();
    let marks = if how.mark == '^' { paint.red(&marks) } else { paint.blue(&marks) };
    let _ = writeln!(out, "{:gutter$} {bar}", "");
    let _ = writeln!(out, "{}", format!("{number} {bar} {shown}").trim_end());
    let _ =
        writeln!(out, "{}", format!("{:gutter$} {bar} {:before$}{marks} {}", "", "", printable(how.label)).trim_end());
}

/// The part of the line that is shown, the columns before the mark, and the columns marked (at least one).
fn window(source: &Source, place: Place, line: usize) -> (String, usize, usize) {
    let (text, start) = source.line(line);
    let text = &*veiled(text);
    let from = floor(text, (place.span.start as usize).saturating_sub(start));
    let to = floor(text, (place.span.end as usize).saturating_sub(start)).max(from);
    let (before, marked, after) = (&text[..from], &text[from..to], &text[to..]);
    let (before, marked, after) = (printable(before), printable(marked), printable(after));
    let skip = before.chars().count().saturating_sub(WIDTH / 2);
    let mut shown: String = if skip > 0 { "…".into() } else { String::new() };
    shown.extend(before.chars().skip(skip));
    let column = shown.chars().count();
    let room = WIDTH.saturating_sub(column);
    let mut rest = marked.chars().chain(after.chars());
    shown.extend(rest.by_ref().take(room));
    if rest.next().is_some() {
        shown.push('…');
    }
    (shown, column, marked.chars().count().clamp(1, room.max(1)))
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// Text that cannot move a terminal's cursor: tabs become blanks, control characters a replacement.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push_str("    "),
            c if c.is_control() || is_invisible(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Characters that reorder or hide text.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn red(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    fn yellow(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    fn blue(self, text: &str) -> String {
        self.wrap("1;34", text)
    }

    fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{
        diagnostic::{Code, Diagnostic, Report},
        source::{Place, Sources},
    };

    fn report(text: &str, range: std::ops::Range<usize>) -> Report {
        let mut sources = Sources::default();
        let file = sources.add("a.toml".into(), text.into());
        let d =
            Diagnostic::error(Code::UNKNOWN_KEY, Place::new(file, range), "unknown key").expected("expected another");
        Report::new(vec![d.help("try again")], sources)
    }

    #[test]
    fn the_place_is_underlined_and_the_help_follows() {
        let text = report("[server]\n\tlisen = 1\n", 10..15).render_human(false);
        let expected = "\
error[RG0101]: unknown key
 --> a.toml:2:2
  |
2 |     lisen = 1
  |     ^^^^^ expected another
  = help: try again

1 error
";
        assert_eq!(text, expected);
    }

    #[test]
    fn colour_only_when_asked_and_control_characters_never() {
        let report = report("a\u{1b}[31m = 1\n", 0..2);
        assert!(!report.render_human(false).contains('\u{1b}'));
        assert!(report.render_human(true).contains("\u{1b}[1;31merror[RG0101]"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}x = 1{}", "a".repeat(500), "b".repeat(500));
        let out = report(&text, 500..501).render_human(false);
        assert!(out.lines().all(|line| line.chars().count() < 180), "{out}");
    }
}
