//! Any console output: no panic, and halves say the same as the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proctor_results::{Console, Output};

fn parse(chunks: &[&[u8]]) -> Output {
    let mut console = Console::new();
    for chunk in chunks {
        console.push(chunk);
        console.running();
    }
    console.finish()
}

fuzz_target!(|bytes: &[u8]| {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(parse(&[first, second]), parse(&[bytes]));
});
