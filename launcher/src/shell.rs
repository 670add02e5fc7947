//! The script of processes that start in a shell: it sources profiles, changes to the working directory, and runs the command.

use std::path::{Path, PathBuf};

/// The script for `/bin/bash -c`; the command comes as `$1` and its arguments after it (LCH-22 to LCH-26).
pub(crate) fn script(profiles: &[PathBuf], working_dir: &Path, arguments: usize) -> String {
    let mut script = String::new();
    for profile in profiles {
        script.push_str(&format!("source {}\n", quoted(profile)));
    }
    script.push_str(&format!("cd {}\n", quoted(working_dir)));
    if arguments == 0 {
        script.push_str("exec bash -c \"$@\"\n");
    } else {
        let tokens: Vec<String> = (0..=arguments).map(|at| format!("\"$(eval echo \\\"${{{at}}}\\\")\"")).collect();
        script.push_str(&format!("exec bash -c '{}' \"${{@:1}}\"\n", tokens.join(" ")));
    }
    script
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(command: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let profile = folder.path().join("it's a profile");
        std::fs::write(&profile, "export FOO='from profile'\n").unwrap();
        let script = script(&[profile], folder.path(), command.len() - 1);
        let output = Command::new("/bin/bash").args(["-c", &script, "launcher"]).args(command).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// LCH-23, LCH-25, LCH-26.
    #[test]
    fn commands_are_parsed_and_arguments_expanded() {
        assert_eq!(run(&["echo $FOO && echo two"]), "from profile\ntwo\n");
        assert_eq!(run(&["printf", "%s|", "$FOO", "a b"]), "from profile|a b|");
    }
}
