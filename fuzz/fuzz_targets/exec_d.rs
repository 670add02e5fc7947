//! See `cooper_fuzzed::exec_d`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cooper_fuzzed::exec_d(data));
