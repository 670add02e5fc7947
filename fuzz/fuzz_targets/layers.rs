//! See `cooper_fuzzed::layers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::layers(data));
