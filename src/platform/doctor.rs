//! What this machine allows a build to do, and what would allow more.

use crate::error::Result;
use crate::image::host_architecture;
use crate::sandbox::{self, Finding, Mode, PROCESSORS, probe};
use crate::store::Store;
use serde::Serialize;
use std::fmt;

/// What was found.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// Which way to run programs applies; none where no build can run.
    pub mode: Option<Mode>,
    /// What that means, in one sentence.
    pub summary: &'static str,
    /// All that was tried.
    pub findings: Vec<Finding>,
}

/// Tries what builds need, on the file system of the store.
///
/// # Errors
/// When this program cannot start itself again.
pub fn examine(store: &Store) -> Result<Diagnosis> {
    let scratch = store.scratch()?;
    let probe = probe(scratch.path())?;
    let summary = match probe.mode {
        Some(Mode::Root) => "builds run as root in a user namespace, without privileges",
        Some(Mode::RootWithoutNamespace) => "builds run as root without a user namespace, without privileges",
        Some(Mode::RootWithoutMounts) => {
            "builds run as root by chroot, slower and with less isolation, because nothing can be mounted here"
        }
        Some(Mode::SubordinateIds) => "builds run without root, in a user namespace with your subordinate ids",
        Some(Mode::SingleId) => "builds run without root, in a user namespace that knows only you",
        None => "builds cannot run here",
    };
    let mut findings = probe.findings;
    let foreign = PROCESSORS.iter().filter(|processor| **processor != host_architecture());
    findings.extend(foreign.map(|processor| Finding::of_processor(processor, sandbox::emulator(scratch.path(), processor))));
    Ok(Diagnosis { mode: probe.mode, summary, findings })
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.summary)?;
        for finding in &self.findings {
            let mark = match (finding.works, finding.required) {
                (true, _) => "yes",
                (false, true) => "NO ",
                (false, false) => "no ",
            };
            writeln!(formatter, "  {mark} {}", finding.what)?;
            if let Some(remedy) = &finding.remedy {
                writeln!(formatter, "      because: {}\n      remedy: {remedy}", finding.reason)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diagnosis_names_reasons_and_remedies() {
        let folder = tempfile::tempdir().unwrap();
        let mut found = examine(&Store::open(folder.path()).unwrap()).unwrap();
        assert!(found.mode.is_some(), "{found}");
        found.findings.truncate(2);
        found.findings[1] = Finding { what: "b".into(), works: false, required: true, reason: "r".into(), remedy: Some("m".into()) };
        let expected = format!("{}\n  yes user namespace\n  NO  b\n      because: r\n      remedy: m\n", found.summary);
        assert_eq!(found.to_string(), expected);
    }
}
