//! See `cooper_fuzzed::documents`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::documents(data));
