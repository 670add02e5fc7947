//! See `cooper_fuzzed::dockerfile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::dockerfile(data));
