//! Which process to start, from the name that the launcher runs under, its arguments, and the image's metadata.

use crate::api::{Api, BUILDPACK};
use crate::metadata::{BuildMetadata, Process};
use crate::{Failure, escape_id};

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The process's type; empty for a command of the user's.
    pub kind: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether to start it without a shell.
    pub direct: bool,
    /// Where it starts, if not in the app's folder.
    pub working_dir: Option<String>,
}

/// Chooses the process. `name` is the base name of the launcher's own path, `arguments` come after it.
///
/// # Errors
/// When there is no such process, or no command.
pub fn select(metadata: &BuildMetadata, name: &str, arguments: &[String], platform: Api, exec_env: &str) -> Result<Selection, Failure> {
    if !metadata.processes.iter().any(|process| process.kind == name) {
        return user_command(arguments);
    }
    let filtered = platform >= Api::new(0, 15);
    let process = metadata.processes.iter().find(|process| process.kind == name && (!filtered || process.is_for(exec_env)));
    let process = process.ok_or_else(|| Failure::new(format!("process type {name} was not found")))?;
    let command = with_arguments(metadata, process, arguments, platform)?;
    if !process.direct && command.len() > 1 && !process.buildpack_id.is_empty() {
        // LCH-28.
        buildpack_api(metadata, process)?;
    }
    Ok(Selection { kind: process.kind.clone(), command, direct: process.direct, working_dir: process.working_dir.clone() })
}

/// `-- program args` runs without a shell, `command args` in one (LCH-05). A lone `--` is no command (LCH-06).
fn user_command(arguments: &[String]) -> Result<Selection, Failure> {
    let (direct, command) = match arguments {
        [first, rest @ ..] if first == "--" => (true, rest),
        all => (false, all),
    };
    if command.is_empty() {
        return Err(Failure::new("when there is no default process a command is required"));
    }
    Ok(Selection { kind: String::new(), command: command.to_vec(), direct, working_dir: None })
}

/// LCH-07, LCH-08, LCH-09, LCH-10.
fn with_arguments(metadata: &BuildMetadata, process: &Process, arguments: &[String], platform: Api) -> Result<Vec<String>, Failure> {
    let mut command = process.command.clone();
    if platform < Api::new(0, 10) {
        command.extend(process.args.iter().chain(arguments).cloned());
        return Ok(command);
    }
    if arguments.is_empty() {
        command.extend(process.args.iter().cloned());
    } else if process.command.len() > 1 {
        command.extend(arguments.iter().cloned());
    } else {
        if buildpack_api(metadata, process)? < Api::new(0, 9) {
            command.extend(process.args.iter().cloned());
        }
        command.extend(arguments.iter().cloned());
    }
    Ok(command)
}

fn buildpack_api(metadata: &BuildMetadata, process: &Process) -> Result<Api, Failure> {
    let known = metadata.buildpacks.iter().find(|buildpack| escape_id(&buildpack.id) == escape_id(&process.buildpack_id));
    let known = known
        .ok_or_else(|| Failure::new(format!("process type '{}' provided by unknown buildpack '{}'", process.kind, process.buildpack_id)))?;
    Api::parse(&known.api)
        .filter(|api| BUILDPACK.contains(api))
        .ok_or_else(|| Failure { message: crate::launch::incompatible(&known.api), code: 12 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::GroupElement;

    const PLATFORM: Api = Api::new(0, 15);

    fn metadata(api: &str, process: Process) -> BuildMetadata {
        let buildpack = GroupElement { id: "a/b".into(), version: "1".into(), api: api.into(), homepage: None };
        BuildMetadata {
            buildpacks: vec![buildpack],
            processes: vec![Process { kind: "web".into(), buildpack_id: "a/b".into(), direct: true, ..process }],
            ..BuildMetadata::default()
        }
    }

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    /// LCH-07, LCH-08, LCH-09.
    #[test]
    fn user_arguments_follow_the_apis_rules() {
        let one = Process { command: list(&["a"]), args: list(&["c"]), ..Process::default() };
        let two = Process { command: list(&["a", "b"]), args: list(&["c"]), ..Process::default() };
        for (process, api, platform, user, expected) in [
            (&one, "0.12", PLATFORM, &[][..], &["a", "c"][..]),
            (&one, "0.12", PLATFORM, &["u"], &["a", "u"]),
            (&one, "0.8", PLATFORM, &["u"], &["a", "c", "u"]),
            (&two, "0.12", PLATFORM, &[], &["a", "b", "c"]),
            (&two, "0.12", PLATFORM, &["u"], &["a", "b", "u"]),
            (&one, "0.9", Api::new(0, 9), &["u"], &["a", "c", "u"]),
        ] {
            let selection = select(&metadata(api, process.clone()), "web", &list(user), platform, "production").unwrap();
            assert_eq!(selection.command, list(expected), "{api} {platform} {user:?}");
        }
    }

    /// LCH-02, LCH-04, LCH-05, LCH-06, LCH-10.
    #[test]
    fn names_environments_and_commands_of_the_user() {
        let test_only = Process { command: list(&["a"]), exec_env: list(&["test"]), ..Process::default() };
        let known = metadata("0.12", test_only);
        assert_eq!(select(&known, "web", &[], PLATFORM, "production").unwrap_err().message, "process type web was not found");
        assert!(select(&known, "web", &[], PLATFORM, "test").is_ok() && select(&known, "web", &[], Api::new(0, 14), "production").is_ok());
        assert!(select(&known, "launcher", &list(&["--", "x"]), PLATFORM, "production").unwrap().direct);
        assert!(!select(&known, "launcher", &list(&["x", "y"]), PLATFORM, "production").unwrap().direct);
        for nothing in [&[][..], &["--"]] {
            assert!(
                select(&known, "launcher", &list(nothing), PLATFORM, "production").unwrap_err().message.contains("a command is required")
            );
        }
        let mut unknown = metadata("0.12", Process { command: list(&["a"]), ..Process::default() });
        unknown.processes[0].buildpack_id = "other".into();
        assert_eq!(select(&unknown, "web", &list(&["u"]), PLATFORM, "production").unwrap_err().code, 82);
    }
}
