//! The models of one API: JSON Schemas that may refer to one another, compiled when the configuration is.

use super::{Schema, schema::Group, values};
use crate::base::limits;
use ahash::AHashMap;
use jsonschema::{Draft, PatternOptions, Registry, Retrieve, Uri, ValidationOptions};
use serde_json::{Map, Value};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

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
///
/// A schema that refers to no other is compiled by itself. Those that do are compiled together, all of them once, by
/// [`Library::link`]: each by itself would hold everything that it leads to, which in a circle is all of it.
#[derive(Debug)]
pub struct Library {
    models: Vec<Source>,
    names: AHashMap<String, usize>,
    /// What each is called by the others.
    addresses: Vec<String>,
    /// By index: when it is linked it is a part of one document with all others of its draft.
    bundled: Vec<bool>,
    /// What they call themselves.
    known: Vec<String>,
    /// By index: it refers to others.
    linked: Vec<bool>,
    /// Some refer to languages that schemas are written in.
    languages: Cell<bool>,
    linking: RefCell<Linking>,
}

/// Schemas that refer to others, and that somebody has asked for.
#[derive(Debug, Default)]
struct Linking {
    /// Those without a name.
    inline: Vec<(String, bool, Source)>,
    /// With `formats` and without: addresses, by the key of the schema; where they will be.
    groups: [(Vec<String>, Group); 2],
}

impl Library {
    /// The library of `models`; of those with the same name the last one counts. With what is wrong with which of them: such
    /// a model allows everything, so that the others can be looked at.
    #[must_use]
    pub fn new(models: Vec<Source>) -> (Self, Vec<(usize, Broken)>) {
        let names: AHashMap<String, usize> =
            models.iter().enumerate().map(|(index, model)| (model.name.clone(), index)).collect();
        let mut broken = Vec::new();
        let bundled: Vec<bool> = models
            .iter()
            .map(|model| model.uri.is_none() && !has_own_language(&model.schema) && is_plain(&model.schema, 0))
            .collect();
        let address = |(index, model): (usize, &Source)| match bundled[index] {
            true => member(draft(model), &index.to_string()),
            false => model.address(),
        };
        let addresses: Vec<String> = models.iter().enumerate().map(address).collect();
        let known = ids(&models);
        let mut library = Self {
            models: Vec::new(),
            names,
            addresses,
            bundled,
            known,
            linked: Vec::new(),
            languages: Cell::new(false),
            linking: RefCell::default(),
        };
        let mut taken = Vec::with_capacity(models.len());
        for (index, model) in models.into_iter().enumerate() {
            let (mut schema, linked, found) = library.resolve(&model.schema);
            if !found.is_empty() {
                broken.extend(found.into_iter().map(|found| (index, found)));
                schema = Value::Object(Map::new());
            }
            taken.push(Source { schema, ..model });
            library.linked.push(linked);
        }
        library.models = taken;
        (library, broken)
    }

    /// `schema` with references as the registry knows them, whether it refers to another, and what is wrong with it.
    fn resolve(&self, schema: &Value) -> (Value, bool, Vec<Broken>) {
        let mut finder = Finder {
            names: &self.names,
            known: &self.known,
            addresses: &self.addresses,
            root: schema,
            linked: false,
            languages: false,
            broken: Vec::new(),
        };
        let resolved = finder.schema(schema, &mut String::new(), 0);
        self.languages.set(self.languages.get() || finder.languages);
        (resolved, finder.linked || has_own_language(schema), finder.broken)
    }

    /// Which model is called `name`.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    /// The names of all models.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The schema that `reference` means, if it is a model's; for a look at its types.
    #[must_use]
    pub fn look_up(&self, reference: &str) -> Option<&Value> {
        let named = model_of(reference).and_then(|(name, _)| self.models.get(*self.names.get(name)?));
        let found = named.or_else(|| {
            let index = self.addresses.iter().position(|address| address == reference)?;
            self.models.get(index)
        });
        found.map(|model| &model.schema)
    }

