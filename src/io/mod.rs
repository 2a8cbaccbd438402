//! The only room that names monoio: sockets, readiness, buffers, deadlines, tasks, and their simulation.
//!
//! Invariant: the kernel never holds a buffer of ours. The ring (or epoll) tells when a descriptor is ready; bytes then
//! move by direct non-blocking calls into borrowed slices. A wait that is given up is a cancelled poll, which can lose
//! neither bytes nor descriptors.

pub mod alarm;
pub mod bell;
pub mod buf;
pub mod listen;
pub mod memory;
pub mod net;
pub mod ring;
pub mod sim;
pub mod splice;
pub mod stream;
pub mod task;
pub mod thread;

pub use alarm::{Alarm, Expired, Timers};
pub use net::Net;
pub use stream::Stream;
