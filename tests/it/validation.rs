//! Request validation over HTTP: every rule of reference 7.8, styles of parameters, limits, and what a refusal says.

use crate::support::gateway::Gateway;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Sends `request` and returns the whole answer; the connection is closed behind it.
fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn get(port: u16, target: &str, headers: &str) -> String {
    ask(port, &format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n"))
}

fn post(port: u16, target: &str, media: &str, body: &str) -> String {
    let media = if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
    let head = format!("POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{media}");
    ask(port, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()))
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or("none")
}

fn content(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, content)| content.trim_end())
}

/// A route at `path` with `keys`.
fn route(method: &str, path: &str, keys: &str) -> String {
    format!(
        "[[api.a.route]]\nmethod = \"{method}\"\npath = \"{path}\"\n\
         integration = {{ type = \"static\", body = \"fine\" }}\n{keys}\n"
    )
}

const SERVER: &str = "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n[api.a]\n";

#[test]
fn missing_parameters_are_named_in_the_recorded_order() {
    let keys = r#"request_validator = { parameters = true }
parameters = [
    { in = "query", name = "qs1", required = true },
    { in = "path", name = "issuer", required = true },
    { in = "header", name = "x-header-param", required = true },
    { in = "query", name = "optional" },
]"#;
    let mut gateway = Gateway::with(&format!("{SERVER}{}", route("GET", "/v/{issuer}", keys))).start();
    let port = gateway.port;
    for (target, headers, expect, why) in [
        ("/v/i", "", Some("x-header-param, qs1"), "header before query (reference 7.8 [S])"),
        ("/v/%20", "", Some("x-header-param, issuer, qs1"), "a blank one is missing"),
        ("/v/i?qs1=", "x-header-param: a\r\n", Some("qs1"), "an empty one is missing"),
        ("/v/i?qs1=+", "x-header-param: a\r\n", Some("qs1"), "a blank one, as forms write it"),
        ("/v/i?qs1", "x-header-param: a\r\n", Some("qs1"), "a name without a value"),
        ("/v/i?qs1=1", "x-header-param:\r\n", Some("x-header-param"), "an empty field"),
        ("/v/i?qs1=1", "X-Header-Param: a\r\n", None, "letter case does not count (RFC 9110 §5.1)"),
        ("/v/i?q%73%31=1", "x-header-param: a\r\n", None, "a name may be encoded"),
        ("/v/i?qs1=&qs1=2", "x-header-param: a\r\n", None, "one of two"),
    ] {
        let answer = get(port, target, headers);
        match expect {
            None => assert_eq!(status(&answer), "200", "{why}: {answer}"),
            Some(names) => {
                assert_eq!(status(&answer), "400", "{why}: {answer}");
                let message = format!("{{\"message\":\"Missing required request parameters: [{names}]\"}}");
                assert_eq!(content(&answer), message, "{why}");
            }
        }
    }
    assert!(gateway.is_running());
}

#[test]
fn what_holds_for_an_api_holds_for_routes_that_do_not_say_otherwise() {
    let validator = "request_validator = { body = true, parameters = true, unknown_media = \"refuse\" }\n";
    let wanted = "parameters = [{ in = \"query\", name = \"q\", required = true }]\n";
    let model = "models = { \"application/json\" = { type = \"array\" } }";
    let own = format!("request_validator = {{ parameters = false }}\n{wanted}");
    let routes = [("/a", wanted), ("/b", own.as_str()), ("/c", ""), ("/d", model)];
    let routes: String = routes.iter().map(|(path, keys)| route("ANY", path, keys)).collect();
    let mut gateway = Gateway::with(&format!("{SERVER}{validator}{routes}")).start();
    for (target, kind, body, expect, why) in [
        ("/a", "", "", "400", "its parameters are checked as the API says"),
        ("/a?q=1", "", "", "200", "it is there"),
        ("/b", "", "", "200", "its own table counts"),
        ("/c", "", "", "200", "no models: a media type cannot be unknown"),
        ("/c", "text/plain", "x", "200", "no models: bodies pass"),
        ("/d", "application/json", "[]", "200", "as its model says"),
        ("/d", "application/json", "{}", "400", "not as its model says"),
        ("/d", "text/plain", "x", "415", "a type that no model is for"),
    ] {
        let answer = post(gateway.port, target, kind, body);
        assert_eq!(status(&answer), expect, "{target} {kind} {body}: {why}: {answer}");
    }
    assert!(gateway.is_running());
}

