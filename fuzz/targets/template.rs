#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::plan::message::fuzz_template(data));
