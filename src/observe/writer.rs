//! From the cores to the disk: each core fills a buffer of its own; full ones go to one thread per log, which writes.
//!
//! A core never waits: it offers its buffer to a bounded queue and goes on with an empty one that came back. When all
//! of its buffers are on their way, lines are dropped and counted until one returns. No lock is taken and nothing is
//! allocated per line.

use crate::{base::limits, observe::error_log};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::Duration,
};

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Appended to a file, which is made if it is not there.
    File(PathBuf),
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What became of a log's lines. Written by cores only when something is lost, by the writer thread per buffer.
#[derive(Debug, Default)]
pub struct LogHealth {
    /// Lines written.
    pub lines: AtomicU64,
    /// Lines dropped, because the queue was full or the writer gone.
    pub dropped: AtomicU64,
    /// Writes and reopenings that failed.
    pub failures: AtomicU64,
    /// Lines not written because their site had said enough for the moment (error log only).
    pub suppressed: AtomicU64,
}

/// The thread that writes one log. Dropped without [`Writer::stop`], it ends when its last [`Sink`] is gone.
#[derive(Debug)]
pub struct Writer {
    queue: SyncSender<Batch>,
    shared: Arc<Shared>,
    done: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

/// Tells what went wrong with the log, rarely: called on the writer thread.
pub(crate) type OnTrouble = fn(&Output, &io::Error);

impl Writer {
    /// Opens `output` and starts its thread. Lines that are lost count in `health`; failed writes are also told to the
    /// error log, at most once a minute.
    ///
    /// # Errors
    /// The file cannot be opened for appending, or the thread cannot be made.
    pub fn start(output: Output, health: Arc<LogHealth>) -> io::Result<Self> {
        Self::start_telling(output, health, error_log::trouble_there())
    }

    /// The same, with another one to tell of failed writes.
    pub(crate) fn start_telling(output: Output, health: Arc<LogHealth>, trouble: OnTrouble) -> io::Result<Self> {
        let target = Target::open(&output)?;
        let (queue, batches) = sync_channel(limits::LOG_QUEUE);
        let (finished, done) = sync_channel(1);
        let shared = Arc::new(Shared::new(health));
        let worker = Worker { output, target, trouble, torn: false, quiet_until: None, shared: Arc::clone(&shared) };
        let thread = std::thread::Builder::new().name("ringgate-log".to_owned()).spawn(move || {
            worker.run(&batches);
            // Nobody may be waiting any more.
            let _ = finished.try_send(());
        })?;
        Ok(Self { queue, shared, done, thread: Some(thread) })
    }

    /// A way in for one core.
    #[must_use]
    pub fn sink(&self) -> Sink {
        Sink::new(self.queue.clone(), Arc::clone(&self.shared))
    }

    /// Opens the file anew, before the next buffer is written: after a log rotation. If it cannot be opened, the old
    /// file is written on.
    pub fn reopen(&self) {
        self.shared.reopen.store(true, Ordering::Release);
        self.wake();
    }

    /// Writes to `output` from the next buffer on: after a reload. Cores keep their sinks.
    ///
    /// # Errors
    /// The file cannot be opened; the old output stays.
    pub fn redirect(&self, output: Output) -> io::Result<()> {
        let target = Target::open(&output)?;
        *self.shared.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some((output, target));
        self.wake();
        Ok(())
    }

    fn wake(&self) {
        // A full queue needs no nudge: the thread is awake.
        let _ = self.queue.try_send(Batch::default());
    }

    /// Writes what has been handed over until now and ends the thread. If that takes longer than `grace`, because
    /// whoever reads our output does not, the rest is given up.
    ///
    /// Cores hand over their last lines when their sinks are dropped: stop them first.
    pub fn stop(mut self, grace: Duration) {
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        if self.done.recv_timeout(grace).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic of the writer has been printed already.
            let _ = thread.join();
        }
    }
}

/// How often the writer thread looks whether it shall stop or reopen when no lines come: should a nudge get lost.
const NUDGE: Duration = Duration::from_millis(500);
/// How often trouble is told.
const TROUBLE_EVERY: Duration = Duration::from_secs(60);

