//! Generation: the extensions of the group write what they want of the images (CNB Platform Specification, detector; Image Extension
//! Specification, generation).

use crate::buildpack::{self, Descriptor, DetectInput, GenerateInput, Line, Plan, escape_id};
use crate::error::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// Runs `bin/generate` of each extension into its folder of `generated`, and returns the plan without what they met (GEN-01, GEN-04, GEN-05).
///
/// # Errors
/// When an extension fails (exit code 91) or its folder cannot be made.
pub fn generate(extensions: &[Descriptor], mut plan: Plan, input: &DetectInput, generated: &Path, line: &mut Line) -> Result<Plan> {
    for extension in extensions {
        let output = generated.join(escape_id(&extension.id));
        std::fs::create_dir_all(&output).context(|| format!("cannot make `{}`", output.display()))?;
        let given = plan.of(&extension.id, true);
        let input = GenerateInput {
            app: input.app,
            platform: input.platform,
            build_config: input.build_config,
            environment: input.environment,
            target: input.target,
            exec_env: input.exec_env,
            plan: &given,
            output: &output,
        };
        buildpack::generate(extension, &input, line)?;
        plan = plan.without_met(&given, &BTreeSet::new());
    }
    Ok(plan)
}
