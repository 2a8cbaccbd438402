//! The HTTP client that providers are asked with: an answer at a time, each with a deadline and a bound; redirects are not followed.

use crate::{
    base::{json, limits},
    plan::access::KeyOrigin,
    tls::client::system_roots,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use std::{error, sync::Arc};

/// Asks.
#[derive(Clone, Debug)]
pub(super) struct Web(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

impl Web {
    /// A client that believes whom the operating system trusts.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn new() -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        // Without any, https fails for each provider by itself: http on this machine needs none.
        let _ = roots.add_parsable_certificates(system_roots().0);
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|why| why.to_string())?;
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(limits::JWKS_CONNECT_TIMEOUT));
        // What may be plain is looked at before each request.
        let builder = HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(builder.wrap_connector(connector));
        Ok(Self(client))
    }

    /// What `uri` answers.
    ///
    /// # Errors
    /// Why there is nothing to be had; a sentence with the URI.
    pub(super) async fn get(&self, uri: &str) -> Result<Vec<u8>, String> {
        let waited = tokio::time::timeout(limits::JWKS_TIMEOUT, self.ask(uri)).await;
        let answer = waited.unwrap_or_else(|_| Err(format!("no answer within {} s", limits::JWKS_TIMEOUT.as_secs())));
        answer.map_err(|why| format!("{uri}: {why}"))
    }

    async fn ask(&self, uri: &str) -> Result<Vec<u8>, String> {
        KeyOrigin::check(uri)?;
        let request = Request::get(uri).header(header::ACCEPT, "application/json, application/jwk-set+json");
        let request = request.body(Empty::new()).map_err(|why| why.to_string())?;
        let answer = self.0.request(request).await.map_err(|why| with_causes(&why))?;
        let status = answer.status();
        if status != 200 {
            let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.map_or_else(String::new, |to| format!(" to {to}, which is not followed"));
            return Err(format!("it answers {status}{to}"));
        }
        let content = Limited::new(answer.into_body(), limits::JWKS_BYTES_MAX).collect().await;
        Ok(content.map_err(|why| with_causes(&*why))?.to_bytes().to_vec())
    }
}

/// Where a provider says that its keys are (OpenID Connect Discovery 1.0, sections 3 and 4.3).
///
/// # Errors
/// It says nothing of the kind, or is another issuer.
pub(super) fn discovered(said: &[u8], issuer: &str) -> Result<String, String> {
    let said = json::parse(said).map_err(|why| format!("it is not JSON: {why}"))?;
    let text = |name: &str| said.get(name).and_then(serde_json::Value::as_str);
    if text("issuer") != Some(issuer) {
        let other = text("issuer").unwrap_or_default();
        return Err(format!("it is about the issuer {other:?}, not {issuer:?}"));
    }
    text("jwks_uri").map(str::to_owned).ok_or_else(|| "it has no `jwks_uri`".to_owned())
}

/// An error with what caused it: the outer ones of HTTP clients say little.
fn with_causes(error: &(dyn error::Error + 'static)) -> String {
    crate::control::acme::with_causes(error)
}

#[cfg(test)]
mod tests {
    use super::discovered;

    #[test]
    fn a_provider_is_who_it_is_said_to_be() {
        for (text, expect, why) in [
            (r#"{"issuer":"https://a/","jwks_uri":"https://a/k"}"#, Some("https://a/k"), "all is well"),
            (r#"{"issuer":"https://a","jwks_uri":"https://a/k"}"#, None, "another issuer by a slash"),
            (r#"{"issuer":"https://a/","issuer":"https://b/","jwks_uri":"https://a/k"}"#, None, "a member twice"),
            (r#"{"jwks_uri":"https://a/k"}"#, None, "nobody"),
            (r#"{"issuer":"https://a/"}"#, None, "no keys"),
            ("<html>", None, "a web page"),
        ] {
            assert_eq!(discovered(text.as_bytes(), "https://a/").ok().as_deref(), expect, "{why}");
        }
    }
}
