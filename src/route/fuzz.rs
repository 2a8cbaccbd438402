//! The body of the fuzz target `route`: the trie against the naive matcher, and the promises of `normalise`.

use super::{AddError, Builder, MethodSet, Outcome, Params, Router, naive::Naive, normalise};
use crate::{base::ids::RouteId, http::method::Method};

/// Reads `data` as a list of routes and requests and compares the answers; panics where a promise is broken.
pub fn fuzz_route(data: &[u8]) {
    check_normalise(data);
    let mut input = Input { data };
    let mut builder = Builder::new();
    let mut naive = Naive::default();
    for n in 0..u32::from(input.byte() % 32) {
        let hosts: Vec<String> = (0..input.byte() % 3).map(|_| input.pick(&HOSTS).to_owned()).collect();
        let path = input.pattern();
        let methods = input.methods();
        match builder.add(&hosts, &path, methods, RouteId(n)) {
            Ok(()) => assert_eq!(naive.add(&hosts, &path, methods, RouteId(n)), Ok(()), "{hosts:?} {path}"),
            Err(AddError::Conflict(_)) => {
                assert!(naive.add(&hosts, &path, methods, RouteId(n)).is_err(), "{hosts:?} {path}");
            }
            Err(error) => assert_eq!(error, AddError::NoMethod, "{path}: {error}"),
        }
    }
    let router = builder.build();
    let mut params = Params::new();
    while !input.data.is_empty() {
        let host = input.pick(&REQUEST_HOSTS);
        let method = input.method();
        let path = input.path();
        check_lookup(&router, &naive, host, method, &path, &mut params);
    }
    router.lookup(data, Method::Get, data, &mut params);
}

/// Asserts that the trie answers as the naive matcher does.
pub(super) fn check_lookup(
    router: &Router,
    naive: &Naive,
    host: &str,
    method: Method,
    path: &[u8],
    params: &mut Params,
) {
    let (expect, values) = naive.lookup(host, method, path);
    let outcome = router.lookup(host.as_bytes(), method, path, params);
    let shown = String::from_utf8_lossy(path);
    assert_eq!(outcome, expect, "{host} {method:?} {shown}");
    let got: Vec<Vec<u8>> = params.as_slice().iter().map(|span| span.of(path).to_vec()).collect();
    assert_eq!(got, values, "{host} {method:?} {shown}");
    let chosen = router.explain(host.as_bytes(), method, path).into_iter().find_map(|step| match step.verdict {
        super::Verdict::Chosen { route, .. } => Some(Outcome::Found(route)),
        _ => None,
    });
    assert_eq!(chosen.unwrap_or(outcome), outcome, "explain tells another story: {host} {method:?} {shown}");
    assert_eq!(chosen.is_some(), matches!(outcome, Outcome::Found(_)), "{host} {method:?} {shown}");
}

/// Asserts what `normalise` promises about any path.
pub(super) fn check_normalise(path: &[u8]) {
    let mut once = Vec::new();
    if normalise(path, &mut once).is_err() {
        return;
    }
    let mut twice = Vec::new();
    assert_eq!(normalise(&once, &mut twice), Ok(()), "{:?}", String::from_utf8_lossy(path));
    assert_eq!(once, twice, "{:?}", String::from_utf8_lossy(path));
    assert!(once.len() <= path.len().max(1));
    assert!(once.starts_with(b"/") && !once.starts_with(b"//"));
    assert!(!once.split(|&b| b == b'/').any(|segment| segment == b"." || segment == b".."));
}

const HOSTS: [&str; 6] = ["a.example.com", "*.example.com", "*.a.example.com", "b.test", "*.com", "example.com"];
const REQUEST_HOSTS: [&str; 8] =
    ["", "a.example.com", "A.Example.com.", "b.example.com", "x.a.example.com", "b.test", "example.com", "com"];
const LITERALS: [&str; 8] = ["a", "b", "c", "longer-than-eight", "longer-than-nine", "exactly8", "a%2Fb", "~"];

/// Bytes that are read as choices; when they run out all choices are the first.
struct Input<'a> {
    data: &'a [u8],
}

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.data.split_first() else { return 0 };
        self.data = rest;
        *first
    }

    fn pick<'t>(&mut self, table: &[&'t str]) -> &'t str {
        table[usize::from(self.byte()) % table.len()]
    }

    fn pattern(&mut self) -> String {
        let segments = self.byte() % 6;
        let mut path = String::new();
        for n in 0..segments {
            path.push('/');
            match self.byte() % 8 {
                0 | 1 => path.push_str(&format!("{{p{n}}}")),
                2 if n + 1 == segments => path.push_str("{rest+}"),
                _ => path.push_str(self.pick(&LITERALS)),
            }
        }
        if path.is_empty() || (self.byte().is_multiple_of(8) && !path.ends_with("+}")) {
            path.push('/');
        }
        path
    }

    fn methods(&mut self) -> MethodSet {
        let bits = self.byte();
        let named = (0..4).filter(|bit| bits & (1 << bit) != 0).map(|bit| Method::NAMED[bit]);
        let named: MethodSet = named.collect();
        if bits & 0x30 == 0x30 { named.union(MethodSet::ANY) } else { named }
    }

    fn method(&mut self) -> Method {
        match self.byte() % 6 {
            5 => Method::Other,
            n => Method::NAMED[usize::from(n)],
        }
    }

    fn path(&mut self) -> Vec<u8> {
        let mut path = Vec::new();
        for _ in 0..self.byte() % 8 {
            path.extend_from_slice(b"/");
            match self.byte() % 8 {
                0 => {}
                1 => path.push(self.byte()),
                _ => path.extend_from_slice(self.pick(&LITERALS).as_bytes()),
            }
        }
        path
    }
}
