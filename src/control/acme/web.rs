//! The HTTP client that authorities are asked with: one request at a time, each with a deadline and a bound on its answer.

use crate::{
    base::{clock::unix_now, limits},
    tls::client::system_roots,
};
use bytes::Bytes;
use http::{HeaderMap, Request, header::RETRY_AFTER};
use http_body_util::{BodyExt, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient, Problem};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::CertificateDer};
use std::{
    error,
    pin::Pin,
    sync::{Arc, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

/// Asks, and remembers what the last answer that was a refusal said besides its content.
#[derive(Clone, Debug)]
pub(super) struct Web {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    heard: Arc<Lock<Heard>>,
}

/// What came with a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// The status, from 400.
    pub(super) status: Option<u16>,
    /// `Retry-After`.
    pub(super) retry_after: Option<Duration>,
}

#[expect(
    clippy::disallowed_types,
    reason = "of one thread, which never waits with it; the client's interface asks for it"
)]
type Lock<T> = std::sync::Mutex<T>;

impl Web {
    /// A client that believes `authorities`, or if there are none, whom the operating system trusts.
    ///
    /// # Errors
    /// There is nobody to believe; a sentence.
    pub(super) fn new(authorities: &[CertificateDer<'static>]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let (taken, _) = if authorities.is_empty() {
            roots.add_parsable_certificates(system_roots().0)
        } else {
            roots.add_parsable_certificates(authorities.iter().cloned())
        };
        if taken == 0 {
            return Err("the operating system has no list of trusted authorities: install the package \
                        `ca-certificates`, or name the authority with `directory_ca`"
                .to_owned());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        // What may be plain was looked at when the configuration was.
        let connector = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector);
        Ok(Self { client, heard: Arc::default() })
    }

    /// What came with the last refusal.
    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpClient for Web {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (client, heard) = (self.client.clone(), Arc::clone(&self.heard));
        Box::pin(async move {
            let asked = request.uri().to_string();
            let answer = tokio::time::timeout(limits::ACME_REQUEST_TIMEOUT, answer(&client, request));
            let answer = answer
                .await
                .unwrap_or_else(|_| Err(format!("no answer within {} s", limits::ACME_REQUEST_TIMEOUT.as_secs())));
            let (parts, content) = answer.map_err(|why| Error::Other(format!("{asked}: {why}").into()))?;
            let refused = parts.status.as_u16() >= 400;
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = Heard {
                status: refused.then_some(parts.status.as_u16()),
                retry_after: refused.then(|| retry_after(&parts.headers)).flatten(),
            };
            if refused && !is_problem(&content) {
                // A proxy, or an authority in distress.
                let said = String::from_utf8_lossy(&content);
                let said: String = said.trim().chars().take(SHOWN_CHARS_MAX).collect();
                return Err(Error::Other(format!("{asked} answers {}: {said}", parts.status).into()));
            }
            Ok(BytesResponse { parts, body: Box::new(content) })
        })
    }
}

async fn answer(
    client: &Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    request: Request<BodyWrapper<Bytes>>,
) -> Result<(http::response::Parts, Bytes), String> {
    let answer = client.request(request).await.map_err(|error| with_causes(&error))?;
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, limits::ACME_ANSWER_BYTES_MAX).collect().await;
    Ok((parts, body.map_err(|error| with_causes(&*error))?.to_bytes()))
}

/// Whether an answer says what is wrong in the way of authorities (RFC 7807).
fn is_problem(content: &[u8]) -> bool {
    let problem = simd_json::serde::from_slice::<Problem>(&mut content.to_vec());
    problem.is_ok_and(|problem| problem.r#type.is_some() || problem.detail.is_some())
}

/// `Retry-After` (RFC 9110 §10.2.3), from now.
fn retry_after(fields: &HeaderMap) -> Option<Duration> {
    let text = fields.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_secs(unix_now().seconds())))
}

/// An error with what caused it: the outer ones of HTTP clients say little.
pub(in super::super) fn with_causes(error: &(dyn error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

/// So much of a page that was no answer is shown.
const SHOWN_CHARS_MAX: usize = 200;
