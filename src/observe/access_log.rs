//! The access log: its format, compiled once from the configuration, and one line per exchange.

use crate::{
    base::limits,
    observe::{
        event::ExchangeRecord,
        text::Escape,
        variables::{self, Value, Variable},
    },
};
use std::sync::Arc;

pub use crate::observe::writer::{LogHealth, Output, Sink, Writer};

/// A compiled access-log format. Cheap to clone. The default is [`Format::json`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    pieces: Arc<[Piece]>,
    escape: Escape,
}

/// What is wrong with a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Byte offset in the format.
    pub at: usize,
    /// What was found and what was expected, the nearest name included.
    pub message: String,
}

impl std::fmt::Display for FormatError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.at)
    }
}

impl std::error::Error for FormatError {}

impl Default for Format {
    fn default() -> Self {
        Self::json()
    }
}

/// Amazon's Common Log Format, but with the path as it came instead of the route, as every log analyser expects.
const CLF: &str = "$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] \
                   \"$context.httpMethod $context.path $context.protocol\" $context.status $context.responseLength \
                   $context.requestId $context.extendedRequestId";

/// Members of the JSON format. No query: it may carry secrets; a template can add `$context.query`.
const JSON: [(&str, Variable); 25] = [
    ("time", Variable::Time),
    ("request_id", Variable::RequestId),
    ("client.address", Variable::ClientAddress),
    ("client.port", Variable::ClientPort),
    ("http.request.method", Variable::Method),
    ("server.address", Variable::Host),
    ("url.path", Variable::Path),
    ("network.protocol.version", Variable::Version),
    ("api", Variable::Api),
    ("http.route", Variable::RoutePath),
    ("http.response.status_code", Variable::Status),
    ("http.request.body.size", Variable::RequestLength),
    ("http.response.body.size", Variable::ResponseLength),
    ("duration_ms", Variable::DurationMs),
    ("upstream", Variable::UpstreamName),
    ("upstream.address", Variable::Upstream),
    ("upstream.connect_ms", Variable::ConnectMs),
    ("upstream.first_byte_ms", Variable::FirstByteMs),
    ("upstream.attempts", Variable::Attempts),
    ("user_agent.original", Variable::UserAgent),
    ("tls.version", Variable::TlsVersion),
    ("reason", Variable::Reason),
    ("detail", Variable::Detail),
    ("connection.requests", Variable::Reuse),
    ("core", Variable::Core),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// As it stands.
    Literal(Box<[u8]>),
    /// Escaped for the text around it; `-` if missing.
    Text(Variable),
    /// A whole JSON value: a string with its quotes, a number, or null.
    Json(Variable),
}

impl Format {
    /// Compiles `json`, `clf`, or a template of `$context.*` variables.
    ///
    /// Values are escaped for what the template is: JSON if it begins with `{`, XML if it begins with `<`, else text in
    /// which quotes, backslashes and everything outside printable ASCII are written as `\"`, `\\` and `\xHH`. So a line
    /// is one line whatever the client sent.
    ///
    /// # Errors
    /// A variable that does not exist, a `$` name that is not `$context`, a control character (a line is one line), no
    /// variable at all, or more than [`limits::LOG_FORMAT_BYTES_MAX`] bytes.
    pub fn parse(format: &str) -> Result<Self, FormatError> {
        match format {
            "json" => Ok(Self::json()),
            "clf" => Ok(Self::clf()),
            _ => Self::template(format),
        }
    }

    /// One JSON object per line with the names of OpenTelemetry's semantic conventions.
    #[must_use]
    pub fn json() -> Self {
        let mut pieces = Vec::with_capacity(2 * JSON.len() + 1);
        for (i, (name, variable)) in JSON.iter().enumerate() {
            let before = if i == 0 { "{" } else { "," };
            pieces.push(Piece::Literal(format!("{before}\"{name}\":").into_bytes().into()));
            pieces.push(Piece::Json(variable.clone()));
        }
        pieces.push(Piece::Literal(b"}".as_slice().into()));
        Self { pieces: pieces.into(), escape: Escape::Json }
    }

    /// Common Log Format, followed by the request's ids.
    #[must_use]
    pub fn clf() -> Self {
        // The text is ours: a test compiles it.
        Self::template(CLF).unwrap_or_default()
    }

    /// Appends the line of `exchange`, its line feed included.
    pub fn render(&self, exchange: &ExchangeRecord<'_>, out: &mut Vec<u8>) {
        for piece in &*self.pieces {
            match piece {
                Piece::Literal(bytes) => out.extend_from_slice(bytes),
                Piece::Text(variable) => variable.of(exchange).append(out, self.escape),
                Piece::Json(variable) => json_value(out, variable.of(exchange)),
            }
        }
        out.push(b'\n');
    }

