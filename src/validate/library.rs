//! The models of one API: JSON Schemas that may refer to one another, compiled when the configuration is.

use super::{Schema, values};
use crate::base::limits;
use ahash::AHashMap;
use jsonschema::{Draft, PatternOptions, Registry, Retrieve, Uri, ValidationOptions};
use serde_json::{Map, Value};

/// The dialect of JSON Schema that a schema without `$schema` is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Draft 4: Amazon API Gateway's.
    Draft4,
    /// 2020-12: OpenAPI 3.1's.
    Draft202012,
}

/// A model as written.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The schema.
    pub schema: Value,
    /// What it is written in.
    pub dialect: Dialect,
    /// What other schemas call it, besides its name and its own `$id`.
    pub uri: Option<String>,
    /// `format` is checked, and not a remark only.
    pub formats: bool,
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where in the schema, a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Source {
    /// What the others know it by.
    fn address(&self) -> String {
        self.uri.clone().unwrap_or_else(|| format!("{PREFIX}{}", self.name))
    }
}

impl Broken {
    fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// Models that may refer to one another.
#[derive(Debug)]
pub struct Library {
    models: Vec<Source>,
    names: AHashMap<String, usize>,
    registry: Registry<'static>,
}

impl Library {
    /// The library of `models`; of those with the same name the last one counts. With what is wrong with which of them: such
    /// a model allows everything, so that the others can be looked at.
    #[must_use]
    pub fn new(models: Vec<Source>) -> (Self, Vec<(usize, Broken)>) {
        let names: AHashMap<String, usize> =
            models.iter().enumerate().map(|(index, model)| (model.name.clone(), index)).collect();
        let mut broken = Vec::new();
        let known = ids(&models);
        let addresses: Vec<String> = models.iter().map(Source::address).collect();
        let models: Vec<Source> = models
            .into_iter()
            .enumerate()
            .map(|(index, model)| {
                let mut finder = Finder {
                    names: &names,
                    known: &known,
                    addresses: &addresses,
                    root: &model.schema,
                    broken: Vec::new(),
                };
                let mut schema = finder.schema(&model.schema, &mut String::new(), 0);
                if !finder.broken.is_empty() {
                    broken.extend(finder.broken.into_iter().map(|found| (index, found)));
                    schema = Value::Object(Map::new());
                }
                Source { schema, ..model }
            })
            .collect();
        let registry = register(&models, &names).unwrap_or_else(|error| {
            broken.push((0, Broken::new("", error)));
            empty()
        });
        (Self { models, names, registry }, broken)
    }

    /// Whether there is a model called `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The names of all models.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The schema that `reference` means, if it is a model's; for a look at its types.
    #[must_use]
    pub fn look_up(&self, reference: &str) -> Option<&Value> {
        let named = model_of(reference).and_then(|(name, _)| self.models.get(*self.names.get(name)?));
        let found = named.or_else(|| self.models.iter().find(|model| model.address() == reference));
        found.map(|model| &model.schema)
    }

    /// Compiles the model at `index`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn model(&self, index: usize) -> Result<Schema, Broken> {
        let Some(model) = self.models.get(index) else { return Err(Broken::new("", "there is no such model")) };
        self.compile(model, &model.address())
    }

    /// Compiles a schema that has no name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn inline(&self, schema: &Value, dialect: Dialect) -> Result<(Schema, Value), Broken> {
        let known = ids(&self.models);
        let addresses: Vec<String> = self.models.iter().map(Source::address).collect();
        let mut finder =
            Finder { names: &self.names, known: &known, addresses: &addresses, root: schema, broken: Vec::new() };
        let schema = finder.schema(schema, &mut String::new(), 0);
        if let Some(broken) = finder.broken.pop() {
            return Err(broken);
        }
        let source = Source { name: String::new(), schema, dialect, uri: None, formats: true };
        let compiled = self.compile(&source, "urn:ringgate:inline")?;
        Ok((compiled, source.schema))
    }

    fn compile(&self, source: &Source, uri: &str) -> Result<Schema, Broken> {
        let options: ValidationOptions<'_> = jsonschema::options()
            .with_draft(draft(source))
            .with_registry(&self.registry)
            .with_base_uri(uri)
            .with_retriever(Nothing)
            .should_validate_formats(source.formats)
            .with_format("byte", is_base64)
            .with_pattern_options(
                PatternOptions::fancy_regex()
                    .backtrack_limit(limits::PATTERN_STEPS_MAX)
                    .size_limit(limits::PATTERN_BYTES_MAX)
                    .dfa_size_limit(limits::PATTERN_BYTES_MAX),
            );
        match options.build(&source.schema) {
            Ok(validator) => Ok(Schema::new(validator)),
            Err(error) => Err(Broken::new(error.instance_path().as_str(), error.to_string())),
        }
    }
}

