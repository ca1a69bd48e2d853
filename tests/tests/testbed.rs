//! What every other end-to-end test builds on: the node itself works.
fn main() {}
