#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::h1::fuzz::fuzz_request_head(data));
