//! What a parameter mapping writes to: `integration.request.header.NAME` and its like.

/// Where a mapped value goes on its way to the integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'t> {
    /// A header.
    Header(&'t str),
    /// A parameter of the query.
    Query(&'t str),
    /// A `{name}` of the integration's URI.
    Path(&'t str),
}

/// What is wrong with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetError {
    /// It is none of the three.
    Form,
    /// Its name is empty, or has bytes that names do not have.
    Name,
    /// It is the gateway's own, or ends at this hop: why.
    Forbidden(&'static str),
}

impl<'t> Target<'t> {
    /// Reads `integration.request.header.NAME`, `.querystring.NAME` or `.path.NAME` (reference, section 4.1).
    ///
    /// # Errors
    /// It is nothing that can be written to.
    pub fn parse(text: &'t str) -> Result<Self, TargetError> {
        let rest = text.strip_prefix("integration.request.").ok_or(TargetError::Form)?;
        let (kind, name) = rest.split_once('.').ok_or(TargetError::Form)?;
        let target = match kind {
            "header" => Self::Header(name),
            "querystring" => Self::Query(name),
            "path" => Self::Path(name),
            _ => return Err(TargetError::Form),
        };
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b'-');
        if name.is_empty() || name.len() > 256 || !name.bytes().all(good) {
            return Err(TargetError::Name);
        }
        match target {
            Self::Header(name) => forbidden(name).map_or(Ok(target), |why| Err(TargetError::Forbidden(why))),
            _ => Ok(target),
        }
    }
}

/// Why a header cannot be mapped (reference 4.4 \[S\]: requests would fail with 500, or the header would not be sent).
#[must_use]
pub fn forbidden(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    // `Content_Length` is `Content-Length` to many a server.
    Some(match lower.replace('_', "-").as_str() {
        "content-length" | "transfer-encoding" => "the gateway frames messages itself",
        "x-amzn-trace-id" | "x-amzn-apigateway-api-id" => "the gateway writes it itself",
        "expect" | "proxy-authenticate" | "te" | "via" => "it is never sent to an integration",
        "connection" | "keep-alive" | "proxy-connection" | "proxy-authorization" | "trailer" | "upgrade" => {
            "it ends at this hop"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Target, TargetError};

    #[test]
    fn targets_are_headers_parameters_and_places_in_the_path() {
        let cases = [
            ("integration.request.header.X-Id", Ok(Target::Header("X-Id")), "reference 4.1"),
            ("integration.request.querystring.a.b", Ok(Target::Query("a.b")), "dots in names"),
            ("integration.request.path.id", Ok(Target::Path("id")), "reference 4.1"),
            ("integration.request.header.Host", Ok(Target::Header("Host")), "reference 8.4 [S]: sent when mapped"),
            ("integration.request.header.Authorization", Ok(Target::Header("Authorization")), "reference 8.4 [S]"),
            ("integration.request.body", Err(TargetError::Form), "no target"),
            ("method.request.header.x", Err(TargetError::Form), "a source"),
            ("integration.request.header.", Err(TargetError::Name), "no name"),
            ("integration.request.header.a b", Err(TargetError::Name), "a blank"),
            ("integration.request.header.a:b", Err(TargetError::Name), "would be another header"),
        ];
        for (text, expect, why) in cases {
            assert_eq!(Target::parse(text), expect, "{text}: {why}");
        }
        // Reference 4.4 [S]: these fail at run time there, or are taken off.
        for name in [
            "Content-Length",
            "transfer-encoding",
            "X-Amzn-Trace-Id",
            "X-Amzn-Apigateway-Api-Id",
            "Expect",
            "TE",
            "Via",
            "Proxy-Authenticate",
            "Connection",
            "content_length",
        ] {
            let text = format!("integration.request.header.{name}");
            assert!(matches!(Target::parse(&text), Err(TargetError::Forbidden(_))), "{name}");
        }
    }
}