/// Lines on their way.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    lines: u64,
    /// Where the empty buffer goes back to.
    home: Option<SyncSender<Vec<u8>>>,
}

/// What control tells the writer thread.
#[derive(Debug)]
struct Shared {
    health: Arc<LogHealth>,
    stop: AtomicBool,
    reopen: AtomicBool,
    #[expect(clippy::disallowed_types, reason = "between control and the writer thread; no core takes it")]
    moved: std::sync::Mutex<Option<(Output, Target)>>,
}

impl Shared {
    fn new(health: Arc<LogHealth>) -> Self {
        Self { health, stop: false.into(), reopen: false.into(), moved: Default::default() }
    }
}

/// One core's way into a log. Cloned for another core, the clone begins with buffers of its own. Dropped, it hands over
/// what it holds.
#[derive(Debug)]
pub struct Sink {
    queue: SyncSender<Batch>,
    shared: Arc<Shared>,
    /// The buffer that is being filled, and the lines in it.
    buffer: Vec<u8>,
    lines: u64,
    /// Empty buffers come back here; `home` is its other end.
    returned: Receiver<Vec<u8>>,
    home: SyncSender<Vec<u8>>,
    spare: Option<Vec<u8>>,
    made: usize,
}

impl Clone for Sink {
    fn clone(&self) -> Self {
        Self::new(self.queue.clone(), Arc::clone(&self.shared))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // Nothing more will be rendered: what replaces the buffer needs no room.
        self.spare.get_or_insert_default();
        if !self.flush() {
            self.lose(self.lines);
        }
    }
}

impl Sink {
    fn new(queue: SyncSender<Batch>, shared: Arc<Shared>) -> Self {
        let (home, returned) = sync_channel(limits::LOG_BUFFERS_PER_CORE);
        Self { queue, shared, buffer: Vec::new(), lines: 0, returned, home, spare: None, made: 1 }
    }

    /// Lets `render` append one line, its line feed included; drops it if there is no room. Never waits.
    #[inline]
    pub fn line(&mut self, render: impl FnOnce(&mut Vec<u8>)) {
        if self.buffer.len() >= limits::LOG_BUFFER_FULL && !self.flush() {
            self.lose(1);
            return;
        }
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(limits::LOG_BUFFER_BYTES);
        }
        render(&mut self.buffer);
        self.lines += 1;
    }

    /// Hands over what has been rendered: called by the core's sweep, about once a second. Never waits. False if the
    /// lines had to stay, for want of a buffer or of room in the queue.
    pub fn flush(&mut self) -> bool {
        if self.lines == 0 {
            return true;
        }
        let Some(empty) = self.empty() else { return false };
        let bytes = std::mem::replace(&mut self.buffer, empty);
        match self.queue.try_send(Batch { bytes, lines: self.lines, home: Some(self.home.clone()) }) {
            Ok(()) => {
                self.lines = 0;
                true
            }
            Err(TrySendError::Full(batch)) => {
                self.spare = Some(std::mem::replace(&mut self.buffer, batch.bytes));
                false
            }
            Err(TrySendError::Disconnected(batch)) => {
                self.lose(self.lines);
                (self.buffer, self.lines) = (batch.bytes, 0);
                self.buffer.clear();
                true
            }
        }
    }

    fn empty(&mut self) -> Option<Vec<u8>> {
        let free = self.spare.take().or_else(|| self.returned.try_recv().ok());
        free.or_else(|| {
            let may = self.made < limits::LOG_BUFFERS_PER_CORE;
            self.made += usize::from(may);
            may.then(|| Vec::with_capacity(limits::LOG_BUFFER_BYTES))
        })
    }

    #[cold]
    fn lose(&self, lines: u64) {
        self.shared.health.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}

/// A way into a log without a buffer, for threads that log rarely.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    queue: SyncSender<Batch>,
    shared: Arc<Shared>,
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    /// It is on its way.
    Taken,
    /// There was no room; it has been counted.
    Dropped,
    /// The log has been stopped; here it is again.
    Stopped(Vec<u8>),
}

