//! Which engine a person means: `DOCKER_HOST`, else `DOCKER_CONTEXT`, else the current context of Docker's client, else the first that
//! listens in a usual place. This is the order of Docker's own client.

use super::address::Address;
use super::context;
use super::tls::Certificates;
use crate::error::{Context, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where Docker's engine listens unless it is told otherwise.
const USUAL: &str = "/var/run/docker.sock";
/// Where Podman's service listens when root started it.
const PODMAN: &str = "/run/podman/podman.sock";
/// The context that stands for the environment.
pub(super) const DEFAULT: &str = "default";

/// What a person's environment and settings say of engines.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    host: Option<String>,
    context: Option<String>,
    tls: bool,
    verify: bool,
    certificates: Option<PathBuf>,
    /// The folder of Docker's client.
    folder: Option<PathBuf>,
    /// The folder of this user's own sockets.
    runtime: Option<PathBuf>,
}

/// An engine to connect to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where it listens.
    pub address: Address,
    /// How to speak with encryption, where that is wanted.
    pub certificates: Option<Certificates>,
    /// Who named it, for a person who looks for it.
    pub named_by: String,
}

impl Settings {
    /// Reads the settings by way of the environment's variables.
    pub fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            context: text(&variable, "DOCKER_CONTEXT"),
            folder: path("DOCKER_CONFIG").or_else(|| path("HOME").map(|home| home.join(".docker"))),
            runtime: path("XDG_RUNTIME_DIR"),
            ..Self::of_environment(variable)
        }
    }

    /// Reads what only the environment itself says. Phases do: what else is in their container is the builder's.
    pub fn of_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let verify = text(&variable, "DOCKER_TLS_VERIFY").is_some();
        Self {
            host: text(&variable, "DOCKER_HOST"),
            tls: verify || text(&variable, "DOCKER_TLS").is_some(),
            verify,
            certificates: text(&variable, "DOCKER_CERT_PATH").map(PathBuf::from),
            ..Self::default()
        }
    }

    /// The engines that may be meant, in the order to try them.
    ///
    /// # Errors
    /// When an address cannot be understood, or a context is not there.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>> {
        if let Some(host) = &self.host {
            let address = Address::parse(host).context(|| "DOCKER_HOST names no engine")?;
            return Ok(vec![self.endpoint(address, "DOCKER_HOST")]);
        }
        if let Some((name, named_by)) = self.context()? {
            return Ok(vec![context::endpoint(self.folder.as_deref().unwrap_or(Path::new(".")), &name, &named_by)?]);
        }
        let own = self.runtime.iter().flat_map(|folder| ["docker.sock", "podman/podman.sock"].map(|name| folder.join(name)));
        // Phases have no such folder, and are told where their engine is.
        let podman = self.folder.is_some().then(|| PathBuf::from(PODMAN));
        let usual = std::iter::once(PathBuf::from(USUAL)).chain(own).chain(podman);
        Ok(usual.map(|path| self.endpoint(Address::Unix(path), "nobody")).collect())
    }

    /// The context that is meant, and who says so; none where it is the environment.
    fn context(&self) -> Result<Option<(String, String)>> {
        let said = match (&self.context, &self.folder) {
            (Some(name), _) => Some((name.clone(), "DOCKER_CONTEXT".to_string())),
            (None, Some(folder)) => context::current(folder)?.map(|name| (name, format!("`{}`", folder.join("config.json").display()))),
            (None, None) => None,
        };
        Ok(said.filter(|(name, _)| name != DEFAULT))
    }

    fn endpoint(&self, address: Address, named_by: &str) -> Endpoint {
        let folder = self.certificates.as_ref().or(self.folder.as_ref());
        let encrypted = self.tls && matches!(address, Address::Tcp(..));
        let certificates = encrypted.then(|| Certificates { folder: folder.cloned(), verify: self.verify });
        Endpoint { address, certificates, named_by: named_by.to_string() }
    }
}

