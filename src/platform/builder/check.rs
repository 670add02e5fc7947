//! Whether the parts of a builder fit together (BIMG-01, BIMG-09, BIMG-12 to BIMG-14).

use super::label::{Lifecycle, STACK_ID, STACK_MIXINS};
use super::layers::Ids;
use crate::buildpack::{Group, Kind, ModuleInfo, OrderEntry, Target};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Image;
use crate::platform::buildpackage::Module;

/// The user and group that a build image is for.
pub fn ids(image: &Image) -> Result<Ids> {
    let id = |name: &str| -> Result<u64> {
        let value = image.config.variable(name).filter(|value| !value.is_empty());
        let value = value
            .context(|| format!("the build image has no variable `{name}`"))
            .hint("a build image says by it whose files a build makes")?;
        value.parse().map_err(|_| Error::new(format!("the variable `{name}` of the build image is `{value}`, which is no number")))
    };
    Ok(Ids { user: id("CNB_USER_ID")?, group: id("CNB_GROUP_ID")? })
}

/// Whether the builder's modules work with its lifecycle and in its build image.
pub fn modules(modules: &[Module], known: &[ModuleInfo], lifecycle: &Lifecycle, image: &Image) -> Result<()> {
    let machine = Target {
        os: image.config.os.clone(),
        arch: image.config.architecture.clone(),
        variant: image.config.variant.clone(),
        distros: image
            .label("io.buildpacks.base.distro.name")
            .map(|name| crate::buildpack::Distro {
                name: name.into(),
                version: image.label("io.buildpacks.base.distro.version").unwrap_or_default().into(),
            })
            .into_iter()
            .collect(),
    };
    for module in modules {
        let (toml, name, kind) = (&module.toml, module.toml.full_name(), module.toml.kind.name());
        let spoken = &lifecycle.apis.buildpack;
        if !spoken.supported.iter().chain(&spoken.deprecated).any(|api| *api == toml.api) {
            let apis = spoken.supported.join(", ");
            return Err(Error::new(format!(
                "{kind} `{name}` (Buildpack API {}) is incompatible with lifecycle `{}` (Buildpack API(s) {apis})",
                toml.api, lifecycle.version
            )));
        }
        if let Some(entry) = toml
            .order
            .iter()
            .flat_map(|group| &group.group)
            .find(|entry| !known.iter().any(|info| info.id == entry.id && info.version == entry.version))
        {
            return Err(Error::new(format!("buildpack `{}@{}` not found on the builder", entry.id, entry.version))
                .hint(format!("`{name}` is composed of it: add it to `[[buildpacks]]`")));
        }
        if toml.kind == Kind::Buildpack && toml.order.is_empty() && !toml.stacks.is_empty() {
            stack(module, image)?;
        }
        if !toml.targets.is_empty() && !toml.targets.iter().any(|target| target.accepts(&machine)) {
            let said = |target: &Target| serde_json::to_string(target).unwrap_or_default();
            let targets: Vec<String> = toml.targets.iter().map(said).collect();
            return Err(Error::new(format!(
                "{kind} `{name}` does not work in the build image: it is for {}, the image is {}",
                targets.join(", "),
                said(&machine)
            )));
        }
    }
    Ok(())
}

/// Whether an older buildpack works on the stack of the image.
fn stack(module: &Module, image: &Image) -> Result<()> {
    let Some(id) = image.label(STACK_ID) else { return Ok(()) };
    let name = module.toml.full_name();
    let stack = module.toml.stacks.iter().find(|stack| stack.id == id || stack.id == "*");
    let stack = stack.context(|| format!("buildpack `{name}` does not support stack `{id}`"))?;
    let has: Vec<String> =
        image.label(STACK_MIXINS).and_then(|text| serde_json::from_str::<Option<Vec<String>>>(text).ok().flatten()).unwrap_or_default();
    let missing: Vec<&str> =
        stack.mixins.iter().filter(|mixin| !mixin.starts_with("run:") && !has.contains(mixin)).map(String::as_str).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Error::new(format!("buildpack `{name}` requires missing mixin(s): {}", missing.join(", ")))),
    }
}

/// Groups with the version of every entry.
pub fn resolved(groups: &[Group], kind: Kind, known: &[ModuleInfo]) -> Result<Vec<Group>> {
    let group = |group: &Group| Ok(Group { group: group.group.iter().map(|entry| resolve(entry, kind, known)).collect::<Result<_>>()? });
    groups.iter().map(group).collect()
}

/// An entry with its version.
pub fn resolve(entry: &OrderEntry, kind: Kind, known: &[ModuleInfo]) -> Result<OrderEntry> {
    let (name, id) = (kind.name(), &entry.id);
    let mut versions: Vec<&str> = known.iter().filter(|info| info.id == *id).map(|info| info.version.as_str()).collect();
    versions.dedup();
    let version = match versions.as_slice() {
        [] => {
            return Err(Error::new(format!("no versions of {name} `{id}` were found on the builder")))
                .hint(format!("add it to `[[{name}s]]`"));
        }
        [only] if entry.version.is_empty() => (*only).to_string(),
        all if entry.version.is_empty() => {
            return Err(Error::new(format!("unable to resolve version: multiple versions of `{id}` - must specify an explicit version")))
                .hint(format!("write one of them: {}", all.join(", ")));
        }
        all if all.contains(&entry.version.as_str()) => entry.version.clone(),
        all => {
            return Err(Error::new(format!("{name} `{id}` with version `{}` was not found on the builder", entry.version)))
                .hint(format!("the builder has {}", all.join(", ")));
        }
    };
    Ok(OrderEntry { version, ..entry.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BIMG-09.
    #[test]
    fn a_version_may_be_left_out_where_there_is_one() {
        let info = |id: &str, version: &str| ModuleInfo { id: id.into(), version: version.into(), ..ModuleInfo::default() };
        let known = [info("a", "1"), info("b", "1"), info("b", "2")];
        let entry = |id: &str, version: &str| {
            resolve(&OrderEntry { id: id.into(), version: version.into(), ..OrderEntry::default() }, Kind::Buildpack, &known)
                .map(|entry| entry.version)
        };
        assert_eq!(entry("a", "").unwrap(), "1");
        assert_eq!(entry("b", "2").unwrap(), "2");
        for (id, version, why) in
            [("b", "", "multiple versions of `b`"), ("b", "3", "with version `3` was not found"), ("c", "", "no versions of buildpack `c`")]
        {
            assert!(entry(id, version).unwrap_err().to_string().contains(why), "{id}@{version}");
        }
    }

    /// BIMG-01.
    #[test]
    fn a_build_image_says_whose_files_a_build_makes() {
        let mut image = Image::default();
        assert!(ids(&image).unwrap_err().to_string().contains("no variable `CNB_USER_ID`"));
        image.config.set_variable("CNB_USER_ID", "1001");
        image.config.set_variable("CNB_GROUP_ID", "x");
        assert!(ids(&image).unwrap_err().to_string().contains("`x`, which is no number"));
        image.config.set_variable("CNB_GROUP_ID", "1000");
        assert_eq!(ids(&image).unwrap(), Ids { user: 1001, group: 1000 });
    }
}
