//! Options that say where the build runs and what it sees of this machine.

use crate::error::{Advice, Error, Result};
use crate::output::Output;
use crate::platform::build::{Volume, volume};
use crate::sandbox::{Mount, Network};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Where the build runs.
#[derive(clap::Args)]
pub(super) struct Sandbox {
    /// Network of the build: `host` or `none`.
    #[arg(help_heading = "Sandbox", long, default_value = "host", value_parser = network)]
    pub network: Network,
    /// Folder or file of this machine that the build sees, as `HOST:TARGET[:ro|rw]`, read-only by default; repeatable.
    #[arg(help_heading = "Sandbox", long, value_name = "HOST:TARGET")]
    volume: Vec<String>,
    /// Where the source is in the build and in the image.
    #[arg(help_heading = "Sandbox", long, value_name = "DIR", default_value = "/workspace")]
    workspace: PathBuf,
    /// Number of the build's user, instead of the builder's.
    #[arg(help_heading = "Sandbox", long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=i64::from(i32::MAX)))]
    uid: Option<u32>,
    /// Number of the build's group, instead of the builder's.
    #[arg(help_heading = "Sandbox", long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=i64::from(i32::MAX)))]
    gid: Option<u32>,
    /// Engine that `docker:` means, as `unix:///var/run/docker.sock` or `ssh://me@host`; `inherit` is the one of DOCKER_HOST.
    #[arg(help_heading = "Sandbox", long, value_name = "ADDRESS")]
    docker_host: Option<String>,
    /// Do not hand the host's pip configuration (index addresses) to the build.
    #[arg(help_heading = "Sandbox", long)]
    pub no_host_config: bool,
}

impl Sandbox {
    pub fn has_volumes(&self) -> bool {
        !self.volume.is_empty()
    }

    /// What is mounted; a builder that is not trusted sees it too.
    pub fn volumes(&self, trusted: bool, output: &Output) -> Result<Vec<Mount>> {
        if self.has_volumes() && !trusted {
            output.warn("the builder is none that you trust, and sees what `--volume` mounts; `cooper config trusted-builders add` or `--trust-builder` says that it may");
        }
        let volumes = self.volume.iter().map(|text| volume(text)).collect::<Result<Vec<Volume>>>()?;
        volumes.iter().filter_map(|volume| volume.warning.as_deref()).for_each(|warning| output.warn(warning));
        Ok(volumes.into_iter().map(|volume| volume.mount).collect())
    }

    /// The folder of the source in the build; as in the reference, one that is not absolute starts from the root.
    pub fn workspace(&self) -> Result<String> {
        let path = Path::new("/").join(&self.workspace);
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        let taken = ["/cnb", "/layers", "/platform", "/proc", "/sys", "/dev"].iter().any(|own| path.starts_with(own));
        match plain && !taken && path != Path::new("/") {
            true => Ok(path.display().to_string()),
            false => Err(Error::new(format!("`{}` cannot be the folder of the source", path.display())))
                .hint("choose a folder of its own, as `/workspace` or `/app`"),
        }
    }

    /// Who builds. Root is refused: no phase of a build has a use for it.
    pub fn user(&self) -> Result<(Option<u32>, Option<u32>)> {
        match self.uid {
            Some(0) => Err(Error::new("buildpacks do not run as root")).hint("name another `--uid`"),
            _ => Ok((self.uid, self.gid)),
        }
    }

    /// The environment that says which engine is meant.
    pub fn engine_variable(&self, name: &str) -> Option<OsString> {
        match &self.docker_host {
            Some(address) if address != "inherit" && name == "DOCKER_HOST" => Some(address.into()),
            _ => std::env::var_os(name),
        }
    }
}

fn network(text: &str) -> Result<Network, String> {
    match text {
        "host" => Ok(Network::Host),
        "none" => Ok(Network::None),
        _ => Err("there is no engine whose networks a build could join; expected `host` or `none`".into()),
    }
}
