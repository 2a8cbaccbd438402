//! Authorizers that ask somebody else, compiled: whom, about what, and what is made of the answer (reference, section 6.5).

use super::{
    access::Secret,
    mapped::{Value, context},
};
pub use crate::{
    auth::{
        answer::{Manner, Says, Told, Wrong, read, thrown},
        verdicts::Verdicts,
    },
    base::mark::Mark,
    observe::variables::Variable as ContextVariable,
};
use crate::{
    base::ids::UpstreamId,
    http::{head::RequestHead, method::Method, status::Status},
    mapping::{
        percent::{Came, decoded},
        query,
    },
    observe::{
        event::ExchangeRecord,
        variables::{self, Variable},
    },
};
use fancy_regex::Regex;
use std::{sync::Arc, time::Duration};

/// What an authorizer of one of the types `lambda_token`, `lambda_request` and `http` does.
#[derive(Debug)]
pub struct Call {
    /// Who is asked.
    pub service: Service,
    /// Where that is.
    pub upstream: UpstreamId,
    /// What is sent as `Host`; nothing: what the client has sent.
    pub host: Option<Box<str>>,
    /// Until the whole answer is there.
    pub timeout: Duration,
    /// Who lacks one of these is refused; together they are what a verdict is remembered by.
    pub sources: Box<[Source]>,
    /// Sources are looked at although nothing is remembered.
    pub demands: bool,
    /// A token in which this is not found is refused.
    pub validation: Option<Regex>,
    /// How long a verdict is remembered; zero: it is not, and every request is asked about by itself.
    pub cache_ttl: Duration,
    /// A verdict holds for the route that it was given for.
    pub by_route: bool,
}

/// Who is asked.
#[derive(Debug)]
pub enum Service {
    /// A function, through the Invoke API of AWS Lambda or of what imitates it.
    Lambda(Box<Lambda>),
    /// A service that answers with a status.
    Http(Box<Http>),
}

/// A function that authorizes.
#[derive(Debug)]
pub struct Lambda {
    /// What its event looks like.
    pub form: Form,
    /// It may answer without a policy.
    pub simple: bool,
    /// The path of an invocation.
    pub path: Box<str>,
    /// The region that invocations are signed for.
    pub region: Box<str>,
    /// What they are signed with; nothing: they are not.
    pub credentials: Option<Arc<Credentials>>,
}

/// What the event of an authorizer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `TOKEN`
    Token,
    /// `REQUEST`, payload format 1.0.
    Request1,
    /// `REQUEST`, payload format 2.0.
    Request2,
}

/// `[credentials.NAME]`: what the gateway signs its own requests with.
#[derive(Debug)]
pub struct Credentials {
    /// Its name, for people.
    pub name: String,
    /// The access key.
    pub access_key_id: Box<str>,
    /// What is signed with.
    pub secret: Secret,
    /// Of temporary credentials.
    pub session_token: Option<Secret>,
}

/// A service that authorizes.
#[derive(Debug)]
pub struct Http {
    /// What it is asked for.
    pub path: Box<str>,
    /// The request's own path and query follow.
    pub append_path: bool,
    /// What it is asked with; nothing: the request's own method.
    pub method: Option<Method>,
    /// The headers of the request that go along.
    pub send: Box<[Name]>,
    /// The headers of an answer that go on to the upstream, in small letters.
    pub copy: Box<[Box<str>]>,
    /// The statuses that let pass, from and to.
    pub allow: Box<[(u16, u16)]>,
    /// The headers of a service's refusal that the client gets with it, in small letters; nothing: the gateway's own refusal.
    pub told: Option<Box<[Box<str>]>>,
    /// Who cannot be asked about is let pass.
    pub allow_on_error: bool,
}

/// The name of a header, or the beginning of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// In small letters.
    pub text: Box<str>,
    /// Names that begin so count, too.
    pub open: bool,
}