impl Sender {
    /// Hands one line over. Never waits.
    pub(crate) fn post(&self, line: Vec<u8>) -> Posted {
        match self.queue.try_send(Batch { bytes: line, lines: 1, home: None }) {
            Ok(()) => Posted::Taken,
            Err(TrySendError::Full(_)) => {
                self.shared.health.dropped.fetch_add(1, Ordering::Relaxed);
                Posted::Dropped
            }
            Err(TrySendError::Disconnected(batch)) => Posted::Stopped(batch.bytes),
        }
    }
}

impl Writer {
    /// A way in for threads that log rarely.
    pub(crate) fn sender(&self) -> Sender {
        Sender { queue: self.queue.clone(), shared: Arc::clone(&self.shared) }
    }
}

/// The writer thread.
struct Worker {
    output: Output,
    target: Target,
    trouble: OnTrouble,
    /// The last write stopped inside a line: the next one begins with a line feed.
    torn: bool,
    /// No trouble is told before this moment.
    quiet_until: Option<crate::base::clock::Instant>,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self, batches: &Receiver<Batch>) {
        loop {
            match batches.recv_timeout(NUDGE) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.obey();
            if self.shared.stop.load(Ordering::Acquire) {
                while let Ok(batch) = batches.try_recv() {
                    self.take(batch);
                }
                return;
            }
        }
    }

    fn take(&mut self, mut batch: Batch) {
        self.obey();
        if !batch.bytes.is_empty() {
            match self.write(&batch.bytes) {
                Ok(()) => self.shared.health.lines.fetch_add(batch.lines, Ordering::Relaxed),
                Err(error) => {
                    self.tell(&error);
                    self.shared.health.dropped.fetch_add(batch.lines, Ordering::Relaxed)
                }
            };
        }
        if let Some(home) = batch.home {
            batch.bytes.clear();
            batch.bytes.shrink_to(limits::LOG_BUFFER_BYTES);
            // The core may be gone.
            let _ = home.try_send(batch.bytes);
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            self.target.write_all(b"\n").map_err(|(_, error)| error)?;
            self.torn = false;
        }
        self.target.write_all(bytes).map_err(|(written, error)| {
            self.torn = written > 0 && bytes.get(written - 1) != Some(&b'\n');
            error
        })
    }

    /// Moves to another output, or opens the file anew, if control asked for it.
    fn obey(&mut self) {
        if let Some((output, target)) = self.shared.moved.lock().unwrap_or_else(PoisonError::into_inner).take() {
            (self.output, self.target, self.torn) = (output, target, false);
        }
        if self.shared.reopen.swap(false, Ordering::AcqRel) {
            match Target::open(&self.output) {
                Ok(target) => (self.target, self.torn) = (target, false),
                Err(error) => self.tell(&error),
            }
        }
    }

    fn tell(&mut self, error: &io::Error) {
        self.shared.health.failures.fetch_add(1, Ordering::Relaxed);
        let now = crate::base::clock::monotonic_now();
        if self.quiet_until.is_none_or(|until| now >= until) {
            self.quiet_until = Some(now.plus(TROUBLE_EVERY));
            (self.trouble)(&self.output, error);
        }
    }
}

/// An open output.
#[derive(Debug)]
enum Target {
    Stdout(io::Stdout),
    Stderr(io::Stderr),
    File(File),
}

impl Target {
    fn open(output: &Output) -> io::Result<Self> {
        Ok(match output {
            Output::Stdout => Self::Stdout(io::stdout()),
            Output::Stderr => Self::Stderr(io::stderr()),
            // The standard library opens with CLOEXEC. What clients ask for is not for everybody's eyes.
            Output::File(path) => Self::File(OpenOptions::new().append(true).create(true).mode(0o640).open(path)?),
        })
    }

    /// Writes all of `bytes`, or says how many went before it failed.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.write_some(rest) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                Err(error) => return Err((written, error)),
            }
        }
        self.flush().map_err(|error| (written, error))
    }

    fn write_some(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Stderr(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Stderr(_) | Self::File(_) => Ok(()),
        }
    }

    /// Waits until a non-blocking terminal or pipe, made so by somebody who shares it with us, takes more.
    fn wait(&self) {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        use std::os::fd::AsFd;
        let fd = match self {
            Self::Stdout(out) => out.as_fd(),
            Self::Stderr(out) => out.as_fd(),
            Self::File(out) => out.as_fd(),
        };
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        // Whatever it answers, the write is tried again, and tells.
        let _ = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&second));
    }
}

