#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::mapping::fuzz::fuzz_mapping(data));
