//! Who may use which registry: `CNB_REGISTRY_AUTH`, then Docker's and Podman's files, then the programs that they name, then those of the
//! clouds (IMG-08 to IMG-13). What was looked up is kept, so that a process that gives up its privileges can look everything up before.
//! Start with [`Credentials`].

mod environment;
mod file;
mod keep;
mod program;

use self::file::File;
use crate::error::{Context, Result};
use crate::image::Reference;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

pub use keep::Place;

/// Where credentials are.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `CNB_REGISTRY_AUTH`: a JSON object from registries to values of `Authorization`.
    pub registry_auth: Option<String>,
    /// Files in Docker's form, the most important first; those that are missing are skipped.
    pub files: Vec<PathBuf>,
    /// Folders with programs that know credentials, as `PATH` has them.
    pub programs: Option<OsString>,
    /// Whether the programs of Amazon are left alone (IMG-12).
    pub skip_amazon: bool,
    /// Whether the programs of Azure are left alone (IMG-12).
    pub skip_azure: bool,
}

/// What opens a registry. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// Nothing is known, or nothing is needed.
    Anonymous,
    /// User and password, `USER:PASSWORD` in base64.
    Basic(String),
    /// A token that is sent as it is.
    Bearer(String),
    /// A token that only gets other tokens.
    Identity(String),
}

impl Credential {
    pub(super) fn basic(user: &str, password: &str) -> Self {
        Self::Basic(STANDARD.encode(format!("{user}:{password}")))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic(_) => "Basic",
            Self::Bearer(_) => "Bearer",
            Self::Identity(_) => "Identity",
        })
    }
}

/// The credentials for all registries.
#[derive(Default)]
pub struct Credentials {
    given: BTreeMap<String, Credential>,
    files: Vec<File>,
    environment: Environment,
    looked_up: Mutex<HashMap<String, Credential>>,
}

impl Environment {
    /// What the variables of a process say. A variable that is empty counts as unset.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        let home = path("HOME");
        let docker = path("DOCKER_CONFIG").or_else(|| home.as_ref().map(|home| home.join(".docker")));
        let configuration = path("XDG_CONFIG_HOME").or_else(|| home.as_ref().map(|home| home.join(".config")));
        let files = [
            docker.map(|folder| folder.join("config.json")),
            path("REGISTRY_AUTH_FILE"),
            path("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")),
            configuration.map(|folder| folder.join("containers/auth.json")),
        ];
        let skips = |vendor: &str| variable(&format!("CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_{vendor}")).is_some_and(|value| value == "true");
        Self {
            registry_auth: variable("CNB_REGISTRY_AUTH").map(|value| value.to_string_lossy().into_owned()),
            files: files.into_iter().flatten().collect(),
            programs: variable("PATH"),
            skip_amazon: skips("AMAZON"),
            skip_azure: skips("AZURE"),
        }
    }
}

impl Credentials {
    /// This credential for this registry, and nothing else.
    pub(super) fn only(registry: &str, credential: Credential) -> Self {
        Self { given: BTreeMap::from([(registry.to_string(), credential)]), ..Self::default() }
    }

    /// Reads the credentials that variables and files have.
    ///
    /// # Errors
    /// When `CNB_REGISTRY_AUTH` or a file cannot be understood.
    pub fn read(environment: Environment) -> Result<Self> {
        let given = environment.registry_auth.as_deref().map(environment::parse).transpose().context(|| "reading auth env var")?;
        let files = environment.files.iter().map(|path| File::read(path)).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            given: given.unwrap_or_default(),
            files: files.into_iter().flatten().collect(),
            environment,
            looked_up: Mutex::default(),
        })
    }

    /// The credential for a repository of a registry. Programs are asked once for each registry.
    ///
    /// # Errors
    /// When a program that a file names fails.
    pub fn of(&self, registry: &str, repository: &str) -> Result<Credential> {
        if let Some(credential) = self.given.get(registry) {
            return Ok(credential.clone());
        }
        if let Some(credential) = self.files.iter().find_map(|file| file.stored(registry, repository)) {
            return Ok(credential);
        }
        if let Some(credential) = self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).get(registry) {
            return Ok(credential.clone());
        }
        let credential = self.ask_programs(registry)?;
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).insert(registry.to_string(), credential.clone());
        Ok(credential)
    }

    /// Looks up the credentials for names now, because the process may soon not be able to. What fails here fails again when it is needed.
    pub fn prepare(&self, names: &[Reference]) {
        for name in names {
            drop(self.of(name.registry(), name.repository()));
        }
    }

    fn ask_programs(&self, registry: &str) -> Result<Credential> {
        let named = self.files.iter().filter_map(|file| file.program(registry));
        for program in named {
            let found = program::ask(program, registry, &self.environment.programs)
                .context(|| format!("cannot get the credentials of `{registry}` from `docker-credential-{program}`"))?;
            if found != Credential::Anonymous {
                return Ok(found);
            }
        }
        let vendor = match () {
            () if program::is_amazon(registry) && !self.environment.skip_amazon => "ecr-login",
            () if program::is_azure(registry) && !self.environment.skip_azure => "acr-env",
            () => return Ok(Credential::Anonymous),
        };
        // Nobody asked for this program, so it may be missing, and may know nothing.
        Ok(program::ask(vendor, registry, &self.environment.programs).unwrap_or(Credential::Anonymous))
    }
}

/// A registry's key in files: `https://quay.io/v1/` means `quay.io`; a path below it is kept.
pub fn plain_key(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key).trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    match key {
        "docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" => "index.docker.io".to_string(),
        _ => key.to_string(),
    }
}

#[cfg(test)]
mod tests;
