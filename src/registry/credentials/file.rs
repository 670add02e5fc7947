//! Docker's `config.json` and Podman's `auth.json`: credentials, or the names of programs that know them.

use super::{Credential, plain_key};
use crate::error::{Context, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// A longer file is something else.
const LONGEST: u64 = 1 << 20;

/// What one file says.
#[derive(Default)]
pub(super) struct File {
    stored: BTreeMap<String, Credential>,
    helpers: BTreeMap<String, String>,
    store: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    auths: Option<BTreeMap<String, Entry>>,
    #[serde(rename = "credHelpers", default)]
    helpers: Option<BTreeMap<String, String>>,
    #[serde(rename = "credsStore", default)]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

impl File {
    /// Reads a file; nothing where there is none, or none that this user may read.
    ///
    /// # Errors
    /// When it is no such file. No error shows its content.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let mut text = String::new();
        match std::fs::File::open(path) {
            Ok(file) if path.is_file() => {
                file.take(LONGEST).read_to_string(&mut text).context(|| format!("cannot read `{}`", path.display()))?
            }
            Ok(_) | Err(_) => return Ok(None),
        };
        Self::parse(&text).context(|| format!("cannot read the credentials in `{}`", path.display())).map(Some)
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let document: Document = serde_json::from_str(text).map_err(|error| {
            // What serde says of a wrong document quotes it.
            Error::new(format!("it is no JSON of the known form, at line {}, column {}", error.line(), error.column()))
        })?;
        let entries = document.auths.unwrap_or_default().into_iter();
        let stored = entries.filter_map(|(key, entry)| Some((plain_key(&key), entry.credential()?))).collect();
        let helpers = document.helpers.unwrap_or_default().into_iter().map(|(key, name)| (plain_key(&key), name)).collect();
        Ok(Self { stored, helpers, store: document.store.filter(|name| !name.is_empty()) })
    }

    /// The credential that stands in the file: for the repository, a part of its path, or the registry.
    pub fn stored(&self, registry: &str, repository: &str) -> Option<Credential> {
        let mut key = format!("{registry}/{repository}");
        loop {
            if let Some(found) = self.stored.get(&key) {
                return Some(found.clone());
            }
            key.truncate(key.rfind('/')?);
        }
    }

    /// The program that knows the credential.
    pub fn program(&self, registry: &str) -> Option<&str> {
        let named = self.helpers.get(registry).or(self.store.as_ref())?;
        // The name becomes part of a program's name.
        Some(named.as_str()).filter(|name| !name.is_empty() && !name.contains('/'))
    }
}

impl Entry {
    /// Nothing where the entry only says that a program knows the rest.
    fn credential(self) -> Option<Credential> {
        if !self.registrytoken.is_empty() {
            return Some(Credential::Bearer(self.registrytoken));
        }
        if !self.identitytoken.is_empty() {
            return Some(Credential::Identity(self.identitytoken));
        }
        if !self.username.is_empty() {
            return Some(Credential::basic(&self.username, &self.password));
        }
        let decoded = STANDARD.decode(self.auth.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        // Old versions of Docker pad the password with zero bytes.
        Some(Credential::basic(user, password.trim_matches('\0')))
    }
}
