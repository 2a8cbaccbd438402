//! Loading and compiling a configuration: start-up and reload with many routes.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench may stop")]

use criterion::{Criterion, criterion_group, criterion_main};
use ringgate::{compile, config};
use std::{fmt::Write, hint::black_box};

/// A configuration as teams write it: `apis` APIs of `each` routes over ten upstreams.
fn text(apis: usize, each: usize) -> String {
    let mut out = String::new();
    for n in 0..10 {
        writeln!(out, "[upstream.service-{n}]\nservers = [\"http://10.0.0.{n}:8080\"]").unwrap();
    }
    for api in 0..apis {
        writeln!(out, "[api.team-{api}]\nbase_path = \"/team-{api}\"").unwrap();
        for route in 0..each {
            let upstream = route % 10;
            writeln!(
                out,
                "[[api.team-{api}.route]]\nmethod = [\"GET\", \"PUT\"]\npath = \"/resource-{route}/{{id}}/parts/{{part}}\"\n\
                 integration = {{ type = \"http_proxy\", upstream = \"service-{upstream}\", path = \"/v1/{{id}}/{{part}}\", \
                 timeout = \"10s\" }}"
            )
            .unwrap();
        }
    }
    out
}

fn load(text: &str) -> usize {
    let loaded = config::load_str("bench.toml", text, &|_| None).unwrap();
    compile::compile(&loaded.config).unwrap().0.routes.len()
}

fn benches(c: &mut Criterion) {
    for (apis, each) in [(1, 10), (100, 10), (100, 100)] {
        let text = text(apis, each);
        c.bench_function(&format!("config/{}", apis * each), |b| b.iter(|| load(black_box(&text))));
    }
}

criterion_group! {
    name = all;
    config = Criterion::default().sample_size(20);
    targets = benches
}
criterion_main!(all);