/// Where a part of an identity is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The header of this name: all lines of it, with commas (RFC 9110 §5.3).
    Header(Box<str>),
    /// The parameter of this name in the query: all values of it, with commas.
    Query(Box<str>),
    /// A stage variable.
    Stage(Box<str>),
    /// `$context.NAME`
    Context(Variable),
}

/// The value that a route sends on of a header of its authorizer's answer.
#[must_use]
pub fn copied(header: &str) -> Value {
    Value::Context(Variable::Proved(variable(header).into()))
}

/// A value of `$context` as text; empty if there is none.
#[must_use]
pub fn shown(variable: &Variable, record: &ExchangeRecord<'_>) -> String {
    let mut out = Vec::new();
    context(variable, record, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What a header of an authorizer's answer is called in `$context`.
#[must_use]
pub fn variable(header: &str) -> String {
    format!("authorizer.{header}")
}

/// Whether a byte may be in the name of a header that goes along; names have a few more (RFC 9110 §5.6.2).
#[must_use]
pub const fn is_header_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')
}

impl Name {
    /// Whether a header is called so.
    #[must_use]
    pub fn is(&self, name: &[u8]) -> bool {
        let text = self.text.as_bytes();
        match name.split_at_checked(text.len()) {
            Some((start, rest)) => start.eq_ignore_ascii_case(text) && (self.open || rest.is_empty()),
            None => false,
        }
    }
}

impl Http {
    /// Whether an answer with this status lets pass.
    #[must_use]
    pub fn allows(&self, status: Status) -> bool {
        self.allow.iter().any(|(from, to)| (*from..=*to).contains(&status.0))
    }
}

impl Call {
    /// As it is written.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match &self.service {
            Service::Lambda(lambda) => match lambda.form {
                Form::Token => "lambda_token",
                Form::Request1 | Form::Request2 => "lambda_request",
            },
            Service::Http(_) => "http",
        }
    }

    /// Whether some source is one of the exchange's, so that its record is needed.
    #[must_use]
    pub fn asks_record(&self) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Context(_)))
    }

    /// What its service is asked for and by whom, for people.
    #[must_use]
    pub fn target(&self) -> &str {
        match &self.service {
            Service::Lambda(lambda) => &lambda.path,
            Service::Http(http) => &http.path,
        }
    }
}

/// A request whose identity is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// The bytes that its spans point into.
    pub bytes: &'a [u8],
    /// The stage variables.
    pub variables: &'a [(String, String)],
    /// The exchange as far as it is known.
    pub record: &'a ExchangeRecord<'a>,
}

