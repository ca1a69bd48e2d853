//! Test report formats in, one model, verdicts, and report formats out.
