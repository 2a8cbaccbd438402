//! `ringgate version`: what this binary is and what this machine offers it.

use super::{Exit, arguments::Matches, terminal::Terminal};
use io_uring::{Builder, IoUring, Probe, opcode};
use rustix::process::{Resource, getrlimit};
use std::io;

/// `ringgate version [--verbose]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Exit {
    terminal.out.line(&format!("ringgate {}", env!("CARGO_PKG_VERSION")));
    if matches.has("verbose") {
        let rows: Vec<Vec<String>> =
            facts().into_iter().map(|(name, value)| vec![format!("  {name}"), value]).collect();
        terminal.out.text(&super::terminal::table(&rows));
    }
    Exit::Done
}

/// The kernel's name and release: `Linux 6.18.4`.
pub(crate) fn kernel() -> String {
    let uname = rustix::system::uname();
    format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy())
}

fn facts() -> Vec<(&'static str, String)> {
    let commit = option_env!("RINGGATE_COMMIT").map_or_else(String::new, |commit| format!(", commit {commit}"));
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut facts = vec![
        ("build", format!("{profile}, {arch}-{os}{commit}")),
        ("allocator", "jemalloc".to_owned()),
        ("kernel", kernel()),
        ("cores", format!("{cores} usable by this process")),
        ("descriptors", descriptors()),
        ("io_uring", permission()),
    ];
    facts.extend(ring());
    facts
}

fn descriptors() -> String {
    let limit = getrlimit(Resource::Nofile);
    let show = |n: Option<u64>| n.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
    format!("{} now, {} allowed", show(limit.current), show(limit.maximum))
}

/// What the kernel's switch says, and whether a plain ring can be made here.
fn permission() -> String {
    let switch = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let switch = match switch.trim() {
        "0" => "io_uring_disabled = 0",
        "1" => "io_uring_disabled = 1: only for the group kernel.io_uring_group",
        "2" => "io_uring_disabled = 2: for nobody",
        _ => "no io_uring_disabled switch",
    };
    match IoUring::new(8) {
        Ok(_) => format!("available ({switch})"),
        Err(error) => format!("refused: {} ({switch}); the epoll driver is used", reason(&error)),
    }
}

fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(1) => "not permitted, often by a container's seccomp profile".to_owned(),
        Some(12) => "not enough locked memory (RLIMIT_MEMLOCK) on an old kernel".to_owned(),
        Some(38) => "this kernel has none".to_owned(),
        _ => error.to_string(),
    }
}

/// Flags and operations, one by one.
fn ring() -> Vec<(&'static str, String)> {
    let Ok(plain) = IoUring::new(8) else { return Vec::new() };
    let flags = [
        ("COOP_TASKRUN", can(Builder::setup_coop_taskrun)),
        ("SINGLE_ISSUER", can(Builder::setup_single_issuer)),
        ("DEFER_TASKRUN", can(|builder| builder.setup_single_issuer().setup_defer_taskrun())),
    ];
    let mut probe = Probe::new();
    let probed = plain.submitter().register_probe(&mut probe).is_ok();
    let operations = [
        ("poll", opcode::PollAdd::CODE),
        ("cancel", opcode::AsyncCancel::CODE),
        ("timeout", opcode::Timeout::CODE),
        ("accept", opcode::Accept::CODE),
        ("connect", opcode::Connect::CODE),
        ("recv", opcode::Recv::CODE),
        ("send", opcode::Send::CODE),
        ("splice", opcode::Splice::CODE),
    ]
    .map(|(name, code)| (name, probed && probe.is_supported(code)));
    vec![("ring flags", list(&flags)), ("ring operations", list(&operations))]
}

fn can(with: impl FnOnce(&mut Builder) -> &mut Builder) -> bool {
    with(&mut IoUring::builder()).build(8).is_ok()
}

fn list(what: &[(&str, bool)]) -> String {
    let part = |(name, found): &(&str, bool)| if *found { (*name).to_owned() } else { format!("no {name}") };
    what.iter().map(part).collect::<Vec<_>>().join(", ")
}