/// What a model is known by to the others.
const PREFIX: &str = "urn:ringgate:model:";

/// Fetches nothing.
struct Nothing;

impl Retrieve for Nothing {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("`{uri}` is not among the models, and nothing is fetched").into())
    }
}

/// What `$schema` says, or the dialect.
fn draft(source: &Source) -> Draft {
    match source.schema.get("$schema").and_then(Value::as_str).map(Draft::from_schema_uri) {
        Some(draft) if draft != Draft::Unknown => draft,
        _ => match source.dialect {
            Dialect::Draft4 => Draft::Draft4,
            Dialect::Draft202012 => Draft::Draft202012,
        },
    }
}

fn register(models: &[Source], names: &AHashMap<String, usize>) -> Result<Registry<'static>, String> {
    let mut builder = Registry::new().retriever(Nothing);
    for model in names.values().filter_map(|index| models.get(*index)) {
        let resource = draft(model).create_resource(model.schema.clone());
        builder = builder.add(model.address(), resource).map_err(|e| e.to_string())?;
    }
    builder.prepare().map_err(|e| e.to_string())
}

#[expect(clippy::expect_used, reason = "an empty registry has nothing that could be wrong")]
fn empty() -> Registry<'static> {
    Registry::new().prepare().expect("nothing")
}

/// What the models call themselves.
fn ids(models: &[Source]) -> Vec<String> {
    fn collect(value: &Value, out: &mut Vec<String>, depth: usize) {
        if depth > limits::SCHEMA_DEPTH_MAX {
            return;
        }
        match value {
            Value::Object(members) => {
                for key in ["$id", "id"] {
                    out.extend(members.get(key).and_then(Value::as_str).map(|id| id.trim_end_matches('#').to_owned()));
                }
                members.values().for_each(|value| collect(value, out, depth + 1));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, out, depth + 1)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    models.iter().for_each(|model| collect(&model.schema, &mut out, 0));
    out.extend(models.iter().filter_map(|model| model.uri.clone()));
    out
}

/// Follows the references of one schema: those to models get the models' own names.
struct Finder<'a> {
    names: &'a AHashMap<String, usize>,
    known: &'a [String],
    addresses: &'a [String],
    root: &'a Value,
    broken: Vec<Broken>,
}

impl Finder<'_> {
    fn schema(&mut self, value: &Value, at: &mut String, depth: usize) -> Value {
        if depth > limits::SCHEMA_DEPTH_MAX {
            self.broken.push(Broken::new(at.clone(), format!("nested deeper than {}", limits::SCHEMA_DEPTH_MAX)));
            return Value::Bool(true);
        }
        match value {
            Value::Object(members) => {
                let mut out = Map::new();
                for (key, value) in members {
                    let length = at.len();
                    push(at, key);
                    let value = match (key.as_str(), value) {
                        ("$ref", Value::String(reference)) => Value::String(self.reference(reference, at)),
                        ("enum" | "const" | "default" | "example" | "examples", _) => value.clone(),
                        (_, Value::Object(named)) if NAMED.contains(&key.as_str()) => {
                            let mut out = Map::new();
                            for (name, value) in named {
                                let length = at.len();
                                push(at, name);
                                out.insert(name.clone(), self.schema(value, at, depth + 1));
                                at.truncate(length);
                            }
                            Value::Object(out)
                        }
                        _ => self.schema(value, at, depth + 1),
                    };
                    at.truncate(length);
                    out.insert(key.clone(), value);
                }
                bound_integers(&mut out);
                Value::Object(out)
            }
            Value::Array(values) => {
                let mut out = Vec::with_capacity(values.len());
                for (index, value) in values.iter().enumerate() {
                    let length = at.len();
                    push(at, &index.to_string());
                    out.push(self.schema(value, at, depth + 1));
                    at.truncate(length);
                }
                Value::Array(out)
            }
            other => other.clone(),
        }
    }

    /// `reference` as the registry knows it.
    fn reference(&mut self, reference: &str, at: &str) -> String {
        if let Some(pointer) = reference.strip_prefix('#')
            && pointer.starts_with('/')
            // RFC 6901 §6: a pointer in a URI is percent-encoded.
            && values::decode(pointer.as_bytes(), false).is_some_and(|pointer| self.root.pointer(&pointer).is_some())
        {
            return reference.to_owned();
        }
        if let Some((name, rest)) = model_of(reference) {
            if let Some(address) = self.names.get(name).and_then(|index| self.addresses.get(*index)) {
                return if rest.is_empty() { address.clone() } else { format!("{address}#{rest}") };
            }
            self.broken.push(Broken::new(at, format!("there is no model `{name}`")));
            return reference.to_owned();
        }
        let document = reference.split('#').next().unwrap_or_default();
        let meta = ["http://json-schema.org/", "https://json-schema.org/"];
        let absolute = document.contains("://") && !meta.iter().any(|known| document.starts_with(known));
        if absolute && self.known.iter().all(|id| id != document) && !self.is_below_an_id() {
            let message = format!("`{reference}` is not among the models, and nothing is fetched");
            self.broken.push(Broken::new(at, message));
        }
        reference.to_owned()
    }

    /// Whether references may be relative to names that the schema gives itself: then only compiling tells where they lead.
    fn is_below_an_id(&self) -> bool {
        self.known.iter().any(|id| id.contains("://"))
    }
}

