//! See `cooper_fuzzed::labels`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::labels(data));
