//! What this program carries for images: the launcher, the first-party buildpacks, the built-in builders.

use crate::error::{Advice, Context, Result};

/// The launcher, a static program.
pub const LAUNCHER: &[u8] = include_bytes!(env!("COOPER_LAUNCHER"));
/// The same for each processor, empty where this program was built without.
const LAUNCHERS: [(&str, &[u8]); 2] =
    [("amd64", include_bytes!(env!("COOPER_LAUNCHER_AMD64"))), ("arm64", include_bytes!(env!("COOPER_LAUNCHER_ARM64")))];
/// The first-party buildpacks and extensions, one static program.
pub const BUILDPACKS: &[u8] = include_bytes!(env!("COOPER_BUILDPACKS"));

/// The launcher for images of a processor.
///
/// # Errors
/// When this program carries none.
pub fn launcher_for(architecture: &str) -> Result<&'static [u8]> {
    let found = LAUNCHERS.into_iter().find(|(name, _)| *name == architecture);
    let (_, program) =
        found.context(|| format!("there is no launcher for {architecture}")).hint("images can be built for amd64 and arm64")?;
    let processor = if architecture == "arm64" { "aarch64" } else { "x86_64" };
    let remedy = format!("`rustup target add {processor}-unknown-linux-musl`, then compile cooper again");
    Some(program)
        .filter(|program| !program.is_empty())
        .context(|| format!("this cooper carries no launcher for {architecture}"))
        .hint(remedy)
}

/// The description of a first-party buildpack or extension.
pub struct Module {
    /// Its ID.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its folder below `/cnb`: `buildpacks` or `extensions`.
    pub folder: &'static str,
    /// Name of its descriptor.
    pub file: &'static str,
    /// Its descriptor.
    pub descriptor: &'static str,
    /// The names that its program is started under.
    pub programs: [&'static str; 2],
}

/// The first-party buildpacks and extensions.
pub const MODULES: [Module; 4] = [
    Module {
        id: "cooper/system-packages",
        version: "0.1.0",
        folder: "buildpacks",
        file: "buildpack.toml",
        descriptor: include_str!("../../buildpacks/system-packages/buildpack.toml"),
        programs: ["detect", "build"],
    },
    Module {
        id: "cooper/python",
        version: "0.1.0",
        folder: "buildpacks",
        file: "buildpack.toml",
        descriptor: include_str!("../../buildpacks/python/buildpack.toml"),
        programs: ["detect", "build"],
    },
    Module {
        id: "cooper/procfile",
        version: "0.1.0",
        folder: "buildpacks",
        file: "buildpack.toml",
        descriptor: include_str!("../../buildpacks/procfile/buildpack.toml"),
        programs: ["detect", "build"],
    },
    Module {
        id: "cooper/debian-packages",
        version: "0.1.0",
        folder: "extensions",
        file: "extension.toml",
        descriptor: include_str!("../../buildpacks/debian-packages/extension.toml"),
        programs: ["detect", "generate"],
    },
];

/// What says in an exported builder whether its images have a package, where the extension would add it.
pub const INSTALLED_PACKAGES: Module = Module {
    id: "cooper/installed-packages",
    version: "0.1.0",
    folder: "buildpacks",
    file: "buildpack.toml",
    descriptor: include_str!("../../buildpacks/installed-packages/buildpack.toml"),
    programs: ["detect", "build"],
};

/// A built-in builder.
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its order.
    pub order: &'static str,
    /// What its base images are made of.
    pub base: &'static str,
    /// The packages that its images have where it is exported: what its buildpacks ask for in every build.
    pub exported: Exported,
}

/// Packages of exported images.
#[derive(Clone, Copy)]
pub struct Exported {
    /// Of the build image.
    pub build: &'static [&'static str],
    /// Of both images.
    pub run: &'static [&'static str],
}

/// What the Python buildpack asks for.
const PYTHON: Exported = Exported { build: &["python3-pip-whl"], run: &["python3"] };

/// The built-in builders; the first is the default.
pub const BUILDERS: [BuiltIn; 2] = [
    BuiltIn {
        name: "trixie",
        order: include_str!("../../builders/trixie/builder.toml"),
        base: include_str!("../../builders/trixie/base.toml"),
        exported: PYTHON,
    },
    BuiltIn {
        name: "bookworm",
        order: include_str!("../../builders/bookworm/builder.toml"),
        base: include_str!("../../builders/bookworm/base.toml"),
        exported: PYTHON,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buildpack::{Descriptor, Kind, Order};
    use crate::debian::Base;

    #[test]
    fn descriptions_agree_with_the_table() {
        for module in MODULES.iter().chain([&INSTALLED_PACKAGES]) {
            let kind = if module.folder == "extensions" { Kind::Extension } else { Kind::Buildpack };
            let descriptor = Descriptor::parse(module.descriptor, kind, std::path::Path::new("/none")).unwrap();
            assert_eq!((descriptor.id.as_str(), descriptor.version.as_str()), (module.id, module.version));
        }
        for builder in BUILDERS {
            assert_eq!(Base::parse(builder.base).unwrap().suite, builder.name);
            let order = Order::parse(builder.order).unwrap();
            let known = |id: &str, version: &str| MODULES.iter().any(|module| module.id == id && module.version == version);
            assert!(
                order.order.iter().chain(&order.extensions).flat_map(|group| &group.group).all(|entry| known(&entry.id, &entry.version))
            );
        }
    }

    /// The programs in images are small: the launcher is in every one of them.
    #[test]
    fn programs_are_small_and_static() {
        assert!(LAUNCHER.len() < 1_468_007, "the launcher has {} bytes", LAUNCHER.len());
        assert!(BUILDPACKS.len() < 3_000_000, "the buildpacks have {} bytes", BUILDPACKS.len());
        assert_eq!(&LAUNCHER[..4], b"\x7fELF");
        for (architecture, machine) in [("amd64", 62), ("arm64", 183)] {
            let program = launcher_for(architecture).unwrap();
            assert!(program.len() < 1_468_007 && program[..5] == *b"\x7fELF\x02" && program[18] == machine, "{architecture}");
        }
        // A launcher has the same bytes wherever it is built.
        let folders = [env!("CARGO_MANIFEST_DIR"), "/.cargo/"].map(str::as_bytes);
        for program in [launcher_for("amd64").unwrap(), launcher_for("arm64").unwrap(), BUILDPACKS] {
            assert!(!folders.iter().any(|folder| program.windows(folder.len()).any(|part| part == *folder)));
        }
        assert!(launcher_for("s390x").unwrap_err().to_string().contains("no launcher for s390x"));
    }
}
