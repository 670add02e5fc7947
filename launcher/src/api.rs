//! Versions of the Platform API and the Buildpack API.

use std::fmt;

/// A version of an API, as `0.12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Api {
    major: u64,
    minor: u64,
}

/// The Platform APIs that are spoken: 0.7 to 0.15 (API-03).
pub const PLATFORM: std::ops::RangeInclusive<Api> = Api::new(0, 7)..=Api::new(0, 15);
/// The Buildpack APIs that are spoken: 0.7 to 0.12 (API-04).
pub const BUILDPACK: std::ops::RangeInclusive<Api> = Api::new(0, 7)..=Api::new(0, 12);

impl Api {
    /// The version `major.minor`.
    pub const fn new(major: u64, minor: u64) -> Self {
        Self { major, minor }
    }

    /// Reads `0.12`, `v0.12`, `1` or `1.` (API-01); nothing where it is none of these.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (major, minor) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if major.is_empty() || !digits(major) || !digits(minor) {
            return None;
        }
        Some(Self { major: major.parse().ok()?, minor: if minor.is_empty() { 0 } else { minor.parse().ok()? } })
    }
}

impl fmt::Display for Api {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// API-01, API-02.
    #[test]
    fn versions_are_numbers() {
        assert_eq!(
            ["0.7", "1", "v0.9", "1."].map(Api::parse),
            [Some(Api::new(0, 7)), Some(Api::new(1, 0)), Some(Api::new(0, 9)), Some(Api::new(1, 0))]
        );
        assert_eq!(["0.x", "", "v", ".1", "-1", "0.1.2"].map(Api::parse), [None; 6]);
        assert!(Api::new(0, 10) > Api::new(0, 9));
        assert!(!PLATFORM.contains(&Api::new(0, 16)) && BUILDPACK.contains(&Api::new(0, 7)));
    }
}
