//! Routing: a lookup at 10, 1,000 and 100,000 routes, and how long the table takes to build.
//!
//! `hot` asks for one path again and again; `mixed` asks for all routes in random order, so that at 100,000 routes
//! hardly any of the table is in the nearest caches.

#![expect(clippy::unwrap_used, reason = "a bench may stop where its own data is wrong")]

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringgate::{
    base::{ids::RouteId, prng::Prng},
    http::method::Method,
    route::{Builder, MethodSet, Outcome, Params, Router, normalise},
};
use std::hint::black_box;

/// Requests in the `mixed` benches.
const REQUESTS: usize = 1 << 16;

criterion_group!(benches, lookup, shapes, build, normal_form);
criterion_main!(benches);

/// `/svcN/v1/users/{id}/orders/{orderId}` for as many N.
fn lookup(c: &mut Criterion) {
    let mut group = c.benchmark_group("lookup");
    for routes in [10, 1_000, 100_000] {
        let router = compile(&services(routes));
        hot(&mut group, routes, &router, &request(routes / 2));
        mixed(&mut group, routes, &router, request);
    }
    group.finish();
}

/// Other tables of 100,000 routes, and what else costs something.
fn shapes(c: &mut Criterion) {
    let mut group = c.benchmark_group("shapes");
    let distinct: Vec<_> = (0..100_000).map(|n| (Vec::new(), distinct_pattern(n))).collect();
    mixed(&mut group, "no-sharing", &compile(&distinct), distinct_request);
    let hosts: Vec<_> = (0..100_000).map(|n| (vec![format!("svc{n}.example.com")], pattern("/v1"))).collect();
    let router = compile(&hosts);
    group.bench_function("100000-hosts/hot", |b| {
        let mut params = Params::new();
        b.iter(|| found(&router, b"svc50000.example.com", b"/v1/users/u1/orders/o1", &mut params));
    });
    let mut fallback = services(100_000);
    fallback.push((Vec::new(), "/{rest+}".to_owned()));
    let router = compile(&fallback);
    hot(&mut group, "greedy-beside", &router, &request(50_000));
    hot(&mut group, "greedy-fallback", &router, b"/svc50000/v1/users/u1/orders/o1/items");
    group.finish();
}

fn build(c: &mut Criterion) {
    let mut group = c.benchmark_group("build");
    group.sample_size(10);
    for n in [10_000, 100_000] {
        let shared = services(n);
        let distinct: Vec<_> = (0..n).map(|n| (Vec::new(), distinct_pattern(n))).collect();
        for (name, routes) in [("services", &shared), ("no-sharing", &distinct)] {
            group.bench_function(BenchmarkId::new(name, n), |b| {
                b.iter_batched(|| (), |()| compile(routes), BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

fn normal_form(c: &mut Criterion) {
    let mut group = c.benchmark_group("normalise");
    let mut out = Vec::with_capacity(256);
    for path in ["/svc500/v1/users/a%20b/orders/o-77", "/a/./b/%2e%2e/c%2fd"] {
        group.bench_function(path.replace('/', "|"), |b| b.iter(|| normalise(black_box(path.as_bytes()), &mut out)));
    }
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn hot(group: &mut Group<'_>, id: impl std::fmt::Display, router: &Router, path: &[u8]) {
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("hot", id), |b| {
        let mut params = Params::new();
        b.iter(|| found(router, b"", path, &mut params));
    });
}

/// Times a round over requests in random order; they lie one after the other, as a receive buffer is warm too.
fn mixed(group: &mut Group<'_>, id: impl std::fmt::Display, router: &Router, request: impl Fn(usize) -> Vec<u8>) {
    let routes = router.routes().len();
    let mut prng = Prng::new(7);
    let mut text = Vec::new();
    let mut ends = Vec::new();
    for _ in 0..REQUESTS {
        text.extend(request(usize::try_from(prng.below(routes as u64)).unwrap()));
        ends.push(text.len());
    }
    group.throughput(Throughput::Elements(REQUESTS as u64));
    group.bench_function(BenchmarkId::new("mixed", id), |b| {
        let mut params = Params::new();
        b.iter(|| {
            let mut start = 0;
            for &end in &ends {
                found(router, b"", &text[start..end], &mut params);
                start = end;
            }
        });
    });
}

fn found(router: &Router, host: &[u8], path: &[u8], params: &mut Params) {
    let outcome = router.lookup(black_box(host), Method::Get, black_box(path), params);
    assert!(matches!(black_box(outcome), Outcome::Found(_)), "every request has a route");
    black_box(params);
}

type Routes = Vec<(Vec<String>, String)>;

fn compile(routes: &Routes) -> Router {
    let mut builder = Builder::new();
    for ((hosts, path), id) in routes.iter().zip(0..) {
        builder.add(hosts, path, MethodSet::of(Method::Get), RouteId(id)).unwrap();
    }
    builder.build()
}

fn services(n: usize) -> Routes {
    (0..n).map(|n| (Vec::new(), pattern(&format!("/svc{n}/v1")))).collect()
}

fn pattern(prefix: &str) -> String {
    format!("{prefix}/users/{{id}}/orders/{{orderId}}")
}

fn request(n: usize) -> Vec<u8> {
    format!("/svc{n}/v1/users/u-{n}/orders/o-{}", n * 7).into_bytes()
}

/// No two routes have a segment in common that could be shared.
fn distinct_pattern(n: usize) -> String {
    format!("/svc{n}/v{n}/users{n}/{{id}}/orders-{n}/{{orderId}}")
}

fn distinct_request(n: usize) -> Vec<u8> {
    format!("/svc{n}/v{n}/users{n}/u-{n}/orders-{n}/o-{}", n * 7).into_bytes()
}
