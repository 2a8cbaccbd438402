//! Wire scripts as they are written: `tests/data/wire/*.txt`, whose README says how.

use super::pattern::Pattern;
use std::{fmt::Write as _, time::Duration};

/// One case of a script file.
#[derive(Clone, Debug)]
pub(super) struct Case {
    /// `file:line`, for people.
    pub(super) origin: String,
    pub(super) title: String,
    /// Its name in the configuration: the file's name and a number.
    pub(super) name: String,
    /// Lines for the `[server]` table; cases with the same ones share a gateway.
    pub(super) server: String,
    /// Its tables of the configuration, with `$NAME`, `$HOST`, `$UPSTREAM` and `$NOBODY`.
    pub(super) api: String,
    pub(super) cuts: Cuts,
    /// A label that a metric must have afterwards.
    pub(super) reason: Option<String>,
    pub(super) steps: Vec<Step>,
}

/// Which bytes are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cuts {
    Both,
    Client,
    Upstream,
    Neither,
}

/// A step, with the line on which it is written.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) line: usize,
    pub(super) who: Side,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Upstream,
}

/// What happens in a step, or has to.
#[derive(Clone, Debug)]
pub(super) enum What {
    Connects,
    Sends(String),
    /// Exactly these bytes are next.
    Expects(String),
    /// Chunks are next whose data together is this.
    ExpectsChunks(String),
    /// The last chunk is next, with these lines as its trailer section.
    ExpectsLastChunk(String),
    /// An answer of the gateway's own with that status: JSON on one line, then the end of the connection.
    ExpectsError(u16),
    /// The same, but the connection may stay.
    ExpectsRefusal(u16),
    ExpectsClose,
    /// The connection ends, orderly or not.
    ExpectsEnd,
    /// The connection ends, and what comes before does not complete a chunked body.
    ExpectsCut,
    ExpectsNothing,
    /// Nothing, or messages that are cut off.
    ExpectsAtMostCut,
    Shuts,
    Closes,
    Resets,
    Waits(Duration),
}

const API: &str = r#"
[upstream.$NAME]
servers = ["http://$UPSTREAM"]
[api.$NAME]
host = ["$HOST"]
[[api.$NAME.route]]
method = "ANY"
path = "/"
integration = { type = "http_proxy", upstream = "$NAME" }
[[api.$NAME.route]]
method = "ANY"
path = "/{proxy+}"
integration = { type = "http_proxy", upstream = "$NAME" }
"#;

/// Reads a script file: an optional preamble for all its cases, then cases that each begin with `=== title`.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<Case>, String> {
    let stem = file.trim_end_matches(".txt").replace('_', "-");
    let mut cases: Vec<Case> = Vec::new();
    let mut current = Case {
        origin: format!("{file}:1"),
        title: "(preamble)".into(),
        name: String::new(),
        server: String::new(),
        api: API.into(),
        cuts: Cuts::Both,
        reason: None,
        steps: Vec::new(),
    };
    let preamble_end = text.lines().position(|line| line.starts_with("=== ")).ok_or("no case")?;
    let mut preamble = None;
    let mut lines = text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let number = index + 1;
        let wrong = |why: &str| Err(format!("{file}:{number}: {why}: {line:?}"));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("=== ") {
            if index == preamble_end {
                preamble = Some(current.clone());
            } else {
                cases.push(current);
            }
            current = preamble.clone().ok_or("no preamble")?;
            current.origin = format!("{file}:{number}");
            current.title = title.into();
            current.name = format!("{stem}-{}", cases.len() + 1);
            continue;
        }
        if line.starts_with('|') {
            return wrong("text that belongs to nothing");
        }
        let mut block = String::new();
        while let Some((_, next)) = lines.next_if(|(_, next)| next.starts_with('|')) {
            let content = next[1..].strip_prefix(' ').unwrap_or_else(|| &next[1..]);
            block.push_str(content);
            block.push('\n');
        }
        if let Err(why) = directive(&mut current, number, line, block) {
            return wrong(&why);
        }
    }
    cases.push(current);
    Ok(cases)
}

fn directive(case: &mut Case, line: usize, text: &str, block: String) -> Result<(), String> {
    match text {
        "server" => case.server = block,
        "api" => case.api = block,
        "cut nothing" => case.cuts = Cuts::Neither,
        "cut client" => case.cuts = Cuts::Client,
        "cut upstream" => case.cuts = Cuts::Upstream,
        _ => {
            if let Some(label) = text.strip_prefix("reason ") {
                case.reason = Some(label.to_owned());
                return Ok(());
            }
            let (who, rest) = text.split_once(' ').ok_or("not a directive")?;
            let who = match who {
                "client" => Side::Client,
                "upstream" => Side::Upstream,
                "wait" => {
                    let millis = rest.strip_suffix("ms").and_then(|n| n.parse().ok()).ok_or("not a time")?;
                    let what = What::Waits(Duration::from_millis(millis));
                    case.steps.push(Step { line, who: Side::Client, what });
                    return Ok(());
                }
                _ => return Err("not a directive".into()),
            };
            case.steps.push(Step { line, who, what: what(rest, block)? });
        }
    }
    Ok(())
}

