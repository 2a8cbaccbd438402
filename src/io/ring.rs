//! The event loop of a core: io_uring with the flags that make it cheap, stepwise fewer on older kernels, epoll at last.

use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};
use std::{future::Future, io};

/// Which event loop to use, and how it was set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// io_uring with the flags of that step (see [`Step`]).
    Ring(Step),
    /// epoll.
    Epoll,
}

/// How much of io_uring the kernel gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Linux 6.1: `SINGLE_ISSUER`, `DEFER_TASKRUN`, `COOP_TASKRUN`, large completion queue.
    Deferred,
    /// Linux 5.19: `COOP_TASKRUN`, large completion queue.
    Cooperative,
    /// Linux 5.7: a large completion queue.
    Plain,
}

impl Step {
    /// From the best to the least.
    pub const ALL: [Self; 3] = [Self::Deferred, Self::Cooperative, Self::Plain];

    /// For the start-up line.
    #[must_use]
    pub const fn flags(self) -> &'static str {
        match self {
            Self::Deferred => "SINGLE_ISSUER DEFER_TASKRUN COOP_TASKRUN",
            Self::Cooperative => "COOP_TASKRUN",
            Self::Plain => "no flags",
        }
    }

    fn builder(self) -> io_uring::Builder {
        let mut builder = io_uring::IoUring::builder();
        builder.setup_cqsize(COMPLETIONS);
        match self {
            Self::Deferred => drop(builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun()),
            Self::Cooperative => drop(builder.setup_coop_taskrun()),
            Self::Plain => {}
        }
        builder
    }
}

/// Finds the best ring that the kernel gives this process.
///
/// # Errors
/// Why it gives none.
pub fn probe() -> io::Result<Step> {
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    for step in Step::ALL {
        match step.builder().build(ENTRIES) {
            Ok(ring) => {
                let mut supported = io_uring::Probe::new();
                ring.submitter().register_probe(&mut supported)?;
                if supported.is_supported(io_uring::opcode::PollAdd::CODE) {
                    return Ok(step);
                }
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Why there is no ring, and what an operator can do about it.
#[must_use]
pub fn advice(error: &io::Error) -> String {
    let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let (errno, how) = (rustix::io::Errno::from_io_error(error), disabled.trim());
    match errno {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) if how == "1" || how == "2" => format!(
            "io_uring is switched off by kernel.io_uring_disabled = {how}; `sysctl kernel.io_uring_disabled=0` allows it"
        ),
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS) => {
            "io_uring is refused by a seccomp profile (usual in \
             containers); allow io_uring_setup, io_uring_enter and io_uring_register in the profile"
                .to_owned()
        }
        Some(rustix::io::Errno::NOSYS) => {
            "this kernel has no io_uring; it needs Linux 5.7, and 6.1 for full speed".to_owned()
        }
        Some(rustix::io::Errno::NOMEM) => "io_uring got no locked memory; raise `ulimit -l` (LimitMEMLOCK)".to_owned(),
        _ => format!("io_uring could not be set up: {error}"),
    }
}

/// Runs `main` on this thread's own event loop until it ends.
///
/// # Errors
/// When the loop cannot be set up.
pub fn run<F: Future>(which: Loop, main: impl FnOnce() -> F) -> io::Result<F::Output> {
    match which {
        Loop::Ring(step) => {
            let builder = RuntimeBuilder::<IoUringDriver>::new().with_entries(ENTRIES).uring_builder(step.builder());
            Ok(builder.build()?.block_on(async { main().await }))
        }
        Loop::Epoll => Ok(RuntimeBuilder::<LegacyDriver>::new().build()?.block_on(async { main().await })),
    }
}

/// Submissions between two entries into the kernel; monoio flushes when it is full.
const ENTRIES: u32 = 1024;
/// One poll may be pending per descriptor; the kernel keeps what does not fit, at a price.
const COMPLETIONS: u32 = 16 * 1024;

const _: () = assert!(COMPLETIONS >= 4 * ENTRIES, "monoio skips the completions of a park that failed with EBUSY");
