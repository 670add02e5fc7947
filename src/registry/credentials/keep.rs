//! Keeps credentials for later, where Docker keeps them: with the program that `config.json` names, else in `config.json` itself.

use super::program::{self, DOCKER_HUB};
use super::{Credential, Environment, file, plain_key};
use crate::error::{Advice, Context, Error, Result};
use rustix::fs::Mode;
use serde_json::{Map, Value, json};
use std::fmt;
use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where a credential is kept.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// With a program.
    Program(String),
    /// In a file, where everyone who can read the file can read the password.
    File(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name) => write!(formatter, "`docker-credential-{name}`"),
            Self::File(path) => write!(formatter, "`{}`", path.display()),
        }
    }
}

impl Environment {
    /// Keeps a user's password for a registry.
    ///
    /// # Errors
    /// When the program fails, or the file cannot be read or written; then it is as it was.
    pub fn keep(&self, registry: &str, user: &str, password: &str) -> Result<Place> {
        let (path, mut document, place) = self.place(registry)?;
        let key = key(registry);
        let entry = if let Place::Program(name) = &place {
            let message = json!({ "ServerURL": key, "Username": user, "Secret": password }).to_string();
            program::tell(name, "store", &message, &self.programs).context(|| format!("cannot keep the password with {place}"))?;
            // Docker lists the registries that a program knows.
            json!({})
        } else {
            let Credential::Basic(auth) = Credential::basic(user, password) else { return Err(Error::new("no password")) };
            json!({ "auth": auth })
        };
        let auths = document.entry("auths").or_insert_with(|| json!({}));
        let auths = auths.as_object_mut().context(|| format!("`auths` in `{}` is no object", path.display()))?;
        auths.retain(|other, _| plain_key(other) != registry);
        auths.insert(key, entry);
        write(&path, &document)?;
        Ok(place)
    }

    /// Forgets the password for a registry. Returns where it was, if anywhere.
    ///
    /// # Errors
    /// When the program fails, or the file cannot be read or written; then it is as it was.
    pub fn forget(&self, registry: &str) -> Result<Option<Place>> {
        let (path, mut document, place) = self.place(registry)?;
        let Some(auths) = document.get_mut("auths").and_then(Value::as_object_mut) else { return Ok(None) };
        let before = auths.len();
        auths.retain(|other, _| plain_key(other) != registry);
        if auths.len() == before {
            return Ok(None);
        }
        if let Place::Program(name) = &place {
            program::tell(name, "erase", &key(registry), &self.programs).context(|| format!("cannot remove the password from {place}"))?;
        }
        write(&path, &document)?;
        Ok(Some(place))
    }

    /// The file, what it says, and where it wants credentials for the registry.
    fn place(&self, registry: &str) -> Result<(PathBuf, Map<String, Value>, Place)> {
        let path = self.files.first().context(|| "there is no folder for credentials").hint("set HOME or DOCKER_CONFIG")?;
        // A link is followed, so that it stays one.
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context(|| format!("cannot read `{}`", path.display())),
        };
        let file = file::File::parse(&text).context(|| format!("cannot read the credentials in `{}`", path.display()))?;
        let document = if text.trim().is_empty() { Map::new() } else { serde_json::from_str(&text).context(|| "it is no JSON object")? };
        let place = file.program(registry).map_or_else(|| Place::File(path.clone()), |name| Place::Program(name.to_string()));
        Ok((path, document, place))
    }
}

/// The key of a registry in files.
fn key(registry: &str) -> String {
    if registry == "index.docker.io" { DOCKER_HUB.into() } else { registry.into() }
}

/// Replaces the file at once; only its owner may read it.
fn write(path: &Path, document: &Map<String, Value>) -> Result<()> {
    let describe = || format!("cannot write `{}`", path.display());
    let folder = path.parent().context(describe)?;
    if !folder.is_dir() {
        std::fs::create_dir_all(folder).context(describe)?;
        rustix::fs::chmod(folder, Mode::RWXU).context(describe)?;
    }
    let mut file = tempfile::NamedTempFile::new_in(folder).context(describe)?;
    serde_json::to_writer_pretty(&mut file, document).context(describe)?;
    file.write_all(b"\n").context(describe)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600)).context(describe)?;
    file.as_file().sync_data().context(describe)?;
    file.persist(path).context(describe).map(drop)
}
