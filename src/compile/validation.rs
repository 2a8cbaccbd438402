//! Models and validators: schemas compiled, references between them followed, parameters understood.

use super::{Sink, check_count, check_name, locate::locate};
use crate::{
    base::limits,
    config::{
        self, Diagnostic,
        api::Route,
        diagnostic::Code,
        source::{At, Place, Text},
        tree::{Node, Value as Written},
        validation::{MediaModel, Model, Named, Parameter as Described, Schema as Source},
    },
    http::list::is_token,
    plan::documentation::{self, Documentation},
    validate::{
        self, Bodies, Broken, Dialect, Library, Parameter, Schema, Shape, Style, Validator, Where, Which, media,
    },
};
use serde_json::Value;
use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
    sync::Arc,
};

/// The models that the routes of an API can name, compiled.
pub(super) struct Models<'c> {
    library: Library,
    written: Vec<&'c Model>,
    /// By index, once somebody wants it; `None` where something is wrong, which has been reported.
    compiled: Vec<OnceCell<Option<Arc<Schema>>>>,
    /// Schemas without a name that refer to models.
    inline: RefCell<Vec<Source>>,
    /// What those tell that are not shared.
    told: RefCell<Vec<documentation::Model>>,
}

impl<'c> Models<'c> {
    /// Those of all APIs, `common`, and those of one, `own`, which come first.
    pub(super) fn compile(common: &'c [Model], own: &'c [Model], sink: &Sink) -> Self {
        let own_names: BTreeSet<&str> = own.iter().map(|model| model.name.value.as_str()).collect();
        let hidden = |model: &&Model| !own_names.contains(model.name.value.as_str());
        let written: Vec<&Model> = common.iter().filter(hidden).chain(own).collect();
        check_count(written.len(), limits::MODELS_MAX, "models", written.last().map(|model| model.name.place), sink);
        let mut good = vec![true; written.len()];
        let mut sources = Vec::with_capacity(written.len());
        let mut told = Vec::new();
        let shared = if own.is_empty() { 0 } else { written.len() - own.len() };
        for (model, good) in written.iter().zip(&mut good) {
            check_name(&model.name, "a model", sink);
            let schema = model.schema.as_ref().and_then(|schema| read(schema, sink));
            *good = schema.is_some();
            if sources.len() >= shared {
                told.extend(schema.as_ref().map(|schema| tell(model, schema)));
            }
            sources.push(validate::Source {
                name: model.name.value.clone(),
                schema: schema.unwrap_or(Value::Bool(true)),
                dialect: if model.dialect.value == "draft4" { Dialect::Draft4 } else { Dialect::Draft202012 },
                uri: model.uri.as_ref().and_then(|uri| absolute(uri, sink)),
                formats: model.formats.value == "assert",
            });
        }
        let (library, broken) = Library::new(sources);
        for (index, broken) in broken {
            good[index] = false;
            report(&broken, written[index].schema.as_ref(), sink);
        }
        let broken = |good: &bool| if *good { OnceCell::new() } else { OnceCell::from(None) };
        let models = Self {
            library,
            compiled: good.iter().map(broken).collect(),
            written,
            inline: RefCell::default(),
            told: told.into(),
        };
        // What is shared by all is looked at once, by itself; another API takes of it what it uses.
        for index in shared..models.written.len() {
            models.at(index, sink);
        }
        models
    }

    /// Links the models of `api`, or those of all, after which they can be used, and notes what they tell.
    pub(super) fn finish(&self, api: Option<&str>, documentation: &mut Documentation, sink: &Sink) {
        self.link(sink);
        let told = std::mem::take(&mut *self.told.borrow_mut());
        let whose = |model| documentation::Model { api: api.map(Into::into), ..model };
        documentation.models.extend(told.into_iter().map(whose));
    }

