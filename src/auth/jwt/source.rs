//! Where in a request the token is (reference, sections 3.2 and 7.4).

use super::{Failure, bearer};
use crate::http::head::RequestHead;

/// Where the token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// In the header of this name, in small letters.
    Header(Box<str>),
    /// In the parameter of this name in the query.
    Query(Box<str>),
}

impl TokenSource {
    /// Reads `header.NAME` or `query.NAME`, or as Amazon writes it: `$request.header.NAME`, `method.request.querystring.NAME`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("$request.").or_else(|| text.strip_prefix("method.request.")).unwrap_or(text);
        let (place, name) = text.split_once('.')?;
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        match place {
            "header" => Some(Self::Header(name.to_ascii_lowercase().into())),
            "query" | "querystring" => Some(Self::Query(name.into())),
            _ => None,
        }
    }

    /// The token of a request.
    ///
    /// # Errors
    /// [`Failure::Missing`]; [`Failure::Malformed`] if there are several.
    pub fn find<'b>(&self, head: &RequestHead, bytes: &'b [u8]) -> Result<&'b [u8], Failure> {
        let several = Failure::Malformed("several tokens");
        let token = match self {
            Self::Header(name) => {
                let mut lines =
                    head.fields.iter().filter(|line| line.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
                let line = lines.next().ok_or(Failure::Missing)?;
                if lines.next().is_some() {
                    return Err(several);
                }
                bearer(line.value.of(bytes))
            }
            Self::Query(name) => {
                let mut values = head.query.of(bytes).split(|b| *b == b'&').filter_map(|pair| {
                    let at = pair.iter().position(|b| *b == b'=')?;
                    (&pair[..at] == name.as_bytes()).then_some(&pair[at + 1..])
                });
                let value = values.next().ok_or(Failure::Missing)?;
                if values.next().is_some() {
                    return Err(several);
                }
                value
            }
        };
        if token.is_empty() { Err(Failure::Missing) } else { Ok(token) }
    }
}

#[cfg(test)]
mod tests {
    use super::TokenSource;

    #[test]
    fn sources_are_written_in_two_ways() {
        let header = |name: &str| Some(TokenSource::Header(name.into()));
        let query = |name: &str| Some(TokenSource::Query(name.into()));
        for (text, expect) in [
            ("header.authorization", header("authorization")),
            ("header.X-Token", header("x-token")),
            ("$request.header.Authorization", header("authorization")),
            ("method.request.header.auth", header("auth")),
            ("query.access_token", query("access_token")),
            ("$request.querystring.T", query("T")),
            ("header.", None),
            ("header", None),
            ("cookie.a", None),
            ("$context.identity", None),
            ("header.a b", None),
            ("", None),
        ] {
            assert_eq!(TokenSource::parse(text), expect, "{text}");
        }
    }
}
