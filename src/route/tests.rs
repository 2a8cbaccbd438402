//! Tables of the rules with their reasons, and properties against the naive matcher.

use super::{
    AddError, BadPathKind, Builder, Conflict, MethodSet, Outcome, Params, Pattern, PatternErrorKind, Router, Verdict,
    fuzz::{check_lookup, check_normalise, fuzz_route},
    naive::Naive,
    normalise,
};
use crate::{
    base::{
        ids::RouteId,
        limits::{PATH_PARAMETERS_MAX, PATH_SEGMENTS_MAX},
        prng::Prng,
    },
    http::method::Method,
};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any, prop, proptest},
};

mod kinds;

/// A route as `METHOD[,METHOD] [host]/path`.
fn add(builder: &mut Builder, route: &str, id: usize) -> Result<(), AddError> {
    let (methods, rest) = route.split_once(' ').unwrap();
    let slash = rest.find('/').unwrap_or(rest.len());
    let hosts: Vec<String> = rest[..slash].split(',').filter(|h| !h.is_empty()).map(str::to_owned).collect();
    builder.add(&hosts, &rest[slash..], set(methods), RouteId(u32::try_from(id).unwrap()))
}

fn set(methods: &str) -> MethodSet {
    let one =
        |name: &str| if name == "ANY" { MethodSet::ANY } else { MethodSet::of(Method::from_token(name.as_bytes())) };
    methods.split(',').map(one).fold(MethodSet::EMPTY, MethodSet::union)
}

fn router(routes: &[&str]) -> Router {
    let mut builder = Builder::new();
    for (n, route) in routes.iter().enumerate() {
        add(&mut builder, route, n).unwrap_or_else(|error| panic!("{route}: {error}"));
    }
    builder.build()
}

/// What a request gets: the route's text and its parameters, `405 METHODS`, or `404`.
fn ask(router: &Router, routes: &[&str], request: &str) -> String {
    let (method, rest) = request.split_once(' ').unwrap();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut params = Params::new();
    match router.lookup(host.as_bytes(), Method::from_token(method.as_bytes()), path.as_bytes(), &mut params) {
        Outcome::Found(id) => {
            let values =
                params.as_slice().iter().map(|span| format!(" {}", String::from_utf8_lossy(span.of(path.as_bytes()))));
            format!("{}{}", routes[id.index()], values.collect::<String>())
        }
        Outcome::MethodNotAllowed(methods) => format!("405 {methods}"),
        Outcome::NotFound => "404".to_owned(),
    }
}

fn check(routes: &[&str], requests: &[(&str, &str, &str)]) {
    let router = router(routes);
    for (request, expect, reason) in requests {
        assert_eq!(ask(&router, routes, request), *expect, "{request}: {reason}");
    }
}

#[test]
fn reference_11_1_static_before_parameter_before_greedy() {
    check(
        &["GET /pets/list", "GET /pets/{id}", "GET /pets/{rest+}", "GET /"],
        &[
            ("GET /pets/list", "GET /pets/list", "literal text is the most specific"),
            ("GET /pets/7", "GET /pets/{id} 7", "one segment"),
            ("GET /pets/7/toys", "GET /pets/{rest+} 7/toys", "more than one segment"),
            ("GET /pets", "404", "a greedy parameter needs at least one character"),
            ("GET /pets/", "404", "a trailing slash is not a character of it"),
            ("GET /", "GET /", "the root"),
            ("GET ", "GET /", "an absolute target without a path means the root"),
            ("GET /Pets/list", "404", "paths have case"),
            ("GET /pets/lis", "GET /pets/{id} lis", "a part of a literal is not it"),
            ("GET /pets/list2", "GET /pets/{id} list2", "nor is more than it"),
        ],
    );
}

#[test]
fn reference_11_1_backtracks_when_deeper_levels_do_not_fit() {
    check(
        &["ANY /proxy/bar/{p}", "ANY /proxy/{proxy+}"],
        &[
            ("GET /proxy/bar/x", "ANY /proxy/bar/{p} x", "the more specific one fits"),
            ("GET /proxy/bar/x/y", "ANY /proxy/{proxy+} bar/x/y", "recorded: it does not, so the greedy one"),
            ("GET /proxy/bar", "ANY /proxy/{proxy+} bar", "the literal is there but no resource ends at it"),
            ("GET /proxy", "404", "nothing left for the greedy one"),
        ],
    );
    check(
        &["GET /a/{x}/c", "GET /{y}/b/d", "GET /{y}/{z}/e", "GET /a/b/f/g"],
        &[
            ("GET /a/b/c", "GET /a/{x}/c b", "first segment literal"),
            ("GET /a/b/d", "GET /{y}/b/d a", "back from a/b, a/{x} to {y}/b"),
            ("GET /a/b/e", "GET /{y}/{z}/e a b", "back through all of them"),
            ("GET /a/b/f", "404", "all tried"),
            ("GET /a/b/f/g", "GET /a/b/f/g", "the first way"),
        ],
    );
}

