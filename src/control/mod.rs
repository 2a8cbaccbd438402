//! Everything that is not the data plane, on its own threads: the command line, start and stop, reload, names,
//! certificate files, the demo.
//!
//! Invariant: nothing here runs on a core. What a core needs reaches it as a message (a plan, addresses, "drain"), and what
//! blocks (files, names, people's terminals) blocks a thread of this room only.

mod acme;
pub mod admin;
pub mod cli;
mod cluster;
mod demo;
mod jwks;
mod limits;
mod listeners;
mod logs;
mod names;
mod notify;
mod ports;
mod purge;
mod release;
mod reload;
pub mod resolver;
mod rotation;
mod run;
mod signals;
mod snapshot;
mod socket;
mod source;
mod usage;
