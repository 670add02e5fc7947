//! `cooper inspect`: what is known of an image.

use super::registries::Reach;
use super::{Format, Session};
use crate::daemon::Settings;
use crate::error::Result;
use crate::output::human_bytes;
use crate::platform::images::Images;
use crate::platform::inspect::{self, Description};
use crate::platform::place::Place;
use crate::platform::pull::Pull;

/// Say what an image is made of.
#[derive(clap::Args)]
pub struct Arguments {
    /// The image: NAME, in the store or else in its registry, `docker://NAME` (a registry), `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]` or
    /// `docker:NAME` (an engine).
    image: String,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let (store, (registries, _)) = (session.store()?, self.registries.open()?);
        let engine = Settings::read(|name| std::env::var_os(name));
        let images = Images { store: &store, registries: &registries, pull: Pull::Never, engine: &engine, output: session.output };
        let description = inspect::inspect(&Place::parse(&self.image)?, &images)?;
        match self.output {
            Format::Json => session.print_json(&description)?,
            Format::Text => session.print(&text(&description))?,
        }
        Ok(0)
    }
}

fn text(image: &Description) -> String {
    let mut text = format!(
        "image       {}\ndigest      {}\nplatform    {}\ncreated     {}\n",
        image.name, image.digest, image.platform, image.created
    );
    text.push_str(&format!("size        {} compressed\nuser        {}\n", human_bytes(image.size), image.user));
    text.push_str(&format!("run image   {}\nbuildpacks  {}\n", image.run_image.as_deref().unwrap_or("none"), image.buildpacks.join(", ")));
    text.push_str("\nprocesses\n");
    for process in &image.processes {
        text.push_str(&format!(
            "  {:10} {}{}\n",
            process.kind,
            process.command.join(" "),
            if process.default { "  (default)" } else { "" }
        ));
    }
    text.push_str("\nlayers\n");
    for layer in &image.layers {
        text.push_str(&format!("  {}  {:>10}  {}\n", &layer.diff_id["sha256:".len()..][..12], human_bytes(layer.size), layer.created_by));
    }
    if let Some(referrers) = &image.referrers {
        text.push_str("\nreferrers\n");
        for referrer in referrers {
            text.push_str(&format!("  {}  {:>10}  {}\n", referrer.digest, human_bytes(referrer.size), referrer.artifact_type));
        }
    }
    text
}