/// Parameters of every style.
const DESCRIBED: &str = r#"request_validator = { parameters = true }
parameters = [
    { in = "path", name = "id", schema = { type = "integer", minimum = 1 } },
    { in = "query", name = "page", schema = { type = "integer", minimum = 1, maximum = 99 } },
    { in = "query", name = "tags", schema = { type = "array", items = { type = "string", maxLength = 3 }, maxItems = 2 } },
    { in = "query", name = "csv", explode = false, schema = { type = "array", items = { type = "integer" } } },
    { in = "query", name = "piped", style = "pipeDelimited", explode = false, schema = { type = "array", items = { type = "boolean" } } },
    { in = "query", name = "spaced", style = "spaceDelimited", explode = false, schema = { type = "array", items = { enum = ["a", "b c"] } } },
    { in = "query", name = "filter", style = "deepObject", explode = true, schema = { type = "object", properties = { min = { type = "integer" }, max = { type = "integer" } }, additionalProperties = false } },
    { in = "query", name = "pair", explode = false, schema = { type = "object", properties = { r = { type = "integer" } }, required = ["r"] } },
    { in = "query", name = "any", schema = { enum = [1, "two", true] } },
    { in = "query", name = "day", schema = { type = "string", format = "date" } },
    { in = "query", name = "flag", allow_empty = true, schema = { type = "boolean" } },
    { in = "query", name = "json", content = { "application/json" = { type = "object", required = ["a"] } } },
    { in = "header", name = "X-List", schema = { type = "array", items = { type = "integer" } } },
    { in = "cookie", name = "session", schema = { type = "string", pattern = "^[0-9a-f]{4}$" } },
]"#;

/// A target, fields, the names of the parameters that are wrong, and why.
const STYLES: &[(&str, &str, &str, &str)] = &[
    ("/v/1", "", "", "nothing optional"),
    ("/v/%31", "", "", "an encoded digit"),
    ("/v/0", "", "id", "below the minimum"),
    ("/v/1.5", "", "id", "no integer"),
    ("/v/abc", "", "id", "no number"),
    ("/v/1?page=99", "", "", "in range"),
    ("/v/1?page=100", "", "page", "out of range"),
    ("/v/1?page=1&page=200", "", "page", "each of several values counts"),
    ("/v/1?page=", "", "page", "an empty value is no integer"),
    ("/v/1?page=%zz", "", "page", "malformed encoding"),
    ("/v/1?tags=a&tags=bcd", "", "", "a list, exploded"),
    ("/v/1?tags=a&tags=b&tags=c", "", "tags", "too many"),
    ("/v/1?tags=abcd", "", "tags", "an element too long"),
    ("/v/1?csv=1,2,3", "", "", "a list in one value"),
    ("/v/1?csv=1,x", "", "csv", "an element of the wrong type"),
    ("/v/1?csv=1%2C2", "", "csv", "an encoded comma separates nothing"),
    ("/v/1?piped=true|false", "", "", "piped"),
    ("/v/1?piped=true%7Cfalse", "", "", "piped, encoded"),
    ("/v/1?piped=true|1", "", "piped", "piped, of the wrong type"),
    ("/v/1?spaced=a%20a+a", "", "", "separated by blanks"),
    ("/v/1?spaced=a%20c", "", "spaced", "an element that is not in the list"),
    ("/v/1?filter[min]=1&filter%5Bmax%5D=2", "", "", "a deep object"),
    ("/v/1?filter[min]=x", "", "filter", "a member of the wrong type"),
    ("/v/1?filter[mid]=1", "", "filter", "a member too many"),
    ("/v/1?filter[min]=1&filter[min]=2", "", "filter", "a member twice"),
    ("/v/1?pair=r,1", "", "", "an object in one value"),
    ("/v/1?pair=r", "", "pair", "half a member"),
    ("/v/1?any=1", "", "", "a number, where nothing says so"),
    ("/v/1?any=two", "", "", "a text"),
    ("/v/1?any=true", "", "", "a boolean"),
    ("/v/1?any=3", "", "any", "none of them"),
    ("/v/1?day=2026-02-28", "", "", "a date"),
    ("/v/1?day=2026-02-30", "", "day", "no date"),
    ("/v/1?flag", "", "", "an empty value that may be"),
    ("/v/1?flag=true", "", "", "a boolean"),
    ("/v/1?flag=yes", "", "flag", "no boolean"),
    ("/v/1?json=%7B%22a%22:1%7D", "", "", "JSON"),
    ("/v/1?json=%7B%7D", "", "json", "JSON that lacks something"),
    ("/v/1?json=%7B", "", "json", "no JSON"),
    ("/v/1", "x-list: 1, 2\r\nX-LIST: 3\r\n", "", "two fields are one list (RFC 9110 §5.3)"),
    ("/v/1", "X-List: 1, x\r\n", "X-List", "an element of the wrong type"),
    ("/v/1", "Cookie: a=b; session=00ff\r\n", "", "a cookie"),
    ("/v/1", "Cookie: session=zz\r\n", "session", "a wrong cookie"),
    ("/v/0?page=0&day=x", "", "id, day, page", "all of them, path before query, then by name"),
];