impl Source {
    /// Reads `header.NAME` and the like, or as Amazon writes it: `method.request.header.NAME`, `$request.querystring.NAME`,
    /// `stageVariables.NAME`, `$context.NAME` (reference, section 3.2).
    ///
    /// # Errors
    /// What it is instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let plain = text.strip_prefix('$').unwrap_or(text);
        let plain = plain.strip_prefix("method.request.").or_else(|| plain.strip_prefix("request.")).unwrap_or(plain);
        let (place, name) = plain.split_once('.').ok_or("is no identity source")?;
        if name.is_empty() || name.len() > 256 || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err("has no name".to_owned());
        }
        match place {
            "header" if name.bytes().all(is_header_name) => Ok(Self::Header(name.to_ascii_lowercase().into())),
            "query" | "querystring" => Ok(Self::Query(name.into())),
            "stage" | "stageVariables" => Ok(Self::Stage(name.into())),
            "context" => variables::find(name).map(Self::Context).map_err(|near| match near {
                Some(near) => format!("is not there; did you mean `context.{near}`?"),
                None => "is not there".to_owned(),
            }),
            _ => Err("is no identity source".to_owned()),
        }
    }

    /// Appends the value; whether there is one that is not empty.
    pub fn write(&self, sought: &Sought<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut first = true;
        let mut between = |out: &mut Vec<u8>| {
            if !std::mem::take(&mut first) {
                out.push(b',');
            }
        };
        match self {
            Self::Header(name) => {
                let is = |line: &[u8]| line.eq_ignore_ascii_case(name.as_bytes());
                for line in sought.head.fields.iter().filter(|line| is(line.name.of(sought.bytes))) {
                    between(out);
                    out.extend_from_slice(line.value.of(sought.bytes));
                }
            }
            Self::Query(name) => {
                for value in query::all(sought.head.query.of(sought.bytes), name.as_bytes()) {
                    between(out);
                    out.extend(decoded(value, Came::Query));
                }
            }
            Self::Stage(name) => {
                let found = sought.variables.iter().find(|(known, _)| **known == **name);
                out.extend_from_slice(found.map(|(_, value)| value.as_bytes()).unwrap_or_default());
            }
            Self::Context(variable) => {
                context(variable, sought.record, out);
            }
        }
        out.len() > start
    }

    /// As it is written.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Header(name) => format!("header.{name}"),
            Self::Query(name) => format!("query.{name}"),
            Self::Stage(name) => format!("stage.{name}"),
            Self::Context(variable) => format!("context.{variable:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Sought, Source};
    use crate::{auth::sigv4::fuzz::request, observe::event::ExchangeRecord};

    #[test]
    fn reference_3_2_sources_are_written_in_two_ways() {
        let header = |name: &str| Ok(Source::Header(name.into()));
        for (text, expect) in [
            ("header.X-Token", header("x-token")),
            ("method.request.header.Auth", header("auth")),
            ("$request.header.Auth", header("auth")),
            ("query.t", Ok(Source::Query("t".into()))),
            ("method.request.querystring.t", Ok(Source::Query("t".into()))),
            ("stageVariables.v", Ok(Source::Stage("v".into()))),
            ("$stageVariables.v", Ok(Source::Stage("v".into()))),
            ("stage.v", Ok(Source::Stage("v".into()))),
        ] {
            assert_eq!(Source::parse(text), expect, "{text}");
        }
        assert!(matches!(Source::parse("$context.identity.sourceIp"), Ok(Source::Context(_))));
        for text in ["header", "header.", "header.a b", "cookie.a", "context.nothing", "", "method.request.body"] {
            assert!(Source::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn several_values_of_one_name_are_one_value() {
        let (head, bytes) = request(b"GET /x?q=a%20b&q=c&e= HTTP/1.1\nhost:h\nx-a:1\nX-A:2\nx-e:\n\n").unwrap();
        let variables = [("v".to_owned(), "blue".to_owned())];
        let sought = Sought { head: &head, bytes: &bytes, variables: &variables, record: &ExchangeRecord::default() };
        for (source, expect, why) in [
            ("header.x-a", Some("1,2"), "all lines of a header"),
            ("header.x-b", None, "none"),
            ("header.x-e", None, "an empty one"),
            ("query.q", Some("a b,c"), "all values of a parameter, as they mean"),
            ("query.e", None, "an empty one"),
            ("stage.v", Some("blue"), "a stage variable"),
            ("stage.w", None, "none of that name"),
        ] {
            let mut out = Vec::new();
            let found = Source::parse(source).unwrap().write(&sought, &mut out);
            assert_eq!(found.then(|| String::from_utf8(out).unwrap()).as_deref(), expect, "{why}");
        }
    }

    #[test]
    fn headers_are_named_whole_or_by_their_beginning() {
        let name = |text: &str, open| Name { text: text.into(), open };
        for (named, header, expect) in [
            (name("x-a", false), "X-A", true),
            (name("x-a", false), "X-Ab", false),
            (name("x-", true), "X-Ab", true),
            (name("x-", true), "y", false),
            (name("", true), "anything", true),
        ] {
            assert_eq!(named.is(header.as_bytes()), expect, "{named:?} {header}");
        }
    }
}
