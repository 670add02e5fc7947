//! `cooper manifest`: lists of images for several machines.

use super::Session;
use super::registries::Reach;
use crate::error::{Error, Result};
use crate::image::Reference;
use crate::platform::manifest_list::{Form, Lists, Notes};
use clap::{Subcommand, ValueEnum};

/// Put images for several machines together under one name.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    registries: Reach,
}

#[derive(Subcommand)]
enum Command {
    /// Make a list of images, of the store or of registries.
    Create {
        /// The list.
        list: String,
        /// The images; of a list, all that are in it.
        #[arg(required = true)]
        images: Vec<String>,
        /// What the list becomes.
        #[arg(long, short, value_enum, default_value_t)]
        format: Format,
        /// Send it to its registry at once, and keep nothing here.
        #[arg(long)]
        publish: bool,
    },
    /// Add an image to a list.
    Add {
        /// The list.
        list: String,
        /// The image; of a list, all that are in it.
        image: String,
    },
    /// Change what a list says of an image.
    Annotate {
        /// The list.
        list: String,
        /// The image, by its digest or by the name that it was added by.
        image: String,
        /// Operating system.
        #[arg(long)]
        os: Option<String>,
        /// Processor, as `arm64`.
        #[arg(long)]
        arch: Option<String>,
        /// Variant of the processor, as `v8`.
        #[arg(long)]
        variant: Option<String>,
        /// Annotations, as `KEY=VALUE`.
        #[arg(long, value_delimiter = ',')]
        annotations: Vec<String>,
    },
    /// Take images out of a list.
    Rm {
        /// The list.
        list: String,
        /// The images, by their digests or by the names that they were added by.
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Remove lists from this machine.
    Remove {
        /// The lists.
        #[arg(required = true)]
        lists: Vec<String>,
    },
    /// Show a list as JSON: of this machine, else of its registry.
    Inspect {
        /// The list.
        list: String,
    },
    /// Send a list to its registry, with the images that its repository lacks.
    Push {
        /// The list.
        list: String,
        /// Remove it from this machine then.
        #[arg(long)]
        purge: bool,
    },
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Format {
    /// An OCI index.
    #[default]
    Oci,
    /// A manifest list of Docker's schema 2.
    #[value(alias = "v2s2")]
    Docker,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let (registries, _) = self.registries.open()?;
        let store = session.store()?;
        let lists = Lists { store: &store, registries: &registries, output: session.output };
        self.command.execute(&lists, session).map(|()| 0)
    }
}

impl Command {
    fn execute(self, lists: &Lists, session: &Session) -> Result<()> {
        match self {
            Self::Create { list, images, format, publish } => {
                let name = Reference::parse_new(&list)?;
                let form = match format {
                    Format::Oci => Form::Oci,
                    Format::Docker => Form::Docker,
                };
                lists.create(&name, &parse_all(&images)?, form)?;
                if publish {
                    let pushed = push(lists, &name, session);
                    lists.remove(&[name])?;
                    return pushed;
                }
                session.output.line(&format!("made the list {}", name.familiar()));
                Ok(())
            }
            Self::Add { list, image } => lists.add(&Reference::parse(&list)?, &Reference::parse(&image)?),
            Self::Annotate { list, image, os, arch, variant, annotations } => {
                let annotations = annotations.iter().map(|text| pair(text)).collect::<Result<_>>()?;
                let notes = Notes { os, architecture: arch, variant, annotations };
                lists.annotate(&Reference::parse(&list)?, &Reference::parse(&image)?, &notes)
            }
            Self::Rm { list, images } => lists.take_out(&Reference::parse(&list)?, &parse_all(&images)?),
            Self::Remove { lists: names } => lists.remove(&parse_all(&names)?),
            Self::Inspect { list } => session.print_json(&lists.inspect(&Reference::parse(&list)?)?),
            Self::Push { list, purge } => {
                let name = Reference::parse(&list)?;
                push(lists, &name, session)?;
                if purge { lists.remove(&[name]) } else { Ok(()) }
            }
        }
    }
}

fn push(lists: &Lists, name: &Reference, session: &Session) -> Result<()> {
    let digest = lists.push(name)?;
    session.output.line(&format!("sent {}", name.familiar()));
    session.print(&digest)
}

fn parse_all(names: &[String]) -> Result<Vec<Reference>> {
    names.iter().map(|name| Reference::parse(name)).collect()
}

fn pair(text: &str) -> Result<(String, String)> {
    let wrong = || Error::new(format!("`{text}` is no annotation")).hint("write KEY=VALUE");
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(wrong)?;
    Ok((key.to_string(), value.to_string()))
}