#[test]
fn reference_11_1_candidates_carry_the_method() {
    check(
        &["POST /test", "OPTIONS /{proxy+}", "ANY /test/any"],
        &[
            ("OPTIONS /test", "OPTIONS /{proxy+} test", "recorded: the static resource has neither verb nor ANY"),
            ("POST /test", "POST /test", "recorded: the static resource has it"),
            ("OPTIONS /test/any", "ANY /test/any", "recorded: ANY on the static resource beats the verb on the proxy"),
            ("DELETE /test", "405 POST,OPTIONS", "the methods of all resources that match the path"),
            ("DELETE /other", "405 OPTIONS", "only the proxy matches"),
            ("PURGE /test/any", "ANY /test/any", "ANY takes methods without a name here"),
        ],
    );
    check(
        &["ANY /x", "GET /x", "POST,PUT /x", "GET /y"],
        &[
            ("GET /x", "GET /x", "the verb before ANY on the same resource"),
            ("PUT /x", "POST,PUT /x", "one of several verbs"),
            ("DELETE /x", "ANY /x", "the rest"),
            ("HEAD /y", "405 GET", "HEAD is not implied by GET"),
        ],
    );
}

#[test]
fn reference_11_1_slashes() {
    check(
        &["GET /a/b", "GET /a/{p}/c", "GET /g/{rest+}", "GET /"],
        &[
            ("GET /a/b/", "GET /a/b", "a trailing slash is ignored"),
            ("GET /a/b//", "GET /a/b", "so are several"),
            ("GET //a/b", "GET /a/b", "a leading double slash is one"),
            ("GET ///a/b", "GET /a/b", "and so are three"),
            ("GET //", "GET /", "nothing but slashes is the root"),
            ("GET /a//b", "404", "an empty segment inside is a segment"),
            ("GET /a//c", "404", "which a parameter does not match"),
            ("GET /g//b", "GET /g/{rest+} /b", "but a greedy one does"),
            ("GET /g/a//b", "GET /g/{rest+} a//b", "recorded: proxy-value//double-slash is kept"),
            ("GET /g/a/", "GET /g/{rest+} a/", "a forwarded path keeps its trailing slash"),
            ("GET /g//", "404", "slashes alone are not a character of it"),
            ("GET a/b", "404", "not a path"),
        ],
    );
    check(
        &["GET /a/b/"],
        &[("GET /a/b", "GET /a/b/", "a pattern's trailing slash is ignored too"), ("GET /a/b/", "GET /a/b/", "both")],
    );
}

#[test]
fn reference_6_1_trailing_slashes_can_be_dropped_from_a_greedy_parameter() {
    let router = router(&["ANY /{proxy+}"]);
    let mut params = Params::new();
    for (path, value, trimmed) in [
        ("/proxy-value", "proxy-value", "proxy-value"),
        ("/proxy-value/", "proxy-value/", "proxy-value"),
        ("/proxy-value//double-slash", "proxy-value//double-slash", "proxy-value//double-slash"),
        ("//proxy-value", "proxy-value", "proxy-value"),
    ] {
        let outcome = router.lookup(b"", Method::Get, path.as_bytes(), &mut params);
        assert_eq!(outcome, Outcome::Found(RouteId(0)), "{path}");
        assert_eq!(params.get(0).map(|span| span.of(path.as_bytes())), Some(value.as_bytes()), "{path}");
        assert_eq!(params.trimmed(0, path.as_bytes()), Some(trimmed.as_bytes()), "{path}");
        assert_eq!(params.trimmed(1, path.as_bytes()), None);
    }
}

#[test]
fn reference_11_1_segments_are_not_decoded() {
    check(
        &["GET /files/{name}", "GET /files/a%2fb", "GET /files/a/b", "GET /~user", "GET /caf\u{e9}"],
        &[
            ("GET /files/foo%2Fbar", "GET /files/{name} foo%2Fbar", "recorded: it stays one segment, encoded"),
            ("GET /files/a%2Fb", "GET /files/a%2fb", "a pattern may say so, in its one spelling"),
            ("GET /files/a/b", "GET /files/a/b", "which is another resource"),
            ("GET /~user", "GET /~user", "an unreserved byte is written as itself"),
            ("GET /caf%C3%A9", "GET /caf\u{e9}", "a pattern past ASCII means its escapes"),
        ],
    );
}