    /// Compiles the model at `index`; if it refers to others, it can be used after [`Library::link`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn model(&self, index: usize) -> Result<Schema, Broken> {
        let (Some(model), Some(address)) = (self.models.get(index), self.addresses.get(index)) else {
            return Err(Broken::new("", "there is no such model"));
        };
        if self.linked.get(index) == Some(&true) {
            self.ask(model, address.clone())
        } else {
            alone(model, &model.address())
        }
    }

    /// Compiles a schema that has no name; if it refers to others, it can be used after [`Library::link`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn inline(&self, schema: &Value, dialect: Dialect) -> Result<(Schema, Value), Broken> {
        let (schema, linked, mut broken) = self.resolve(schema);
        if let Some(broken) = broken.pop() {
            return Err(broken);
        }
        let source = Source { name: String::new(), schema, dialect, uri: None, formats: true };
        if !linked {
            let compiled = alone(&source, INLINE)?;
            return Ok((compiled, source.schema));
        }
        let number = self.linking.borrow().inline.len();
        let plain = !has_own_language(&source.schema) && is_plain(&source.schema, 0);
        let address = if plain { member(draft(&source), &format!("i{number}")) } else { format!("{INLINE}:{number}") };
        let compiled = self.ask(&source, address.clone())?;
        let schema = source.schema.clone();
        self.linking.borrow_mut().inline.push((address, plain, source));
        Ok((compiled, schema))
    }

    /// The schema at `address`, to be compiled with those that it refers to.
    fn ask(&self, source: &Source, address: String) -> Result<Schema, Broken> {
        meta(source)?;
        let mut linking = self.linking.borrow_mut();
        let (addresses, group) = &mut linking.groups[usize::from(source.formats)];
        addresses.push(address);
        Ok(Schema::linked(Arc::clone(group), addresses.len() - 1))
    }

    /// All models, and these schemas without a name, for those that refer to them.
    fn registry(&self, inline: &[(String, bool, Source)]) -> Result<Registry<'static>, String> {
        let named = self.names.values().filter_map(|&index| {
            Some((self.addresses.get(index)?, *self.bundled.get(index)?, self.models.get(index)?))
        });
        let inline = inline.iter().map(|(address, bundled, source)| (address, *bundled, source));
        // Parts of one document: what is in documents of their own is compiled anew for each way that leads there.
        let mut bundles: AHashMap<&str, (Draft, Map<String, Value>)> = AHashMap::new();
        let mut others = Vec::new();
        for (address, bundled, source) in named.chain(inline) {
            match address.split_once("#/definitions/") {
                Some((document, key)) if bundled => {
                    let (_, members) = bundles.entry(document).or_insert_with(|| (draft(source), Map::new()));
                    members.insert(key.to_owned(), rebased(&source.schema, address, false));
                }
                _ => others.push((address.as_str(), draft(source), source.schema.clone())),
            }
        }
        let bundles = bundles.into_iter().map(|(address, (draft, members))| {
            (address, draft, Value::Object(Map::from_iter([("definitions".to_owned(), Value::Object(members))])))
        });
        let mut builder = Registry::new().retriever(Nothing);
        for (address, draft, schema) in bundles.chain(others) {
            builder = builder.add(address, draft.create_resource(schema)).map_err(|e| e.to_string())?;
        }
        if self.languages.get() {
            // By themselves only those of one draft are there; a schema in a language that is a part of one brings all.
            let part = serde_json::json!({ "$schema": "https://json-schema.org/draft/2020-12/meta/core" });
            builder = builder.add(LANGUAGES, Draft::Unknown.create_resource(part)).map_err(|e| e.to_string())?;
        }
        builder.prepare().map_err(|e| e.to_string())
    }

    /// Those that cannot be compiled, whatever the others are.
    fn wrong(&self, linking: &Linking) -> Vec<(Which, Broken)> {
        let linked = self.linked.iter().zip(&self.models).enumerate().filter(|(_, (linked, _))| **linked);
        let named = linked.map(|(index, (_, model))| (Which::Model(index), model));
        let inline = linking.inline.iter().enumerate().map(|(number, (.., source))| (Which::Inline(number), source));
        let broken =
            |source: &Source| alone(&Source { schema: without_others(&source.schema), ..source.clone() }, INLINE).err();
        named.chain(inline).filter_map(|(which, source)| Some((which, broken(source)?))).collect()
    }

    /// Compiles what was asked for and refers to others.
    ///
    /// # Errors
    /// Which schemas are wrong or do not fit the others, and why.
    pub fn link(&self) -> Result<(), Vec<(Which, Broken)>> {
        let linking = self.linking.borrow();
        if linking.groups.iter().all(|(addresses, _)| addresses.is_empty()) {
            return Ok(());
        }
        let elsewhere = |message: String| vec![(Which::Model(0), Broken::new("", message))];
        let registry = self.registry(&linking.inline).map_err(elsewhere)?;
        for (formats, (addresses, group)) in [false, true].into_iter().zip(&linking.groups) {
            let build = |addresses: &[String]| {
                let keyed = addresses.iter().enumerate();
                let members = keyed.map(|(key, address)| (key.to_string(), serde_json::json!({ "$ref": address })));
                let root = serde_json::json!({ "properties": Value::Object(members.collect()) });
                let options = options(Draft::Draft202012, formats);
                options.with_registry(&registry).with_base_uri(LINKED).build(&root).map_err(|error| error.to_string())
            };
            match build(addresses) {
                Ok(validator) => drop(group.set(validator)),
                Err(message) => {
                    let wrong = self.wrong(&linking);
                    if !wrong.is_empty() {
                        return Err(wrong);
                    }
                    let guilty = addresses.iter().find_map(|one| Some((one, build(std::slice::from_ref(one)).err()?)));
                    let Some((address, message)) = guilty else { return Err(elsewhere(message)) };
                    let inline = linking.inline.iter().position(|(known, ..)| known == address).map(Which::Inline);
                    let named = self.addresses.iter().position(|known| known == address).map(Which::Model);
                    return Err(vec![(inline.or(named).unwrap_or(Which::Model(0)), Broken::new("", message))]);
                }
            }
        }
        Ok(())
    }
}

