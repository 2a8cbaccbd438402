//! What the process holds in memory beside what it allocates: its own code and constants.

use rustix::mm::{Advice, madvise};
use std::{ffi::c_void, fs, ptr};

/// Gives back the pages of code and constants that are mapped at the moment, and says how many bytes of address space that was
/// about. Those that are needed come back from the page cache as they are touched, in a fraction of a microsecond each; those that
/// only a start or a reload has needed, half of them, do not. Nothing is given back where `/proc` does not tell.
pub fn give_back_program() -> usize {
    let (Ok(program), Ok(maps)) = (fs::read_link("/proc/self/exe"), fs::read_to_string("/proc/self/maps")) else {
        return 0;
    };
    let Some(program) = program.to_str() else { return 0 };
    maps.lines().filter_map(|line| part(line, program)).map(|(start, end)| forget(start, end)).sum()
}

/// The range of a line of proc_pid_maps(5), if it is of `program`'s file and as it is there: code, or the segment of constants that
/// the file begins with. Read-only ones further on hold addresses that were written at start (RELRO).
fn part(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut parts = line.splitn(6, ' ');
    let (range, permissions, offset) = (parts.next()?, parts.next()?, parts.next()?);
    // Device and inode; then blanks; then the name.
    let name = parts.nth(2)?.trim_start();
    let intact = match permissions {
        "r-xp" => true,
        "r--p" => offset.bytes().all(|byte| byte == b'0'),
        _ => false,
    };
    if !intact || name != program {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some((usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

fn forget(start: usize, end: usize) -> usize {
    let bytes = end.saturating_sub(start);
    let at: *mut c_void = ptr::with_exposed_provenance_mut(start);
    #[expect(unsafe_code, reason = "advice about memory that no type owns")]
    // SAFETY: the range is a private mapping of this program's file that cannot be written and never was: the addresses that
    // position-independent code needs are in segments that can, or could until they were protected, which `part` leaves out.
    // So what comes back from the file is what was there. A file that is executed cannot be changed (ETXTBSY), and one that was
    // replaced or deleted is kept by the mapping.
    let forgotten = unsafe { madvise(at, bytes, Advice::LinuxDontNeed) };
    if forgotten.is_ok() { bytes } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::{give_back_program, part};

    #[test]
    fn only_what_the_program_s_file_holds_unchanged_is_meant() {
        let program = "/usr/bin/ring gate";
        for (line, expected, why) in [
            (
                "1000-3000 r-xp 00001000 fe:00 12                         /usr/bin/ring gate",
                Some((0x1000, 0x3000)),
                "code",
            ),
            (
                "1000-3000 r--p 00001000 fe:00 12                         /usr/bin/ring gate",
                None,
                "protected after it was written",
            ),
            ("1000-3000 rw-p 00001000 fe:00 12                         /usr/bin/ring gate", None, "data"),
            ("1000-3000 r-xp 00001000 fe:00 12                         /usr/lib/libc.so.6", None, "others' code"),
            ("1000-3000 r-xp 00000000 00:00 0                          [vdso]", None, "the kernel's"),
            ("1000-3000 r-xp 00000000 00:00 0 ", None, "made at run time"),
            ("nonsense", None, "no line of that file"),
        ] {
            assert_eq!(part(line, program), expected, "{why}");
        }
    }

    #[test]
    fn everything_works_on() {
        assert!(give_back_program() > 0, "this program has code and constants");
        let text = (0..1000).map(|n| n.to_string()).collect::<String>();
        assert_eq!(text.len(), 2890);
        assert!(std::panic::catch_unwind(|| panic!("unwinding finds its way")).is_err());
        assert!(give_back_program() > 0, "and again");
    }
}