#[test]
fn parameters_are_read_as_their_schemas_types_and_styles() {
    let mut gateway = Gateway::with(&format!("{SERVER}{}", route("GET", "/v/{id}", DESCRIBED))).start();
    let port = gateway.port;
    for (target, headers, wrong, why) in STYLES {
        let answer = get(port, target, headers);
        if wrong.is_empty() {
            assert_eq!(status(&answer), "200", "{why}: {target} {answer}");
        } else {
            assert_eq!(status(&answer), "400", "{why}: {target} {answer}");
            let message = format!("{{\"message\":\"Invalid request parameters: [{wrong}]\"}}");
            assert_eq!(content(&answer), message, "{why}: {target}");
        }
    }
    assert!(gateway.is_running());
}

const PERSON: &str = r#"
[api.a.model.Person]
schema = { type = "object", required = ["name"], properties = { name = { type = "string" }, age = { type = "integer" } } }
[api.a.model.Any]
schema = '{}'
"#;

#[test]
fn bodies_are_checked_against_the_model_of_their_media_type() {
    let json = "request_validator = { body = true }\nmodels = { \"application/json\" = \"Person\" }";
    let strict = "request_validator = { body = true, unknown_media = \"refuse\" }\nmodels = { \"application/json\" = \"Person\" }";
    let ranges = "request_validator = { body = true }\nmodels = { \"$default\" = \"Person\", \"text/*\" = \"Any\" }";
    let off = "models = { \"application/json\" = \"Person\" }";
    let text = [
        SERVER,
        &route("POST", "/json", json),
        &route("POST", "/strict", strict),
        &route("POST", "/ranges", ranges),
        &route("POST", "/off", off),
        PERSON,
    ]
    .concat();
    let mut gateway = Gateway::with(&text).start();
    let port = gateway.port;
    let deep = format!("{{\"name\":\"a\",\"x\":{}1{}}}", "[".repeat(70), "]".repeat(70));
    let good = r#"{"name":"a","age":3}"#;
    let bad = r#"{"age":"x"}"#;
    for (path, media, body, expect, why) in [
        ("/json", "application/json", good, "200", "as the model says"),
        ("/json", "application/json; charset=utf-8", good, "200", "parameters of the media type do not count"),
        ("/json", "APPLICATION/JSON", bad, "400", "nor does letter case"),
        ("/json", "application/json", bad, "400", "not as the model says (reference 7.8 [S])"),
        ("/json", "application/json", "", "400", "nothing counts as {}, which lacks a name (reference 7.8 [S])"),
        ("/json", "application/json", "{", "400", "not JSON (reference 7.8 [S])"),
        ("/json", "application/json", r#"{"name":"a","name":"b"}"#, "400", "a member twice"),
        ("/json", "application/json", &deep, "400", "nested too deeply"),
        ("/json", "application/json", "{\"name\":\"\u{7f}\"}", "200", "DEL is no control character of JSON's"),
        ("/json", "", bad, "400", "without a media type it is JSON (reference 7.8 [L])"),
        ("/json", "text/plain", bad, "200", "a media type without a model passes (reference 7.8 [D23])"),
        ("/json", "nonsense", bad, "200", "so does one that is none"),
        ("/strict", "text/plain", bad, "415", "unless it is refused"),
        ("/strict", "nonsense", bad, "415", "as one that is none"),
        ("/strict", "application/json", good, "200", "what has a model is checked"),
        ("/ranges", "application/json", bad, "400", "$default is for the rest"),
        ("/ranges", "text/csv", "1", "200", "a range is nearer"),
        ("/ranges", "text/csv", "x", "400", "what has a model must be JSON"),
        ("/off", "application/json", bad, "200", "without a validator nothing is checked"),
    ] {
        let answer = post(port, path, media, body);
        assert_eq!(status(&answer), expect, "{why}: {path} {media} {body} {answer}");
        match expect {
            "400" => assert_eq!(content(&answer), r#"{"message":"Invalid request body"}"#, "{why}"),
            "415" => assert_eq!(content(&answer), r#"{"message":"Unsupported Media Type"}"#, "{why}"),
            _ => assert_eq!(content(&answer), "fine", "{why}"),
        }
    }
    for (path, headers, expect, why) in [
        ("/json", "Content-Encoding: gzip\r\n", "415", "what is compressed cannot be looked at"),
        ("/json", "Content-Encoding: identity\r\n", "200", "what is not, can"),
        ("/json", "Content-Type: text/plain\r\n", "415", "two media types are one too many"),
    ] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}"
        );
        let answer = ask(port, &format!("{head}Content-Length: {}\r\n\r\n{good}", good.len()));
        assert_eq!(status(&answer), expect, "{why}: {answer}");
    }
    assert!(gateway.is_running());
}