    /// Compiles together what refers to one another: after that, everything that was handed out can be used.
    fn link(&self, sink: &Sink) {
        let inline = self.inline.borrow();
        for (which, broken) in self.library.link().err().unwrap_or_default() {
            let schema = match which {
                Which::Model(index) => self.written.get(index).and_then(|model| model.schema.as_ref()),
                Which::Inline(number) => inline.get(number),
            };
            report(&broken, schema, sink);
        }
    }

    /// The model at `index`.
    fn at(&self, index: usize, sink: &Sink) -> Option<Arc<Schema>> {
        let compile = || {
            let compiled = self.library.model(index);
            compiled.map_err(|broken| report(&broken, self.written[index].schema.as_ref(), sink)).ok().map(Arc::new)
        };
        self.compiled.get(index)?.get_or_init(compile).clone()
    }

    /// The model called `name`.
    fn named(&self, name: &Text, sink: &Sink) -> Option<Arc<Schema>> {
        let found = self.library.index(&name.value);
        if found.is_none() {
            let message = format!("there is no model `{}`", name.value);
            let help = config::did_you_mean(&name.value, self.library.names());
            let help = help.or_else(|| Some(format!("define `[model.{}]`", name.value)));
            sink.add(Diagnostic::error(Code::UNKNOWN_MODEL, name.place, message).maybe_help(help));
        }
        self.at(found?, sink)
    }

    /// A schema without a name, and what its parameter's text is to be read as.
    fn inline(&self, schema: &Source, sink: &Sink) -> Option<(Arc<Schema>, Shape)> {
        let value = read(schema, sink)?;
        match self.library.inline(&value, Dialect::Draft4) {
            Ok((compiled, value)) => {
                if compiled.is_linked() {
                    self.inline.borrow_mut().push(schema.clone());
                }
                let look_up = |reference: &str| match reference.strip_prefix('#') {
                    Some(pointer) => value.pointer(pointer),
                    None => self.library.look_up(reference),
                };
                let shape = Shape::of(&value, &look_up);
                Some((Arc::new(compiled), shape))
            }
            Err(broken) => {
                report(&broken, Some(schema), sink);
                None
            }
        }
    }

    fn media(&self, model: &MediaModel, sink: &Sink) -> Option<Arc<Schema>> {
        match &model.model {
            Named::Name(name) => self.named(name, sink),
            Named::Schema(schema) => self.inline(schema, sink).map(|(schema, _)| schema),
        }
    }
}

/// What a model tells, before it is known whose it is.
fn tell(model: &Model, schema: &Value) -> documentation::Model {
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.value.as_str().into());
    documentation::Model {
        api: None,
        name: model.name.value.as_str().into(),
        description: text(&model.description),
        content_type: text(&model.content_type),
        schema: schema.to_string().into(),
    }
}

/// The URI that `text` is, without an empty fragment.
fn absolute(text: &Text, sink: &Sink) -> Option<String> {
    let uri = text.value.trim_end_matches('#');
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let good = !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        && uri.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b));
    if !good {
        let message = format!("`{}` is not the URI of a schema", text.value);
        let expected = "expected one like \"https://example.com/order.json\", without a fragment";
        sink.add(Diagnostic::error(Code::BAD_SCHEMA, text.place, message).expected(expected));
    }
    good.then(|| uri.to_owned())
}

