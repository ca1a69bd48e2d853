//! Waiting for a condition with a deadline: the only place that lets time pass.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at: short against what is waited for, long against a process start.
pub const TICK: Duration = Duration::from_millis(100);

/// Lets one tick pass.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that polls; everything else waits for a condition through `until`"
)]
pub fn tick() {
    std::thread::sleep(TICK);
}

/// Calls `condition` until it yields a value and returns that, or fails when `deadline` has passed.
///
/// An error of the condition counts as "not yet"; the last one is the reason given in the end, so a condition says what it
/// still misses with `bail!`.
pub fn until<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let seen = match condition() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => None,
            Err(error) => Some(error),
        };
        if start.elapsed() >= deadline {
            let seconds = deadline.as_secs();
            match seen {
                Some(error) => {
                    return Err(error.context(format!(
                        "{what}: not so after {seconds} s. The last look said"
                    )));
                }
                None => bail!("{what}: not so after {seconds} s."),
            }
        }
        tick();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_holds_later_is_found() {
        let mut looks = 0;
        let seen = until("the third look", Duration::from_secs(10), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(seen.unwrap(), 3);
    }

    #[test]
    fn a_condition_that_never_holds_says_what_it_missed() {
        let error = until::<()>("a pod that runs", Duration::ZERO, || {
            bail!("the pod is Pending")
        })
        .unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("a pod that runs") && text.contains("the pod is Pending"),
            "{text}"
        );
    }
}
