#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ringgate::auth::jwt::fuzz::fuzz_jwt(data));
