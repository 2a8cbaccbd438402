#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::validate::fuzz::fuzz_validate(data));
