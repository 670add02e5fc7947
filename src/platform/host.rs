//! What a build may see of this machine: its trust and network settings, read-only, and in build phases only. None of it gets into the
//! image, and the image's digest does not depend on it.

use super::environment::Variable;
use crate::error::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the certificates of a build image are, as Debian's OpenSSL, Python, curl and Go look for them.
pub const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where hosts keep their certificate bundle.
const BUNDLES: [&str; 4] =
    [CERTIFICATES, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"];

/// Proxy settings that build phases inherit (CNB Platform API, variables of the build environment).
const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// The settings of this machine that a build is given.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// A file with certificates in PEM form, to stand in for the build image's own.
    pub certificates: Option<PathBuf>,
    /// Proxy variables, as set here.
    pub proxies: Vec<Variable>,
    /// Files that say how names are resolved: `/etc/resolv.conf`, `/etc/hosts`.
    pub resolver: Vec<PathBuf>,
    /// pip's index settings as `PIP_*` variables; what the user gives with `--env` wins.
    pub pip: Vec<Variable>,
}

impl Host {
    /// Reads this machine's settings. `environment` answers variables; `tools` says whether the configuration of language tools counts too.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` names a file that cannot be read.
    pub fn read(environment: impl Fn(&str) -> Option<OsString>, tools: bool) -> Result<Self> {
        let text = |name: &str| environment(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty());
        let variable = |name: &&str| text(name).map(|value| Variable { name: (*name).to_string(), value });
        Ok(Self {
            certificates: certificates(text("SSL_CERT_FILE").map(PathBuf::from))?,
            proxies: PROXIES.iter().filter_map(variable).collect(),
            resolver: ["/etc/resolv.conf", "/etc/hosts"].map(PathBuf::from).into_iter().filter(|path| path.exists()).collect(),
            pip: if tools { pip_settings(&pip_files(&text)) } else { Vec::new() },
        })
    }
}

fn certificates(named: Option<PathBuf>) -> Result<Option<PathBuf>> {
    if let Some(path) = named {
        std::fs::File::open(&path).context(|| format!("cannot read the certificates in `{}`, named by SSL_CERT_FILE", path.display()))?;
        return Ok(Some(path));
    }
    Ok(BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file()))
}

/// pip's configuration files, in the order in which later ones win (pip documentation, "Configuration files").
fn pip_files(text: &impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/pip.conf")];
    if let Some(home) = text("HOME").map(PathBuf::from) {
        files.push(home.join(".pip/pip.conf"));
        let config = text("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
        files.push(config.join("pip/pip.conf"));
    }
    files.extend(text("PIP_CONFIG_FILE").map(PathBuf::from));
    files
}

/// The index settings that `files` hold. Only addresses count: a folder of this machine means nothing inside a build.
fn pip_settings(files: &[PathBuf]) -> Vec<Variable> {
    let mut settings: Vec<Variable> = Vec::new();
    for (name, value) in files.iter().flat_map(|file| read_pip_file(file)) {
        let values: Vec<&str> = value.split_whitespace().filter(|word| name == "PIP_TRUSTED_HOST" || word.contains("://")).collect();
        if values.is_empty() {
            continue;
        }
        settings.retain(|earlier| earlier.name != name);
        settings.push(Variable { name, value: values.join(" ") });
    }
    settings
}

/// The settings of the sections `[global]` and `[install]`, each named as pip names its variable. A file that cannot be read has none.
fn read_pip_file(file: &Path) -> Vec<(String, String)> {
    let Ok(text) = std::fs::read_to_string(file) else { return Vec::new() };
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut section, mut open) = (String::new(), false);
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            (section, open) = (name.to_ascii_lowercase(), false);
        } else if line.starts_with([' ', '\t']) && open {
            if let Some((_, value)) = found.last_mut() {
                value.push_str(&format!(" {trimmed}"));
            }
        } else if let Some((key, value)) = trimmed.split_once(['=', ':']) {
            let key = key.trim().to_ascii_lowercase().replace('_', "-");
            let index = ["index-url", "extra-index-url", "find-links", "trusted-host"].contains(&key.as_str());
            open = index && (section == "global" || section == "install");
            if open {
                found.push((format!("PIP_{}", key.to_ascii_uppercase().replace('-', "_")), value.trim().to_string()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_settings_of_the_user_win_and_local_folders_stay_out() {
        let folder = tempfile::tempdir().unwrap();
        let (global, user) = (folder.path().join("global"), folder.path().join("user"));
        std::fs::write(
            &global,
            "[global]\nindex-url = https://index.test/a\nfind-links = /wheels\ntimeout = 5\n[list]\nindex-url = https://no.test\n",
        )
        .unwrap();
        std::fs::write(&user, "[global]\nindex_url: https://index.test/b\nextra-index-url =\n  https://one.test\n  https://two.test\n")
            .unwrap();
        let settings = pip_settings(&[global, user, folder.path().join("absent")]);
        let found: Vec<_> = settings.iter().map(|setting| (setting.name.as_str(), setting.value.as_str())).collect();
        assert_eq!(found, [("PIP_INDEX_URL", "https://index.test/b"), ("PIP_EXTRA_INDEX_URL", "https://one.test https://two.test")]);
    }

    #[test]
    fn a_certificate_file_that_is_missing_is_an_error() {
        let error = Host::read(|name| (name == "SSL_CERT_FILE").then(|| "/no/such/file".into()), false).expect_err("it fails");
        assert!(error.to_string().contains("named by SSL_CERT_FILE"));
    }
}
