//! A cluster as it is shown: whoever may see it need not log in to its Redis.

use super::{MASK, put_file, put_text};
use crate::config::{cluster::Cluster, json::Json};

/// `[cluster]`
pub(super) fn cluster(cluster: &Cluster) -> Json {
    let address = |text: &str| Json::Text(masked(text));
    let redis = match cluster.redis.as_slice() {
        [one] => address(&one.value),
        all => Json::List(all.iter().map(|one| address(&one.value)).collect()),
    };
    let mut shown = Json::object([("redis", redis)]);
    put_text(&mut shown, "name", cluster.name.as_ref());
    shown.put("on_outage", Json::text(cluster.on_outage.value));
    put_text(&mut shown, "username", cluster.username.as_ref());
    if let Some(hidden) = &cluster.password {
        match &hidden.file {
            Some(file) => shown.put("password_file", Json::text(file.display().to_string().replace("${", "$${"))),
            None => shown.put("password", Json::text(MASK)),
        }
    }
    put_text(&mut shown, "sentinel", cluster.sentinel.as_ref());
    if let Some(tls) = &cluster.tls {
        let mut inner = Json::object([]);
        put_file(&mut inner, "ca", tls.ca.as_ref());
        put_file(&mut inner, "client_certificate", tls.certificate.as_ref());
        put_file(&mut inner, "client_key", tls.key.as_ref());
        shown.put("tls", inner);
    }
    shown
}

/// An address without what stands before its `@`.
fn masked(text: &str) -> String {
    let shown = match text.split_once("://") {
        // Also where it is not an address that anyone understands: what is behind the last `@` is no password.
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://{MASK}@{host}"),
            None => text.to_owned(),
        },
        None => text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, host)| format!("{MASK}@{host}")),
    };
    shown.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (text, shown) in [
            ("redis://10.0.0.9", "redis://10.0.0.9"),
            ("rediss://me:secret@host:1/2", "rediss://***@host:1/2"),
            ("redis://:p@ss@host", "redis://***@host"),
            ("me:secret@host", "***@host"),
            ("unix:/run/redis.sock", "unix:/run/redis.sock"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
