//! Contexts of Docker's client: named engines, in `contexts` of its folder.

use super::address::Address;
use super::settings::Endpoint;
use super::tls::Certificates;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Digest;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// What is read of `config.json`.
#[derive(Deserialize)]
struct Client {
    #[serde(rename = "currentContext", default)]
    current_context: String,
}

/// `meta.json` of a context.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Meta {
    name: String,
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Endpoints {
    docker: Option<Docker>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Docker {
    host: String,
    #[serde(rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

/// The name of the current context; none where nobody chose one.
pub(super) fn current(folder: &Path) -> Result<Option<String>> {
    let client: Option<Client> = read(&folder.join("config.json"))?;
    Ok(client.map(|client| client.current_context).filter(|name| !name.is_empty()))
}

/// The engine of a context.
pub(super) fn endpoint(folder: &Path, name: &str, named_by: &str) -> Result<Endpoint> {
    let key = Digest::of(name.as_bytes()).hex().to_string();
    let contexts = folder.join("contexts");
    let describe = || format!("cannot use the context `{name}`");
    let meta: Option<Meta> = read(&contexts.join("meta").join(&key).join("meta.json")).context(describe)?;
    let meta = meta
        .context(|| format!("there is no context `{name}`, which {named_by} names"))
        .hint("`docker context ls` lists those that there are; DOCKER_HOST names an engine without one")?;
    let docker = meta.endpoints.docker.filter(|docker| !docker.host.is_empty());
    let docker = docker.context(|| format!("`{}` names no engine", meta.name)).context(describe)?;
    let address = Address::parse(&docker.host).context(describe)?;
    let certificates = contexts.join("tls").join(&key).join("docker");
    let has_some = certificates.is_dir() || docker.skip_tls_verify;
    let certificates = (has_some && matches!(address, Address::Tcp(..)))
        .then(|| Certificates { folder: certificates.is_dir().then_some(certificates), verify: !docker.skip_tls_verify });
    Ok(Endpoint { address, certificates, named_by: format!("the context `{name}`") })
}

/// A document; nothing where there is no such file.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let describe = || format!("cannot read `{}`", path.display());
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).context(describe).map(Some),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::from_cause(describe(), error)),
    }
}
