//! `proctor-sidecar`: the reporter and the wrapper. See the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only where a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    proctor_sidecar::main(std::env::args_os())
}
