//! The error log: one line per event for operators, from any thread, without ever blocking one.
//!
//! A line is `2026-01-31T23:59:59.123Z warn message key=value`. Before [`ErrorLog::start`], and after its end, lines go
//! straight to standard error. Places in the data plane log through a [`Site`], which lets only so many lines through.

use crate::{
    base::clock::{Instant, UnixTime, monotonic_now, unix_now},
    observe::{
        stamp,
        text::{self, Escape},
        writer::{LogHealth, OnTrouble, Output, Posted, Sender, Writer},
    },
};
use std::{
    fmt::{self, Write as _},
    io::{self, Write as _},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something looks wrong.
    Warn,
    /// What an operator wants to see once.
    Info,
    /// For finding faults.
    Debug,
}

impl Level {
    /// The word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Writes a line if `level` is shown: `log(Level::Warn, format_args!("… name={name}"))`. Control characters in it are
/// escaped. Never waits; a line for which there is no room is counted as dropped.
pub fn log(level: Level, message: fmt::Arguments<'_>) {
    if enabled(level) {
        write(line(unix_now(), level, message, 0));
    }
}

/// Whether lines of `level` are shown.
#[inline]
#[must_use]
pub fn enabled(level: Level) -> bool {
    level as u8 <= LEVEL.load(Ordering::Relaxed)
}

/// The least important level that is shown from now on; at first [`Level::Info`].
pub fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// A place in the code that may have much to say: at most [`LINES_PER_WINDOW`] of its lines per [`WINDOW`] are written,
/// and the next one tells how many were not.
///
/// `static SITE: Site = Site::new();`
#[derive(Debug, Default)]
pub struct Site {
    /// The window's number in the upper half, its lines in the lower one. Threads may race here: a line more or less is
    /// let through, nothing else.
    window: AtomicU64,
    suppressed: AtomicU64,
}

/// Lines of one [`Site`] per [`WINDOW`].
pub const LINES_PER_WINDOW: u64 = 10;
/// See [`Site`].
pub const WINDOW: Duration = Duration::from_secs(10);

impl Site {
    /// A site that has not said anything yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { window: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// Writes a line, as [`log`] does, unless this site has said enough for the moment.
    #[cold]
    pub fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        if !enabled(level) {
            return;
        }
        if let Some(suppressed) = self.admit(monotonic_now()) {
            write(line(unix_now(), level, message, suppressed));
        } else if let Some(global) = GLOBAL.get() {
            global.health.suppressed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether a line may be written `now`; if so, how many were not since the last one.
    fn admit(&self, now: Instant) -> Option<u64> {
        const LINES: u64 = (1 << 32) - 1;
        // From one, so that the first window differs from the site's beginning.
        let number = 1 + now.as_millis() / 1000 / WINDOW.as_secs();
        let seen = self.window.load(Ordering::Relaxed);
        let lines = if seen >> 32 == number & LINES { seen & LINES } else { 0 };
        if lines >= LINES_PER_WINDOW {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.window.store((number << 32) | (lines + 1), Ordering::Relaxed);
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

/// Bytes that a stranger sent, in quotes and escaped, for use in a message: `path={}`.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = Vec::with_capacity(self.0.len() + 2);
        text::bytes(&mut shown, self.0, Escape::Text);
        write!(f, "\"{}\"", String::from_utf8_lossy(&shown))
    }
}

/// The running error log.
#[derive(Debug)]
pub struct ErrorLog(Writer);

/// What [`log`] uses once there is an [`ErrorLog`]: set once per process.
struct Global {
    sender: Sender,
    health: Arc<LogHealth>,
}

static LEVEL: AtomicU8 = AtomicU8::new(Level::Info as u8);
static GLOBAL: OnceLock<Global> = OnceLock::new();

impl ErrorLog {
    /// Sends this process's lines to `output` from now on, through a thread of its own; call it once.
    ///
    /// # Errors
    /// The file cannot be opened, the thread not be made.
    pub fn start(output: Output, health: Arc<LogHealth>) -> io::Result<Self> {
        let writer = Writer::start_telling(output, Arc::clone(&health), trouble_here())?;
        // A second log would only be told apart by tests: the first one stays.
        let _ = GLOBAL.set(Global { sender: writer.sender(), health });
        Ok(Self(writer))
    }

    /// Sends lines to another output from now on: after a reload.
    ///
    /// # Errors
    /// The file cannot be opened; the old output stays.
    pub fn redirect(&self, output: Output) -> io::Result<()> {
        self.0.redirect(output)
    }

    /// Opens the file anew: after a log rotation.
    pub fn reopen(&self) {
        self.0.reopen();
    }

    /// Writes what is on its way, for at most `grace`. Later lines go straight to standard error.
    pub fn stop(self, grace: Duration) {
        self.0.stop(grace);
    }
}

/// Tells trouble with another log.
pub(crate) fn trouble_there() -> OnTrouble {
    |output, error| {
        let message = format_args!("lines of the access log are lost output={output} error=\"{error}\"");
        log(Level::Error, message);
    }
}

/// Tells trouble with this very log: only standard error is left for that.
fn trouble_here() -> OnTrouble {
    |output, error| {
        if matches!(output, Output::File(_)) {
            let message = format_args!("lines of the error log are lost output={output} error=\"{error}\"");
            to_stderr(&line(unix_now(), Level::Error, message, 0));
        }
    }
}

fn write(line: Vec<u8>) {
    match GLOBAL.get() {
        None => to_stderr(&line),
        Some(global) => match global.sender.post(line) {
            Posted::Taken | Posted::Dropped => {}
            Posted::Stopped(line) => to_stderr(&line),
        },
    }
}

fn to_stderr(line: &[u8]) {
    // Nobody is left to be told if this fails.
    let _ = io::stderr().write_all(line);
}

/// Bytes of a line; the rest is cut.
const LINE_BYTES_MAX: usize = 8 * 1024;

fn line(time: UnixTime, level: Level, message: fmt::Arguments<'_>, suppressed: u64) -> Vec<u8> {
    let mut line = Vec::with_capacity(200);
    stamp::rfc3339(&mut line, time);
    line.push(b' ');
    line.extend_from_slice(level.label().as_bytes());
    line.push(b' ');
    // An error means that the line is full.
    let _ = Clean(&mut line).write_fmt(message);
    if suppressed > 0 {
        line.extend_from_slice(b" suppressed=");
        text::decimal(&mut line, suppressed);
    }
    line.push(b'\n');
    line
}

/// Writes text with its control characters escaped, until the line is full.
struct Clean<'a>(&'a mut Vec<u8>);

impl fmt::Write for Clean<'_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for c in s.chars() {
            if self.0.len() >= LINE_BYTES_MAX {
                return Err(fmt::Error);
            }
            if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
                // `\n`, `\u{7f}`; a Vec takes anything.
                let _ = write!(self.0, "{}", c.escape_default());
            } else {
                self.0.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES_MAX, LINES_PER_WINDOW, Level, Quoted, Site, WINDOW, line};
    use crate::base::clock::{Instant, UnixTime};
    use std::time::Duration;

