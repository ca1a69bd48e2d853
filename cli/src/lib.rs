//! The command line of Proctor.
