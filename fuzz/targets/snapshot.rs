#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::cache::fuzz::fuzz_snapshot(data));