#[cfg(test)]
mod tests {
    use super::{LogHealth, Output, Writer};
    use crate::base::limits;
    use std::{
        io::{self, BufRead, Read},
        path::PathBuf,
        sync::{Arc, atomic::Ordering},
        time::Duration,
    };

    const GRACE: Duration = Duration::from_secs(20);

    fn quiet(_: &Output, _: &io::Error) {}

    /// A directory of this test alone, gone when it ends.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(test: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("ringgate-{test}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            Self(dir)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn start(output: Output) -> (Writer, Arc<LogHealth>) {
        let health = Arc::new(LogHealth::default());
        (Writer::start_telling(output, Arc::clone(&health), quiet).unwrap(), health)
    }

    fn fifo(path: &std::path::Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    }

    #[test]
    fn every_line_of_every_core_is_written_whole_and_in_its_cores_order() {
        let scratch = Scratch::new("order");
        let path = scratch.file("log");
        let (writer, health) = start(Output::File(path.clone()));
        let cores: Vec<_> = (0..4)
            .map(|core| {
                let mut sink = writer.sink();
                std::thread::spawn(move || {
                    for n in 0..20_000 {
                        sink.line(|b| b.extend_from_slice(format!("{core} {n}\n").as_bytes()));
                        // A burst faster than the disk may be dropped: leave it time.
                        while n % 1000 == 0 && !sink.flush() {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        cores.into_iter().for_each(|core| core.join().unwrap());
        writer.stop(GRACE);
        let mut next = [0; 4];
        for line in io::BufReader::new(std::fs::File::open(path).unwrap()).lines().map(Result::unwrap) {
            let (core, n) = line.split_once(' ').unwrap();
            let (core, n): (usize, u64) = (core.parse().unwrap(), n.parse().unwrap());
            assert_eq!(next[core], n);
            next[core] += 1;
        }
        assert_eq!(next, [20_000; 4]);
        assert_eq!(health.lines.load(Ordering::Relaxed), 80_000);
        assert_eq!(health.dropped.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_reader_that_does_not_read_costs_lines_not_time() {
        let scratch = Scratch::new("stuck");
        let path = scratch.file("pipe");
        fifo(&path);
        let keep_open = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (writer, health) = start(Output::File(path));
        let mut sink = writer.sink();
        let line = [b'x'; 1023];
        let sent = 4 * limits::LOG_BUFFERS_PER_CORE * limits::LOG_BUFFER_BYTES / 1024;
        for _ in 0..sent {
            sink.line(|b| {
                b.extend_from_slice(&line);
                b.push(b'\n');
            });
        }
        let dropped = health.dropped.load(Ordering::Relaxed);
        assert!(dropped > 0 && dropped < sent as u64, "{dropped} of {sent}");
        // It reads again: what was kept arrives, nothing is torn.
        let reader = std::thread::spawn(move || {
            let mut lines = io::BufReader::new(keep_open).lines().map(Result::unwrap);
            (&mut lines).take_while(|l| l != "end").map(|l| assert_eq!(l.len(), 1023)).count()
        });
        while !sink.flush() {
            std::thread::yield_now();
        }
        sink.line(|b| b.extend_from_slice(b"end\n"));
        let lost = health.dropped.load(Ordering::Relaxed);
        drop(sink);
        assert_eq!(reader.join().unwrap() as u64, sent as u64 - lost);
        writer.stop(GRACE);
    }

    #[test]
    fn stopping_does_not_wait_for_ever_for_a_reader() {
        let scratch = Scratch::new("stop");
        let path = scratch.file("pipe");
        fifo(&path);
        let _keep_open = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let (writer, _) = start(Output::File(path));
        let mut sink = writer.sink();
        for _ in 0..2000 {
            sink.line(|b| b.extend_from_slice(&[b'x'; 100]));
        }
        drop(sink);
        writer.stop(Duration::from_millis(50));
    }

    #[test]
    fn after_a_rotation_the_new_file_is_written() {
        let scratch = Scratch::new("rotate");
        let (path, old) = (scratch.file("log"), scratch.file("log.1"));
        let (writer, _) = start(Output::File(path.clone()));
        let mut sink = writer.sink();
        sink.line(|b| b.extend_from_slice(b"one\n"));
        sink.flush();
        while std::fs::read(&path).unwrap().is_empty() {
            std::thread::yield_now();
        }
        std::fs::rename(&path, &old).unwrap();
        writer.reopen();
        sink.line(|b| b.extend_from_slice(b"two\n"));
        drop(sink);
        writer.stop(GRACE);
        assert_eq!(std::fs::read_to_string(old).unwrap(), "one\n");
        assert_eq!(std::fs::read_to_string(path).unwrap(), "two\n");
    }

    #[test]
    fn a_reload_may_move_the_log_and_one_to_nowhere_leaves_it() {
        let scratch = Scratch::new("move");
        let (first, second) = (scratch.file("first"), scratch.file("second"));
        let (writer, _) = start(Output::File(first.clone()));
        let mut sink = writer.sink();
        sink.line(|b| b.extend_from_slice(b"one\n"));
        sink.flush();
        while std::fs::read(&first).unwrap().is_empty() {
            std::thread::yield_now();
        }
        assert!(writer.redirect(Output::File(scratch.file("no/such/place"))).is_err());
        writer.redirect(Output::File(second.clone())).unwrap();
        sink.line(|b| b.extend_from_slice(b"two\n"));
        drop(sink);
        writer.stop(GRACE);
        assert_eq!(std::fs::read_to_string(first).unwrap(), "one\n");
        assert_eq!(std::fs::read_to_string(second).unwrap(), "two\n");
    }

    #[test]
    fn a_full_disk_is_survived_counted_and_told_once() {
        static TOLD: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        fn told(output: &Output, error: &io::Error) {
            assert_eq!(output, &Output::File("/dev/full".into()));
            assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOSPC.raw_os_error()));
            TOLD.fetch_add(1, Ordering::Relaxed);
        }
        let health = Arc::new(LogHealth::default());
        let writer = Writer::start_telling(Output::File("/dev/full".into()), Arc::clone(&health), told).unwrap();
        let mut sink = writer.sink();
        for _ in 0..3 {
            sink.line(|b| b.extend_from_slice(b"x\n"));
            while !sink.flush() {
                std::thread::yield_now();
            }
        }
        drop(sink);
        writer.stop(GRACE);
        assert_eq!(health.failures.load(Ordering::Relaxed), 3);
        assert_eq!(health.dropped.load(Ordering::Relaxed), 3);
        assert_eq!(TOLD.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error_at_the_start() {
        let output = Output::File("/nonexistent/ringgate/log".into());
        assert!(Writer::start_telling(output, Arc::default(), quiet).is_err());
    }

    #[test]
    fn lines_after_the_writer_stopped_are_counted_as_dropped() {
        let (writer, health) = start(Output::File("/dev/null".into()));
        let mut sink = writer.sink();
        writer.stop(GRACE);
        sink.line(|b| b.extend_from_slice(b"late\n"));
        assert!(sink.flush());
        assert_eq!(health.dropped.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_torn_line_is_ended_before_the_next_one() {
        let scratch = Scratch::new("torn");
        let path = scratch.file("log");
        std::fs::write(&path, "half a li").unwrap();
        let mut worker = super::Worker {
            output: Output::File(path.clone()),
            target: super::Target::open(&Output::File(path.clone())).unwrap(),
            trouble: quiet,
            torn: true,
            quiet_until: None,
            shared: Arc::new(super::Shared::new(Arc::default())),
        };
        worker.write(b"whole\n").unwrap();
        worker.write(b"whole\n").unwrap();
        let mut all = String::new();
        std::fs::File::open(path).unwrap().read_to_string(&mut all).unwrap();
        assert_eq!(all, "half a li\nwhole\nwhole\n");
    }
}