/// One of the schemas of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The model of this index.
    Model(usize),
    /// The one of this number among those without a name that refer to others.
    Inline(usize),
}

/// Compiles a schema that refers to no other.
fn alone(source: &Source, address: &str) -> Result<Schema, Broken> {
    match options(draft(source), source.formats).with_base_uri(address).build(&source.schema) {
        Ok(validator) => Ok(Schema::alone(validator)),
        Err(error) => Err(Broken::new(error.instance_path().as_str(), error.to_string())),
    }
}

fn options(draft: Draft, formats: bool) -> ValidationOptions<'static> {
    jsonschema::options()
        .with_draft(draft)
        .with_retriever(Nothing)
        .should_validate_formats(formats)
        .with_format("byte", is_base64)
        .with_pattern_options(
            PatternOptions::fancy_regex()
                .backtrack_limit(limits::PATTERN_STEPS_MAX)
                .size_limit(limits::PATTERN_BYTES_MAX)
                .dfa_size_limit(limits::PATTERN_BYTES_MAX),
        )
}

/// Whether a schema is as the meta-schema of its dialect says.
fn meta(source: &Source) -> Result<(), Broken> {
    let found = match draft(source) {
        Draft::Draft4 => jsonschema::draft4::meta::validate(&source.schema),
        Draft::Draft6 => jsonschema::draft6::meta::validate(&source.schema),
        Draft::Draft7 => jsonschema::draft7::meta::validate(&source.schema),
        Draft::Draft201909 => jsonschema::draft201909::meta::validate(&source.schema),
        _ => jsonschema::draft202012::meta::validate(&source.schema),
    };
    found.map_err(|error| Broken::new(error.instance_path().as_str(), error.to_string()))
}

/// A schema without what it refers to.
fn without_others(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => {
            let other = |(key, value): &(&String, &Value)| {
                *key == "$ref" && value.as_str().is_some_and(|reference| !reference.starts_with('#'))
            };
            let members = members.iter().filter(|member| !other(member));
            Value::Object(members.map(|(key, value)| (key.clone(), without_others(value))).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(without_others).collect()),
        other => other.clone(),
    }
}

/// What schemas without a name are known by.
const INLINE: &str = "urn:ringgate:inline";
/// What brings the languages of schemas is known by.
const LANGUAGES: &str = "urn:ringgate:languages";
/// What the documents are known by that schemas are put into.
const BUNDLE: &str = "urn:ringgate:bundle:";

/// The address of a schema in the document with all of its draft.
fn member(draft: Draft, key: &str) -> String {
    format!("{BUNDLE}{draft:?}#/definitions/{key}")
}

/// Whether a schema is written in a language that one of the models defines.
fn has_own_language(schema: &Value) -> bool {
    let named = schema.get("$schema").and_then(Value::as_str);
    named.is_some_and(|uri| Draft::from_schema_uri(uri) == Draft::Unknown)
}

