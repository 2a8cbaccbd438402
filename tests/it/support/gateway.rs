//! The gateway itself: the real binary in a process of its own.

use super::{
    client,
    tools::{Folder, free_port, wait_for},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::Read,
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How long a start or a stop may take before it counts as failed: a debug build on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    child: Child,
    /// The listener `$PORT` of its configuration.
    pub(crate) port: u16,
    /// The admin listener.
    pub(crate) admin: u16,
    folder: Folder,
    output: Arc<Mutex<Vec<u8>>>,
}

/// How a gateway is started.
pub(crate) struct Start {
    config: String,
    descriptors: Option<u32>,
    cores: Option<String>,
    files: Vec<(String, String)>,
}

impl Start {
    /// Descriptors that the process may have.
    pub(crate) fn descriptors(mut self, count: u32) -> Self {
        self.descriptors = Some(count);
        self
    }

    /// The cores that the process may use, as `taskset -c` takes them.
    pub(crate) fn cores(mut self, cores: &str) -> Self {
        self.cores = Some(cores.to_owned());
        self
    }

    /// With a file beside its configuration.
    pub(crate) fn file(mut self, name: &str, content: &str) -> Self {
        self.files.push((name.to_owned(), content.to_owned()));
        self
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(self) -> Gateway {
        let (port, admin) = (free_port(), free_port());
        let folder = Folder::new("gateway");
        let path = folder.write("ringgate.toml", fill_in(&self.config, port, admin));
        for (name, content) in &self.files {
            folder.write(name, content);
        }
        let mut command = self.command();
        command.arg("run").arg("--config").arg(&path).current_dir(folder.path());
        // Where `ringgate reload` would find it: not where people's gateways are.
        command.env("RINGGATE_RUNTIME_DIR", folder.path().join("run"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start the gateway");
        let output = Arc::new(Mutex::new(Vec::new()));
        keep(child.stdout.take().unwrap(), Arc::clone(&output));
        keep(child.stderr.take().unwrap(), Arc::clone(&output));
        let mut gateway = Gateway { child, port, admin, folder, output };
        gateway.wait_ready();
        gateway
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_ringgate");
        let mut words: Vec<String> = Vec::new();
        if let Some(cores) = &self.cores {
            words.extend(["taskset".into(), "-c".into(), cores.clone()]);
        }
        words.push(program.to_owned());
        if let Some(count) = self.descriptors {
            let limited = format!("ulimit -n {count}; exec \"$@\"");
            words.splice(0..0, ["sh".into(), "-c".into(), limited, "sh".into()]);
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }
}

impl Gateway {
    /// A gateway with this configuration. `$PORT` in it stands for [`Gateway::port`], and an `[admin]` table is added.
    pub(crate) fn with(config: &str) -> Start {
        Start { config: config.to_owned(), descriptors: None, cores: None, files: Vec::new() }
    }

    /// Starts a gateway whose `[server]` is only its listener: everything goes to one upstream.
    pub(crate) fn to_upstream(upstream: u16) -> Self {
        Self::with(&proxy_to(upstream)).start()
    }

    fn wait_ready(&mut self) {
        let (port, admin) = (self.port, self.admin);
        wait_for("the gateway to be ready", START_LIMIT, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the gateway stopped with {status}:\n{}", self.output());
            }
            let open = TcpStream::connect(("127.0.0.1", port)).is_ok();
            let answers = TcpStream::connect(("127.0.0.1", admin)).is_ok();
            (open && answers && client::get(admin, "localhost", "/readyz").status == 200).then_some(())
        });
    }

    /// Replaces the configuration file, without telling the gateway.
    pub(crate) fn write_config(&self, config: &str) {
        self.folder.write("ringgate.toml", fill_in(config, self.port, self.admin));
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Everything it wrote to standard output and error until now.
    pub(crate) fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the gateway is running");
    }

    /// Waits for the end of a gateway that was told to stop.
    pub(crate) fn stop_soon(self) -> ExitStatus {
        self.stop_and_tell().0
    }

    /// The same, and all that it has said.
    pub(crate) fn stop_and_tell(mut self) -> (ExitStatus, String) {
        let status = wait_for("the gateway to stop", START_LIMIT, || self.child.try_wait().unwrap());
        // What stood in the pipes may be read a moment later.
        thread::sleep(Duration::from_millis(100));
        (status, self.output())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }

    /// Its resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// CPU time it has used, in clock ticks.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit_once(") ").unwrap().1;
        let fields: Vec<&str> = after_name.split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Its metrics now.
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(client::get(self.admin, "localhost", "/metrics").text())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- what the gateway wrote ---\n{}---", self.output());
        }
    }
}

/// A metrics page.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// The values of a metric, each with its labels as text.
    pub(crate) fn of(&self, name: &str) -> Vec<(String, f64)> {
        self.0
            .lines()
            .filter_map(|line| {
                let rest = line.strip_prefix(name)?;
                let (labels, value) = rest.rsplit_once(' ')?;
                (labels.is_empty() || labels.starts_with('{')).then(|| (labels.to_owned(), value.parse().unwrap()))
            })
            .collect()
    }

    /// The sum of a metric's values whose labels contain all of `labels`, as `name="value"`.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.of(name).iter().filter(|(text, _)| labels.iter().all(|label| text.contains(label))).map(|(_, v)| v).sum()
    }
}

/// A configuration in which everything goes to one upstream on this machine.
pub(crate) fn proxy_to(upstream: u16) -> String {
    format!(
        "[server]\n\
         listen = [\"127.0.0.1:$PORT\"]\n\
         [upstream.origin]\n\
         servers = [\"http://127.0.0.1:{upstream}\"]\n\
         [api.all]\n\
         [[api.all.route]]\n\
         method = \"ANY\"\n\
         path = \"/{{proxy+}}\"\n\
         request_body = \"0\"\n\
         integration = {{ type = \"http_proxy\", upstream = \"origin\" }}\n"
    )
}

fn fill_in(config: &str, port: u16, admin: u16) -> String {
    let mut text = config.replace("$PORT", &port.to_string()).replace("$ADMIN", &admin.to_string());
    if !text.contains("[admin]") {
        text.push_str(&format!("\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n"));
    }
    if !text.contains("[log.access]") {
        text.push_str("\n[log.access]\noutput = \"off\"\n");
    }
    text
}

fn keep(mut from: impl Read + Send + 'static, to: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            to.lock().unwrap().extend_from_slice(&chunk[..count]);
        }
    });
}
