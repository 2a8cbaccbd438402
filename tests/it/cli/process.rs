//! A gateway in a process of its own whose every word is kept, started with any command line.

use crate::support::tools::{Folder, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// A debug build on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

type Text = Arc<Mutex<Vec<u8>>>;

/// Killed when dropped.
pub(super) struct Process {
    child: Child,
    out: Text,
    err: Text,
}

impl Process {
    /// Starts `ringgate` in `folder`, which is also where it is found by `ringgate reload`.
    pub(super) fn start(folder: &Folder, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut command = super::command(folder.path(), arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::spawn(&mut command)
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = keep(child.stdout.take().unwrap());
        let err = keep(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Starts it and waits until it serves.
    pub(super) fn ready(folder: &Folder, arguments: &[&str], environment: &[(&str, String)]) -> Self {
        let mut process = Self::start(folder, arguments, environment);
        process.wait_err("config ok, ");
        process
    }

    pub(super) fn out(&self) -> String {
        String::from_utf8_lossy(&self.out.lock().unwrap()).into_owned()
    }

    pub(super) fn err(&self) -> String {
        String::from_utf8_lossy(&self.err.lock().unwrap()).into_owned()
    }

    /// Waits until standard error has `text`.
    pub(super) fn wait_err(&mut self, text: &str) {
        wait_for(&format!("`{text}`"), PATIENCE, || {
            let err = self.err();
            if err.contains(text) {
                return Some(());
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended with {status} instead of saying `{text}`:\n{err}");
            }
            None
        });
    }

    /// Waits until standard output has `text`.
    pub(super) fn wait_out(&self, text: &str) -> String {
        wait_for(&format!("`{text}`"), PATIENCE, || Some(self.out()).filter(|out| out.contains(text)))
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end and returns its exit code.
    pub(super) fn end(&mut self) -> Option<i32> {
        let status = wait_for("the end", PATIENCE, || self.child.try_wait().unwrap());
        // What it wrote last may still be on its way to us.
        thread::sleep(Duration::from_millis(50));
        status.code()
    }

    /// Sends SIGTERM and waits for the end.
    pub(super) fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.end()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- stdout ---\n{}--- stderr ---\n{}---", self.out(), self.err());
        }
    }
}

fn keep(mut from: impl Read + Send + 'static) -> Text {
    let text = Text::default();
    let to = Arc::clone(&text);
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            to.lock().unwrap().extend_from_slice(&chunk[..count]);
        }
    });
    text
}
