//! See `cooper_fuzzed::inventories`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::inventories(data));
