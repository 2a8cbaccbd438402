#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::auth::sigv4::fuzz::fuzz_sigv4(data));
