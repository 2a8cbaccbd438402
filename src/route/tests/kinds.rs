//! What the kinds of APIs have rules of their own for: slashes at the end, `ANY`, and the fewest parameters.

use super::{
    super::{Builder, MethodSet, Outcome, Params, Router, Slash, Verdict},
    add, ask, router, set,
};
use crate::{
    base::{ids::RouteId, prng::Prng},
    http::method::Method,
};

/// A router with the rules of Amazon's HTTP APIs: slashes at the end mean something.
fn strict_router(routes: &[&str]) -> Router {
    let mut builder = Builder::new();
    for (n, route) in routes.iter().enumerate() {
        let (methods, path) = route.split_once(' ').unwrap();
        let id = RouteId(u32::try_from(n).unwrap());
        let added = builder.add_strict(&[], path, set(methods), Slash::strict(path), id);
        added.unwrap_or_else(|error| panic!("{route}: {error}"));
    }
    builder.build()
}

#[test]
fn reference_11_2_a_slash_at_the_end_is_significant_where_routes_say_so() {
    let routes = ["GET /pets", "GET /pets/", "GET /dogs", "GET /cats/", "GET /x/{id}", "ANY /g/{proxy+}", "GET /"];
    let router = strict_router(&routes);
    for (request, expect, reason) in [
        ("GET /pets", "GET /pets", "without"),
        ("GET /pets/", "GET /pets/", "with one"),
        ("GET /pets//", "404", "two are not one"),
        ("GET /dogs/", "404", "reference 11.2 [K]: a trailing slash is significant"),
        ("POST /dogs/", "404", "no method would be answered there"),
        ("POST /dogs", "405 GET", "but here one would"),
        ("GET /cats", "404", "nor may it be missing"),
        ("GET /x/7", "GET /x/{id} 7", "behind a parameter"),
        ("GET /x/7/", "404", "the same"),
        ("GET /g/a/", "ANY /g/{proxy+} a/", "a greedy parameter takes it along"),
        ("GET /", "GET /", "the root is a slash"),
        ("GET //", "GET /", "or two"),
    ] {
        assert_eq!(ask(&router, &routes, request), expect, "{request}: {reason}");
        let (method, path) = request.split_once(' ').unwrap();
        let steps = router.explain(b"", Method::from_token(method.as_bytes()), path.as_bytes());
        let chosen = steps.iter().any(|step| matches!(step.verdict, Verdict::Chosen { .. }));
        assert_eq!(chosen, !expect.starts_with("40"), "{request}: explain tells another story");
    }
}

#[test]
fn routes_that_differ_in_a_slash_conflict_unless_both_mind_it() {
    let add = |builder: &mut Builder, path: &str, slash, id| {
        builder.add_strict(&[], path, MethodSet::of(Method::Get), slash, RouteId(id)).is_ok()
    };
    let mut builder = Builder::new();
    assert!(add(&mut builder, "/a", Slash::Without, 0));
    assert!(add(&mut builder, "/a/", Slash::With, 1));
    assert!(!add(&mut builder, "/a", Slash::Ignored, 2));
    assert!(!add(&mut builder, "/a/", Slash::With, 3));
    assert!(add(&mut builder, "/b", Slash::Ignored, 4));
    assert!(!add(&mut builder, "/b", Slash::Without, 5));
}

#[test]
fn reference_11_1_any_of_a_rest_api_is_seven_methods() {
    let mut builder = Builder::new();
    builder.add(&[], "/x", MethodSet::SEVEN, RouteId(0)).unwrap();
    assert!(builder.add(&[], "/x", MethodSet::ANY, RouteId(1)).is_err(), "both are ANY");
    builder.add(&[], "/x", MethodSet::of(Method::Get), RouteId(2)).unwrap();
    let router = builder.build();
    let mut params = Params::new();
    let mut ask = |method| router.lookup(b"", method, b"/x", &mut params);
    assert_eq!(ask(Method::Get), Outcome::Found(RouteId(2)), "the verb before ANY");
    for method in [Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete, Method::Options] {
        assert_eq!(ask(method), Outcome::Found(RouteId(0)), "{method:?}");
    }
    let seven = MethodSet::SEVEN.spelt_out();
    assert_eq!(ask(Method::Other), Outcome::MethodNotAllowed(seven), "reference 11.1 [S]: ANY is those seven");
}