#[test]
fn reference_11_2_http_api_example() {
    check(
        &["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}"],
        &[
            ("GET /pets/dog/1", "GET /pets/dog/1", "1st"),
            ("GET /pets/dog/2", "GET /pets/dog/{id} 2", "2nd"),
            ("GET /pets/cat/1", "GET /pets/{proxy+} cat/1", "3rd"),
            ("POST /test/5", "ANY /{proxy+} test/5", "4th"),
            ("POST /pets/dog/1", "ANY /{proxy+} pets/dog/1", "the verb decides before the path is given up"),
        ],
    );
}

#[test]
fn reference_1_10_base_paths_are_part_of_the_path() {
    check(
        &[
            "GET /PetStoreShopper/dogs",
            "GET /PetStoreShopper",
            "GET /orders/v1/items/{id}",
            "GET /orders/{id}",
            "ANY /{rest+}",
        ],
        &[
            ("GET /PetStoreShopper/dogs", "GET /PetStoreShopper/dogs", "stripped by the mapping: resource dogs"),
            ("GET /PetStoreShopper", "GET /PetStoreShopper", "exactly the base path: resource /"),
            ("GET /petstoreshopper/dogs", "ANY /{rest+} petstoreshopper/dogs", "base paths have case"),
            ("GET /orders/v1/items/5", "GET /orders/v1/items/{id} 5", "base paths of several levels, longest first"),
            ("GET /orders/v1", "GET /orders/{id} v1", "what the longer one does not have, the shorter may"),
        ],
    );
}

#[test]
fn parameters_of_different_names_share_their_place() {
    let routes = ["GET /{a}/x", "GET /{b}/y", "POST /{c}/x", "GET /{d}/{e}/z"];
    check(
        &routes,
        &[
            ("GET /1/x", "GET /{a}/x 1", "the lifted limit of one variable per parent"),
            ("GET /1/y", "GET /{b}/y 1", "another name"),
            ("POST /1/x", "POST /{c}/x 1", "the same resource with another name and verb"),
            ("GET /1/x/z", "GET /{d}/{e}/z 1 x", "deeper"),
            ("DELETE /1/x", "405 GET,POST", "one resource"),
        ],
    );
}

#[test]
fn hosts_exact_before_wildcard_before_any() {
    check(
        &[
            "GET shop.example.com/a",
            "GET *.example.com/a",
            "GET /a",
            "GET *.example.com/b",
            "GET /c/{x}",
            "POST shop.example.com/c/{x}",
            "GET one.test,two.test/d",
            "GET /e/{rest+}",
            "GET shop.example.com/e/{x}/deep",
        ],
        &[
            ("GET shop.example.com/a", "GET shop.example.com/a", "exact"),
            ("GET SHOP.Example.COM/a", "GET shop.example.com/a", "names have no case"),
            ("GET shop.example.com./a", "GET shop.example.com/a", "the root's dot is ignored"),
            ("GET www.example.com/a", "GET *.example.com/a", "wildcard"),
            ("GET a.b.example.com/a", "GET /a", "a star is one label, as in a certificate"),
            ("GET example.com/a", "GET /a", "and not none"),
            ("GET other.test/a", "GET /a", "any"),
            ("GET /a", "GET /a", "no host at all"),
            ("GET shop.example.com/b", "GET *.example.com/b", "what the exact host lacks, the wildcard has"),
            ("GET shop.example.com/c/1", "GET /c/{x} 1", "fall-through by method, parameters not left over"),
            ("PUT shop.example.com/c/1", "405 GET,POST", "methods of all hosts that match"),
            ("GET two.test/d", "GET one.test,two.test/d", "several hosts of one route"),
            ("GET three.test/d", "404", "not for others"),
            (
                "GET shop.example.com/e/1/2",
                "GET /e/{rest+} 1/2",
                "a half match on the exact host leaves nothing behind",
            ),
            ("DELETE shop.example.com/e/1/2", "405 GET", "nor does it count"),
        ],
    );
}

#[test]
fn conflicts_name_the_other_route() {
    for (first, second, expect, reason) in [
        ("GET /a/{x}", "GET /a/{y}", Some("GET"), "names of parameters do not tell routes apart"),
        ("GET /a/{x+}", "GET /a/{y+}", Some("GET"), "nor greedy ones"),
        ("ANY /a", "ANY /a/", Some("ANY"), "nor does a trailing slash"),
        ("GET,POST /a", "POST,PUT /a", Some("POST"), "sets that overlap"),
        ("GET /a%2fb", "GET /a%2Fb", Some("GET"), "one spelling"),
        ("GET /%61", "GET /a", Some("GET"), "one spelling"),
        ("GET a.test,b.test/", "GET B.TEST/", Some("GET"), "one common host is enough"),
        ("GET *.test/", "GET *.test/", Some("GET"), "the same wildcard"),
        ("GET /a", "POST /a", None, "different methods"),
        ("GET /a", "ANY /a", None, "different ranks"),
        ("GET a.test/", "GET /", None, "a host ranks before any host"),
        ("GET a.test/", "GET *.test/", None, "an exact host ranks before a wildcard"),
        ("GET /a/{x}", "GET /a/{x+}", None, "different shapes"),
        ("GET a.test,A.test/", "POST a.test/", None, "a host listed twice is listed once"),
    ] {
        let mut builder = Builder::new();
        add(&mut builder, first, 7).unwrap();
        let conflict = |methods| AddError::Conflict(Conflict { with: RouteId(7), methods: set(methods) });
        assert_eq!(add(&mut builder, second, 8).err(), expect.map(conflict), "{first} + {second}: {reason}");
    }
}

