//! `cooper inspect`: what is known of an image.

use super::Session;
use super::registries::Reach;
use super::written::Format;
use crate::error::Result;
use crate::image::Platform;
use crate::output::human_bytes;
use crate::platform::inspect::{self, Description, IndexDescription, Inspected};
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::platform::transfer::Extent;

/// Say what an image is made of.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cooper inspect my-app\n  cooper inspect docker://registry.example/team/my-app --output json")]
pub struct Arguments {
    /// The image: NAME, in the store or else in its registry, `docker://NAME` (a registry), `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]` or
    /// `docker:NAME` (an engine).
    image: String,
    /// Of an image for several platforms, the one for this platform, as `linux/arm64`.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    /// Write the old bill of materials in the image's label instead, as JSON; `cooper sbom download` has the SBOM files.
    #[arg(long)]
    bom: bool,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let everywhere = self.registries.everywhere(session)?;
        let wanted = self.platform.as_deref().map(str::parse::<Platform>).transpose()?;
        let extent = if wanted.is_some() { Extent::Exactly } else { Extent::All };
        let platform = wanted.unwrap_or_else(Platform::here);
        let images = everywhere.images(Pull::Never, &platform);
        let inspected = inspect::inspect(&Place::parse(&self.image)?, extent, &everywhere.config.run_images, &images)?;
        if let (true, Inspected::Image(image)) = (self.bom, &inspected) {
            let of = |is_there: bool| is_there.then_some(&image.bom);
            let bom = serde_json::json!({ "remote": of(image.remote_info.is_some()), "local": of(image.local_info.is_some()) });
            session.print_json(&bom)?;
            return Ok(0);
        }
        let text = || match &inspected {
            Inspected::Image(image) => text(image),
            Inspected::Index(index) => text_of_index(index),
        };
        self.output.print(&inspected, text, session)?;
        Ok(0)
    }
}

fn text_of_index(index: &IndexDescription) -> String {
    let mut text = format!("image       {}\ndigest      {}\n\nplatforms\n", index.name, index.digest);
    for member in &index.platforms {
        let size = human_bytes(member.size);
        text.push_str(&format!("  {:14} {size:>10}  {}\n", member.platform.to_string(), member.digest));
    }
    text
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
