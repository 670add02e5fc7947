//! `cooper buildpack package`: a folder becomes an image or a file that builders take.

use super::super::Session;
use super::super::making::{Getting, Making, Targets, report};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::output::{Verbosity, human_bytes};
use crate::platform::buildpackage::package::{Flatten, Form, collect, image};
use crate::platform::buildpackage::{Config, Kind, Sources, Target};
use crate::platform::deliver::{Made, machine};
use crate::store::write_layout_archive;
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
    targets: Targets,
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
        let (flatten, labels) = (self.flatten()?, self.making.labels()?);
        let stated = config.stated_targets()?;
        let several = self.making.publish() || self.format == Format::File;
        let targets = self.targets.chosen(&stated, several)?;
        if targets.are_several() {
            config.check_for_several()?;
        }
        let make = |target: &Target, sources: &Sources| {
            let package = collect(&config, kind, target, sources)?;
            let form = Form { flatten: flatten.clone(), labels: labels.clone(), target: target.clone() };
            image(&package, &form, sources.images.store)
        };
        self.getting.with(session, |sources| match self.format {
            Format::Image => {
                let delivery = self.making.delivery(&self.name)?;
                let delivered = targets.deliver(&delivery, sources, &mut |target, sources| {
                    Ok(Made { image: make(target, sources)?, near: Vec::new(), beside: Vec::new() })
                })?;
                report(&format!("{} package", kind.name()), &self.name, &delivered, session)
            }
            Format::File => {
                let several = targets.are_several();
                targets.all().iter().try_for_each(|target| self.write(&make(target, sources)?, target, several, sources, session))
            }
        })?;
        Ok(0)
    }

    /// Writes a package into a file.
    fn write(&self, made: &Image, target: &Target, several: bool, sources: &Sources, session: &Session) -> Result<()> {
        let file = self.file(target, several)?;
        let store = sources.images.store;
        let stored = store.read(&store.put_image(made)?.digest)?;
        write_layout_archive(store, &stored, &file)?;
        if session.output.verbosity() == Verbosity::Quiet {
            return session.print(&stored.digest.to_string());
        }
        session.output.line(&format!("wrote the package to {} ({})", file.display(), human_bytes(made.compressed_size())));
        Ok(())
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
    fn file(&self, target: &Target, several: bool) -> Result<PathBuf> {
        if self.making.goes_elsewhere() {
            return Err(Error::new("a file goes nowhere else: `--publish`, `--output` and `--tag` are for images")
                .hint("leave `--format file` out, or make the image of the file with `cooper buildpack pull`"));
        }
        let file = PathBuf::from(&self.name);
        let file = if file.extension().is_none() { file.with_extension("cnb") } else { file };
        if !several {
            return Ok(file);
        }
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let (stem, ending) = (part(file.file_stem()), part(file.extension()));
        Ok(file.with_file_name(format!("{stem}-{}.{ending}", machine(target).replace(['/', '@'], "-"))))
    }
}
