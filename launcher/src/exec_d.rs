//! exec.d programs: each may add variables to the launch environment (CNB Buildpack Specification, exec.d).

use crate::Failure;
use crate::environment::{Environment, can_be_variable, entries};
use std::io::{PipeReader, PipeWriter, Read, pipe};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// The descriptor that a program writes variables to.
const OUTPUT: i32 = 3;
/// More than the kernel hands to any program.
const LARGEST_OUTPUT: u64 = 4 << 20;

/// Runs the programs in `folder` in order of their names; each sees what the one before it set (LCH-13 to LCH-15).
pub(crate) fn run_all(folder: &Path, environment: &mut Environment) -> Result<(), Failure> {
    for program in entries(folder).map_err(|error| Failure::new(error.to_string()))? {
        if !program.is_dir() {
            let describe =
                |error: &dyn std::fmt::Display| Failure::new(format!("failed to exec.d file at path '{}': {error}", program.display()));
            let output = run(&program, environment).map_err(|error| describe(&error))?;
            let variables = parse(&output).map_err(|error| describe(&error))?;
            variables.into_iter().for_each(|(name, value)| environment.set(name, value));
        }
    }
    Ok(())
}

fn run(program: &Path, environment: &Environment) -> std::io::Result<String> {
    let (mut reader, writer): (PipeReader, PipeWriter) = pipe()?;
    let mut command = Command::new(program);
    command.env_clear().envs(environment.variables());
    let descriptor = writer.as_raw_fd();
    let give_output = move || {
        // SAFETY: dup2 and fcntl may be called between fork and exec; they touch nothing but descriptors, and `descriptor` is open in
        // the child because `writer` lives until after the spawn. Where it is the wanted one already, only close-on-exec is taken off.
        let given = unsafe { if descriptor == OUTPUT { libc::fcntl(OUTPUT, libc::F_SETFD, 0) } else { libc::dup2(descriptor, OUTPUT) } };
        if given < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: the closure only makes the two system calls above, which are safe between fork and exec.
    unsafe { command.pre_exec(give_output) };
    let mut child = command.spawn()?;
    drop(writer);
    let mut output = String::new();
    let read = (&mut reader).take(LARGEST_OUTPUT + 1).read_to_string(&mut output);
    // Whoever writes more is told so by the closed pipe.
    drop(reader);
    let status = child.wait()?;
    read?;
    if output.len() as u64 > LARGEST_OUTPUT {
        return Err(std::io::Error::other(format!("it wrote more than {LARGEST_OUTPUT} bytes of variables")));
    }
    if status.success() { Ok(output) } else { Err(std::io::Error::other(status.to_string())) }
}

/// Top-level pairs of strings (LCH-14).
pub(crate) fn parse(output: &str) -> Result<Vec<(String, String)>, String> {
    let table: toml::Table = toml::from_str(output).map_err(|error| error.message().to_string())?;
    let text = |(name, value): (String, toml::Value)| match value {
        toml::Value::String(value) if can_be_variable(name.as_ref()) && !value.contains('\0') => Ok((name, value)),
        toml::Value::String(_) => Err(format!("`{}` cannot be a variable", name.escape_debug())),
        _ => Err(format!("the value of `{name}` is not a string")),
    };
    table.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(scripts: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    /// LCH-13, LCH-14, LCH-15.
    #[test]
    fn programs_set_variables_for_the_next_one() {
        let folder = folder(&[("1-first", "echo 'A = \"1\"' >&3"), ("2-second", "echo \"B = \\\"$A$A\\\"\" >&3")]);
        let mut environment = Environment::for_launch(std::env::vars_os());
        run_all(folder.path(), &mut environment).unwrap();
        assert_eq!(environment.get("B").unwrap(), "11");
        for bad in [
            "echo 'A = 1' >&3",
            "exit 3",
            "echo nonsense >&3",
            "echo '\"A=B\" = \"x\"' >&3",
            "echo '\"\" = \"x\"' >&3",
            "echo '[A]' >&3",
            r#"printf 'A = "\\u0000"\n' >&3"#,
            "head -c 9000000 /dev/zero >&3",
            "exec cat /dev/zero >&3",
        ] {
            let failure = run_all(self::folder(&[("x", bad)]).path(), &mut environment).unwrap_err();
            assert_eq!(failure.code, 82, "{bad}");
        }
    }
}
