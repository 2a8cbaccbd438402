//! Redis, as Debian has it, with options of the test's.

use super::tools::{Folder, find_program, free_port, wait_for};
use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A Redis that can be stopped and started again; it keeps nothing.
pub(crate) struct Redis {
    child: Option<Child>,
    pub(crate) port: u16,
    options: Vec<String>,
    pub(crate) folder: Folder,
}

impl Redis {
    /// Starts one on a port of its own.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// The same with options as they stand on its command line; `$DIR` in them is its folder, `$PORT` its port.
    pub(crate) fn with(options: &[&str]) -> Self {
        let (folder, port) = (Folder::new("redis"), free_port());
        let fill = |option: &&str| {
            option.replace("$DIR", &folder.path().display().to_string()).replace("$PORT", &port.to_string())
        };
        let options = options.iter().map(fill).collect();
        let mut redis = Self { child: None, port, options, folder };
        redis.start_again();
        redis
    }

    pub(crate) fn start_again(&mut self) {
        let program = find_program("redis-server").expect("redis-server is installed");
        let mut command = Command::new(program);
        // A file that can be written to, first: Sentinels and nodes want one.
        if self.options.iter().any(|option| option == "--sentinel") {
            command.arg(self.folder.write("sentinel.conf", ""));
        }
        let port = self.port.to_string();
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]).arg(self.folder.path());
        if !self.options.iter().any(|option| option == "--port") {
            command.args(["--port", &port]);
        }
        command.args(&self.options);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.child = Some(child);
        wait_for("Redis to listen", Duration::from_secs(10), || {
            std::net::TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// `kill -9`.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> redis::Connection {
        redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap().get_connection().unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