/// The model that a reference of Amazon API Gateway or OpenAPI names, and the JSON Pointer within it.
fn model_of(reference: &str) -> Option<(&str, &str)> {
    let local = ["#/components/schemas/", "#/definitions/", "#/model/"];
    let rest = match local.iter().find_map(|prefix| reference.strip_prefix(prefix)) {
        Some(rest) => rest,
        None => {
            let path = reference.strip_prefix("https://apigateway.amazonaws.com/restapis/")?;
            path.split_once("/models/")?.1
        }
    };
    let end = rest.find(['/', '#']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    Some((name, rest.strip_prefix('#').unwrap_or(rest)))
}

/// OpenAPI's number formats, as bounds that JSON Schema knows (OpenAPI 3.1, section 4.4 ("Data Types")).
fn bound_integers(schema: &mut Map<String, Value>) {
    let bounds = match (schema.get("type").and_then(Value::as_str), schema.get("format").and_then(Value::as_str)) {
        (Some("integer"), Some("int32")) => (i64::from(i32::MIN), i64::from(i32::MAX)),
        (Some("integer"), Some("int64")) => (i64::MIN, i64::MAX),
        _ => return,
    };
    schema.entry("minimum").or_insert_with(|| bounds.0.into());
    schema.entry("maximum").or_insert_with(|| bounds.1.into());
}

/// Base64 (RFC 4648 §4), OpenAPI 3.0's `byte`.
fn is_base64(text: &str) -> bool {
    let bytes = text.as_bytes();
    let data = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    bytes.len().is_multiple_of(4) && data.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
}

/// Keywords whose members have free names.
const NAMED: [&str; 6] =
    ["properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies"];

/// Goes down to `key` in a JSON Pointer (RFC 6901 §3).
fn push(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Broken, Dialect, Library, Source};
    use serde_json::{Value, json};

    fn source(name: &str, schema: Value) -> Source {
        Source { name: name.to_owned(), schema, dialect: Dialect::Draft4, uri: None, formats: true }
    }

    #[test]
    fn models_refer_to_one_another_in_every_notation_and_in_circles() {
        for reference in [
            "#/components/schemas/Node",
            "#/definitions/Node",
            "#/model/Node",
            "https://apigateway.amazonaws.com/restapis/a1b2c3/models/Node",
        ] {
            let tree = json!({ "type": "array", "items": { "$ref": reference } });
            let node = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" }, "next": { "$ref": "#/definitions/Tree" } } });
            let (library, broken) = Library::new(vec![source("Tree", tree), source("Node", node)]);
            assert_eq!(broken, [], "{reference}");
            let schema = library.model(0).unwrap();
            assert!(schema.is_valid(&json!([{ "n": 1, "next": [{ "n": 2 }] }])), "{reference}");
            assert!(!schema.is_valid(&json!([{ "n": 1, "next": [{ "m": 2 }] }])), "{reference}");
        }
    }

    #[test]
    fn definitions_of_its_own_come_first() {
        let own = json!({ "$ref": "#/definitions/A", "definitions": { "A": { "type": "string" } } });
        let (library, broken) = Library::new(vec![source("X", own), source("A", json!({ "type": "integer" }))]);
        assert_eq!(broken, []);
        assert!(library.model(0).unwrap().is_valid(&json!("x")));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (schema, pointer, message) in [
            (json!({ "type": "strin" }), "/type", "strin"),
            (json!({ "properties": { "a/b": { "pattern": "(" } } }), "/properties/a~1b/pattern", "regex"),
            (json!({ "properties": { "a": { "minimum": "1" } } }), "/properties/a/minimum", "number"),
            (json!({ "items": { "$ref": "#/definitions/None" } }), "/items/$ref", "no model `None`"),
            (json!({ "$ref": "https://example.com/x.json" }), "/$ref", "nothing is fetched"),
            (json!({ "$ref": "#/nowhere" }), "", "nowhere"),
        ] {
            let (library, mut broken) = Library::new(vec![source("M", schema.clone())]);
            broken.extend(library.model(0).err().map(|found| (0, found)));
            let [(0, Broken { pointer: at, message: text })] = broken.as_slice() else {
                panic!("{schema}: {broken:?}");
            };
            assert_eq!(at, pointer, "{schema}: {text}");
            assert!(text.contains(message), "{schema}: {text}");
        }
    }

    #[test]
    fn formats_of_openapi_have_their_bounds() {
        let schema = json!({ "properties": { "n": { "type": "integer", "format": "int32" }, "b": { "type": "string", "format": "byte" } } });
        let (library, _) = Library::new(vec![source("M", schema)]);
        let schema = library.model(0).unwrap();
        for (value, good) in [
            (json!({ "n": 2_147_483_647 }), true),
            (json!({ "n": 2_147_483_648_u64 }), false),
            (json!({ "b": "aGk=" }), true),
            (json!({ "b": "aGk" }), false),
        ] {
            assert_eq!(schema.is_valid(&value), good, "{value}");
        }
    }

    /// Each level has two ways down, so that trying all would take 2^60 steps: what was found out of a part is remembered.
    #[test]
    fn alternatives_that_recurse_do_not_multiply() {
        let way = |name: &str| json!({ "properties": { "a": { "$ref": "#/model/N" } }, "required": [name] });
        let schema = json!({ "anyOf": [way("x"), way("y"), { "type": "null" }] });
        let (library, broken) = Library::new(vec![source("N", schema)]);
        assert_eq!(broken, []);
        let mut value = json!(null);
        for _ in 0..60 {
            value = json!({ "a": value });
        }
        assert!(!library.model(0).unwrap().is_valid(&value));
        let mut problem = crate::validate::Problem::default();
        problem.begin();
        library.model(0).unwrap().tell(&value, 1000, &mut problem);
        assert!(!problem.errors.is_empty());
    }

    #[test]
    fn a_long_list_of_different_things_is_seen_to_be_so() {
        let (library, _) = Library::new(vec![source("M", json!({ "uniqueItems": true }))]);
        let items: Vec<Value> = (0..50_000).map(|n| json!([n])).collect();
        assert!(library.model(0).unwrap().is_valid(&Value::Array(items)));
    }

    #[test]
    fn a_pattern_that_never_ends_ends() {
        let (library, _) = Library::new(vec![source("M", json!({ "pattern": "^(a+)+\\1$" }))]);
        assert!(!library.model(0).unwrap().is_valid(&json!("a".repeat(60) + "!")));
    }
}
