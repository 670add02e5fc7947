//! See `cooper_fuzzed::images`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::images(data));
