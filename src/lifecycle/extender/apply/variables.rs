//! The variables that instructions may use: those of the image, and the arguments of the build.

use super::Apply;
use crate::error::{Error, Result};
use crate::lifecycle::extender::words::{Words, split};

/// Arguments that every Dockerfile may use without declaring them.
pub(super) const PREDEFINED: [&str; 10] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "FTP_PROXY", "ftp_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"];

impl Apply<'_> {
    /// `ARG NAME[=DEFAULT] …`: what was given counts, then the default, then what stands before `FROM`.
    pub(super) fn arg(&mut self, text: &str) -> Result<()> {
        for word in split(text, self.applied.dockerfile.escape) {
            let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(name, default)| (name, Some(default)));
            let name = self.expand(name)?;
            let default = default.map(|default| self.expand(default)).transpose()?;
            let value = self.given.get(&name).cloned().or(default).or_else(|| self.global(&name));
            match value {
                Some(value) => drop(self.declared.insert(name, value)),
                None => drop(self.declared.remove(&name)),
            }
        }
        Ok(())
    }

    /// The default of an argument that stands before `FROM`.
    fn global(&self, name: &str) -> Option<String> {
        let words = self.applied.dockerfile.arguments.iter().flat_map(|text| split(text, self.applied.dockerfile.escape));
        let found = words.filter_map(|word| word.split_once('=').map(|(name, value)| (name.to_string(), value.to_string())));
        let value = found.filter(|(known, _)| known == name).map(|(_, value)| value).next_back()?;
        Words { escape: self.applied.dockerfile.escape, variable: &|_| None }.expand(&value).ok()
    }

    /// Variables of the image stand before arguments of the build.
    fn variable(&self, name: &str) -> Option<String> {
        let predefined = || PREDEFINED.contains(&name).then(|| self.given.get(name)).flatten();
        self.image.config.variable(name).map(str::to_string).or_else(|| self.declared.get(name).or_else(predefined).cloned())
    }

    pub(super) fn expand(&self, text: &str) -> Result<String> {
        Words { escape: self.applied.dockerfile.escape, variable: &|name| self.variable(name) }.expand(text)
    }

    pub(super) fn pairs(&self, text: &str) -> Result<Vec<(String, String)>> {
        Words { escape: self.applied.dockerfile.escape, variable: &|name| self.variable(name) }.pairs(text)
    }

    pub(super) fn one_word(&self, text: &str) -> Result<String> {
        let word = self.expand(text)?;
        if word.is_empty() { Err(Error::new(format!("`{text}` is empty once its variables are replaced"))) } else { Ok(word) }
    }

    /// Variables in a here-document are replaced; its quotes are its own.
    pub(super) fn expand_document(&self, content: &str) -> Result<String> {
        let quoted: String = content.chars().flat_map(|letter| (letter == '"').then_some('\\').into_iter().chain([letter])).collect();
        Words { escape: '\\', variable: &|name| self.variable(name) }.expand(&format!("\"{quoted}\""))
    }
}
