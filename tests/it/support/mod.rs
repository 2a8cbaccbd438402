//! What the outside tests stand on: the real binary, raw clients and upstreams, and other people's programs.

pub(crate) mod acme;
pub(crate) mod client;
pub(crate) mod gateway;
pub(crate) mod nginx;
pub(crate) mod provider;
pub(crate) mod redis;
pub(crate) mod tools;
pub(crate) mod upstream;
