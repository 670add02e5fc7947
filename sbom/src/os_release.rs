//! `os-release`: which distribution a file system is of.

use serde::{Deserialize, Serialize};

/// A distribution.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Distribution {
    /// Its identifier, as `debian`.
    pub id: String,
    /// The release, as `12`; empty for a rolling one.
    pub version: String,
    /// Its name for people, as `Debian GNU/Linux 12 (bookworm)`.
    pub name: String,
}

impl Distribution {
    /// Reads the file; nothing where it names no distribution.
    pub fn parse(text: &str) -> Option<Self> {
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            found.unwrap_or_default().trim().trim_matches(['"', '\'']).to_string()
        };
        let found = Self { id: value("ID").to_ascii_lowercase(), version: value("VERSION_ID"), name: value("PRETTY_NAME") };
        (!found.id.is_empty()).then_some(found)
    }

    /// What package URLs say of it, as `debian-12`.
    pub fn qualifier(&self) -> String {
        if self.version.is_empty() { self.id.clone() } else { format!("{}-{}", self.id, self.version) }
    }

    /// Who distributes its packages.
    pub(crate) fn vendor(&self) -> &str {
        match self.id.as_str() {
            "debian" => "Debian",
            "ubuntu" => "Ubuntu",
            "alpine" => "Alpine Linux",
            "wolfi" => "Wolfi",
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_read() {
        let text = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\nVERSION_CODENAME=bookworm\n";
        let found = Distribution::parse(text).unwrap();
        assert_eq!((found.qualifier().as_str(), found.name.as_str()), ("debian-12", "Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(Distribution::parse("ID=arch\n").unwrap().qualifier(), "arch");
        assert_eq!(Distribution::parse("x\n"), None);
    }
}