    fn template(format: &str) -> Result<Self, FormatError> {
        let format = format.trim_end();
        if format.len() > limits::LOG_FORMAT_BYTES_MAX {
            let message = format!("a log format has at most {} bytes", limits::LOG_FORMAT_BYTES_MAX);
            return Err(FormatError { at: limits::LOG_FORMAT_BYTES_MAX, message });
        }
        if let Some(at) = format.find(char::is_control) {
            return Err(FormatError { at, message: "a control character: a log line is one line".to_owned() });
        }
        let mut pieces = Vec::new();
        let mut literal_from = 0;
        let mut at = 0;
        while let Some(dollar) = format[at..].find('$').map(|found| at + found) {
            let Some((variable, end)) = variable(format, dollar)? else {
                at = dollar + 1;
                continue;
            };
            if literal_from < dollar {
                pieces.push(Piece::Literal(format.as_bytes()[literal_from..dollar].into()));
            }
            pieces.push(Piece::Text(variable));
            (literal_from, at) = (end, end);
        }
        if pieces.is_empty() {
            return Err(FormatError { at: 0, message: no_variable(format) });
        }
        if literal_from < format.len() {
            pieces.push(Piece::Literal(format.as_bytes()[literal_from..].into()));
        }
        Ok(Self { pieces: pieces.into(), escape: Escape::of_template(format) })
    }
}

/// Where one core's lines go.
#[derive(Clone, Debug)]
pub struct Lines {
    all: Sink,
    /// Those of exchanges that a canary answered, if they are kept apart (reference, section 1.9).
    canary: Option<Sink>,
}

impl Lines {
    /// Lines to `all`, but those of canaries to `canary`, if there is one.
    #[must_use]
    pub const fn new(all: Sink, canary: Option<Sink>) -> Self {
        Self { all, canary }
    }

    /// Renders `exchange` into this core's buffer. Never waits.
    #[inline]
    pub fn record(&mut self, format: &Format, exchange: &ExchangeRecord<'_>) {
        let sink = match &mut self.canary {
            Some(canary) if exchange.canary == Some(true) => canary,
            _ => &mut self.all,
        };
        sink.line(|buffer| format.render(exchange, buffer));
    }

    /// Hands over what has been rendered. Never waits.
    pub fn flush(&mut self) {
        self.all.flush();
        if let Some(canary) = &mut self.canary {
            canary.flush();
        }
    }
}

/// The variable whose `$` is at `dollar`, and where it ends; nothing if the `$` stands for itself.
fn variable(format: &str, dollar: usize) -> Result<Option<(Variable, usize)>, FormatError> {
    let rest = &format[dollar + 1..];
    let name_of = |text: &str| {
        let len = text.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.')).count();
        text[..len].trim_end_matches('.').len()
    };
    let all = &rest[..name_of(rest)];
    if !all.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Ok(None);
    }
    let Some(name) = all.strip_prefix("context.") else {
        let message = format!("`${all}` is not a variable: they are written `$context.name`");
        return Err(FormatError { at: dollar, message });
    };
    match variables::find(name) {
        Ok(found) => Ok(Some((found, dollar + 1 + all.len()))),
        Err(nearest) => {
            let hint = nearest.map(|n| format!("; did you mean `$context.{n}`?")).unwrap_or_default();
            Err(FormatError { at: dollar, message: format!("there is no variable `$context.{name}`{hint}") })
        }
    }
}

fn no_variable(format: &str) -> String {
    let near =
        ["json", "clf"].into_iter().find(|preset| strsim::damerau_levenshtein(preset, &format.to_lowercase()) < 3);
    let hint = near.map(|preset| format!("; did you mean \"{preset}\"?")).unwrap_or_default();
    format!("a format is \"json\", \"clf\" or a template with `$context` variables{hint}")
}

