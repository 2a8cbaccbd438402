//! What `ringgate run` serves when there is no configuration: an API of each kind of answer, with an upstream of its own.

mod upstream;

use super::{cli::table, source::Source};
use crate::plan::{ListenAddress, Plan};
use std::io;

/// The demo's configuration; its upstream runs already.
///
/// # Errors
/// When the upstream cannot be started.
pub(super) fn source() -> io::Result<Source> {
    let upstream = upstream::start()?;
    Ok(Source::BuiltIn {
        name: NAME,
        text: include_str!("../../config/demo.toml").to_owned(),
        values: vec![("RINGGATE_DEMO_UPSTREAM", upstream.to_string())],
    })
}

/// How the demo is called in messages.
pub(super) const NAME: &str = "demo";

/// What to do when the demo's port is taken.
pub(super) const OTHER_PORT: &str = "the demo can listen elsewhere: \
                              RINGGATE_DEMO_LISTEN=127.0.0.1:8081 RINGGATE_DEMO_ADMIN=127.0.0.1:9902 ringgate run";

/// What to try, ready to be pasted.
#[must_use]
pub(super) fn invitation(plan: &Plan) -> String {
    let listen = plan.listeners.iter().find_map(|listener| match &listener.address {
        ListenAddress::Tcp(address) => Some(address.to_string()),
        ListenAddress::Unix(_) => None,
    });
    let listen = listen.unwrap_or_default();
    let api = TRY.iter().map(|(options, path, what)| row(&listen, options, path, what));
    let admin = plan.admin.iter().map(|admin| row(&admin.listen.to_string(), "", "/metrics", "what it counted"));
    let rows: Vec<Vec<String>> = api.chain(admin).collect();
    format!(
        "ringgate demo: an API on http://{listen}, in front of an upstream of its own. Try\n\n{}\n\
         Ctrl-C stops it. `ringgate init` writes a configuration of your own.\n",
        table(&rows)
    )
}

/// Options of curl, path, what it shows.
const TRY: [(&str, &str, &str); 6] = [
    ("", "/", "an answer of the gateway itself"),
    ("-i ", "/mock", "a mock: status and headers, no service yet"),
    ("", "/hello/world", "forwarded, with a path parameter"),
    ("-L ", "/hi/world", "a redirect to the same"),
    ("-H 'x-color: green' -d 'a body' ", "/echo", "what the upstream receives"),
    ("-N ", "/stream", "server-sent events, as they come"),
];

fn row(address: &str, options: &str, path: &str, what: &str) -> Vec<String> {
    vec![format!("  curl {options}http://{address}{path}"), format!("# {what}")]
}
