//! `cooper sbom check`.

use super::Image;
use crate::cli::Session;
use crate::cli::written::Format;
use crate::error::Result;
use sbom::policy::{Finding, Pattern, Policy, Requirement};
use serde::Serialize;

/// Exit code where a rule is broken.
const BROKEN: u8 = 10;

/// Check what is in an image against rules; the exit code is 0 where all are kept, 10 where one is broken.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cooper sbom check my-app --deny-license 'AGPL-*' --type pypi\n  cooper sbom check my-app --require licenses --require versions --output json"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    image: Image,
    /// SPDX identifier of a licence that no package may need, as `GPL-3.0-only` or `AGPL-*`; of alternatives, one that is not denied is enough;
    /// repeatable.
    #[arg(long, value_name = "ID")]
    deny_license: Vec<Pattern>,
    /// SPDX identifier of a licence that packages may be under, as `MIT` or `BSD-*`; with it, all others are denied, unknown ones too; repeatable.
    #[arg(long, value_name = "ID")]
    allow_license: Vec<Pattern>,
    /// What every package must have: `licenses`, `versions`, `checksums`, `suppliers` or `purls`; or what must be in the image: `package:NAME`;
    /// repeatable.
    #[arg(long, value_name = "WHAT")]
    require: Vec<Requirement>,
    /// Check only packages of this type of package URLs, as `pypi` or `deb`; repeatable.
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// Package that is not checked, as `readline-*`; repeatable.
    #[arg(long, value_name = "NAME")]
    except: Vec<Pattern>,
    /// How to write what was found.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

/// What a check found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    image: String,
    digest: String,
    /// How many packages were checked.
    packages: usize,
    findings: Vec<Finding>,
    notes: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let Self { image, deny_license: deny, allow_license: allow, require, kinds, except, output } = self;
        let policy = Policy { deny, allow, require, kinds, except };
        let checked = image.with(session, |images, about| {
            let merged = images.sbom(about)?;
            Ok(Checked {
                image: image.name.clone(),
                digest: about.documents.descriptor.digest.to_string(),
                packages: policy.subjects(&merged.inventory).count(),
                findings: policy.check(&merged.inventory),
                notes: merged.notes,
            })
        })?;
        output.print(&checked, || text(&checked), session)?;
        Ok(if checked.findings.is_empty() { 0 } else { BROKEN })
    }
}

fn text(checked: &Checked) -> String {
    let width = |of: fn(&Finding) -> &str| checked.findings.iter().map(|finding| of(finding).chars().count()).max().unwrap_or(0);
    let (package, version) = (width(|finding| &finding.package), width(|finding| &finding.version));
    let line = |finding: &Finding| format!("{:package$}  {:version$}  {}\n", finding.package, finding.version, finding.problem);
    let findings: String = checked.findings.iter().map(line).collect();
    let notes: String = checked.notes.iter().map(|note| format!("note: {note}\n")).collect();
    format!("{findings}{notes}{} packages checked, {} findings\n", checked.packages, checked.findings.len())
}
