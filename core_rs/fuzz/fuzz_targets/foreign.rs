#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| imp_fuzz::foreign(data));