#[test]
fn a_refused_route_leaves_nothing_behind() {
    let mut builder = Builder::new();
    add(&mut builder, "GET b.test/x", 0).unwrap();
    assert!(add(&mut builder, "GET a.test,b.test/x", 1).is_err());
    assert_eq!(
        add(&mut builder, "GET a.test/{", 2).unwrap_err().to_string(),
        "`{` without `}` in the same segment (at byte 1)"
    );
    assert_eq!(builder.add(&[], "/y", MethodSet::EMPTY, RouteId(3)), Err(AddError::NoMethod));
    let router = builder.build();
    let mut params = Params::new();
    assert_eq!(router.lookup(b"a.test", Method::Get, b"/x", &mut params), Outcome::NotFound);
    assert_eq!(router.lookup(b"b.test", Method::Get, b"/x", &mut params), Outcome::Found(RouteId(0)));
}

#[test]
fn patterns_are_refused_with_offset_and_reason() {
    use PatternErrorKind as Kind;
    let parameters = |n| (0..n).map(|n| format!("/{{p{n}}}")).collect::<String>();
    let too_many = parameters(PATH_PARAMETERS_MAX + 1);
    let too_deep = "/s".repeat(PATH_SEGMENTS_MAX + 1);
    let too_long = format!("/{}", "x".repeat(10_000));
    for (pattern, at, kind) in [
        ("", 0, Kind::NoSlash),
        ("a/b", 0, Kind::NoSlash),
        ("//", 1, Kind::EmptySegment),
        ("//a", 1, Kind::EmptySegment),
        ("/a//b", 3, Kind::EmptySegment),
        ("/a//", 3, Kind::EmptySegment),
        ("/a b", 2, Kind::BadByte(b' ')),
        ("/a?b=c", 2, Kind::BadByte(b'?')),
        ("/a#b", 2, Kind::BadByte(b'#')),
        ("/a\\b", 2, Kind::BadByte(b'\\')),
        ("/a}", 2, Kind::BadByte(b'}')),
        ("/a\u{7f}", 2, Kind::BadByte(0x7f)),
        ("/a%", 2, Kind::BadEscape),
        ("/a%2", 2, Kind::BadEscape),
        ("/a%zz", 2, Kind::BadEscape),
        ("/a%00", 2, Kind::Nul),
        ("/a/../b", 3, Kind::DotSegment),
        ("/%2e", 1, Kind::DotSegment),
        ("/..%2fb", 1, Kind::DotSegment),
        ("/{a}b", 4, Kind::PartialSegment),
        ("/a{b}", 2, Kind::PartialSegment),
        ("/{a}{b}", 4, Kind::PartialSegment),
        ("/x/{a+}b", 7, Kind::PartialSegment),
        ("/{a", 1, Kind::Unclosed),
        ("/{a/b}", 1, Kind::Unclosed),
        ("/{}", 2, Kind::EmptyName),
        ("/{+}", 2, Kind::EmptyName),
        ("/{a b}", 3, Kind::BadNameByte(b' ')),
        ("/{a++}", 3, Kind::BadNameByte(b'+')),
        ("/{{a}", 2, Kind::BadNameByte(b'{')),
        ("/{a}/{a}", 6, Kind::DuplicateName),
        ("/{a}/{a+}", 6, Kind::DuplicateName),
        ("/{a+}/b", 6, Kind::GreedyNotLast),
        ("/{a+}/{b+}", 6, Kind::GreedyNotLast),
        (&too_many, too_many.len() - 5, Kind::TooManyParameters),
        (&too_deep, too_deep.len() - 1, Kind::TooManySegments),
        (&too_long, 8192, Kind::TooLong),
    ] {
        let error = Pattern::parse(pattern).unwrap_err();
        assert_eq!((error.at, error.kind), (at, kind), "{pattern}");
        assert!(error.to_string().ends_with(&format!("(at byte {at})")), "{error}");
    }
    for pattern in
        ["/", "/a", "/a/", "/{a}/", "/{a+}/", "/a.b-c_d~e", "/a:b@c!d$e&f'g(h)i*j+k,l;m=n", "/...", "/{A.b-c_d:9}"]
    {
        Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    }
    assert!(Pattern::parse(&parameters(PATH_PARAMETERS_MAX)).is_ok());
    assert!(Pattern::parse(&"/s".repeat(PATH_SEGMENTS_MAX)).is_ok());
}

