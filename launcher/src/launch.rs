//! From the image's metadata to the running process (CNB Platform Specification, launcher).

use crate::api::{Api, BUILDPACK, PLATFORM};
use crate::environment::{Environment, Plain, entries};
use crate::metadata::BuildMetadata;
use crate::process::{Selection, select};
use crate::{Failure, escape_id, exec_d, file, shell};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the launcher was started with.
pub struct Input {
    /// The name that it was started under.
    pub program: OsString,
    /// What came after it.
    pub arguments: Vec<OsString>,
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// Becomes the process that was asked for. Returns only when that fails. Warnings go to `warn`.
///
/// # Errors
/// When nothing can be launched.
pub fn launch(input: Input, warn: impl Fn(&str)) -> Result<Infallible, Failure> {
    let variable =
        |name: &str| input.environment.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.clone());
    let platform = platform_api(variable("CNB_PLATFORM_API"))?;
    let layers = variable("CNB_LAYERS_DIR").map_or_else(|| PathBuf::from("/layers"), PathBuf::from);
    let app = variable("CNB_APP_DIR").map_or_else(|| PathBuf::from("/workspace"), PathBuf::from);
    let exec_env = variable("CNB_EXEC_ENV").and_then(|value| value.into_string().ok()).unwrap_or_else(|| "production".into());
    let metadata = read_metadata(&layers)?;
    if let Some(kind) = variable("CNB_PROCESS_TYPE") {
        warn(&format!("CNB_PROCESS_TYPE is not supported in Platform API {platform}"));
        warn(&format!("Run with ENTRYPOINT '{}' to invoke the '{0}' process type", kind.display()));
    }
    let name = Path::new(&input.program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let selection = select(&metadata, name, &input.arguments, platform, &exec_env)
        .map_err(|failure| Failure { message: format!("determine start command: {}", failure.message), ..failure })?;
    std::env::set_current_dir(&app).map_err(|error| Failure::new(format!("change to app directory '{}': {error}", app.display())))?;
    let image = Image { layers, app, metadata };
    let environment = image.environment(&selection.kind, input.environment.into_iter())?;
    Err(start(&image, &selection, &environment, &input.program))
}

/// What is said of an API that is not spoken (API-07).
pub(crate) fn incompatible(api: &str) -> String {
    format!("buildpack API version '{api}' is incompatible with the lifecycle")
}

fn platform_api(value: Option<OsString>) -> Result<Api, Failure> {
    let failure = |message: String| Failure { message, code: 11 };
    let text = value.and_then(|value| value.into_string().ok()).ok_or_else(|| {
        failure("failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version".into())
    })?;
    let api = Api::parse(&text).ok_or_else(|| failure(format!("failed to parse platform API '{text}'")))?;
    if PLATFORM.contains(&api) {
        Ok(api)
    } else {
        Err(failure(format!("failed to set platform API: platform API version '{text}' is incompatible with the lifecycle")))
    }
}

fn read_metadata(layers: &Path) -> Result<BuildMetadata, Failure> {
    let failure = |error: &dyn std::fmt::Display| Failure {
        message: format!("failed to read metadata: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
        code: 1,
    };
    let text = file::read_document(&layers.join("config/metadata.toml")).map_err(|error| failure(&error))?;
    let metadata: BuildMetadata = toml::from_str(&text).map_err(|error| failure(&error))?;
    match metadata.buildpacks.iter().find(|buildpack| !Api::parse(&buildpack.api).is_some_and(|api| BUILDPACK.contains(&api))) {
        Some(buildpack) => {
            let message = format!("failed to set API for buildpack '{}': {}", buildpack.id, incompatible(&buildpack.api));
            Err(Failure { message, code: 12 })
        }
        None => Ok(metadata),
    }
}

struct Image {
    layers: PathBuf,
    app: PathBuf,
    metadata: BuildMetadata,
}

impl Image {
    /// The layers of each buildpack, in order; those of a buildpack by name.
    fn layers(&self) -> Result<Vec<Vec<PathBuf>>, Failure> {
        let of_buildpack = |id: &str| {
            let all = entries(&self.layers.join(escape_id(id))).map_err(|error| Failure::new(error.to_string()))?;
            // A link is no layer.
            Ok(all.into_iter().filter(|path| path.symlink_metadata().is_ok_and(|found| found.is_dir())).collect())
        };
        self.metadata.buildpacks.iter().map(|buildpack| of_buildpack(&buildpack.id)).collect()
    }

    /// ENV-25, LCH-12, LCH-16.
    fn environment(&self, kind: &str, own: impl Iterator<Item = (OsString, OsString)>) -> Result<Environment, Failure> {
        let mut environment = Environment::for_launch(own);
        let layers = self.layers()?;
        for layers in &layers {
            layers.iter().for_each(|layer| environment.add_layer_paths(layer));
            for layer in layers {
                for folder in ["env".to_string(), "env.launch".into(), format!("env.launch/{kind}")] {
                    if !(folder.ends_with('/')) {
                        environment.add_files(&layer.join(folder), Plain::Override).map_err(|error| Failure::new(error.to_string()))?;
                    }
                }
            }
        }
        for layer in layers.iter().flatten() {
            exec_d::run_all(&layer.join("exec.d"), &mut environment)?;
            if !kind.is_empty() {
                exec_d::run_all(&layer.join("exec.d").join(kind), &mut environment)?;
            }
        }
        Ok(environment)
    }

    /// LCH-17, LCH-18, LCH-24.
    fn profiles(&self, kind: &str) -> Result<Vec<PathBuf>, Failure> {
        let mut profiles = Vec::new();
        for layer in self.layers()?.iter().flatten() {
            let mut folders = vec![layer.join("profile.d")];
            if !kind.is_empty() {
                folders.push(layer.join("profile.d").join(kind));
            }
            for folder in folders {
                let found = entries(&folder).map_err(|error| Failure::new(error.to_string()))?;
                profiles.extend(found.into_iter().filter(|path| path.is_file()));
            }
        }
        if self.app.join(".profile").is_file() {
            profiles.push(PathBuf::from(".profile"));
        }
        Ok(profiles)
    }
}

/// Replaces this process (LCH-19 to LCH-23, LCH-29). Returns why that failed.
fn start(image: &Image, selection: &Selection, environment: &Environment, program: &OsStr) -> Failure {
    let Some(first) = selection.command.first().filter(|first| !first.is_empty()) else {
        return Failure::new(format!("no command provided for process type \"{}\"", selection.kind));
    };
    let working_dir = selection.working_dir.as_ref().map_or_else(|| image.app.clone(), PathBuf::from);
    let mut command = if selection.direct {
        let Some(binary) = look_up(first, environment, &image.app) else {
            return Failure::new(format!("path lookup: exec: \"{}\": executable file not found in $PATH", first.display()));
        };
        if let Err(error) = std::env::set_current_dir(&working_dir) {
            return Failure::new(format!("change to working directory '{}': {error}", working_dir.display()));
        }
        let mut command = Command::new(binary);
        command.arg0(first).args(&selection.command[1..]);
        command
    } else {
        let profiles = match image.profiles(&selection.kind) {
            Ok(profiles) => profiles,
            Err(failure) => return failure,
        };
        let mut command = Command::new("/bin/bash");
        command
            .arg0("bash")
            .arg("-c")
            .arg(shell::script(&profiles, &working_dir, selection.command.len() - 1))
            .arg(program)
            .args(&selection.command);
        command
    };
    let error = command.env_clear().envs(environment.variables()).exec();
    Failure::new(format!("exec \"{}\": {error}", command.get_program().display()))
}

/// The program's path: as it is where it has a `/`, else the first match in `PATH`.
fn look_up(program: &OsStr, environment: &Environment, app: &Path) -> Option<PathBuf> {
    let executable = |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    if program.as_bytes().contains(&b'/') {
        return Some(app.join(program)).filter(executable);
    }
    let path = environment.get("PATH")?;
    std::env::split_paths(path).map(|folder| app.join(folder).join(program)).find(executable)
}
