//! The gateway among other people's programs: nginx behind it, curl, wrk and slowhttptest before it.
//!
//! Most of these tests need a machine for themselves, so they take turns.

mod acme;
mod audit;
mod called;
mod contract;
mod faults;
mod life;
mod load;
mod oidc;
mod refusals;
mod rotation;
mod signed;
mod tls;
mod transfer;

use crate::support::tools;

/// What one run of wrk told.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) requests: u64,
    /// The line about socket errors, if there is one.
    pub(crate) socket_errors: Option<String>,
    /// Responses with another status than 2xx or 3xx.
    pub(crate) other_statuses: u64,
    pub(crate) output: String,
}

impl Load {
    /// Fails unless every request was answered as it should be.
    pub(crate) fn must_be_clean(&self) {
        assert!(self.requests > 0, "no requests:\n{}", self.output);
        assert_eq!(self.socket_errors, None, "socket errors:\n{}", self.output);
        assert_eq!(self.other_statuses, 0, "statuses other than 2xx and 3xx:\n{}", self.output);
    }
}

/// Runs wrk with one thread and reads what it tells.
pub(crate) fn wrk(port: u16, path: &str, connections: u32, seconds: u32) -> Load {
    let url = format!("http://127.0.0.1:{port}{path}");
    let arguments = [
        "-t1".to_owned(),
        format!("-c{connections}"),
        format!("-d{seconds}s"),
        "--latency".into(),
        "--timeout".into(),
        "10s".into(),
        url,
    ];
    let output = tools::run("wrk", arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    let number_before = |words: &str| {
        text.lines().find_map(|line| line.trim().split_once(words)).and_then(|(number, _)| number.parse().ok())
    };
    let after = |words: &str| text.lines().find_map(|line| line.trim().strip_prefix(words)).map(str::trim);
    Load {
        requests: number_before(" requests in ").unwrap_or(0),
        socket_errors: after("Socket errors:").map(str::to_owned),
        other_statuses: after("Non-2xx or 3xx responses:").and_then(|number| number.parse().ok()).unwrap_or(0),
        output: text,
    }
}
