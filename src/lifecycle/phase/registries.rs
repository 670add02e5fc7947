//! The registries that a phase may use. Credentials are read before privileges are given up (EXIT-17), and nobody else gets them (EXIT-21).

use super::{BAD_ARGUMENT, Inputs, Phase, run_image};
use crate::error::{Advice, Context, Result};
use crate::image::Reference;
use crate::registry::{Credentials, Environment, Registries};
use std::sync::Arc;

/// Flags that name images.
const IMAGES: [&str; 5] = ["previous-image", "run-image", "image", "cache-image", "build-image"];

/// Reads the credentials, and asks the programs that know them for those of every image that the phase was told of.
///
/// # Errors
/// When credentials cannot be understood, or a flag names no image (IMG-02, exit code 3).
pub(super) fn open(inputs: &Inputs, phase: &Phase) -> Result<Arc<Registries>> {
    let variable = |name: &str| phase.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let credentials = Credentials::read(Environment::read(variable)).context(|| "failed to resolve keychain")?;
    if !inputs.is_on("daemon") && !inputs.is_on("layout") {
        for (flag, name) in IMAGES.iter().filter_map(|flag| Some((flag, inputs.text(flag)?))) {
            Reference::parse(&name).context(|| format!("failed to resolve inputs: -{flag}: `{name}` names no image")).code(BAD_ARGUMENT)?;
        }
    }
    let named = inputs.images(0..).unwrap_or_default().into_iter().chain(inputs.texts("tag", ""));
    let named = named.chain(IMAGES.iter().filter_map(|flag| inputs.text(flag))).chain(run_image::names(inputs));
    let references: Vec<Reference> = named.filter_map(|name| Reference::parse(&name).ok()).collect();
    credentials.prepare(&references);
    let insecure = inputs.texts("insecure-registry", "CNB_INSECURE_REGISTRIES");
    Ok(Arc::new(Registries::new(credentials, insecure)))
}
