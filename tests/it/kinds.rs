//! How the kinds of APIs choose a route: every rule of sections 11.1 and 11.2 of the reference, over the plan that runs.

use ringgate::{
    compile, config,
    plan::{Place, Plan},
    route::{Outcome, Params},
};

/// The plan of APIs, each with its kind, base path, and routes as `METHOD PATH`.
fn plan(apis: &[(&str, &str, &[&str])]) -> Plan {
    let mut text = String::new();
    for (n, (kind, base, routes)) in apis.iter().enumerate() {
        let kind = if *kind == "plain" { String::new() } else { format!("type = \"{kind}\"\n") };
        text += &format!("[api.a{n}]\n{kind}base_path = \"{base}\"\n");
        for route in *routes {
            let (method, path) = route.split_once(' ').unwrap();
            text += &format!("[[api.a{n}.route]]\nmethod = \"{method}\"\npath = \"{path}\"\n");
            text += "integration = { type = \"mock\", status = 200 }\n";
        }
    }
    let config = config::load_str("kinds.toml", &text, &|_| None).expect("a configuration").config;
    compile::compile(&config).unwrap_or_else(|errors| panic!("{errors:?}")).0
}

/// The route that answers, as it was written, with the parameters' values; `405` or `404` where none does.
fn ask(plan: &Plan, request: &str) -> String {
    let (method, path) = request.split_once(' ').unwrap();
    let mut params = Params::new();
    let method = ringgate::http::method::Method::from_token(method.as_bytes());
    match plan.find(Place::Own, b"h", method, path.as_bytes(), &mut params) {
        Outcome::Found(id) => {
            let route = &plan.routes[id.index()];
            let names = route.parameters.iter().zip(params.as_slice());
            let values = names.map(|(_, span)| format!(" {}", String::from_utf8_lossy(span.of(path.as_bytes()))));
            format!("{} {}{}", route.methods, route.path, values.collect::<String>())
        }
        Outcome::MethodNotAllowed(_) => "405".to_owned(),
        Outcome::NotFound => "404".to_owned(),
    }
}

#[test]
fn reference_1_10_routing_modes_and_what_domains_keep_for_themselves() {
    const MODES: [&str; 3] = ["routing_rule_then_api_mapping", "routing_rule_only", "api_mapping_only"];
    let place = |mode: &str, ping: bool, path: &str, header: &str| {
        let api = |name: &str| {
            format!(
                "[api.{name}]\n[[api.{name}.route]]\nmethod = \"ANY\"\npath = \"/{{proxy+}}\"\n\
                     integration = {{ type = \"mock\", status = 200 }}\n"
            )
        };
        let text = format!(
            "{}{}[domain.\"d.test\"]\nrouting_mode = \"{mode}\"\nping = {ping}\nmappings = {{ \"/m\" = \"mapped\" }}\n\
             [[domain.\"d.test\".rule]]\npriority = 1\nheaders = {{ x-v = \"2\" }}\napi = \"ruled\"\n",
            api("mapped"),
            api("ruled")
        );
        let config = config::load_str("domains.toml", &text, &|_| None).expect("a configuration").config;
        let plan = compile::compile(&config).unwrap_or_else(|errors| panic!("{errors:?}")).0;
        let request = format!("GET {path} HTTP/1.1\r\nHost: d.test\r\n{header}\r\n").into_bytes();
        let mut head = ringgate::http::head::RequestHead::with_capacity(4);
        let limits = ringgate::h1::parse::HeadLimits { bytes: 1000, fields: 4 };
        ringgate::h1::parse::request(&request, limits, &mut head).unwrap();
        match plan.place(b"d.test", path.as_bytes(), &head, &request) {
            Place::Own => "elsewhere".to_owned(),
            Place::Target(target) => plan.apis[target.api.index()].name.clone(),
            Place::Nowhere => "nowhere".to_owned(),
        }
    };
    let ruled = "x-v: 2\r\n";
    for (path, header, expected, evidence) in [
        ("/m/x", ruled, ["ruled", "ruled", "mapped"], "1.10 [D26/B]: all rules first, then mappings"),
        ("/m/x", "", ["mapped", "nowhere", "mapped"], "1.10 [D26/B]"),
        ("/x", ruled, ["ruled", "ruled", "nowhere"], "1.10 [KC]: no mapping is nowhere"),
        ("/x", "", ["nowhere"; 3], "1.10 [KC]"),
    ] {
        for (mode, expected) in MODES.iter().zip(expected) {
            assert_eq!(place(mode, false, path, header), expected, "{mode} {path} {header:?}: {evidence}");
        }
    }
    for (path, ping, expected) in [
        ("/ping", true, "$ping"),
        ("/sping", true, "$ping"),
        ("/ping", false, "ruled"),
        ("/ping/x", true, "ruled"),
        ("/Ping", true, "ruled"),
    ] {
        for mode in &MODES[..2] {
            assert_eq!(place(mode, ping, path, ruled), expected, "11.1: reserved if asked for: {mode} {path}");
        }
    }
    let (same, other) = ("routing_rule_then_base_path_mapping", "base_path_mapping_only");
    assert_eq!(
        (place(same, false, "/m/x", ruled), place(other, false, "/m/x", ruled)),
        ("ruled".into(), "mapped".into())
    );
}

