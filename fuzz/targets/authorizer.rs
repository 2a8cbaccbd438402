#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::auth::answer::fuzz_answer(data));