fn json_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Missing => out.extend_from_slice(b"null"),
        Value::Number(_) | Value::Milliseconds(_) => value.append(out, Escape::Json),
        _ => {
            out.push(b'"');
            value.append(out, Escape::Json);
            out.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CLF, Format};
    use crate::{
        base::{clock::UnixTime, limits},
        observe::event::{ExchangeRecord, Reason},
    };
    use simd_json::prelude::{TypedScalarValue, ValueAsScalar, ValueObjectAccess};

    fn example() -> ExchangeRecord<'static> {
        ExchangeRecord {
            unix: UnixTime::from_nanos(1_786_711_445_123_456_789),
            total_ns: 12_345_678,
            connect_ns: Some(250_000),
            first_byte_ns: Some(9_000_000),
            api: "shop",
            route_methods: "GET",
            route_path: "/orders/{id}",
            method: b"GET",
            path: b"/orders/7",
            query: b"page=2",
            host: b"shop.example.com:8080",
            status: 200,
            request_bytes: 3,
            response_bytes: 512,
            client: Some([192, 0, 2, 7].into()),
            client_port: 54_321,
            user_agent: b"curl/8.5.0",
            upstream: "orders",
            server: "http://10.0.0.1:8080",
            server_address: Some(([10, 0, 0, 1], 8080).into()),
            upstream_status: 200,
            attempts: 1,
            request_id: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
            reuse: 4,
            core: 1,
            ..ExchangeRecord::default()
        }
    }

    fn line(format: &str, exchange: &ExchangeRecord<'_>) -> String {
        let mut out = Vec::new();
        Format::parse(format).unwrap().render(exchange, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn golden_lines() {
        let x = example();
        assert_eq!(
            line("clf", &x),
            "192.0.2.7 - - [14/Aug/2026:12:44:05 +0000] \"GET /orders/7 HTTP/1.1\" 200 512 \
             01234567-89ab-cdef-0123-456789abcdef 01234567-89ab-cdef-0123-456789abcdef\n"
        );
        assert_eq!(
            line("json", &x),
            "{\"time\":\"2026-08-14T12:44:05.123Z\",\"request_id\":\"01234567-89ab-cdef-0123-456789abcdef\",\
             \"client.address\":\"192.0.2.7\",\"client.port\":54321,\"http.request.method\":\"GET\",\
             \"server.address\":\"shop.example.com:8080\",\"url.path\":\"/orders/7\",\"network.protocol.version\":\"1.1\",\
             \"api\":\"shop\",\"http.route\":\"/orders/{id}\",\"http.response.status_code\":200,\
             \"http.request.body.size\":3,\"http.response.body.size\":512,\"duration_ms\":12.345,\"upstream\":\"orders\",\
             \"upstream.address\":\"10.0.0.1:8080\",\"upstream.connect_ms\":0.250,\"upstream.first_byte_ms\":9.000,\
             \"upstream.attempts\":1,\"user_agent.original\":\"curl/8.5.0\",\"tls.version\":null,\"reason\":\"ok\",\
             \"detail\":null,\"connection.requests\":4,\"core\":1}\n"
        );
    }

    #[test]
    fn every_variable_shows_what_it_says() {
        let x = example();
        let table = [
            ("$context.requestTimeEpoch", "1786711445123"),
            ("$context.routeKey", "GET /orders/{id}"),
            ("$context.target", "/orders/7?page=2"),
            ("$context.domainName $context.domainPrefix $context.host", "shop.example.com shop shop.example.com:8080"),
            ("$context.responseLatency $context.integrationLatency", "12 9"),
            ("$context.integration.status $context.integration.latency", "200 9"),
            ("$context.dataProcessed", "515"),
            ("$context.upstream $context.upstreamName $context.attempts", "10.0.0.1:8080 orders 1"),
            ("$context.error.message $context.side $context.reason", "- - ok"),
            ("$context.identity.caller $context.xrayTraceId $context.stage", "- - -"),
            ("$context.authorizer.claims.sub", "-"),
            ("$5 a$ $context.status.", "$5 a$ 200."),
            ("$context.status$context.status", "200200"),
            ("{ \"ip\": \"$context.identity.sourceIp\" }", "{ \"ip\": \"192.0.2.7\" }"),
            ("$context.status\n", "200"),
        ];
        for (format, shown) in table {
            assert_eq!(line(format, &x), format!("{shown}\n"), "{format}");
        }
        let failed = ExchangeRecord { reason: Reason::UpstreamReset, detail: "connection reset", ..example() };
        assert_eq!(
            line("$context.error.message $context.integration.error $context.side", &failed),
            "connection reset upstream_reset upstream\n"
        );
    }

    #[test]
    fn what_is_missing_is_a_dash_or_null() {
        let nothing = ExchangeRecord::default();
        let mut json = line("json", &nothing).into_bytes();
        let json: simd_json::OwnedValue = simd_json::to_owned_value(&mut json).unwrap();
        for name in ["client.address", "http.route", "http.response.status_code", "upstream.connect_ms", "detail"] {
            assert!(json.get(name).is_some_and(|v| v.is_null()), "{name}");
        }
        let clf = line("clf", &nothing);
        assert!(clf.starts_with("- - - [01/Jan/1970:00:00:00 +0000] \"- - HTTP/1.1\" - 0 "), "{clf}");
    }

    #[test]
    fn wrong_formats_say_where_and_what_instead() {
        let long = format!("$context.status{}", "x".repeat(limits::LOG_FORMAT_BYTES_MAX));
        let table = [
            ("ab $context.sattus", 3, "there is no variable `$context.sattus`; did you mean `$context.status`?"),
            (
                "$context.sourceIp",
                0,
                "there is no variable `$context.sourceIp`; did you mean `$context.identity.sourceIp`?",
            ),
            ("$context.requestid", 0, "there is no variable `$context.requestid`; did you mean `$context.requestId`?"),
            ("$context.qqqqqqqq", 0, "there is no variable `$context.qqqqqqqq`"),
            ("$status", 0, "`$status` is not a variable: they are written `$context.name`"),
            ("x $context", 2, "`$context` is not a variable: they are written `$context.name`"),
            ("$context.authorizer.", 0, "there is no variable `$context.authorizer`"),
            ("jsn", 0, "a format is \"json\", \"clf\" or a template with `$context` variables; did you mean \"json\"?"),
            ("", 0, "a format is \"json\", \"clf\" or a template with `$context` variables"),
            ("$context.status\n$context.path", 15, "a control character: a log line is one line"),
            (long.as_str(), 8192, "a log format has at most 8192 bytes"),
        ];
        for (format, at, message) in table {
            let error = Format::parse(format).unwrap_err();
            assert_eq!((error.at, error.message.as_str()), (at, message), "{format}");
        }
    }

    #[test]
    fn amazons_own_examples_compile() {
        let names = ["requestId", "extendedRequestId", "identity.sourceIp", "identity.caller", "identity.user"];
        let more = ["requestTime", "httpMethod", "resourcePath", "status", "protocol", "responseLength"];
        let all: Vec<_> = names.into_iter().chain(more).collect();
        let csv = all.iter().map(|n| format!("$context.{n}")).collect::<Vec<_>>().join(",");
        let json = all.iter().map(|n| format!("\"{n}\":\"$context.{n}\"")).collect::<Vec<_>>().join(", ");
        let xml = all.iter().map(|n| format!("<f>$context.{n}</f>")).collect::<Vec<_>>().concat();
        for format in [csv, format!("{{ {json} }}"), format!("<request>{xml}</request>"), CLF.to_owned()] {
            assert!(Format::parse(&format).is_ok(), "{format}");
        }
        assert_eq!(Format::clf(), Format::parse(CLF).unwrap());
        assert_eq!(Format::default(), Format::json());
    }

    proptest::proptest! {
        #[test]
        fn one_exchange_is_one_line_whatever_it_brings(
            method: Vec<u8>, path: Vec<u8>, query: Vec<u8>, host: Vec<u8>, agent: Vec<u8>, referer: Vec<u8>,
            status: u16, total_ns: u64, request_id: u128, unix: u64,
        ) {
            let x = ExchangeRecord {
                method: &method, path: &path, query: &query, host: &host, user_agent: &agent, referer: &referer,
                status, total_ns, request_id, unix: UnixTime::from_nanos(unix), ..ExchangeRecord::default()
            };
            let json = "{\"a\":\"$context.path$context.query\",\"b\":\"$context.identity.userAgent\",\"c\":\"$context.referer$context.host\"}";
            let text = "\"$context.httpMethod $context.target\" \"$context.identity.userAgent\" $context.domainPrefix";
            let xml = "<a b=\"$context.target\">$context.identity.userAgent$context.referer</a>";
            for format in ["json", "clf", json, text, xml] {
                let mut out = Vec::new();
                Format::parse(format).unwrap().render(&x, &mut out);
                proptest::prop_assert_eq!(out.pop(), Some(b'\n'));
                let line = String::from_utf8(out).unwrap();
                let breaks = line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
                proptest::prop_assert!(!breaks);
                if format.starts_with('{') || format == "json" {
                    let mut bytes = line.into_bytes();
                    let value = simd_json::to_owned_value(&mut bytes).unwrap();
                    if let (Some(logged), Ok(sent)) = (value.get("url.path"), std::str::from_utf8(&path)) {
                        let expected = (!sent.is_empty()).then_some(sent);
                        proptest::prop_assert_eq!(logged.as_str(), expected);
                    }
                } else if format.starts_with('<') {
                    proptest::prop_assert_eq!(line.matches('<').count(), 2);
                } else {
                    let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                    proptest::prop_assert_eq!(quotes, format.matches('"').count().max(if format == "clf" { 2 } else { 0 }));
                }
            }
        }
    }
}
