#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::compile::fuzz::fuzz_toml(data));
