#![doc = include_str!("ARCHITECTURE.md")]

pub mod worker;

pub mod connection;
pub mod exchange;

pub mod auth;
pub mod cache;
pub mod h1;
pub mod http;
pub mod integration;
pub mod mapping;
pub mod route;
pub mod throttle;
pub mod tls;
pub mod upstream;
pub mod validate;

pub mod base;
pub mod io;
pub mod observe;

pub mod plan;

pub mod compile;
pub mod config;

pub mod control;
