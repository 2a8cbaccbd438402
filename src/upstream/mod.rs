//! The services behind the gateway: which server is asked, over which connection, how often, and what it answered.
//!
//! Invariant: nothing of an upstream's answer leaves this room before its head was parsed whole; a request is repeated only
//! when the first attempt cannot have had an effect, or its method says that a second one does no harm.

pub mod balance;
pub mod body;
pub mod client;
pub mod connect;
pub mod content;
pub mod flight;
pub mod health;
pub mod manners;
pub mod pool;
pub mod pump;
pub mod request;
pub mod response;
pub mod retry;
pub mod settings;
pub mod transcode;
pub mod watch;

pub use crate::io::{Alarm, Net, task::Announcement};
pub use crate::tls::{Facts as TlsFacts, Failure as TlsFailure};
pub use balance::{Server, Upstream};
pub use client::{Answer, Begun, Call, Failure, Fault, Start};
pub use flight::{Arrived, Flight};
pub use watch::Watched;