    fn shown(level: Level, message: std::fmt::Arguments<'_>, suppressed: u64) -> String {
        String::from_utf8(line(UnixTime::from_nanos(1_786_711_445_123_000_000), level, message, suppressed)).unwrap()
    }

    #[test]
    fn a_line_has_time_level_and_message() {
        assert_eq!(
            shown(Level::Warn, format_args!("server ejected upstream={} failures={}", "orders", 5), 0),
            "2026-08-14T12:44:05.123Z warn server ejected upstream=orders failures=5\n"
        );
        assert_eq!(shown(Level::Error, format_args!("x"), 3), "2026-08-14T12:44:05.123Z error x suppressed=3\n");
    }

    #[test]
    fn one_event_is_one_line_whatever_is_in_it() {
        let text = shown(Level::Info, format_args!("a{}b", "\r\n\0\u{1b}[31m\u{85}\u{2028}ü"), 0);
        assert!(text.ends_with("info a\\r\\n\\u{0}\\u{1b}[31m\\u{85}\\u{2028}üb\n"), "{text:?}");
        let quoted = Quoted(b"/a \"b\"\n\xff").to_string();
        assert_eq!(quoted, "\"/a \\\"b\\\"\\x0a\\xff\"");
        let long = "y".repeat(2 * LINE_BYTES_MAX);
        assert_eq!(shown(Level::Info, format_args!("{long}"), 0).len(), LINE_BYTES_MAX + 1);
    }

    #[test]
    fn a_site_says_only_so_much_and_then_how_much_it_did_not_say() {
        let site = Site::new();
        let at = |seconds: u64| Instant::from_nanos(1).plus(Duration::from_secs(seconds));
        for _ in 0..LINES_PER_WINDOW {
            assert_eq!(site.admit(at(0)), Some(0));
        }
        assert_eq!(site.admit(at(1)), None);
        assert_eq!(site.admit(at(WINDOW.as_secs() - 1)), None);
        assert_eq!(site.admit(at(WINDOW.as_secs())), Some(2));
        assert_eq!(site.admit(at(WINDOW.as_secs())), Some(0));
    }

    #[test]
    fn levels_are_in_order() {
        assert!(Level::Error < Level::Warn && Level::Warn < Level::Info && Level::Info < Level::Debug);
        assert!(super::enabled(Level::Error));
    }
}
