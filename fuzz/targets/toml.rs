#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::config::fuzz::fuzz_toml(data));
