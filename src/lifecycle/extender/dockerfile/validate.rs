//! What an extension's Dockerfile must be like (Image Extension Specification, "Dockerfile Requirements").

use super::Dockerfile;
use crate::error::{Error, Result};
use crate::lifecycle::extender::Kind;

/// The instructions that the specification names.
const RECOMMENDED: [&str; 10] = ["FROM", "ADD", "ARG", "COPY", "ENV", "LABEL", "RUN", "SHELL", "USER", "WORKDIR"];

/// How a base that is the image itself is written.
const BASE: &str = "${base_image}";

/// What a valid Dockerfile does to an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The image that takes the place of the run image (GEN-12).
    pub switches_to: Option<String>,
    /// Whether it changes the image.
    pub extends: bool,
}

impl Dockerfile {
    /// Checks a Dockerfile of an extension; `warn` gets what is only not recommended (GEN-09 to GEN-12).
    ///
    /// # Errors
    /// When it does not start as it must, or has several stages.
    pub fn check(&self, kind: Kind, warn: &mut dyn FnMut(&str)) -> Result<Effect> {
        let name = kind.dockerfile();
        if self.bases.len() > 1 {
            return Err(Error::new(format!("{name} is not permitted to use multistage build")));
        }
        for instruction in self.instructions.iter().filter(|instruction| !RECOMMENDED.contains(&instruction.action.name())) {
            warn(&format!("{name} command {} on line {} is not recommended", instruction.action.name(), instruction.line));
        }
        if kind == Kind::Build && !self.declares_base() {
            return Err(Error::new(format!("{name} did not start with required ARG command")))
                .map_err(|error| error.hint("its first line must be `ARG base_image`, and no other ARG may come before FROM"));
        }
        let Some(base) = self.bases.first() else { return Err(Error::new(format!("{name} should have at least one stage"))) };
        if kind == Kind::Build && base != BASE {
            return Err(Error::new(format!("{name} did not contain required FROM {BASE} command")));
        }
        Ok(Effect { switches_to: Some(base.clone()).filter(|base| base != BASE), extends: !self.instructions.is_empty() })
    }

    fn declares_base(&self) -> bool {
        matches!(self.arguments.as_slice(), [only] if only.split('=').next().is_some_and(|name| name.trim() == "base_image"))
    }
}