/// Whether a schema names no part of itself, so that it means the same as a part of another document.
fn is_plain(schema: &Value, depth: usize) -> bool {
    const NAMES: [&str; 7] =
        ["id", "$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef"];
    match schema {
        _ if depth > limits::SCHEMA_DEPTH_MAX => false,
        Value::Object(members) => members.iter().all(|(key, value)| match value {
            Value::Object(named) if NAMED.contains(&key.as_str()) => {
                named.values().all(|value| is_plain(value, depth + 1))
            }
            Value::String(_) | Value::Bool(_) if NAMES.contains(&key.as_str()) => false,
            Value::String(reference) if key == "$ref" => {
                matches!(reference.strip_prefix('#'), None | Some("")) || reference.starts_with("#/")
            }
            _ => DATA.contains(&key.as_str()) || is_plain(value, depth + 1),
        }),
        Value::Array(values) => values.iter().all(|value| is_plain(value, depth + 1)),
        _ => true,
    }
}

/// A schema as a part of another document, at `address` there: what it says of itself is said from there. `names`: it is not
/// a schema, but its members are.
fn rebased(schema: &Value, address: &str, names: bool) -> Value {
    match schema {
        Value::Object(members) => {
            let member = |(key, value): (&String, &Value)| {
                let value = match value {
                    Value::String(reference) if !names && key == "$ref" => match reference.strip_prefix('#') {
                        Some(pointer) => Value::String(format!("{address}{pointer}")),
                        None => value.clone(),
                    },
                    _ if !names && DATA.contains(&key.as_str()) => value.clone(),
                    Value::Object(_) if !names && NAMED.contains(&key.as_str()) => rebased(value, address, true),
                    _ => rebased(value, address, false),
                };
                (key.clone(), value)
            };
            Value::Object(members.iter().map(member).collect())
        }
        Value::Array(values) => Value::Array(values.iter().map(|value| rebased(value, address, false)).collect()),
        other => other.clone(),
    }
}

/// What those that are compiled together are in.
const LINKED: &str = "urn:ringgate:linked";

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
    linked: bool,
    languages: bool,
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
                        ("$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                            self.linked |= !reference.starts_with('#');
                            value.clone()
                        }
                        (key, _) if DATA.contains(&key) => value.clone(),
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
        let document = reference.split('#').next().unwrap_or_default();
        let meta = ["http://json-schema.org/", "https://json-schema.org/"];
        let meta = meta.iter().any(|known| document.starts_with(known));
        self.languages |= meta;
        self.linked |= !meta && !document.is_empty() || model_of(reference).is_some();
        if let Some((name, rest)) = model_of(reference) {
            if let Some(address) = self.names.get(name).and_then(|index| self.addresses.get(*index)) {
                let hash = if rest.is_empty() || address.contains('#') { "" } else { "#" };
                return format!("{address}{hash}{rest}");
            }
            self.broken.push(Broken::new(at, format!("there is no model `{name}`")));
            return reference.to_owned();
        }
        let absolute = document.contains("://") && !meta;
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

