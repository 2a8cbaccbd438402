//! How much a thread matters beside the cores.

use std::ffi::c_int;

/// Has this thread, and those that it makes, run only where a processor would be idle otherwise. A lower priority (`nice`) is
/// not enough beside a core: the kernel lets whoever runs finish a slice of milliseconds, and that is how long a core's next
/// request would wait; a thread of this kind is put aside at once. There is no way back. False if the system does not do it.
pub fn run_when_idle() -> bool {
    // Zero is the calling thread.
    scheduler::sched_setscheduler(0, SCHED_IDLE, &scheduler::Parameters { priority: 0 }) == 0
}

/// sched(7)
const SCHED_IDLE: c_int = 5;

/// rustix cannot set a policy, and libc would be a dependency for this one call.
mod scheduler {
    use std::ffi::c_int;

    /// `struct sched_param`
    #[repr(C)]
    pub(super) struct Parameters {
        pub(super) priority: c_int,
    }

    // SAFETY: the signature is sched.h's (POSIX): two integers and a pointer to a structure of one int, which is only read
    // during the call. glibc and musl both have it; musl's always fails.
    #[expect(unsafe_code, reason = "a declaration that the compiler cannot check")]
    unsafe extern "C" {
        pub(super) safe fn sched_setscheduler(pid: c_int, policy: c_int, parameters: &Parameters) -> c_int;
    }
}

#[cfg(test)]
mod tests {
    use super::run_when_idle;

    #[test]
    fn the_kernel_knows_of_it() {
        let thread = std::thread::spawn(|| {
            let done = run_when_idle();
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // proc(5): the policy is field 41, and the name before may have anything in it.
            let policy = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(38).unwrap().to_owned();
            (done, policy)
        });
        assert_eq!(thread.join().unwrap(), (true, "5".to_owned()));
    }
}
