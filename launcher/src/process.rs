//! Which process to start, from the name that the launcher runs under, its arguments, and the image's metadata.

use crate::api::{Api, BUILDPACK};
use crate::metadata::{BuildMetadata, Process};
use crate::{Failure, escape_id};
use std::ffi::OsString;

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The process's type; empty for a command of the user's.
    pub kind: String,
    /// Program and arguments.
    pub command: Vec<OsString>,
    /// Whether to start it without a shell.
    pub direct: bool,
    /// Where it starts, if not in the app's folder.
    pub working_dir: Option<String>,
}

/// Chooses the process. `name` is the base name of the launcher's own path, `arguments` come after it.
///
/// # Errors
/// When there is no such process, or no command.
pub fn select(metadata: &BuildMetadata, name: &str, arguments: &[OsString], platform: Api, exec_env: &str) -> Result<Selection, Failure> {
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
fn user_command(arguments: &[OsString]) -> Result<Selection, Failure> {
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
fn with_arguments(metadata: &BuildMetadata, process: &Process, arguments: &[OsString], platform: Api) -> Result<Vec<OsString>, Failure> {
    let own = |words: &[String]| words.iter().map(OsString::from).collect::<Vec<_>>();
    if platform < Api::new(0, 10) {
        // LCH-27: for a shell the command is one text.
        let command = if process.direct { own(&process.command) } else { vec![process.command.join(" ").into()] };
        return Ok([command, own(process.args.as_deref().unwrap_or_default()), arguments.to_vec()].concat());
    }
    let keeps_own = arguments.is_empty() || (process.command.len() <= 1 && buildpack_api(metadata, process)? < Api::new(0, 9));
    let args = if keeps_own { own(process.args.as_deref().unwrap_or_default()) } else { Vec::new() };
    Ok([own(&process.command), args, arguments.to_vec()].concat())
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

    fn list<T: for<'a> From<&'a str>>(words: &[&str]) -> Vec<T> {
        words.iter().map(|word| T::from(word)).collect()
    }

    /// LCH-07, LCH-08, LCH-09, LCH-27.
    #[test]
    fn user_arguments_follow_the_apis_rules() {
        let one = Process { command: list(&["a"]), args: Some(list(&["c"])), ..Process::default() };
        let two = Process { command: list(&["a", "b"]), args: Some(list(&["c"])), ..Process::default() };
        for (process, api, platform, user, expected) in [
            (&one, "0.12", PLATFORM, &[][..], &["a", "c"][..]),
            (&one, "0.12", PLATFORM, &["u"], &["a", "u"]),
            (&one, "0.8", PLATFORM, &["u"], &["a", "c", "u"]),
            (&two, "0.12", PLATFORM, &[], &["a", "b", "c"]),
            (&two, "0.12", PLATFORM, &["u"], &["a", "b", "u"]),
            (&one, "0.9", Api::new(0, 9), &["u"], &["a", "c", "u"]),
        ] {
            let selection = select(&metadata(api, process.clone()), "web", &list(user), platform, "production").unwrap();
            assert_eq!(selection.command, list::<OsString>(expected), "{api} {platform} {user:?}");
        }
        let mut in_shell = metadata("0.8", two);
        in_shell.processes[0].direct = false;
        let selection = select(&in_shell, "web", &list(&["u"]), Api::new(0, 9), "production").unwrap();
        assert_eq!(selection.command, list::<OsString>(&["a b", "c", "u"]));
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