/// Compiles what is checked of the requests to `route`, if anything is; `path` names the parameters of its path.
pub(super) fn compile(
    route: &Route,
    path: Option<&[String]>,
    models: &Models<'_>,
    body_limit: u64,
    sink: &Sink,
) -> Option<Arc<Validator>> {
    // What is described is looked at even where it is not used: it should be right when it will be.
    let mut parameters: Vec<Parameter> =
        route.parameters.iter().filter_map(|described| parameter(described, path, models, sink)).collect();
    twice(&route.parameters, sink);
    parameters.sort_by(|a, b| (a.place, &a.name).cmp(&(b.place, &b.name)));
    let media: Vec<(String, Arc<Schema>)> = route
        .models
        .iter()
        .filter_map(|model| Some((range(&model.media, sink)?, models.media(model, sink)?)))
        .collect();
    let asked = route.validation.as_ref()?;
    // What holds for all routes says nothing about those without a body to speak of.
    let strict = asked.unknown_media.value == "refuse" && !(asked.inherited && media.is_empty());
    let bodies = (asked.body.value && (strict || !media.is_empty())).then(|| Bodies {
        models: media,
        strict,
        limit: match &route.request_body {
            Some(limit) => limit.value.min(limits::VALIDATED_BODY_BYTES_MAX),
            None => body_limit.min(limits::VALIDATED_BODY_BYTES_DEFAULT),
        },
    });
    let parameters = if asked.parameters.value { parameters } else { Vec::new() };
    (bodies.is_some() || !parameters.is_empty()).then(|| Arc::new(Validator { parameters, bodies }))
}

fn range(media: &At<String>, sink: &Sink) -> Option<String> {
    let text = &media.value;
    let good = matches!(text.as_str(), "*/*" | "$default")
        || media::essence(text.as_bytes()).is_some_and(|essence| essence.eq_ignore_ascii_case(text))
            && !text.starts_with("*/");
    if !good {
        let message = format!("`{text}` is not a media type");
        let expected = "expected one like \"application/json\", \"application/*\", \"*/*\" or \"$default\"";
        sink.add(Diagnostic::error(Code::BAD_MEDIA_TYPE, media.place, message).expected(expected));
    }
    good.then(|| text.to_ascii_lowercase())
}

fn twice(all: &[Described], sink: &Sink) {
    let mut seen = BTreeSet::new();
    for described in all {
        let Some(name) = &described.name else { continue };
        let key =
            if described.location.value == "header" { name.value.to_ascii_lowercase() } else { name.value.clone() };
        if !seen.insert((described.location.value, key)) {
            let message = format!("the {} parameter `{}` is described twice", described.location.value, name.value);
            sink.add(Diagnostic::error(Code::BAD_PARAMETER, name.place, message).help("remove one of them"));
        }
    }
}

fn parameter(described: &Described, path: Option<&[String]>, models: &Models<'_>, sink: &Sink) -> Option<Parameter> {
    let name = described.name.as_ref()?;
    let place = match described.location.value {
        "path" => Where::Path,
        "query" => Where::Query,
        "header" => Where::Header,
        "cookie" => Where::Cookie,
        _ => return None,
    };
    let bad = |place: Place, message: String, expected: &str| {
        sink.add(Diagnostic::error(Code::BAD_PARAMETER, place, message).expected(expected));
    };
    let index = match (place, path) {
        (Where::Path, Some(names)) => {
            let found = names.iter().position(|own| *own == name.value);
            if found.is_none() {
                let known: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let expected = if known.is_empty() {
                    "the path has none".into()
                } else {
                    format!("expected {}", known.join(" or "))
                };
                bad(name.place, format!("the route's path has no parameter `{}`", name.value), &expected);
            }
            found?
        }
        _ => 0,
    };
    if place == Where::Header && !is_token(name.value.as_bytes()) {
        bad(name.place, format!("`{}` is not a header name", name.value), "expected one as in RFC 9110 §5.1");
        return None;
    }
    let style = style(described, place, sink)?;
    let (schema, shape, is_json) = match (&described.content, &described.schema) {
        (Some(content), _) => {
            range(&content.media, sink)?;
            (Some(models.media(content, sink)?), Shape::Scalar(validate::shape::Types::default()), true)
        }
        (None, Some(schema)) => {
            let (schema, shape) = models.inline(schema, sink)?;
            (Some(schema), shape, false)
        }
        (None, None) => (None, Shape::Scalar(validate::shape::Types::default()), false),
    };
    Some(Parameter {
        place,
        name: name.value.clone(),
        required: described.required.value,
        allow_empty: described.allow_empty.value,
        style,
        explode: described.explode.map_or(style == Style::Form, |explode| explode.value),
        shape,
        is_json,
        schema,
        index,
    })
}

