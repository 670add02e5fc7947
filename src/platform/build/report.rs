//! What a person reads at the end of a build.

use super::{Built, Made, Request};
use crate::image::Platform;
use crate::lifecycle::exporter::Exported;
use crate::output::{Output, human_bytes, human_duration};
use crate::platform::images::InStore;

/// Bytes of the image's parts, by whose they are: the operating system's, added packages', dependencies', the app's.
pub(super) fn sizes(exported: &Exported, run: &InStore, base: &InStore) -> Vec<(&'static str, u64)> {
    let of_run = run.stored.image.compressed_size();
    let of_base = base.stored.image.compressed_size().min(of_run);
    let is_app = |id: &str| id.starts_with("slice-") || id == "app";
    let (app, dependencies): (Vec<_>, Vec<_>) = exported.layers.iter().partition(|layer| is_app(&layer.id));
    let sum = |layers: Vec<&crate::lifecycle::exporter::ExportedLayer>| layers.iter().map(|layer| layer.size).sum();
    vec![
        ("operating system", of_base),
        ("packages", of_run.saturating_sub(of_base)),
        ("dependencies and launcher", sum(dependencies)),
        ("app", sum(app)),
    ]
}

/// Says what was built, how large it is, how long it took, and what to type next.
pub fn report(request: &Request, built: &Built, output: &Output) {
    let name = request.image.familiar();
    let took = built.times.iter().map(|(_, time)| *time).sum();
    output.heading("DONE");
    output.line(&format!("image    {name}"));
    output.line(&format!("digest   {}", built.digest));
    for (index, name) in built.published.iter().enumerate() {
        output.line(&format!("{}{name}", if index == 0 { "sent to  " } else { "         " }));
    }
    if built.attached > 0 {
        output.line(&format!("with     {} signatures and documents", built.attached));
    }
    for written in &built.written {
        let id = written.image_id.as_ref().map(|id| format!("  ID {id}")).unwrap_or_default();
        output.line(&format!("also in  {}{id}", written.destination));
    }
    for image in &built.images {
        if built.images.len() > 1 || image.platform != Platform::here() {
            output.line(&format!("for      {}", image.platform));
        }
        if built.images.len() > 1 {
            output.line(&format!("digest   {}", image.stored.digest));
        }
        describe(image, output);
    }
    let times: Vec<String> = built.times.iter().map(|(name, time)| format!("{} {}", name.to_lowercase(), human_duration(*time))).collect();
    output.line(&format!("time     {} ({})", human_duration(took), times.join(", ")));
    let entrypoints = built.images.iter().filter_map(|image| image.stored.image.config.config.entrypoint.as_ref());
    if entrypoints.flatten().any(|word| word.ends_with("/web")) {
        output.line(&format!("next     cooper run {name} -p 8080:8080"));
    } else {
        output.line(&format!("next     cooper run {name}"));
    }
}

/// Size and layers of an image.
fn describe(image: &Made, output: &Output) {
    let total: u64 = image.sizes.iter().map(|(_, size)| size).sum();
    output.line(&format!("size     {} compressed", human_bytes(total)));
    for (owner, size) in image.sizes.iter().filter(|(_, size)| *size > 0) {
        output.line(&format!("         {:>10}  {owner}", human_bytes(*size)));
    }
    let (above, reused) = image.layers;
    let below = image.stored.image.layers.len() - above;
    output.line(&format!("layers   {below} of the run image, {above} above, {reused} of them as before"));
}
