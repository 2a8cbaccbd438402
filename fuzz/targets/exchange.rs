#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::connection::fuzz::fuzz_exchange(data));