#[test]
fn rfc3986_5_2_4_and_the_table_of_normalise() {
    for (path, expect, reason) in [
        ("", "/", "an absolute target without a path"),
        ("/", "/", "the root"),
        ("/a/b", "/a/b", "nothing to do"),
        ("/a/./b", "/a/b", "a dot is nothing"),
        ("/a/../b", "/b", "two dots take a segment back"),
        ("/a/b/..", "/a/", "RFC 3986 §5.2.4: what remains ends in a slash"),
        ("/a/..", "/", "back at the root"),
        ("/a/.", "/a/", "RFC 3986 §5.2.4"),
        ("/.", "/", "at the root"),
        ("/a/b/c/./../../g", "/a/g", "RFC 3986 §5.2.4's example"),
        ("/%2e/a", "/a", "escaped dots are dots"),
        ("/a/%2E%2e/b", "/b", "escaped dots are dots"),
        ("/a/.%2e/b", "/b", "half escaped dots are dots"),
        ("/...", "/...", "three dots are a name"),
        ("/.well-known/x", "/.well-known/x", "a name that begins with a dot"),
        ("/..a", "/..a", "a name that begins with two"),
        ("/a..", "/a..", "a name that ends with two"),
        ("/%41%7a%2D%5f%7E", "/Az-_~", "RFC 3986 §6.2.2.2: unreserved bytes are decoded"),
        ("/%2f", "/%2F", "a slash inside a segment stays there"),
        ("/a%2fb%3f%c3%a9", "/a%2Fb%3F%C3%A9", "RFC 3986 §6.2.2.1: digits in upper case"),
        ("/%252e%252e", "/%252e%252e", "decoded once, never twice"),
        ("//a", "/a", "leading slashes are one"),
        ("////", "/", "all of them"),
        ("/.//a", "/a", "also where dots brought them about"),
        ("/a/..//b", "/b", "also where dots brought them about"),
        ("/a//b", "/a//b", "an empty segment inside is kept"),
        ("/a/", "/a/", "a trailing slash is kept"),
        ("/a//", "/a//", "two are kept"),
        ("/a//.", "/a//", "a dot behind an empty segment"),
        ("/a;v=1/b", "/a;v=1/b", "parameters of segments are text"),
        ("/a%2F.", "/a%2F.", "one dot behind an escaped slash leads nowhere"),
    ] {
        let mut out = b"old".to_vec();
        assert_eq!(normalise(path.as_bytes(), &mut out), Ok(()), "{path}: {reason}");
        assert_eq!(String::from_utf8_lossy(&out), expect, "{path}: {reason}");
        check_normalise(path.as_bytes());
    }
}

