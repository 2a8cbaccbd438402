//! Whose `cache` a route has, what ends an entry, and who may ask for that.

use super::{Client, Gateway, Upstream, numbering, text};
use crate::support::{
    tools::{require_real, run},
    upstream::{Answer, Request},
};
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn a_route_has_the_cache_of_its_api_unless_it_says_otherwise() {
    let upstream = numbering("X-A: b\r\n");
    let gateway = Gateway::with(&format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n\
         [api.a]\ncache = {{ ttl = \"1h\", key = [\"path.id\", \"query.page\"], tell = \"x_cache\" }}\n\
         [[api.a.route]]\nmethod = \"ANY\"\npath = \"/kept/{{id}}\"\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/off\"\ncache = false\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/own\"\ncache = {{ ttl = \"1h\" }}\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/by-tag\"\ncache_key = [\"query.tag\"]\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/static\"\nintegration = {{ type = \"static\", body = \"s\" }}\n",
        upstream.port
    ))
    .start();
    let get = |target: &str| text(&gateway, &format!("GET {target} HTTP/1.1\r\nHost: h"));
    for (target, expect, why) in [
        ("/kept/1?page=1", "0", "fetched"),
        ("/kept/1?page=1&x=2", "0", "the API's key says what counts"),
        ("/kept/1?page=2", "1", "another page"),
        ("/kept/2?page=1", "2", "another path"),
        ("/off", "3", "false"),
        ("/off", "4", "false"),
        ("/own?page=1", "5", "its own cache has its own key"),
        ("/own?page=1&x=2", "6", "the whole query"),
        ("/own?page=1", "5", "and keeps"),
        ("/by-tag?tag=1&page=1", "7", "cache_key in the place of the API's key"),
        ("/by-tag?tag=1&page=2", "7", "so that the page does not count"),
        ("/by-tag?tag=2", "8", "and the tag does"),
        ("/static", "s", "what has no upstream has no cache"),
        ("/static", "s", "and needs none"),
    ] {
        assert_eq!(get(target), expect, "{target}: {why}");
    }
}

/// Numbers its answers; those to unsafe methods say what else has changed.
fn changing() -> Upstream {
    let count = AtomicUsize::new(0);
    Upstream::start(move |request: &Request| {
        let number = count.fetch_add(1, Ordering::SeqCst).to_string();
        let told = request.field("x-tell").map(|told| told.replace('|', "\r\n") + "\r\n").unwrap_or_default();
        let status = request.field("x-status").unwrap_or("200 OK").to_owned();
        let head = format!("HTTP/1.1 {status}\r\nCache-Control: max-age=60\r\n{told}");
        Answer::Bytes(format!("{head}Content-Length: {}\r\n\r\n{number}", number.len()).into())
    })
}

#[test]
fn rfc9111_4_4_what_an_unsafe_method_points_to_is_ended_with_what_it_is_about() {
    let upstream = changing();
    let gateway = Gateway::with(&format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n[upstream.u]\nservers = [\"http://127.0.0.1:{}\"]\n[api.a]\n\
         [[api.a.route]]\nmethod = [\"GET\", \"DELETE\"]\npath = \"/things/{{id}}\"\ncache = {{ mode = \"http\" }}\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = \"GET\"\npath = \"/list\"\ncache = {{ mode = \"http\", key = [\"header.x-kind\"] }}\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n\
         [[api.a.route]]\nmethod = [\"POST\", \"PUT\"]\npath = \"/{{all+}}\"\nrequest_validator = {{ body = true }}\nmodels = {{ \"application/json\" = {{ type = \"object\" }} }}\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n",
        upstream.port
    ))
    .start();
    let paths = ["/things/1", "/things/2?a", "/list"];
    let kept =
        || paths.map(|path| text(&gateway, &format!("GET {path} HTTP/1.1\r\nHost: h")).parse::<usize>().unwrap());
    let post = "Content-Type: application/json\r\nContent-Length: 2";
    for (request, gone, why) in [
        ("DELETE /things/1 HTTP/1.1\r\nHost: h".to_owned(), [true, false, false], "its own URI"),
        (format!("PUT /things/1 HTTP/1.1\r\nHost: h\r\n{post}"), [true, false, false], "that of another route"),
        (format!("POST /list HTTP/1.1\r\nHost: h\r\n{post}"), [false, false, true], "whatever header its key has"),
        (
            format!("POST /new HTTP/1.1\r\nHost: h\r\nX-Tell: Location: /things/1\r\n{post}"),
            [true, false, false],
            "Location",
        ),
        (
            format!(
                "POST /things/9 HTTP/1.1\r\nHost: h\r\nX-Tell: Location: 2?a#x|Content-Location: ../list\r\n{post}"
            ),
            [false, true, true],
            "relative references",
        ),
        (
            format!("POST /new HTTP/1.1\r\nHost: h\r\nX-Tell: Location: http://H:80/x/../things/1\r\n{post}"),
            [true, false, false],
            "the same origin",
        ),
        (
            format!(
                "POST /new HTTP/1.1\r\nHost: h\r\nX-Tell: Location: http://i/things/1|Content-Location: https://h/list\r\n{post}"
            ),
            [false; 3],
            "RFC 9111 §4.4: other origins are none of its business",
        ),
        (
            format!("POST /things/1 HTTP/1.1\r\nHost: h\r\nX-Status: 500 Oh\r\nX-Tell: Location: /list\r\n{post}"),
            [false; 3],
            "an error changes nothing",
        ),
        ("OPTIONS /things/1 HTTP/1.1\r\nHost: h".to_owned(), [false; 3], "a safe method"),
    ] {
        let before = kept();
        assert_eq!(kept(), before, "they are kept");
        let body = if request.contains("Content-Length") { "{}" } else { "" };
        let _ = Client::connect(gateway.port).ask(format!("{request}\r\n\r\n{body}"));
        let after = kept();
        let changed: Vec<bool> = before.iter().zip(after).map(|(before, after)| *before != after).collect();
        assert_eq!(changed, gone, "{request}: {why}");
    }
}

const SIGNED: &str = r#"
[server]
listen = ["127.0.0.1:$PORT"]
[upstream.u]
servers = ["http://127.0.0.1:$UPSTREAM"]
[authorizer.signed]
type = "iam"
region = "eu-west-1"
[iam_user.robot]
access_key_id = "AKIDROBOT"
secret_access_key = "made-up-robot-secret"
arn = "arn:aws:iam::123456789012:user/robot"
policy_file = "robot.json"
[iam_user.guest]
access_key_id = "AKIDGUEST"
secret_access_key = "made-up-guest-secret"
arn = "arn:aws:iam::123456789012:user/guest"
policy_file = "guest.json"
[api.shop]
stage = "prod"
arn = "arn:aws:execute-api:eu-west-1:123456789012:shop"
authorizer = "signed"
cache = { ttl = "1h", shared = true, invalidation = "$HOW" }
[[api.shop.route]]
method = "GET"
path = "/{path+}"
integration = { type = "http_proxy", upstream = "u" }
"#;

#[test]
fn reference_1_8_who_may_replace_an_answer_says_a_policy() {
    if !require_real("curl") {
        return;
    }
    let policy = |actions: &str, path: &str| {
        format!(
            r#"{{ "Version": "2012-10-17", "Statement": [
               {{ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:aws:execute-api:*:*:shop/prod/*" }},
               {{ "Effect": "Allow", "Action": "{actions}", "Resource": "arn:aws:execute-api:*:*:shop/prod/GET/{path}" }} ] }}"#
        )
    };
    for (how, refused) in [("fail_with_403", true), ("succeed_with_response_header", false)] {
        let upstream = numbering("");
        let config = SIGNED.replace("$UPSTREAM", &upstream.port.to_string()).replace("$HOW", how);
        let gateway = Gateway::with(&config)
            .file("robot.json", &policy("execute-api:InvalidateCache", "mine/*"))
            .file("guest.json", &policy("execute-api:Invoke", "mine/*"))
            .start();
        let ask = |user: &str, path: &str, header: &str| {
            let url = format!("http://127.0.0.1:{}{path}", gateway.port);
            let credentials = format!("AKID{}:made-up-{}-secret", user.to_uppercase(), user);
            let output = run(
                "curl",
                [
                    "-s",
                    "-i",
                    "--aws-sigv4",
                    "aws:amz:eu-west-1:execute-api",
                    "--user",
                    &credentials,
                    "-H",
                    header,
                    &url,
                ],
            );
            String::from_utf8(output.stdout).unwrap()
        };
        let fresh = "X-None: 1";
        let replace = "Cache-Control: max-age=0";
        for (user, path, header, status, expect, why) in [
            ("robot", "/mine/x", fresh, 200, "0", "fetched"),
            ("guest", "/mine/x", fresh, 200, "0", "kept for all"),
            ("guest", "/mine/x", replace, if refused { 403 } else { 200 }, "0", "who has no leave"),
            ("robot", "/mine/x", replace, 200, "1", "who has replaces it"),
            ("guest", "/mine/x", fresh, 200, "1", "for all"),
            ("robot", "/other/x", fresh, 200, "2", "another path"),
            ("robot", "/other/x", replace, if refused { 403 } else { 200 }, "2", "of which the policy says nothing"),
        ] {
            let answer = ask(user, path, header);
            let (head, content) = answer.split_once("\r\n\r\n").unwrap();
            assert_eq!(head.split(' ').nth(1), Some(status.to_string().as_str()), "{how}: {user} {path}: {why}");
            if status == 200 {
                assert_eq!(content, expect, "{how}: {user} {path}: {why}");
            }
            let warned = header == replace && user_lacks(user, path) && !refused;
            assert_eq!(head.contains("\nWarning: 199"), warned, "{how}: {user} {path}: {why}");
        }
    }
}

fn user_lacks(user: &str, path: &str) -> bool {
    user == "guest" || !path.starts_with("/mine/")
}
