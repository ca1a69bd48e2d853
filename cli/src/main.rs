//! The command line of Proctor.

fn main() {}
