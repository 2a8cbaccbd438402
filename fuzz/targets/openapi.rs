#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::config::openapi::fuzz::fuzz_openapi(data));