#[test]
fn a_refusal_in_detail_names_every_part_and_the_log_has_it_too() {
    let keys = "request_validator = { body = true, parameters = true }\nmodels = { \"application/json\" = \"Person\" }\n\
                parameters = [{ in = \"query\", name = \"n\", required = true, schema = { type = \"integer\" } }]";
    let log =
        "[log.access]\nformat = \"$context.reason|$context.error.message|$context.error.validationErrorString\"\n";
    let api = SERVER.replace("[api.a]", "[api.a]\nproblem_details = true");
    let text = [api.as_str(), &route("POST", "/p", keys), PERSON, log].concat();
    let gateway = Gateway::with(&text).start();
    let port = gateway.port;
    let answer = post(port, "/p?n=1", "application/json", r#"{"name":7,"age":"<x>"}"#);
    assert!(answer.contains("\r\nContent-Type: application/problem+json\r\n"), "{answer}");
    let expect = r##"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Invalid request body","errors":[{"detail":"value is not of type \"integer\"","pointer":"#/age"},{"detail":"value is not of type \"string\"","pointer":"#/name"}]}"##;
    assert_eq!(content(&answer), expect);
    let answer = post(port, "/p?n=x", "application/json", "{}");
    let expect = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Invalid request parameters: [n]","errors":[{"detail":"value is not of type \"integer\"","in":"query","parameter":"n"}]}"#;
    assert_eq!(content(&answer), expect);
    let answer = post(port, "/p", "application/json", "{}");
    let expect = r#"{"type":"about:blank","title":"Bad Request","status":400,"detail":"Missing required request parameters: [n]","errors":[{"detail":"is missing","in":"query","parameter":"n"}]}"#;
    assert_eq!(content(&answer), expect);
    gateway.signal(rustix::process::Signal::TERM);
    let (_, output) = gateway.stop_and_tell();
    for line in [
        "bad_body|Invalid request body|[/age: value is not of type \"integer\", /name: value is not of type \"string\"]",
        "bad_parameters|Invalid request parameters: [n]|[query n: value is not of type \"integer\"]",
        "bad_parameters|Missing required request parameters: [n]|[query n: is missing]",
    ] {
        // The log escapes quotes.
        assert!(output.contains(&line.replace('"', "\\\"")), "{line}\n{output}");
    }
}
