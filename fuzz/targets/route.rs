#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::route::fuzz::fuzz_route(data));
