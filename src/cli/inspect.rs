//! `cooper inspect`: what is known of an image.

use super::{Format, Session};
use crate::error::Result;
use crate::image::Reference;
use crate::output::human_bytes;
use crate::platform::inspect::{self, Description};

/// Say what an image is made of.
#[derive(clap::Args)]
pub struct Arguments {
    /// The image.
    image: String,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let description = inspect::inspect(&Reference::parse(&self.image)?, &session.store()?)?;
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
    text
}
