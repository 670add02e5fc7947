//! New buildpacks and extensions that do the least that makes sense, to start from.

use crate::buildpack::{Kind, Target};
use crate::error::{Advice, Context, Error, Result};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a new module is.
pub struct Skeleton<'a> {
    /// Whether it is a buildpack or an extension.
    pub kind: Kind,
    /// Its ID.
    pub id: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The Buildpack API that it speaks.
    pub api: &'a str,
    /// What it works on.
    pub targets: &'a [Target],
}

const DETECT: &str = r#"#!/usr/bin/env bash
set -euo pipefail

# Exit with 0 where this is for the app in the current folder, with 100 where it is not.
exit 0
"#;

const BUILD: &str = r#"#!/usr/bin/env bash
set -euo pipefail

# CNB_LAYERS_DIR is a folder for layers: what they need at run time, in the build, or in the next build.
echo "---> THE_ID"

cat > "$CNB_LAYERS_DIR/launch.toml" <<'EOF'
[[processes]]
type = "web"
command = ["bash", "-c", "echo hello from $(pwd): $(ls)"]
default = true
EOF
"#;

const GENERATE: &str = r#"#!/usr/bin/env bash
set -euo pipefail

# CNB_OUTPUT_DIR takes build.Dockerfile and run.Dockerfile, which extend the build image and the run image.
cat > "$CNB_OUTPUT_DIR/run.Dockerfile" <<'EOF'
ARG base_image
FROM ${base_image}
USER root
RUN echo "THE_ID was here" > /etc/made-by
ARG user_id
ARG group_id
USER ${user_id}:${group_id}
EOF
"#;

/// A test of a new buildpack.
const TEST: &str = r#"# The app is the folder `app` beside this file. `cooper buildpack test --update` writes all that is made into `expected.toml`.
[expect]
output = ["---> THE_ID"]
group = ["THE_ID"]

[[expect.processes]]
type = "web"
default = true

[[run]]
stdout = "hello from /workspace: hello.txt\n"
"#;

/// A test of a new extension.
const TEST_OF_EXTENSION: &str = r#"# The app is the folder `app` beside this file. `cooper extension test --update` writes all that is made into `expected.toml`.
[expect.dockerfiles]
run = ["THE_ID was here"]

[[expect.files]]
path = "/etc/made-by"
text = "THE_ID was here\n"
"#;

/// Writes a new module into `folder`, which must be empty or not there. Returns the files.
///
/// # Errors
/// When the ID is none, the folder is not empty, or cannot be written.
pub fn write(skeleton: &Skeleton, folder: &Path) -> Result<Vec<PathBuf>> {
    let (kind, id) = (skeleton.kind, skeleton.id);
    super::validate::check_id(id)
        .map_err(|why| Error::new(format!("`{id}` cannot be the ID of a {}: {why}", kind.name())).hint("write NAMESPACE/NAME"))?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::new(format!("the folder `{}` is not empty", folder.display()))).hint("name another one with `--path`");
    }
    let (program, text, test) = match kind {
        Kind::Buildpack => ("bin/build", BUILD, TEST),
        Kind::Extension => ("bin/generate", GENERATE, TEST_OF_EXTENSION),
    };
    let files = [
        (kind.file(), descriptor(skeleton)?),
        ("bin/detect", DETECT.into()),
        (program, text.replace("THE_ID", id)),
        ("tests/hello/test.toml", test.replace("THE_ID", id)),
        ("tests/hello/app/hello.txt", "hello\n".into()),
    ];
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        let describe = || format!("cannot write `{}`", path.display());
        fs::create_dir_all(path.parent().unwrap_or(folder)).context(describe)?;
        fs::write(&path, text).context(describe)?;
        let mode = if name.starts_with("bin/") { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).context(describe)?;
        written.push(path);
    }
    Ok(written)
}

fn descriptor(skeleton: &Skeleton) -> Result<String> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut text = format!(
        "api = {}\n\n[{}]\nid = {}\nversion = {}\n",
        quoted(skeleton.api),
        skeleton.kind.name(),
        quoted(skeleton.id),
        quoted(skeleton.version)
    );
    for target in skeleton.targets {
        let fields = [("os", &target.os), ("arch", &target.arch), ("variant", &target.variant)];
        let fields: String =
            fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name} = {}\n", quoted(value))).collect();
        write!(text, "\n[[targets]]\n{fields}").context(|| "cannot write a descriptor")?;
        for distro in &target.distros {
            write!(text, "[[targets.distros]]\nname = {}\nversion = {}\n", quoted(&distro.name), quoted(&distro.version))
                .context(|| "cannot write a descriptor")?;
        }
    }
    Ok(text)
}
