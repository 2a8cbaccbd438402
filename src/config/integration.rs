//! What answers a route's requests, as written.

use super::{
    diagnostic::{Code, Diagnostic},
    reader::{FileValue, Reader},
    source::{At, Place, Text},
    tls,
};
use crate::base::limits;
use std::time::Duration;

/// `integration = { type = …, … }`
#[derive(Clone, Debug)]
pub enum Integration {
    /// `http_proxy`
    HttpProxy(Box<HttpProxy>),
    /// `http`, which has the same keys.
    Http(Box<HttpProxy>),
    /// `static`
    Static(Static),
    /// `redirect`
    Redirect(Redirect),
    /// `mock`
    Mock(Mock),
    /// `not_implemented`
    NotImplemented,
}

/// `{ type = "http_proxy" }`
#[derive(Clone, Debug)]
pub struct HttpProxy {
    /// `upstream`, not yet looked up.
    pub upstream: Option<Text>,
    /// `path`, not yet parsed.
    pub path: Option<Text>,
    /// `host`, not yet checked.
    pub host: Option<Text>,
    /// `timeout`
    pub timeout: At<Duration>,
    /// `uri`, instead of `upstream` and `path`; not yet parsed.
    pub uri: Option<Text>,
    /// `method`, not yet looked up.
    pub method: Option<Text>,
    /// `tls`, for the server of `uri`.
    pub tls: Option<tls::Upstream>,
}

/// `{ type = "static" }`
#[derive(Clone, Debug)]
pub struct Static {
    /// `status`
    pub status: At<u16>,
    /// `headers`, not yet checked.
    pub headers: Vec<(At<String>, Vec<Text>)>,
    /// `body`
    pub body: Option<Text>,
    /// `file`, and what is in it.
    pub file: Option<FileValue>,
}

/// `{ type = "redirect" }`
#[derive(Clone, Debug)]
pub struct Redirect {
    /// `status`
    pub status: At<u16>,
    /// `location`, not yet parsed.
    pub location: Option<Text>,
    /// `keep_query`
    pub keep_query: At<bool>,
}

/// `{ type = "mock" }`
#[derive(Clone, Debug)]
pub struct Mock {
    /// `status`
    pub status: At<u16>,
    /// `headers`, not yet checked.
    pub headers: Vec<(At<String>, Vec<Text>)>,
    /// The first of the two that is given.
    pub given: Option<(&'static str, Place)>,
}

pub(super) fn read(route: &Reader<'_>) -> Option<Integration> {
    let (tag, table) = route.tagged("integration")?;
    Some(match tag {
        "http_proxy" => Integration::HttpProxy(Box::new(proxy(&table))),
        "http" => Integration::Http(Box::new(proxy(&table))),
        "static" => Integration::Static(fixed(&table)),
        "redirect" => Integration::Redirect(Redirect {
            status: table.integer("status"),
            location: table.text("location"),
            keep_query: table.bool("keep_query"),
        }),
        "not_implemented" => Integration::NotImplemented,
        _ => Integration::Mock(Mock {
            status: table.integer("status"),
            headers: table.map("headers"),
            given: ["status", "headers"].into_iter().find_map(|key| Some((key, table.key_place(key)?))),
        }),
    })
}

fn proxy(table: &Reader<'_>) -> HttpProxy {
    if let Some(uri) = table.key_place("uri") {
        for key in ["upstream", "path"] {
            if let Some(place) = table.key_place(key) {
                let message = format!("`uri` and `{key}` exclude each other");
                let diagnostic = Diagnostic::error(Code::EXCLUSIVE, place, message).also(uri, "`uri` is given here");
                table.add(diagnostic.help("`uri` says all of it; for several servers write `upstream` and `path`"));
            }
        }
    } else if let Some(place) = table.key_place("tls") {
        let diagnostic = Diagnostic::error(Code::EXCLUSIVE, place, "`tls` is for the server of a `uri`");
        table.add(diagnostic.help("write it into the table of the upstream: `[upstream.NAME.tls]`"));
    }
    if table.key_place("uri").is_none() && table.key_place("upstream").is_none() {
        let _: Option<()> = table.missing("upstream");
    }
    HttpProxy {
        upstream: table.text("upstream"),
        path: table.text("path"),
        host: table.text("host"),
        timeout: table.duration("timeout"),
        uri: table.text("uri"),
        method: table.text("method"),
        tls: tls::read_integration(table),
    }
}

fn fixed(table: &Reader<'_>) -> Static {
    if let (Some(body), Some(file)) = (table.key_place("body"), table.key_place("file")) {
        let diagnostic = Diagnostic::error(Code::EXCLUSIVE, file, "`file` and `body` exclude each other");
        table.add(diagnostic.also(body, "`body` is given here").help("remove one of them"));
    }
    Static {
        status: table.integer("status"),
        headers: table.map("headers"),
        body: table.text("body"),
        file: table.file("file", limits::STATIC_FILE_BYTES_MAX),
    }
}
