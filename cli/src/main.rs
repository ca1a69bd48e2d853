//! The binary `proctor`.

use std::process::ExitCode;

fn main() -> ExitCode {
    proctor::main(std::env::args_os())
}
