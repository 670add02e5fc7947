//! See `cooper_fuzzed::debian`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::debian(data));