#[test]
fn paths_with_two_readings_are_refused() {
    use BadPathKind as Kind;
    for (path, at, kind) in [
        ("a", 0, Kind::NoSlash),
        ("*", 0, Kind::NoSlash),
        ("/..", 1, Kind::AboveRoot),
        ("//..", 2, Kind::AboveRoot),
        ("/a/../..", 6, Kind::AboveRoot),
        ("/./%2e%2e/a", 3, Kind::AboveRoot),
        ("/a//../b", 4, Kind::AfterEmpty),
        ("/a/..%2fb", 3, Kind::Hidden),
        ("/a/%2e%2e%2fb", 3, Kind::Hidden),
        ("/a/b%2F..", 3, Kind::Hidden),
        ("/a/b%5c..%5Cc", 3, Kind::Hidden),
        ("/a/..\\b", 3, Kind::Hidden),
        ("/a/b\\..", 3, Kind::Hidden),
        ("/a/..;/b", 3, Kind::Hidden),
        ("/a/.;x/b", 3, Kind::Hidden),
        ("/a/%2e%2e;x/b", 3, Kind::Hidden),
        ("/a/b%2f..;x", 3, Kind::Hidden),
        ("/a%", 2, Kind::BadEscape),
        ("/a%4", 2, Kind::BadEscape),
        ("/a%4/1", 2, Kind::BadEscape),
        ("/a%g0", 2, Kind::BadEscape),
        ("/a%00", 2, Kind::BadByte),
        ("/a\0", 2, Kind::BadByte),
        ("/a b", 2, Kind::BadByte),
        ("/a\x7f", 2, Kind::BadByte),
    ] {
        let error = normalise(path.as_bytes(), &mut Vec::new()).unwrap_err();
        assert_eq!((error.at, error.kind), (at, kind), "{path}");
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn an_explanation_says_why_each_candidate_was_passed_over() {
    let routes = ["POST a.test/test/x", "GET a.test/test", "GET /{p}", "DELETE /{rest+}", "ANY /{a}/{b}/c"];
    let router = router(&routes);
    let told = |request: (&str, Method, &str)| -> Vec<String> {
        router.explain(request.0.as_bytes(), request.1, request.2.as_bytes()).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(("A.test", Method::Delete, "/test/x/")),
        [
            "a.test/test/x: matches the path, but has only POST",
            "*/{}: nothing goes on with `x`",
            "*/{+}: matches, names the method: chosen"
        ]
        .map(|line| line.replace("*/{}: nothing goes on with `x`", "*/{}/{}: the path ends here, but no route does"))
    );
    assert_eq!(
        told(("a.test", Method::Get, "/")),
        ["a.test/: the path ends here, but no route does", "*/: the path ends here, but no route does"]
    );
    assert_eq!(told(("", Method::Put, "/1/2/c")), ["*/{}/{}/c: matches, takes any method: chosen"]);
    assert_eq!(
        told(("", Method::Put, "/1/2/d")),
        ["*/{}/{}: nothing goes on with `d`", "*/{+}: matches the path, but has only DELETE"]
    );
    assert_eq!(
        told(("a.test", Method::Put, "/test//x"))[0],
        "a.test/test: an empty segment follows, which only {name+} would match"
    );
    assert!(told(("", Method::Get, "no-path")).is_empty());
    let chosen = router.explain(b"a.test", Method::Get, b"/test").pop().unwrap();
    assert_eq!(chosen.verdict, Verdict::Chosen { route: RouteId(1), named: true });
    assert_eq!(chosen.host.as_deref(), Some("a.test"));
}

#[test]
fn routes_are_listed_in_order_of_precedence() {
    let routes = [
        "ANY /{rest+}",
        "GET *.z.test/",
        "GET /b",
        "ANY /a/{x}",
        "GET /a/b",
        "GET a.test,b.test/x",
        "ANY /a/b",
        "GET /a",
        "GET /a/{x+}",
    ];
    let listed: Vec<String> = router(&routes)
        .routes()
        .iter()
        .map(|entry| {
            format!("{} {}{} {}", entry.methods, entry.host.as_deref().unwrap_or(""), entry.pattern, entry.route.0)
        })
        .collect();
    assert_eq!(
        listed,
        [
            "GET a.test/x 5",
            "GET b.test/x 5",
            "GET *.z.test/ 1",
            "GET /a 7",
            "GET /a/b 4",
            "ANY /a/b 6",
            "ANY /a/{} 3",
            "GET /a/{+} 8",
            "GET /b 2",
            "ANY /{+} 0",
        ]
    );
}

#[test]
fn equal_sub_tries_are_kept_once() {
    let mut builder = Builder::new();
    for n in 0..2000 {
        add(&mut builder, &format!("GET /svc{n}/v1/users/{{id}}/orders/{{order}}"), 2 * n).unwrap();
        add(&mut builder, &format!("POST /svc{n}/v1/users/{{id}}/orders"), 2 * n + 1).unwrap();
    }
    let router = builder.build();
    assert_eq!(router.table.nodes.len(), 4, "the root and one chain for all");
    let mut params = Params::new();
    for n in 0..2000 {
        let id = |n: usize| Outcome::Found(RouteId(u32::try_from(n).unwrap()));
        let path = format!("/svc{n}/v1/users/u{n}/orders/o{n}");
        assert_eq!(router.lookup(b"", Method::Get, path.as_bytes(), &mut params), id(2 * n));
        assert_eq!(params.get(1).unwrap().of(path.as_bytes()), format!("o{n}").as_bytes());
        let path = format!("/svc{n}/v1/users/u{n}/orders/");
        assert_eq!(router.lookup(b"", Method::Post, path.as_bytes(), &mut params), id(2 * n + 1));
    }
    assert_eq!(router.lookup(b"", Method::Get, b"/svc2000/v1/users/1/orders/2", &mut params), Outcome::NotFound);
}

#[test]
fn a_node_with_thousands_of_children_knows_its_own_from_others() {
    let name = |n: usize| format!("{:0width$}", n * 7, width = 1 + n % 23);
    let mut builder = Builder::new();
    let mut names = std::collections::BTreeSet::new();
    for n in 0..5000 {
        if names.insert(name(n)) {
            add(&mut builder, &format!("GET /in/{}", name(n)), n).unwrap();
        }
    }
    let router = builder.build();
    let (mut params, mut found) = (Params::new(), 0);
    for n in 0..10_000 {
        let path = format!("/in/{}", name(n));
        let outcome = router.lookup(b"", Method::Get, path.as_bytes(), &mut params);
        assert_eq!(outcome != Outcome::NotFound, names.contains(&name(n)), "{path}");
        found += usize::from(outcome == Outcome::Found(RouteId(u32::try_from(n).unwrap())));
        for near in [format!("{path}x"), format!("{path}\0"), path[..path.len() - 1].to_owned()] {
            let known = names.contains(near.strip_prefix("/in/").unwrap());
            let outcome = router.lookup(b"", Method::Get, near.as_bytes(), &mut params);
            assert_eq!(outcome != Outcome::NotFound, known, "{near}");
        }
    }
    assert_eq!(found, names.len());
    assert_eq!(router.routes().len(), names.len());
}

#[test]
fn hosts_with_the_same_resources_share_them_and_keep_their_routes() {
    let mut builder = Builder::new();
    for n in 0..100 {
        add(&mut builder, &format!("GET h{n}.test/v1/a/{{x}}"), 2 * n).unwrap();
        add(&mut builder, &format!("ANY h{n}.test/v1/b"), 2 * n + 1).unwrap();
    }
    let router = builder.build();
    assert_eq!(router.table.nodes.len(), 4, "v1, a, what is behind the parameter, b: once for all hosts");
    let mut params = Params::new();
    for n in 0..100 {
        let mut ask = |path: &[u8]| router.lookup(format!("H{n}.test").as_bytes(), Method::Get, path, &mut params);
        assert_eq!(ask(b"/v1/a/1"), Outcome::Found(RouteId(2 * n)));
        assert_eq!(ask(b"/v1/b"), Outcome::Found(RouteId(2 * n + 1)));
        assert_eq!(ask(b"/v1/a"), Outcome::NotFound);
    }
}

#[test]
fn the_empty_router_finds_nothing() {
    let mut params = Params::new();
    for path in ["", "/", "/a", "x"] {
        assert_eq!(Router::default().lookup(b"h", Method::Get, path.as_bytes(), &mut params), Outcome::NotFound);
        assert_eq!(Builder::new().build().lookup(b"h", Method::Get, path.as_bytes(), &mut params), Outcome::NotFound);
    }
    assert!(Router::default().routes().is_empty());
    assert_eq!(Router::default().steps_max(), 0);
}

#[test]
fn very_long_and_very_deep_paths_are_only_paths() {
    let deep = format!("GET {}", (0..PATH_PARAMETERS_MAX).map(|n| format!("/{{p{n}}}/s")).collect::<String>());
    let deepest = format!("GET {}", "/s".repeat(PATH_SEGMENTS_MAX));
    let routes = [deep.as_str(), deepest.as_str(), "GET /g/{rest+}"];
    let router = router(&routes);
    let mut params = Params::new();
    let mut found = |path: &str| router.lookup(b"", Method::Get, path.as_bytes(), &mut params);
    assert_eq!(found(&"/s".repeat(PATH_SEGMENTS_MAX)), Outcome::Found(RouteId(1)));
    assert_eq!(found(&"/s".repeat(PATH_SEGMENTS_MAX + 1)), Outcome::NotFound);
    assert_eq!(found(&"/s".repeat(100_000)), Outcome::NotFound);
    assert_eq!(found(&"/".repeat(100_000)), Outcome::NotFound);
    assert_eq!(found(&format!("/g{}", "/s".repeat(100_000))), Outcome::Found(RouteId(2)));
    assert_eq!(found(&format!("/{}", "x".repeat(100_000))), Outcome::NotFound);
    assert_eq!(found(&"/x/s".repeat(PATH_PARAMETERS_MAX)), Outcome::Found(RouteId(0)));
    assert_eq!(params.len(), PATH_PARAMETERS_MAX);
}

/// The worst that N routes can do: every combination of literal and parameter, and a path that fails at its very end.
#[test]
fn backtracking_visits_no_more_nodes_than_the_table_says() {
    let mut builder = Builder::new();
    for bits in 0..1_usize << 10 {
        let path: String =
            (0..10).map(|n| if bits & (1 << n) == 0 { "/a".to_owned() } else { format!("/{{p{n}}}") }).collect();
        add(&mut builder, &format!("GET {path}/end"), bits).unwrap();
    }
    let router = builder.build();
    assert_eq!(router.steps_max(), 2 * 1024 - 1, "a binary tree of ten levels");
    let path = "/a".repeat(10) + "/no";
    assert_eq!(router.explain(b"", Method::Get, path.as_bytes()).len(), 1 << 10, "every way is tried once");
    let mut params = Params::new();
    assert_eq!(router.lookup(b"", Method::Get, path.as_bytes(), &mut params), Outcome::NotFound);
    assert!(params.is_empty());
    let path = "/a".repeat(10) + "/end";
    assert_eq!(router.lookup(b"", Method::Get, path.as_bytes(), &mut params), Outcome::Found(RouteId(0)));
    assert_eq!(router.lookup(b"", Method::Put, path.as_bytes(), &mut params), Outcome::MethodNotAllowed(set("GET")));
}

/// Few words and many parameters: lookups go back so often that they begin to remember what failed.
#[test]
fn the_trie_is_the_naive_matcher_where_patterns_overlap_everywhere() {
    let mut prng = Prng::new(3);
    let mut below = |n: u64| usize::try_from(prng.below(n)).unwrap();
    let mut params = Params::new();
    for _ in 0..12 {
        let (mut builder, mut naive) = (Builder::new(), Naive::default());
        for n in 0..400 {
            let word =
                |n| if below(2) == 0 { format!("/{{x{n}}}") } else { ["/a", "/a", "/a", "/b"][below(4)].to_owned() };
            let words: Vec<String> = (0..8).map(word).collect();
            let greedy = if below(40) == 0 { "/{rest+}" } else { "" };
            let (path, id) = (words.concat() + greedy, RouteId(u32::try_from(n).unwrap()));
            let methods = [set("GET"), set("POST"), set("PUT")][below(40).saturating_sub(37)];
            assert_eq!(builder.add(&[], &path, methods, id).is_ok(), naive.add(&[], &path, methods, id).is_ok());
        }
        let router = builder.build();
        for _ in 0..40 {
            let path: String = (0..8 + below(2)).map(|_| ["/a", "/b", "/c"][below(16).saturating_sub(13)]).collect();
            check_lookup(&router, &naive, "", [Method::Post, Method::Put][below(2)], path.as_bytes(), &mut params);
        }
    }
}

#[test]
fn the_trie_is_the_naive_matcher_on_many_seeds() {
    let mut prng = Prng::new(42);
    for _ in 0..600 {
        let len = usize::try_from(prng.below(600)).unwrap();
        let data: Vec<u8> = (0..len).map(|_| prng.draw().to_le_bytes()[0]).collect();
        fuzz_route(&data);
    }
}

/// Routes and requests out of few words, so that they meet.
fn segment() -> impl proptest::strategy::Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "ab", "abcdefgh", "abcdefghi", "abcdefghj", "{x}", "{x}"])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_trie_is_the_naive_matcher(
        routes in vec((vec(segment(), 0..5), any::<bool>(), 1_u8..64, 0_u8..5), 0..40),
        requests in vec((vec("|a|b|ab|abcdefgh|abcdefghi|z", 0..7), 0_usize..5, 0_u8..5), 1..60),
    ) {
        let hosts = ["", "a.test", "*.test", "b.test", "*.a.test"];
        let (mut builder, mut naive) = (Builder::new(), Naive::default());
        for (n, (segments, greedy, bits, host)) in routes.iter().enumerate() {
            let numbered = segments.iter().enumerate().map(|(n, s)| format!("/{}", s.replace('x', &format!("x{n}"))));
            let path = numbered.chain(greedy.then(|| "/{rest+}".to_owned())).collect::<String>();
            let path = if path.is_empty() { "/".to_owned() } else { path };
            let named: MethodSet = (0..4).filter(|bit| bits & (1 << bit) != 0).map(|bit| Method::NAMED[bit]).collect();
            let methods = if bits & 16 == 0 && !named.is_empty() { named } else { named.union(MethodSet::ANY) };
            let host = hosts[usize::from(*host)];
            let list: Vec<String> = if host.is_empty() { Vec::new() } else { vec![host.to_owned()] };
            let id = RouteId(u32::try_from(n).unwrap());
            assert_eq!(builder.add(&list, &path, methods, id).is_ok(), naive.add(&list, &path, methods, id).is_ok());
        }
        let (router, mut params) = (builder.build(), Params::new());
        for (segments, method, host) in &requests {
            let path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
            let host = ["", "A.test", "b.test.", "x.a.test", "c.test"][usize::from(*host)];
            check_lookup(&router, &naive, host, Method::NAMED[*method], path.as_bytes(), &mut params);
        }
    }

    #[test]
    fn normalising_twice_is_normalising_once(path in "/([/.;a%\\\\\u{e9}]|%2[eEfF5]|%5[cC]|%41|\\.\\./)*") {
        check_normalise(path.as_bytes());
    }

    #[test]
    fn a_path_that_needs_no_care_is_its_own_normal_form(path in "(/[a-z~;=-][a-z.;=-]{0,5}){1,5}/?") {
        let mut out = Vec::new();
        assert_eq!(normalise(path.as_bytes(), &mut out), Ok(()));
        assert_eq!(out, path.as_bytes());
    }

    #[test]
    fn any_bytes_are_answered(data in vec(any::<u8>(), 0..300)) {
        fuzz_route(&data);
    }

    #[test]
    fn any_text_is_a_pattern_or_not(text in "[/{}+a-c.%]{0,20}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            assert!(pattern.parameters().count() <= PATH_PARAMETERS_MAX);
            let mut builder = Builder::new();
            builder.add(&[], &text, MethodSet::ANY, RouteId(0)).unwrap();
            let _ = builder.build().routes();
        }
    }
}
