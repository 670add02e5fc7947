//! `cooper report`: what a maintainer asks about first; and `cooper version`.

use super::Session;
use crate::error::{Context, Result};
use crate::platform::config;
use crate::platform::doctor;

/// Say what a maintainer asks about first: version, system, how builds run, configuration. Names in the configuration are hidden.
#[derive(clap::Args)]
pub struct Arguments {
    /// Show the configuration as it is.
    #[arg(long, short)]
    explicit: bool,
}

impl Arguments {
    pub(super) fn run(&self, session: &Session) -> Result<u8> {
        let store = session.store()?;
        let diagnosis = doctor::examine(&store)?;
        let mut text = format!(
            "cooper\n  version        {}\n  system         {}/{}\n  CNB_PLATFORM   0.7 to 0.15\n\nbuilds\n  {}\n\nconfiguration\n",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            diagnosis.summary
        );
        let path = config::path(|name| std::env::var_os(name)).filter(|path| path.is_file());
        match path {
            Some(path) => {
                let read = std::fs::read_to_string(&path).context(|| format!("cannot read the configuration `{}`", path.display()))?;
                let shown = if self.explicit { read } else { hidden(&read) };
                shown.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
            }
            None => text.push_str("  none\n"),
        }
        session.print(text.trim_end())?;
        Ok(0)
    }
}

/// The text without what stands between quotes, in keys and values, and without comments.
fn hidden(text: &str) -> String {
    let line = |line: &str| {
        let mut shown = String::new();
        let mut quote: Option<char> = None;
        for letter in line.chars() {
            match quote {
                Some(open) if letter == open => {
                    shown.push_str(&format!("[hidden]{letter}"));
                    quote = None;
                }
                Some(_) => {}
                None if letter == '#' => break,
                None => {
                    shown.push(letter);
                    quote = Some(letter).filter(|letter| ['"', '\''].contains(letter));
                }
            }
        }
        shown.trim_end().to_string()
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Say the version of this program.
#[derive(clap::Args)]
pub struct VersionArguments {}

impl VersionArguments {
    pub(super) fn run(&self, session: &Session) -> Result<u8> {
        session.print(env!("CARGO_PKG_VERSION"))?;
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_comments_are_hidden() {
        let text =
            "# secret\ndefault-builder-image = \"r.test/secret\" # secret\n[registry-mirrors]\n'secret' = 'a \"b'\nexperimental = true\n";
        let expected = "\ndefault-builder-image = \"[hidden]\"\n[registry-mirrors]\n'[hidden]' = '[hidden]'\nexperimental = true";
        assert_eq!(hidden(text), expected);
    }
}
