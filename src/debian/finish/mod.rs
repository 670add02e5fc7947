//! What maintainer scripts would have done to a tree of packages, as rules on data: nothing is executed. Start with [`finish`].

mod alternatives;
mod certificates;
mod database;
mod linker;
mod system;

use super::compose::Unpacked;
use super::tree::{Made, Tree};
use super::{Base, Kind};
use crate::error::Result;

/// What the rules know besides the tree.
pub(super) struct Facts<'a> {
    pub base: &'a Base,
    pub kind: Kind,
    pub architecture: &'a str,
    pub packages: &'a [Unpacked],
    pub made: Made,
}

/// Applies all rules. Returns warnings: what a script does that no rule knows.
///
/// # Errors
/// When a file that a rule reads is not what it should be.
pub(super) fn finish(tree: &mut Tree, facts: &Facts) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    system::finish(tree, facts);
    alternatives::finish(tree, facts, &mut warnings);
    certificates::finish(tree, facts)?;
    linker::finish(tree, facts);
    database::finish(tree, facts);
    Ok(warnings)
}

/// Paths that packages have as folders and scripts replace by links: rules make the links, so the folders are left out.
pub(super) const REPLACED: [&str; 2] = ["var/lock", "var/run"];

/// Whether some rule reads this file's content, so that it must be kept while its package is unpacked.
pub(super) fn is_read_by_rules(path: &str) -> bool {
    system::COPIES.iter().any(|(from, _)| *from == path)
        || path.starts_with("usr/share/base-passwd/")
        || path.starts_with("usr/share/debianutils/shells")
        || path.starts_with("usr/share/ca-certificates/")
        || path.starts_with("etc/ld.so.conf")
        || path == "etc/shells"
}