/// Keywords whose values are data and no schemas.
const DATA: [&str; 5] = ["enum", "const", "default", "example", "examples"];

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
            let (tree, (list, _)) = (
                library.model(0).unwrap(),
                library.inline(&json!({ "items": { "$ref": reference } }), Dialect::Draft4).unwrap(),
            );
            assert_eq!(library.link(), Ok(()), "{reference}");
            for schema in [tree, list] {
                assert!(schema.check(json!([{ "n": 1, "next": [{ "n": 2 }] }])).is_ok(), "{reference}");
                let invalid = schema.check(json!([{ "n": 1, "next": [{ "m": 2 }] }])).unwrap_err();
                let mut problem = crate::validate::Problem::default();
                problem.begin();
                schema.tell(&invalid, 100, &mut problem);
                let errors = String::from_utf8_lossy(&problem.errors);
                assert!(errors.contains("\"pointer\":\"#/0/next/0\""), "{reference}: {errors}");
            }
        }
    }

    #[test]
    fn what_a_schema_says_of_itself_is_said_wherever_it_stands() {
        let own = json!({
            "definitions": { "0": { "type": "string" } },
            "properties": {
                "default": { "$ref": "#/definitions/0" },
                "self": { "$ref": "#" },
                "other": { "$ref": "#/model/A" }
            },
            "enum": [{ "default": "x" }, { "$ref": "#" }, { "default": 1 }, { "self": { "default": 1 } }, { "other": 1 }]
        });
        let (library, broken) = Library::new(vec![source("A", json!({ "type": "integer" })), source("X", own)]);
        assert_eq!(broken, []);
        let schema = library.model(1).unwrap();
        assert_eq!(library.link(), Ok(()));
        for (value, good, why) in [
            (json!({ "default": "x" }), true, "its own definition, not the first model"),
            (json!({ "default": 1 }), false, "its own definition"),
            (json!({ "self": { "default": 1 } }), false, "itself"),
            (json!({ "other": 1 }), true, "the other"),
            (json!({ "$ref": "#" }), true, "data that only looks like a reference"),
        ] {
            assert_eq!(schema.check(value.clone()).is_ok(), good, "{value}: {why}");
        }
    }

    #[test]
    fn models_and_the_languages_of_schemas_can_be_referred_to_together() {
        for meta in [
            "http://json-schema.org/draft-04/schema#",
            "http://json-schema.org/draft-07/schema#",
            "https://json-schema.org/draft/2020-12/schema",
        ] {
            let both = json!({ "properties": { "m": { "$ref": "#/model/A" }, "s": { "$ref": meta } } });
            let (library, broken) = Library::new(vec![source("A", json!({ "type": "integer" })), source("X", both)]);
            assert_eq!(broken, [], "{meta}");
            let schema = library.model(1).unwrap();
            assert_eq!(library.link(), Ok(()), "{meta}");
            for (value, good) in [
                (json!({ "m": 1, "s": { "type": "object" } }), true),
                (json!({ "m": "x" }), false),
                (json!({ "s": { "type": "objekt" } }), false),
            ] {
                assert_eq!(schema.check(value.clone()).is_ok(), good, "{meta}: {value}");
            }
        }
    }

    #[test]
    fn definitions_of_its_own_come_first() {
        let own = json!({ "$ref": "#/definitions/A", "definitions": { "A": { "type": "string" } } });
        let (library, broken) = Library::new(vec![source("X", own), source("A", json!({ "type": "integer" }))]);
        assert_eq!(broken, []);
        assert!(library.model(0).unwrap().check(json!("x")).is_ok());
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
            (json!({ "$ref": "#/model/M/properties/x" }), "", "/properties/x"),
            (
                json!({ "items": { "$ref": "#/model/M" }, "properties": { "a": { "pattern": "(" } } }),
                "/properties/a/pattern",
                "regex",
            ),
        ] {
            let (library, mut broken) = Library::new(vec![source("M", schema.clone())]);
            broken.extend(library.model(0).err().map(|found| (0, found)));
            if broken.is_empty() {
                broken.extend(library.link().err().into_iter().flatten().map(|(_, found)| (0, found)));
            }
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
            assert_eq!(schema.check(value.clone()).is_ok(), good, "{value}");
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
        let schema = library.model(0).unwrap();
        assert_eq!(library.link(), Ok(()));
        let invalid = schema.check(value).unwrap_err();
        let mut problem = crate::validate::Problem::default();
        problem.begin();
        schema.tell(&invalid, 1000, &mut problem);
        assert!(!problem.errors.is_empty());
    }

    #[test]
    fn a_long_list_of_different_things_is_seen_to_be_so() {
        let (library, _) = Library::new(vec![source("M", json!({ "uniqueItems": true }))]);
        let items: Vec<Value> = (0..50_000).map(|n| json!([n])).collect();
        assert!(library.model(0).unwrap().check(Value::Array(items)).is_ok());
    }

    #[test]
    fn a_pattern_that_never_ends_ends() {
        let (library, _) = Library::new(vec![source("M", json!({ "pattern": "^(a+)+\\1$" }))]);
        assert!(library.model(0).unwrap().check(json!("a".repeat(60) + "!")).is_err());
    }

    /// Models that lead to one another are compiled once, not once for each: a thousand in a circle
    /// would take 24 GB.
    #[test]
    fn a_large_circle_is_compiled_once() {
        let model = |n: usize| {
            let next = format!("#/model/M{}", (n + 1) % 1000);
            let properties =
                json!({ "next": { "$ref": next }, "a": { "type": "integer" }, "b": { "pattern": "^b+$" } });
            source(&format!("M{n}"), json!({ "type": "object", "properties": properties }))
        };
        let (library, broken) = Library::new((0..1000).map(model).collect());
        assert_eq!(broken, []);
        let all: Vec<_> = (0..1000).map(|index| library.model(index).unwrap()).collect();
        assert_eq!(library.link(), Ok(()));
        for schema in all {
            assert!(schema.check(json!({ "next": { "next": { "a": 1 } } })).is_ok());
            assert!(schema.check(json!({ "next": { "next": { "a": "1" } } })).is_err());
        }
    }
}
