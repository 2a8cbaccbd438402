//! What validating costs: reading 1 KiB of JSON in several ways, checking it against a schema of twenty properties, and both,
//! as a request to a validated route pays for it.

#![allow(clippy::unwrap_used, reason = "a bench may stop where its own data is wrong")]

use criterion::{Criterion, criterion_group, criterion_main};
use ringgate::validate::{Dialect, Library, Problem, Schema, Source, body, json};
use serde_json::{Map, Number, Value, json};
use simd_json::{Node, StaticNode};
use std::hint::black_box;

/// The gateway's own: half of what is measured is memory that is taken and given back.
#[global_allocator]
static ALLOCATOR: jemallocator::Jemalloc = jemallocator::Jemalloc;

/// An order: twenty properties, 1 KiB.
fn order() -> Vec<u8> {
    let mut order = json!({
        "id": "0198f2a4-7c1e-7b52-9d30-6f1f2a3b4c5d", "number": 4711, "created": "2026-08-14T12:04:05Z", "status": "paid",
        "currency": "EUR", "total": 129.95, "tax": 20.75, "gift": false, "note": null, "email": "ada@example.com",
        "name": "Ada Lovelace", "street": "12 St James's Square", "city": "London", "zip": "SW1Y 4JH", "country": "GB",
        "tags": ["new", "priority", "export"], "weight": 1.25, "channel": "web", "locale": "en-GB",
        "items": [
            { "sku": "ABC-0001", "count": 2, "price": 19.95 }, { "sku": "ABC-0002", "count": 1, "price": 49.95 },
            { "sku": "XYZ-0815", "count": 4, "price": 10.025 }, { "sku": "XYZ-4711", "count": 1, "price": 0.5 }
        ]
    });
    let missing = 1024 - order.to_string().len();
    order["street"] = json!("x".repeat(missing + 20));
    let text = order.to_string().into_bytes();
    assert_eq!(text.len(), 1024);
    text
}

fn schema() -> Schema {
    let text = |most: usize| json!({ "type": "string", "maxLength": most });
    let schema = json!({
        "type": "object",
        "required": ["id", "number", "status", "currency", "total", "items"],
        "additionalProperties": false,
        "properties": {
            "id": text(36), "number": { "type": "integer", "minimum": 1 }, "created": text(40),
            "status": { "enum": ["open", "sent", "paid"] }, "currency": { "type": "string", "pattern": "^[A-Z]{3}$" },
            "total": { "type": "number", "minimum": 0 }, "tax": { "type": "number" }, "gift": { "type": "boolean" },
            "note": { "type": ["string", "null"] }, "email": text(100), "name": text(100), "street": text(500),
            "city": text(100), "zip": text(10), "country": { "type": "string", "minLength": 2, "maxLength": 2 },
            "tags": { "type": "array", "items": text(20), "maxItems": 10 }, "weight": { "type": "number" },
            "channel": { "enum": ["web", "app", "shop"] }, "locale": text(10),
            "items": { "type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["sku", "count"],
                "properties": { "sku": text(10), "count": { "type": "integer", "minimum": 1 }, "price": { "type": "number" } }
            } }
        }
    });
    let source = Source { name: "Order".into(), schema, dialect: Dialect::Draft4, uri: None, formats: true };
    Library::new(vec![source]).0.model(0).unwrap()
}

/// What simd-json has read as the value that schemas are checked against, looked at as [`json::parse`] does: how deep it is,
/// and that no member is there twice.
fn tree<'t>(nodes: &mut impl Iterator<Item = Node<'t>>, depth: usize) -> Option<Value> {
    Some(match nodes.next().filter(|_| depth <= 64)? {
        Node::String(text) => Value::String(text.to_owned()),
        Node::Static(StaticNode::Null) => Value::Null,
        Node::Static(StaticNode::Bool(value)) => Value::Bool(value),
        Node::Static(StaticNode::I64(value)) => Value::Number(value.into()),
        Node::Static(StaticNode::U64(value)) => Value::Number(value.into()),
        Node::Static(StaticNode::F64(value)) => Value::Number(Number::from_f64(value)?),
        Node::Array { len, .. } => {
            let mut values = Vec::with_capacity(len);
            for _ in 0..len {
                values.push(tree(nodes, depth + 1)?);
            }
            Value::Array(values)
        }
        Node::Object { len, .. } => {
            let mut members = Map::new();
            for _ in 0..len {
                let Some(Node::String(name)) = nodes.next() else { return None };
                if members.insert(name.to_owned(), tree(nodes, depth + 1)?).is_some() {
                    return None;
                }
            }
            Value::Object(members)
        }
    })
}

fn validation(c: &mut Criterion) {
    let (bytes, schema) = (order(), schema());
    let mut group = c.benchmark_group("validate");
    group.bench_function("parse, serde_json, unchecked", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(&bytes)).unwrap());
    });
    group.bench_function("parse, simd-json into the same value, unchecked", |b| {
        let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
        b.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(&bytes));
            simd_json::serde::from_slice_with_buffers::<Value>(&mut copy, &mut buffers).unwrap()
        });
    });
    group.bench_function("parse, simd-json's borrowed tape", |b| {
        let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
        b.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(&bytes));
            simd_json::to_tape_with_buffers(&mut copy, &mut buffers).unwrap().0.len()
        });
    });
    group.bench_function("parse, simd-json's tape into the same value, checked", |b| {
        let (mut copy, mut buffers) = (Vec::new(), simd_json::Buffers::default());
        b.iter(|| {
            copy.clear();
            copy.extend_from_slice(black_box(&bytes));
            let tape = simd_json::to_tape_with_buffers(&mut copy, &mut buffers).unwrap();
            tree(&mut tape.0.iter().copied(), 0).unwrap()
        });
    });
    group.bench_function("parse, as used", |b| b.iter(|| json::parse(black_box(&bytes)).unwrap()));
    let value = json::parse(&bytes).unwrap();
    group.bench_function("copy and check a value", |b| b.iter(|| schema.check(black_box(&value).clone()).is_ok()));
    group.bench_function("a body, whole", |b| {
        let mut problem = Problem::default();
        b.iter(|| body::check(&schema, black_box(&bytes), &mut problem).unwrap());
    });
    let wrong = String::from_utf8(bytes.clone()).unwrap().replace("4711", "\"x\"").into_bytes();
    group.bench_function("a wrong body, told", |b| {
        let mut problem = Problem::default();
        b.iter(|| body::check(&schema, black_box(&wrong), &mut problem).unwrap_err());
    });
    group.finish();
}

criterion_group!(benches, validation);
criterion_main!(benches);