fn check(apis: &[(&str, &str, &[&str])], rows: &[(&str, &str, &str)]) {
    let plan = plan(apis);
    for (request, expected, reason) in rows {
        assert_eq!(ask(&plan, request), *expected, "{request}: {reason}");
    }
}

#[test]
fn reference_11_1_paths_of_rest_apis() {
    check(
        &[("rest", "/", &["GET /a/b", "GET /a/{p}", "GET /g/{proxy+}", "GET /"])],
        &[
            ("GET /a/b/", "GET /a/b", "11.1 [S/L]: trailing slashes are ignored"),
            ("GET //a/b", "GET /a/b", "11.1 [S/L]: a leading double slash is one"),
            ("GET /a//b", "404", "11.1 [S/L]: an inner one is kept"),
            ("GET /g/x//y", "GET /g/{proxy+} x//y", "11.1 [S/L]: {proxy+} can match it"),
            ("GET /a/x%2Fy", "GET /a/{p} x%2Fy", "11.1 [S/L]: %2F stays in its segment, values keep their encoding"),
            ("GET /A/b", "404", "11.1 [S/L]: case-sensitive"),
            ("GET /g", "404", "11.1 [K]: {proxy+} needs a character"),
            ("GET /g/", "404", "11.1 [K]: a slash is none"),
            ("GET /", "GET /", "the root"),
            ("HEAD /a/b", "405", "11.1: HEAD is not implied by GET"),
        ],
    );
    check(
        &[("rest", "/", &["ANY /{proxy+}"])],
        &[("GET /", "404", "11.1 [K]: {proxy+} at the root does not take the root"), ("GET /x", "ANY /{proxy+} x", "")],
    );
}

#[test]
fn reference_11_1_precedence_and_fall_through() {
    check(
        &[("rest", "/", &["ANY /proxy/bar/{p}", "ANY /proxy/{proxy+}", "GET /proxy/bar/s"])],
        &[
            ("GET /proxy/bar/s", "GET /proxy/bar/s", "11.1: static before {param}"),
            ("GET /proxy/bar/x", "ANY /proxy/bar/{p} x", "11.1: {param} before {proxy+}"),
            (
                "GET /proxy/bar/x/y",
                "ANY /proxy/{proxy+} bar/x/y",
                "11.1 [L]: backtracks where deeper levels do not fit",
            ),
            ("POST /proxy/bar/s", "ANY /proxy/bar/{p} s", "11.1 [S]: the static one lacks the method"),
        ],
    );
    check(
        &[("rest", "/", &["POST /test", "OPTIONS /{proxy+}", "ANY /test/any", "GET /test/any"])],
        &[
            ("OPTIONS /test", "OPTIONS /{proxy+} test", "11.1 [S]: recorded"),
            ("POST /test", "POST /test", "11.1 [S]: recorded"),
            ("OPTIONS /test/any", "ANY /test/any", "11.1 [S]: recorded, ANY beats the proxy"),
            ("GET /test/any", "GET /test/any", "11.1: the verb before ANY on the same resource"),
            ("GET /test", "405", "11.1 [S]: nothing has path and method"),
        ],
    );
    for (method, taken) in [
        ("DELETE", true),
        ("GET", true),
        ("HEAD", true),
        ("OPTIONS", true),
        ("PATCH", true),
        ("POST", true),
        ("PUT", true),
        ("PURGE", false),
        ("TRACE", false),
    ] {
        let expected = if taken { "ANY /x" } else { "405" };
        check(&[("rest", "/", &["ANY /x"])], &[(&format!("{method} /x"), expected, "11.1: ANY is seven methods")]);
    }
    check(
        &[("rest", "/", &["GET /{a}/x", "GET /{b}/y"])],
        &[(
            "GET /1/y",
            "GET /{b}/y 1",
            "11.1 [S]: Amazon allows one variable child per parent; here there is no such limit",
        )],
    );
}

/// What Amazon's gateway refuses when resources are made, as far as it is refused here.
#[test]
fn reference_11_1_constraints_of_the_tree() {
    let wrong = |routes: &[&str]| {
        let route = |route: &&str| {
            let route =
                format!("method = \"GET\"\npath = \"{route}\"\nintegration = {{ type = \"mock\", status = 200 }}\n");
            format!("[[api.a.route]]\n{route}")
        };
        let text = format!("[api.a]\ntype = \"rest\"\n{}", routes.iter().map(route).collect::<String>());
        let config = config::load_str("tree.toml", &text, &|_| None).expect("a configuration").config;
        compile::compile(&config).err().map(|errors| errors[0].message.clone())
    };
    for (routes, expected, evidence) in [
        (&["/a/{x+}/b"] as &[&str], Some("`/a/{x+}/b` is not a path"), "11.1 [S]: {x+} is last, it has no children"),
        (
            &["/{a}", "/{b}"],
            Some("`GET /{b}` is already answered by another route"),
            "11.1 [S]: a sibling has a variable",
        ),
        (&["/{a}/x", "/{b}/y"], None, "11.1 [S] refuses it; here it can be told apart, so that it is served"),
        (&["/{a}", "/{b+}"], None, "the same"),
    ] {
        assert_eq!(wrong(routes).as_deref(), expected, "{routes:?}: {evidence}");
    }
}

