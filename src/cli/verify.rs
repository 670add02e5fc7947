//! `cooper verify`: what is signed of an image.

use super::key::public_key;
use super::registries::Reach;
use super::{Format, Session};
use crate::attestation::provenance::{self, Provenance, resource};
use crate::error::Result;
use crate::image::Platform;
use crate::platform::attest::keeping_place;
use crate::platform::attest::verify::{Report, Wanted, name_of};
use crate::platform::pull::Pull;

/// Check that an image, its provenance and its SBOM are signed by a key; of an index, it and each of its images.
#[derive(clap::Args)]
#[command(
    after_help = "What cosign signed with a key counts too. The exit code is 10 where something is not signed or damaged, 1 where it could \
                        not be checked.\n\nExamples:\n  cooper verify registry.example/team/app:1 --key cosign.pub\n  cooper verify \
                        registry.example/team/app:1 --key cosign.pub --type signature"
)]
pub struct Arguments {
    /// The image, in a registry or as `oci:DIR[:TAG]`.
    image: String,
    /// Public key: a file, or `env://VARIABLE`.
    #[arg(long)]
    key: String,
    /// What must be signed: `signature`, `provenance`, `sbom`, `spdx`, `cyclonedx`, or the address of a predicate type; repeatable
    /// [default: signature, provenance and sbom].
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// Read all layers too, to see whether they are undamaged; who pulls the image does that anyway.
    #[arg(long)]
    layers: bool,
    /// How to write what is signed.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let place = keeping_place(&self.image)?;
        let key = public_key(&self.key)?;
        let wanted = match self.types.as_slice() {
            [] => Wanted::usual(),
            types => types.iter().map(|text| Wanted::parse(text)).collect::<Result<_>>()?,
        };
        let (everywhere, platform) = (self.registries.everywhere(session)?, Platform::here());
        let report = everywhere.images(Pull::Never, &platform).verify(&place, &key, &wanted, self.layers)?;
        match self.output {
            Format::Json => session.print_json(&report)?,
            Format::Text => lines(&report).iter().for_each(|line| session.output.line(line)),
        }
        report.check()?;
        Ok(0)
    }
}

fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for subject in &report.subjects {
        lines.push(subject.digest.clone());
        lines.extend(subject.signed.iter().map(|signed| format!("  signed      {}", name_of(signed))));
        lines.extend(subject.missing.iter().map(|missing| format!("  not signed  {missing}")));
        lines.extend(subject.others.iter().map(|other| format!("  not by this key: {other}")));
        lines.extend(subject.provenance.iter().flat_map(made));
    }
    lines
}

/// How an image was made, for people.
fn made(provenance: &Provenance) -> Vec<String> {
    let by = &provenance.run_details.builder;
    let versions: Vec<String> = by.version.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut lines = vec![format!("  made by     {} {}", by.id, versions.join(", "))];
    if let Ok(provenance::Build { source, builder, .. }) = provenance.build() {
        lines.push(format!("  builder     {builder}"));
        if !source.commit.is_empty() {
            let dirty = if source.dirty == Some(true) { ", changed" } else { "" };
            lines.push(format!("  source      {} {}{dirty}", source.uri, source.commit));
        }
        lines.extend(source.files.map(|files| format!("  files       {files}")));
        lines.extend(provenance.chosen().into_iter().map(|chosen| format!("  buildpacks  {}", chosen.group.join(", "))));
    }
    if let Some(run_image) = provenance.used(resource::RUN_IMAGE) {
        let digest = run_image.sha256().map(|digest| digest.to_string()).unwrap_or_default();
        lines.push(format!("  run image   {} {digest}", run_image.uri));
    }
    if let Ok(provenance::Rebase { image, run_image, .. }) = provenance.rebase() {
        lines.push(format!("  rebased     {image} on {run_image}"));
    }
    lines
}
