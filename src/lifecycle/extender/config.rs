//! `extend-config.toml`: arguments of the build that an extension gives to its own Dockerfiles (Image Extension Specification).

use super::Kind;
use crate::error::{Context, Error, Result};
use serde::Deserialize;

/// Arguments that the lifecycle gives itself (GEN-19).
const RESERVED: [&str; 3] = ["build_id", "user_id", "group_id"];

/// Arguments for each kind of image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExtendConfig {
    build: Arguments,
    run: Arguments,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Arguments {
    args: Vec<Argument>,
}

/// One argument of the build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl ExtendConfig {
    /// The name of the file.
    pub const FILE: &str = "extend-config.toml";

    /// Reads the text of the file.
    ///
    /// # Errors
    /// When it is no such file, or an argument has a name that the lifecycle gives itself.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).context(|| "reading extend config")?;
        for argument in config.build.args.iter().chain(&config.run.args) {
            if RESERVED.contains(&argument.name.as_str()) {
                let cause = Error::new(format!("invalid content: arg with name \"{}\" is not allowed", argument.name));
                return Err(cause).context(|| "validating extend config");
            }
        }
        Ok(config)
    }

    /// The arguments for one kind of image.
    pub fn arguments(&self, kind: Kind) -> &[Argument] {
        match kind {
            Kind::Build => &self.build.args,
            Kind::Run => &self.run.args,
        }
    }
}
