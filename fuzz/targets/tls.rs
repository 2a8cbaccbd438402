#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::tls::fuzz::fuzz_tls(data));
