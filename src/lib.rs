#![doc = include_str!("ARCHITECTURE.md")]

pub mod base;
pub mod control;
pub mod compile;
pub mod config;
pub mod h1;
pub mod http;
pub mod io;
pub mod observe;
pub mod plan;
pub mod route;
