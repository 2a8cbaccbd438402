//! Seeing: what counting an exchange, rendering its log line and making the metrics page cost.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringgate::{
    base::clock::UnixTime,
    observe::{
        access_log::{Format, Output, Writer},
        event::ExchangeRecord,
        exposition,
        metrics::{Registry, RouteKey},
    },
};
use std::{hint::black_box, time::Duration};

criterion_group!(benches, count, render, hand_over, page);
criterion_main!(benches);

/// Counting: on one hot route, and over a thousand whose counters are in no near cache.
fn count(c: &mut Criterion) {
    let registry = Registry::new();
    let core = registry.core(0);
    let paths: Vec<String> = (0..1000).map(|i| format!("/orders/{i}/{{id}}")).collect();
    let routes = registry.routes(0, &keys(&paths));
    let exchange = example();
    let mut group = c.benchmark_group("record");
    group.bench_function("one-route", |b| b.iter(|| core.record(Some(&routes[0]), black_box(&exchange))));
    group.bench_function("1000-routes", |b| {
        let mut i = 0;
        b.iter(|| {
            i = (i + 383) % routes.len();
            core.record(Some(&routes[i]), black_box(&exchange));
        });
    });
    group.finish();
}

/// One line, by format.
fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    let template =
        "{\"requestId\":\"$context.requestId\",\"ip\":\"$context.identity.sourceIp\",\"status\":\"$context.status\"}";
    for (name, format) in [("json", "json"), ("clf", "clf"), ("template", template)] {
        let format = Format::parse(format).unwrap_or_default();
        let exchange = example();
        let mut line = Vec::with_capacity(4096);
        format.render(&exchange, &mut line);
        group.throughput(Throughput::Bytes(line.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                line.clear();
                format.render(black_box(&exchange), &mut line);
            });
        });
    }
    group.finish();
}

/// A line into a core's buffer, full ones handed to the writer thread, which throws them away.
fn hand_over(c: &mut Criterion) {
    let registry = Registry::new();
    let Ok(writer) = Writer::start(Output::File("/dev/null".into()), registry.access_log.clone()) else { return };
    let mut sink = writer.sink();
    let line = [b'x'; 300];
    c.bench_function("sink/300-byte-line", |b| {
        b.iter(|| sink.line(|buffer| buffer.extend_from_slice(black_box(&line))));
    });
    drop(sink);
    writer.stop(Duration::from_secs(5));
}

/// The metrics page of a thousand busy routes on four cores.
fn page(c: &mut Criterion) {
    let registry = Registry::new();
    let paths: Vec<String> = (0..1000).map(|i| format!("/orders/{i}/{{id}}")).collect();
    for index in 0..4 {
        let core = registry.core(index);
        for route in registry.routes(index, &keys(&paths)).iter() {
            core.record(Some(route), &example());
        }
    }
    c.bench_function("page/1000-routes-4-cores", |b| b.iter(|| exposition::page(black_box(&registry))));
}

fn keys(paths: &[String]) -> Vec<RouteKey<'_>> {
    paths.iter().map(|path| RouteKey { api: "shop", methods: "GET", path }).collect()
}

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
        response_bytes: 512,
        client: Some([192, 0, 2, 7].into()),
        client_port: 54_321,
        user_agent:
            b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
        upstream: "orders",
        server: "http://10.0.0.1:8080",
        server_address: Some(([10, 0, 0, 1], 8080).into()),
        upstream_status: 200,
        attempts: 1,
        request_id: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef,
        ..ExchangeRecord::default()
    }
}
