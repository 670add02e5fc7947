//! Landlock rules. Always: no signals to processes outside, no abstract sockets of programs outside. And where every file of the root file
//! system belongs to the caller: no writing but where the image's own owners and modes would allow it.

use super::identity::Identity;
use super::spec::{Access, Spec};
use crate::error::{Context, Result};
use landlock::{ABI, AccessFs, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope};
use std::path::Path;

/// Writable in every Linux system.
const WRITABLE: [&str; 6] = ["/dev", "/proc", "/tmp", "/var/tmp", "/run/lock", "/var/lock"];

/// Restricts this process and all that it starts. A kernel without Landlock, or with an old one, enforces less.
pub fn restrict(spec: &Spec, identity: &Identity) -> Result<()> {
    let rules = Ruleset::default().scope(Scope::AbstractUnixSocket | Scope::Signal);
    let restricted =
        rules.and_then(|rules| if identity.owns_all_files() && !spec.is_privileged() { owned(rules, spec) } else { rules.create() });
    restricted.and_then(RulesetCreated::restrict_self).context(|| "cannot restrict the program with Landlock")?;
    Ok(())
}

fn owned(rules: Ruleset, spec: &Spec) -> Result<RulesetCreated, RulesetError> {
    let write = AccessFs::from_write(ABI::V3);
    let mounts = spec.mounts.iter().filter(|mount| mount.access == Access::ReadWrite).map(|mount| mount.target.as_path());
    let paths = WRITABLE.map(Path::new).into_iter().chain(mounts).chain(spec.writable.iter().map(|path| path.as_path()));
    let mut rules = rules.handle_access(write)?.create()?;
    for path in paths {
        // What is not there cannot be written.
        let Ok(place) = PathFd::new(path) else { continue };
        let access = if path.is_dir() { write } else { write & AccessFs::from_file(ABI::V3) };
        rules = rules.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(rules)
}
