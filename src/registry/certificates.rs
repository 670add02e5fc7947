//! Certificates for registries: authorities that a person names, and what Docker and Podman keep for a registry in a folder of its name:
//! authorities in `*.crt`, this program's own certificate in `*.cert` with its key in `*.key`.

use crate::error::{Context, Error, Result};
use crate::http::{Identity, Trust, certificates};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// Where certificates for registries are.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// Files with authorities for all registries.
    pub authorities: Vec<PathBuf>,
    /// Folders with a folder for each registry, the most important first.
    pub folders: Vec<PathBuf>,
}

impl Certificates {
    /// Those of Docker and Podman, of this user and of the machine, and these authorities.
    pub fn read(authorities: Vec<PathBuf>, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let configuration = path("XDG_CONFIG_HOME").or_else(|| path("HOME").map(|home| home.join(".config")));
        let of_user = configuration.map(|folder| [folder.join("containers/certs.d"), folder.join("docker/certs.d")]);
        let of_machine = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
        Self { authorities, folders: of_user.into_iter().flatten().chain(of_machine).collect() }
    }

    /// What a registry is to be met with; nothing where it has no certificates of its own.
    ///
    /// # Errors
    /// When a certificate or a key cannot be read.
    pub(super) fn trust(&self, registry: &str) -> Result<Option<Trust>> {
        let mut trust = Trust::default();
        for file in &self.authorities {
            trust.authorities.extend(certificates(file)?);
        }
        // A registry's name is no path, but it may come from anywhere.
        let own = self.folders.iter().map(|folder| folder.join(registry.replace('/', "_"))).find(|folder| folder.is_dir());
        if let Some(folder) = own {
            for file in files(&folder, "crt")? {
                trust.authorities.extend(certificates(&file)?);
            }
            if let Some(certificate) = files(&folder, "cert")?.first() {
                let key = certificate.with_extension("key");
                if !key.is_file() {
                    return Err(Error::new(format!("the certificate `{}` has no key `{}`", certificate.display(), key.display())));
                }
                trust.identity = Some(Identity::read(certificate, &key)?);
            }
        }
        Ok(Some(trust).filter(|trust| !trust.authorities.is_empty() || trust.identity.is_some()))
    }
}

/// The files in a folder whose names end so, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let describe = || format!("cannot read the folder `{}`", folder.display());
    let entries = fs::read_dir(folder).context(describe)?.map(|entry| entry.map(|entry| entry.path()));
    let mut found: Vec<PathBuf> = entries.collect::<Result<_, _>>().context(describe)?;
    found.retain(|path| path.extension() == Some(OsStr::new(extension)));
    found.sort();
    Ok(found)
}
