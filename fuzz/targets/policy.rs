#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::auth::policy::fuzz::fuzz_policy(data));
