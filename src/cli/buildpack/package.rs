//! `cooper buildpack package`: a folder becomes an image or a file that builders take.

use super::super::Session;
use super::super::making::{Getting, Making, report};
use crate::error::{Error, Result};
use crate::output::{Verbosity, human_bytes};
use crate::platform::buildpackage::package::{Flatten, Form, collect, image};
use crate::platform::buildpackage::{Config, Kind};
use crate::platform::deliver::deliver;
use clap::ValueEnum;
use std::path::{Path, PathBuf};

/// Make a package: an image, or a file, that builders and builds take.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the image, or the file with `--format file`.
    name: String,
    /// Folder to package [default: .].
    #[arg(long, short, value_name = "DIR", conflicts_with = "config")]
    path: Option<PathBuf>,
    /// package.toml that says what the package is made of [default: the folder's, if it has one].
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What to make.
    #[arg(long, short, value_enum, default_value_t)]
    format: Format,
    /// Put all buildpacks into one layer.
    #[arg(long)]
    flatten: bool,
    /// Buildpack that keeps a layer of its own, as `ID@VERSION`; repeatable.
    #[arg(long, short = 'e', value_name = "ID@VERSION", value_delimiter = ',', requires = "flatten")]
    flatten_exclude: Vec<String>,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    getting: Getting,
}

/// What a package is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An image.
    #[default]
    Image,
    /// One file, an OCI layout in a tar.
    File,
}

impl Arguments {
    pub(super) fn run(self, kind: Kind, session: &Session) -> Result<u8> {
        let config = self.config(kind)?;
        let form =
            Form { flatten: self.flatten()?, labels: self.making.labels()?, target: config.targets.first().cloned().unwrap_or_default() };
        self.getting.with(session, |sources| {
            let package = collect(&config, kind, sources)?;
            let made = image(&package, &form, sources.images.store)?;
            match self.format {
                Format::Image => {
                    let delivered = deliver(&made, &self.making.delivery(&self.name)?, &[], sources.images)?;
                    report(&format!("{} package", kind.name()), &self.name, &delivered, session)
                }
                Format::File => {
                    let file = self.file()?;
                    let stored = sources.images.store.read(&sources.images.store.put_image(&made)?.digest)?;
                    crate::store::write_layout_archive(sources.images.store, &stored, &file)?;
                    if session.output.verbosity() == Verbosity::Quiet {
                        return session.print(&stored.digest.to_string());
                    }
                    let size = human_bytes(made.compressed_size());
                    session.output.line(&format!(
                        "wrote the {} package {} to {} ({size})",
                        kind.name(),
                        package.main.toml.full_name(),
                        file.display()
                    ));
                    Ok(())
                }
            }
        })?;
        Ok(0)
    }

    fn config(&self, kind: Kind) -> Result<Config> {
        match &self.config {
            Some(file) => Config::read(file, kind),
            None => Config::of_folder(self.path.as_deref().unwrap_or(Path::new(".")), kind),
        }
    }

    fn flatten(&self) -> Result<Flatten> {
        if !self.flatten {
            return Ok(Flatten::Nothing);
        }
        match self.flatten_exclude.iter().find(|name| name.matches('@').count() != 1) {
            Some(name) => Err(Error::new(format!("`{name}` names no buildpack")).hint("write `--flatten-exclude ID@VERSION`")),
            None => Ok(Flatten::AllBut(self.flatten_exclude.clone())),
        }
    }

    /// The file, whose name ends in `.cnb` where it has no ending.
    fn file(&self) -> Result<PathBuf> {
        if self.making.goes_elsewhere() {
            return Err(Error::new("a file goes nowhere else: `--publish`, `--output` and `--tag` are for images")
                .hint("leave `--format file` out, or make the image of the file with `cooper buildpack pull`"));
        }
        let file = PathBuf::from(&self.name);
        Ok(if file.extension().is_none() { file.with_extension("cnb") } else { file })
    }
}