#[test]
fn reference_11_2_routes_of_http_apis() {
    let documented: &[&str] =
        &["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "ANY $default"];
    check(
        &[("http", "/", documented)],
        &[
            ("GET /pets/dog/1", "GET /pets/dog/1", "11.2 [D23]: the documented example, 1st"),
            ("GET /pets/dog/2", "GET /pets/dog/{id} 2", "2nd"),
            ("GET /pets/cat/1", "GET /pets/{proxy+} cat/1", "3rd"),
            ("POST /test/5", "ANY /{proxy+} test/5", "4th"),
            ("GET /", "ANY $default", "the root is left to $default"),
        ],
    );
    check(
        &[("http", "/", &["GET /x", "ANY /x", "GET /x/{id}", "ANY $default"])],
        &[
            ("GET /x", "GET /x", "11.2 [D23]: the method before ANY at equal path"),
            ("POST /x", "ANY /x", ""),
            ("POST /x/1", "ANY $default", "11.2 [D23]: $default last"),
            ("PURGE /y/z", "ANY $default", "with any method and path"),
            ("GET /x/", "ANY $default", "11.2 [K]: a slash at the end is significant"),
            ("GET /x/1/", "ANY $default", "behind a parameter, too"),
        ],
    );
    check(
        &[("http", "/", &["GET /a/{x}/{z}", "GET /{y}/b/c", "GET /m/{proxy+}", "GET /{k}/{l}"])],
        &[
            ("GET /a/b/c", "GET /{y}/b/c a", "11.2 [D23]: fewer variables are more specific"),
            ("GET /a/q/c", "GET /a/{x}/{z} q c", "the only one"),
            ("GET /m/x", "GET /{k}/{l} m x", "11.2 [D23]: full matches before greedy ones"),
            ("GET /m/x/y", "GET /m/{proxy+} x/y", "only the greedy one is left"),
            ("HEAD /m/x", "405", "HEAD is not implied by GET"),
        ],
    );
    check(
        &[("http", "/", &["GET /{proxy+}", "GET /a/b/{proxy+}", "GET /a/{proxy+}"])],
        &[
            ("GET /a/b/c", "GET /a/b/{proxy+} c", "11.2 [D23]: the greedy one with the longest literal prefix first"),
            ("GET /a/c", "GET /a/{proxy+} c", "then a shorter one"),
            ("GET /b", "GET /{proxy+} b", "then the shortest"),
        ],
    );
    check(
        &[("rest", "/", &["GET /a/{x}/{z}", "GET /{y}/b/c"])],
        &[("GET /a/b/c", "GET /a/{x}/{z} b c", "11.1: a REST API looks at segments from the left")],
    );
    check(
        &[("http", "/v1", &["GET /", "GET /x", "ANY $default"])],
        &[
            ("GET /v1", "GET /v1/", "the root of a base path, with a slash"),
            ("GET /v1/", "GET /v1/", "and without"),
            ("GET /v1/y", "ANY $default", "11.2: below the base path"),
            ("POST /v1", "ANY $default", "the base path itself"),
            ("GET /v2", "404", "but not beside it"),
        ],
    );
}

#[test]
fn kinds_live_side_by_side() {
    check(
        &[
            ("plain", "/", &["ANY /{proxy+}"]),
            ("http", "/h", &["GET /x", "GET /{a}/c", "GET /b/{c}"]),
            ("rest", "/r", &["ANY /x"]),
        ],
        &[
            ("GET /h/x", "GET /h/x", "the http one"),
            ("GET /h/x/", "ANY /{proxy+} h/x/", "which minds the slash, so that the plain one answers"),
            ("GET /r/x/", "ANY /r/x", "which the rest one does not"),
            ("PURGE /r/x", "ANY /{proxy+} r/x", "ANY of a rest API is seven methods"),
            ("GET /", "ANY /{proxy+}", "a plain catch-all takes its root"),
        ],
    );
}

#[test]
fn whose_a_request_is_that_no_route_answers() {
    let plan = plan(&[("rest", "/", &["GET /x"]), ("http", "/h", &["GET /x"]), ("plain", "/h/deep", &["GET /x"])]);
    for (path, owner) in [("/", 0), ("/q", 0), ("/h", 1), ("/h/", 1), ("/h/q/r", 1), ("/h/deep/z", 2), ("/hh", 0)] {
        assert_eq!(plan.owner(Place::Own, b"any", path.as_bytes()).map(|id| id.0), Some(owner), "{path}");
    }
    assert!(!plan.only_rest);
}
