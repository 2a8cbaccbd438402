//! Cross-origin requests: what a browser is told, decided before the first one comes (reference, section 11.3 \[D26\]).

/// `cors`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Who may ask.
    pub origins: Origins,
    /// Credentials may come along.
    pub credentials: bool,
    /// What any answer says besides the origin: whole lines.
    pub answer: Box<[u8]>,
    /// What the answer to a preflight says besides the origin: whole lines.
    pub preflight: Box<[u8]>,
    /// The answer to a preflight repeats the headers that were asked for: `*` means nothing beside credentials.
    pub echo_headers: bool,
}

/// Who may ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Anyone: `*`
    Any,
    /// These, in lower case, and whole schemes.
    Some {
        /// Origins, as browsers write them.
        exact: Vec<Box<str>>,
        /// `http://*`
        http: bool,
        /// `https://*`
        https: bool,
    },
}

impl Cors {
    /// Whether the answer depends on who asks.
    #[must_use]
    pub const fn varies(&self) -> bool {
        !matches!(self.origins, Origins::Any)
    }

    /// Whether `origin` may ask, and what it is told: itself, or `*`.
    #[must_use]
    pub fn allows<'o>(&self, origin: &'o [u8]) -> Option<&'o [u8]> {
        match &self.origins {
            Origins::Any => Some(b"*"),
            Origins::Some { exact, http, https } => {
                let begins = |scheme: &[u8]| {
                    origin.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
                        && origin.len() > scheme.len()
                };
                let scheme = *http && begins(b"http://") || *https && begins(b"https://");
                (scheme || exact.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin))).then_some(origin)
            }
        }
    }

    /// Appends what a request from `origin` is told, if it came from another origin at all; `preflight` has the headers that
    /// are asked for, if it is one.
    pub fn tell(&self, origin: Option<&[u8]>, preflight: Option<&[u8]>, out: &mut Vec<u8>) {
        // RFC 9110 §12.5.5: also where nothing else is said, so that no cache gives one origin the answer of another.
        if self.varies() {
            out.extend_from_slice(b"Vary: Origin\r\n");
        }
        let Some(told) = origin.and_then(|origin| self.allows(origin)) else { return };
        out.extend_from_slice(b"Access-Control-Allow-Origin: ");
        out.extend_from_slice(told);
        out.extend_from_slice(b"\r\n");
        if self.credentials {
            out.extend_from_slice(b"Access-Control-Allow-Credentials: true\r\n");
        }
        let Some(headers) = preflight else {
            out.extend_from_slice(&self.answer);
            return;
        };
        out.extend_from_slice(&self.preflight);
        if self.echo_headers && !headers.is_empty() {
            out.extend_from_slice(b"Vary: Access-Control-Request-Headers\r\nAccess-Control-Allow-Headers: ");
            out.extend_from_slice(headers);
            out.extend_from_slice(b"\r\n");
        }
    }
}