fn style(described: &Described, place: Where, sink: &Sink) -> Option<Style> {
    let Some(written) = described.style else {
        return Some(if matches!(place, Where::Query | Where::Cookie) { Style::Form } else { Style::Simple });
    };
    let (style, allowed): (Style, &[Where]) = match written.value {
        "simple" => (Style::Simple, &[Where::Path, Where::Header]),
        "label" => (Style::Label, &[Where::Path]),
        "matrix" => (Style::Matrix, &[Where::Path]),
        "form" => (Style::Form, &[Where::Query, Where::Cookie]),
        "spaceDelimited" => (Style::SpaceDelimited, &[Where::Query]),
        "pipeDelimited" => (Style::PipeDelimited, &[Where::Query]),
        "deepObject" => (Style::DeepObject, &[Where::Query]),
        _ => return None,
    };
    if !allowed.contains(&place) {
        let message = format!("a parameter in the {} is not written in the style \"{}\"", place.name(), written.value);
        sink.add(Diagnostic::error(Code::BAD_PARAMETER, written.place, message));
        return None;
    }
    Some(style)
}

/// The schema as a JSON value; what is wrong with it as JSON is reported.
fn read(schema: &Source, sink: &Sink) -> Option<Value> {
    let bad = |place: Place, message: String| {
        sink.add(Diagnostic::error(Code::BAD_SCHEMA, place, message));
        None
    };
    match schema {
        Source::Inline(node) => match config::validation::json(node) {
            Ok(value) => Some(value),
            Err(place) => bad(place, "a JSON Schema has no dates: write it as a string".into()),
        },
        Source::Text(text) => match serde_json::from_str(&text.value) {
            Ok(value) => Some(value),
            Err(error) => {
                let at = offset(&text.value, error.line(), error.column());
                bad(text.part(at..at + 1), format!("the schema is not JSON: {error}"))
            }
        },
        Source::File(file) => match serde_json::from_slice(&file.bytes) {
            Ok(value) => Some(value),
            Err(error) => bad(file.written.place, format!("`{}` is not JSON: {error}", file.path.display())),
        },
    }
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    lines.map(str::len).sum::<usize>() + column.saturating_sub(1)
}

/// Reports `broken` at its place in the user's file.
fn report(broken: &Broken, schema: Option<&Source>, sink: &Sink) {
    let Some(schema) = schema else { return };
    let at = if broken.pointer.is_empty() { String::new() } else { format!(" at `{}`", broken.pointer) };
    let (place, origin) = match schema {
        Source::Inline(node) => (find(node, &broken.pointer), at),
        Source::Text(text) => {
            let place = locate(&text.value, &broken.pointer).map_or(text.place, |at| text.part(at..at + 1));
            (place, at)
        }
        Source::File(file) => {
            let text = String::from_utf8_lossy(&file.bytes);
            let line = locate(&text, &broken.pointer)
                .map_or(1, |at| 1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count());
            (file.written.place, format!("{at} ({}:{line})", file.path.display()))
        }
    };
    let message = format!("the schema cannot be used{origin}: {}", broken.message);
    sink.add(Diagnostic::error(Code::BAD_SCHEMA, place, message));
}

/// The place that `pointer` leads to in `node`, or to that of the last part that is there.
fn find(mut node: &Node, pointer: &str) -> Place {
    let mut place = node.place;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let next = match &node.value {
            Written::Table(table) => table.get(&token).map(|entry| &entry.node),
            Written::List(nodes) | Written::Tables(nodes) => token.parse::<usize>().ok().and_then(|i| nodes.get(i)),
            _ => None,
        };
        let Some(next) = next else { break };
        (node, place) = (next, next.place);
    }
    place
}