fn what(text: &str, block: String) -> Result<What, String> {
    if let Some(status) = text.strip_prefix("expects error ") {
        return Ok(What::ExpectsError(status.parse().map_err(|_| "not a status")?));
    }
    if let Some(status) = text.strip_prefix("expects refusal ") {
        return Ok(What::ExpectsRefusal(status.parse().map_err(|_| "not a status")?));
    }
    Ok(match text {
        "connects" => What::Connects,
        "sends" => What::Sends(block),
        "expects" => What::Expects(block),
        "expects chunks" => What::ExpectsChunks(block),
        "expects last chunk" => What::ExpectsLastChunk(block),
        "expects close" => What::ExpectsClose,
        "expects end" => What::ExpectsEnd,
        "expects cut" => What::ExpectsCut,
        "expects at most a cut" => What::ExpectsAtMostCut,
        "expects nothing" => What::ExpectsNothing,
        "shuts" => What::Shuts,
        "closes" => What::Closes,
        "resets" => What::Resets,
        _ => return Err("not a directive".into()),
    })
}

/// What stands for `\{host}` and the like.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) host: String,
    /// Port of the gateway.
    pub(super) port: u16,
    /// Address of the upstream.
    pub(super) upstream: String,
}

impl Names {
    /// The bytes that a block of text stands for; it may not hold what only patterns have.
    pub(super) fn bytes(&self, block: &str) -> Result<Vec<u8>, String> {
        self.pattern(block)?.literal().ok_or_else(|| format!("a pattern where bytes are needed: {block:?}"))
    }

    /// The pattern that a block of text stands for. Each line stands for itself and CRLF, or for itself alone when it
    /// ends in a backslash.
    pub(super) fn pattern(&self, block: &str) -> Result<Pattern, String> {
        let mut pattern = Pattern::default();
        for line in block.lines() {
            let mut rest = line;
            let mut ends = true;
            while let Some(c) = rest.chars().next() {
                let Some(escape) = rest.strip_prefix('\\') else {
                    pattern.push_bytes(&rest.as_bytes()[..c.len_utf8()]);
                    rest = &rest[c.len_utf8()..];
                    continue;
                };
                if escape.is_empty() {
                    ends = false;
                    break;
                }
                rest = self.escape(escape, &mut pattern)?;
            }
            if ends {
                pattern.push_bytes(b"\r\n");
            }
        }
        Ok(pattern)
    }

    fn escape<'t>(&self, text: &'t str, pattern: &mut Pattern) -> Result<&'t str, String> {
        let first = text.chars().next().ok_or("nothing after a backslash")?;
        match first {
            'r' => pattern.push_bytes(b"\r"),
            'n' => pattern.push_bytes(b"\n"),
            't' => pattern.push_bytes(b"\t"),
            '0' => pattern.push_bytes(b"\0"),
            '\\' => pattern.push_bytes(b"\\"),
            'x' => {
                let byte = text.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
                pattern.push_bytes(&[byte.ok_or("two hex digits belong after \\x")?]);
                return Ok(&text[3..]);
            }
            '{' => {
                let end = text.find('}').ok_or("a brace that is not closed")?;
                self.name(&text[1..end], pattern)?;
                return Ok(&text[end + 1..]);
            }
            other => return Err(format!("unknown escape \\{other}")),
        }
        Ok(&text[1..])
    }

    fn name(&self, name: &str, pattern: &mut Pattern) -> Result<(), String> {
        match name {
            "host" => pattern.push_bytes(self.host.as_bytes()),
            "HOST" => pattern.push_bytes(self.host.to_uppercase().as_bytes()),
            "port" => pattern.push_bytes(self.port.to_string().as_bytes()),
            "upstream" => pattern.push_bytes(self.upstream.as_bytes()),
            "forwarded" => {
                let fields = "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: ";
                pattern.push_bytes(fields.as_bytes());
                pattern.push_bytes(self.host.as_bytes());
            }
            "any" => pattern.push_any(),
            "date" => pattern.push_date(),
            _ => {
                let (text, count) = name.rsplit_once('*').ok_or_else(|| format!("unknown name {name:?}"))?;
                let count = count.parse().map_err(|_| format!("not a number: {count:?}"))?;
                pattern.push_bytes(text.repeat(count).as_bytes());
            }
        }
        Ok(())
    }
}

impl Case {
    /// Its part of the configuration.
    pub(super) fn config(&self, upstream: &str, nobody: &str) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# {}: {}", self.origin, self.title);
        text.push_str(&self.api);
        text.replace("$NAME", &self.name)
            .replace("$HOST", &self.host())
            .replace("$UPSTREAM_PORT", upstream.rsplit_once(':').map_or("", |(_, port)| port))
            .replace("$UPSTREAM", upstream)
            .replace("$NOBODY", nobody)
    }

    pub(super) fn host(&self) -> String {
        format!("{}.test", self.name)
    }
}
