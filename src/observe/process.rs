//! What the kernel says about this process: CPU, memory, descriptors, threads.

use std::fs;

/// One look at the process. A value that the kernel does not tell is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// User and system time, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Resident bytes.
    pub resident: Option<u64>,
    /// Virtual bytes.
    pub virtual_size: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// The soft limit on them; missing if there is none.
    pub max_fds: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl Process {
    /// Looks now. Reads files of `/proc`: for the admin thread.
    #[must_use]
    pub fn read() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let mut process =
            Self::of_stat(&stat, rustix::param::clock_ticks_per_second(), rustix::param::page_size() as u64);
        // The descriptor that reads the directory is one of those it lists.
        process.open_fds = fs::read_dir("/proc/self/fd").ok().map(|fds| (fds.count() as u64).saturating_sub(1));
        process.max_fds = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        process
    }

    /// Reads the text of `/proc/self/stat`. Its second field, the program's name, may hold spaces and parentheses: the
    /// rest is counted from the last `)`.
    fn of_stat(stat: &str, ticks_per_second: u64, page: u64) -> Self {
        let rest: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().collect();
        // The first field after the name is the third of the file (`man 5 proc`).
        let field = |number: usize| rest.get(number - 3)?.parse::<u64>().ok();
        let ticks = field(14).zip(field(15)).map(|(user, system)| user.saturating_add(system));
        let ns = |ticks: u64| ticks.saturating_mul(1_000_000_000 / ticks_per_second.max(1));
        Self {
            cpu_ns: ticks.map(ns),
            resident: field(24).map(|pages| pages.saturating_mul(page)),
            virtual_size: field(23),
            open_fds: None,
            max_fds: None,
            threads: field(20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn the_stat_file_is_read_from_behind_the_name() {
        let stat = "4242 (a) b (c) S 1 2 3 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 123 104857600 2560 18446744073709551615 1";
        let process = Process::of_stat(stat, 100, 4096);
        assert_eq!(process.cpu_ns, Some(3_000_000_000));
        assert_eq!(process.threads, Some(7));
        assert_eq!(process.virtual_size, Some(104_857_600));
        assert_eq!(process.resident, Some(10_485_760));
        assert_eq!(Process::of_stat("", 100, 4096), Process::default());
        assert_eq!(Process::of_stat("1 (x) S x", 0, 4096).cpu_ns, None);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let process = Process::read();
        assert!(process.resident.is_some_and(|bytes| bytes > 100_000));
        assert!(process.threads.is_some_and(|n| n >= 1));
        assert!(process.open_fds.is_some_and(|n| n >= 3));
        assert!(process.cpu_ns.is_some());
    }
}
