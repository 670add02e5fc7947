//! When a registry is asked for an image that the store may have.

use crate::error::{Error, Result};
use std::str::FromStr;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// When a registry is asked for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pull {
    /// Each time; the store's is used where the registry cannot be reached.
    Always,
    /// As always, where it was not asked for so long.
    After(Duration),
    /// Where the store does not have it.
    #[default]
    IfNotPresent,
    /// Never.
    Never,
}

impl FromStr for Pull {
    type Err = Error;

    /// Reads `always`, `if-not-present`, `never`, `hourly`, `daily`, `weekly` or `interval=5d4h2m`.
    ///
    /// # Errors
    /// When it is something else.
    fn from_str(text: &str) -> Result<Self> {
        let every = |seconds| Ok(Self::After(Duration::from_secs(seconds)));
        match text {
            "always" => Ok(Self::Always),
            "if-not-present" => Ok(Self::IfNotPresent),
            "never" => Ok(Self::Never),
            "hourly" => every(HOUR),
            "daily" => every(DAY),
            "weekly" => every(7 * DAY),
            _ => text.strip_prefix("interval=").and_then(seconds).map_or_else(
                || {
                    let known = "`always`, `if-not-present`, `never`, `hourly`, `daily`, `weekly` or `interval=5d4h2m`";
                    Err(Error::new(format!("`{text}` is no pull policy: write {known}")))
                },
                every,
            ),
        }
    }
}

/// The seconds in a text as `5d4h2m`.
fn seconds(text: &str) -> Option<u64> {
    let (mut total, mut rest) = (0_u64, text);
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..end].parse().ok()?;
        let unit = match rest.as_bytes()[end] {
            b'd' => DAY,
            b'h' => HOUR,
            b'm' => MINUTE,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        rest = &rest[end + 1..];
    }
    (total > 0).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_those_of_pack() {
        let after = |seconds| Pull::After(Duration::from_secs(seconds));
        for (text, policy) in [
            ("always", Pull::Always),
            ("if-not-present", Pull::IfNotPresent),
            ("never", Pull::Never),
            ("hourly", after(3600)),
            ("weekly", after(604_800)),
            ("interval=5d4h2m", after(446_520)),
            ("interval=90m", after(5400)),
        ] {
            assert_eq!(text.parse::<Pull>().unwrap(), policy, "{text}");
        }
        for bad in
            ["", "sometimes", "interval=", "interval=5", "interval=5x", "interval=d", "interval=99999999999999999999d", "interval=5é"]
        {
            assert!(bad.parse::<Pull>().is_err(), "{bad}");
        }
    }
}
