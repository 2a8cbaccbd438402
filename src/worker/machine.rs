//! What of the machine this process may use: processors, and how much of them.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::path::Path;

/// Processors that this process may run on.
#[must_use]
pub fn usable_cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(None) else { return vec![] };
    (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect()
}

/// Workers unless configured: one per processor that may be used, and no more than the control group pays for.
#[must_use]
pub fn default_workers(cpus: &[usize]) -> usize {
    let usable = cpus.len().max(1);
    match quota(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup")) {
        Some(paid) => usable.min(paid),
        None => usable,
    }
}

/// Keeps this thread on `cpu`. Not being allowed to costs some speed and nothing else.
pub fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu);
    let _ = sched_setaffinity(None, &set);
}

/// Descriptors that this process may have.
#[must_use]
pub fn descriptors() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

/// Processors that the control group's quota pays for, rounded up; `None` without a quota. The tightest group counts.
fn quota(membership: &Path, root: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(membership).ok()?;
    let version_2 = text.lines().find_map(|line| line.strip_prefix("0::"));
    if let Some(group) = version_2
        && let Some(found) = tightest(root, group, version_2_quota)
    {
        return Some(found);
    }
    let group = text.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, group) = rest.split_once(':')?;
        controllers.split(',').any(|c| c == "cpu").then_some(group)
    })?;
    tightest(&root.join("cpu"), group, version_1_quota)
}

fn tightest(root: &Path, group: &str, read: fn(&Path) -> Option<usize>) -> Option<usize> {
    let mut at = Path::new(group.trim_start_matches('/'));
    let mut least: Option<usize> = None;
    loop {
        if let Some(found) = read(&root.join(at)) {
            least = Some(least.map_or(found, |n| n.min(found)));
        }
        match at.parent() {
            Some(up) => at = up,
            None => return least,
        }
    }
}

fn version_2_quota(group: &Path) -> Option<usize> {
    let text = std::fs::read_to_string(group.join("cpu.max")).ok()?;
    let (quota, period) = text.trim().split_once(' ')?;
    ceil(quota.parse().ok()?, period.parse().ok()?)
}

fn version_1_quota(group: &Path) -> Option<usize> {
    let read = |name| std::fs::read_to_string(group.join(name)).ok()?.trim().parse().ok();
    ceil(read("cpu.cfs_quota_us")?, read("cpu.cfs_period_us")?)
}

fn ceil(quota: i64, period: i64) -> Option<usize> {
    if quota <= 0 || period <= 0 {
        return None;
    }
    usize::try_from((quota + period - 1) / period).ok()
}

#[cfg(test)]
mod tests {
    use super::quota;
    use std::{fs, path::PathBuf};

    fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("ringgate-cgroup-{name}-{}", std::process::id()));
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_tightest_group_counts_and_parts_of_a_processor_are_rounded_up() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], Option<usize>);
        let rows: &[Row] = &[
            ("v2-none", &[("self", "0::/a\n"), ("a/cpu.max", "max 100000\n")], None),
            ("v2-half", &[("self", "0::/a\n"), ("a/cpu.max", "50000 100000\n")], Some(1)),
            (
                "v2-parent",
                &[("self", "0::/a/b\n"), ("a/cpu.max", "250000 100000\n"), ("a/b/cpu.max", "max 100000\n")],
                Some(3),
            ),
            (
                "v1",
                &[
                    ("self", "4:cpu,cpuacct:/x\n"),
                    ("cpu/x/cpu.cfs_quota_us", "200000"),
                    ("cpu/x/cpu.cfs_period_us", "100000"),
                ],
                Some(2),
            ),
            (
                "v1-none",
                &[("self", "4:cpu:/x\n"), ("cpu/x/cpu.cfs_quota_us", "-1"), ("cpu/x/cpu.cfs_period_us", "100000")],
                None,
            ),
        ];
        for (name, files, expect) in rows {
            let root = tree(name, files);
            assert_eq!(quota(&root.join("self"), &root), *expect, "{name}");
            fs::remove_dir_all(root).unwrap();
        }
    }
}