/// A variable that is set to something.
fn text(variable: &impl Fn(&str) -> Option<OsString>, name: &str) -> Option<String> {
    variable(name).and_then(|value| value.into_string().ok()).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Digest;
    use std::fs;

    /// Settings of these variables, with a client's folder that has a context `far`.
    fn settings(folder: &Path, variables: &[(&str, &str)]) -> Settings {
        let meta = folder.join("contexts/meta").join(Digest::of(b"far").hex());
        fs::create_dir_all(&meta).unwrap();
        let document = r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far.test","SkipTLSVerify":false}}}"#;
        fs::write(meta.join("meta.json"), document).unwrap();
        let variables: Vec<(String, String)> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let home = folder.to_path_buf();
        Settings::read(move |wanted| match wanted {
            "DOCKER_CONFIG" => Some(home.clone().into_os_string()),
            _ => variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.into()),
        })
    }

    fn addresses(settings: &Settings) -> Vec<String> {
        settings.endpoints().unwrap().into_iter().map(|endpoint| endpoint.address.to_string()).collect()
    }

    #[test]
    fn engines_are_looked_for_in_the_order_of_dockers_client() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (host, context) = (("DOCKER_HOST", "tcp://near.test"), ("DOCKER_CONTEXT", "far"));
        assert_eq!(addresses(&settings(folder, &[host, context])), ["tcp://near.test"]);
        assert_eq!(addresses(&settings(folder, &[("DOCKER_HOST", ""), context])), ["tcp://far.test"]);
        let usual = ["unix:///var/run/docker.sock", "unix:///run/podman/podman.sock"];
        assert_eq!(addresses(&settings(folder, &[])), usual);
        fs::write(folder.join("config.json"), r#"{"auths":{},"currentContext":"far"}"#).unwrap();
        assert_eq!(addresses(&settings(folder, &[])), ["tcp://far.test"]);
        assert_eq!(addresses(&settings(folder, &[("DOCKER_CONTEXT", "default")])), usual);
        let own = ("XDG_RUNTIME_DIR", "/run/user/7");
        let all = [usual[0], "unix:///run/user/7/docker.sock", "unix:///run/user/7/podman/podman.sock", usual[1]];
        assert_eq!(addresses(&settings(folder, &[("DOCKER_CONTEXT", "default"), own])), all);
        assert_eq!(addresses(&Settings::of_environment(|_| None)), usual[..1]);
    }

    #[test]
    fn a_context_that_is_not_there_is_told_with_who_named_it() {
        let folder = tempfile::tempdir().unwrap();
        let error = settings(folder.path(), &[("DOCKER_CONTEXT", "gone")]).endpoints().unwrap_err();
        assert_eq!(error.to_string(), "there is no context `gone`, which DOCKER_CONTEXT names");
        assert!(error.nearest_hint().unwrap().contains("docker context ls"));
        fs::write(folder.path().join("config.json"), r#"{"currentContext":"gone"}"#).unwrap();
        let error = settings(folder.path(), &[]).endpoints().unwrap_err();
        assert!(error.to_string().contains("config.json"), "{error}");
        fs::write(folder.path().join("config.json"), "{").unwrap();
        assert!(settings(folder.path(), &[]).endpoints().unwrap_err().to_string().contains("config.json"));
    }

    #[test]
    fn encryption_is_for_ports_only() {
        let folder = tempfile::tempdir().unwrap();
        let certificates = |variables: &[(&str, &str)]| settings(folder.path(), variables).endpoints().unwrap().remove(0).certificates;
        let (tcp, verify) = (("DOCKER_HOST", "tcp://near.test"), ("DOCKER_TLS_VERIFY", "1"));
        let found = certificates(&[tcp, verify, ("DOCKER_CERT_PATH", "/certs")]).unwrap();
        assert_eq!((found.folder.as_deref(), found.verify), (Some(Path::new("/certs")), true));
        let found = certificates(&[tcp, ("DOCKER_TLS", "1")]).unwrap();
        assert_eq!((found.folder.as_deref(), found.verify), (Some(folder.path()), false));
        assert!(certificates(&[tcp]).is_none() && certificates(&[("DOCKER_HOST", "unix:///s"), verify]).is_none());
    }
}