/// All that [`Router::fewest`] has to find, as plainly as it can be written.
fn plainly_fewest(routes: &[&str], path: &str) -> Option<usize> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let rank = |pattern: &str| {
        let wanted: Vec<&str> = pattern.split('/').skip(1).collect();
        let fits = wanted.len() == segments.len()
            && !pattern.contains('+')
            && wanted.iter().zip(&segments).all(|(w, s)| if w.starts_with('{') { !s.is_empty() } else { w == s });
        let shape: Vec<bool> = wanted.iter().map(|w| w.starts_with('{')).collect();
        fits.then(|| (shape.iter().filter(|p| **p).count(), shape))
    };
    let ranked = routes.iter().enumerate().filter_map(|(n, route)| Some((rank(&route[4..])?, n)));
    ranked.min().map(|(_, n)| n)
}

#[test]
fn reference_11_2_fewer_parameters_are_more_specific() {
    let routes = [
        "GET /pets/dog/1",
        "GET /pets/dog/{id}",
        "GET /pets/{proxy+}",
        "GET /a/{x}/{z}",
        "GET /{y}/b/c",
        "GET /a/{x}/c",
        "GET /m/{proxy+}",
        "GET /{k}/{l}",
    ];
    let router = router(&routes);
    for (path, expect, reason) in [
        ("/pets/dog/1", Some(0), "reference 11.2 [D23]: a full match"),
        ("/pets/dog/2", Some(1), "reference 11.2 [D23]: one parameter"),
        ("/pets/cat/1", None, "reference 11.2 [D23]: only the greedy one is left"),
        ("/a/b/c", Some(5), "both have one parameter: the leftmost literal"),
        ("/q/b/c", Some(4), "one parameter"),
        ("/a/b/d", Some(3), "two"),
        ("/m/x", Some(7), "a full match before a greedy one, whatever its literals"),
        ("/m/x/y", None, "greedy only"),
    ] {
        let mut params = Params::new();
        let found = router.fewest(b"", Method::Get, path.as_bytes(), &mut params, |_| true);
        assert_eq!(found.map(|id| id.index()), expect, "{path}: {reason}");
        assert_eq!(plainly_fewest(&routes, path), expect, "{path}: {reason}");
    }
}

#[test]
fn fewest_equals_what_can_be_written_plainly() {
    let mut prng = Prng::new(11);
    for _ in 0..300 {
        let piece = |prng: &mut Prng| ["a", "b", "{}", "{}"][usize::try_from(prng.below(4)).unwrap()];
        let texts: Vec<String> = (0..1 + prng.below(24))
            .map(|_| {
                let count = 1 + prng.below(4);
                let pieces = (0..count).map(|n| piece(&mut prng).replace("{}", &format!("{{p{n}}}")));
                format!("GET /{}", pieces.collect::<Vec<_>>().join("/"))
            })
            .collect();
        let mut builder = Builder::new();
        let mut routes: Vec<&str> = Vec::new();
        for text in &texts {
            if add(&mut builder, text, routes.len()).is_ok() {
                routes.push(text);
            }
        }
        let router = builder.build();
        for _ in 0..30 {
            let count = 1 + prng.below(4);
            let parts: Vec<&str> =
                (0..count).map(|_| ["a", "b", "c"][usize::try_from(prng.below(3)).unwrap()]).collect();
            let path = format!("/{}", parts.join("/"));
            let mut params = Params::new();
            let found = router.fewest(b"", Method::Get, path.as_bytes(), &mut params, |_| true);
            assert_eq!(found.map(|id| id.index()), plainly_fewest(&routes, &path), "{path} in {routes:?}");
        }
    }
}
