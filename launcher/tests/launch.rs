//! The launcher as a container starts it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Image(tempfile::TempDir);

impl Image {
    fn new(metadata: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for path in ["layers/config", "app", "process"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        fs::write(folder.path().join("layers/config/metadata.toml"), metadata).unwrap();
        for name in ["web", "launcher"] {
            symlink(env!("CARGO_BIN_EXE_launcher"), folder.path().join("process").join(name)).unwrap();
        }
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        if content.starts_with("#!") {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        self
    }

    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("process").join(name));
        command.args(arguments).env_clear().env("PATH", "/cnb/process:/usr/bin:/bin").env("CNB_PLATFORM_API", "0.15");
        command.env("CNB_LAYERS_DIR", self.path("layers")).env("CNB_APP_DIR", self.path("app"));
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.command(name, arguments).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn web(command: &str) -> String {
    format!(
        "[[buildpacks]]\nid = 'a/b'\nversion = '1'\napi = '0.12'\n[[processes]]\ntype = 'web'\ncommand = {command}\ndirect = true\nbuildpack-id = 'a/b'\n"
    )
}

/// LCH-02, LCH-11, LCH-12, LCH-16, LCH-19, LCH-21, LCH-29, ENV-21, ENV-25.
#[test]
fn a_process_sees_its_layers_and_replaces_the_launcher() {
    let image = Image::new(&web("['sh', '-c', 'echo $$ $VALUE $EXEC $(pwd) ${CNB_APP_DIR:-hidden}; tool; exit 7']"));
    image.file("layers/a_b/one/bin/tool", "#!/bin/sh\necho tool $0\n");
    image
        .file("layers/a_b/one/env/VALUE", "env")
        .file("layers/a_b/one/env.launch/VALUE.append", "+launch")
        .file("layers/a_b/one/env.launch/web/VALUE.append", "+web");
    image
        .file("layers/a_b/one/exec.d/1", "#!/bin/sh\necho 'EXEC = \"all\"' >&3\n")
        .file("layers/a_b/one/exec.d/web/1", "#!/bin/sh\necho \"EXEC = \\\"$EXEC+web\\\"\" >&3\n");
    let child = image.command("web", &[]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    let app = image.path("app").canonicalize().unwrap();
    let tool = image.path("layers/a_b/one/bin/tool");
    assert_eq!(text(&output.stdout), format!("{pid} env+launch+web all+web {} hidden\ntool {}\n", app.display(), tool.display()));
    assert_eq!(output.status.code(), Some(7));
}

/// LCH-05, LCH-22 to LCH-25.
#[test]
fn commands_of_the_user_run_in_a_shell_or_directly() {
    let image = Image::new(&web("['true']"));
    image.file("layers/a_b/one/profile.d/p.sh", "export FROM=layer\n").file("app/.profile", "export FROM=$FROM+app\n");
    assert_eq!(text(&image.run("launcher", &["echo $FROM"]).stdout), "layer+app\n");
    assert_eq!(text(&image.run("launcher", &["--", "echo", "$FROM"]).stdout), "$FROM\n");
}

/// API-05, API-06, API-07, LCH-01, LCH-03, LCH-20, LCH-30, EXIT-06.
#[test]
fn what_cannot_be_launched_says_why() {
    let image = Image::new(&web("['no-such-program']"));
    let run = |change: &dyn Fn(&mut Command)| {
        let mut command = image.command("web", &[]);
        change(&mut command);
        let output = command.output().unwrap();
        (output.status.code().unwrap(), text(&output.stderr))
    };
    let (code, said) = run(&|_| ());
    assert_eq!(
        (code, said.as_str()),
        (82, "ERROR: failed to launch: path lookup: exec: \"no-such-program\": executable file not found in $PATH\n")
    );
    for api in ["0.6", "0.16", "x", ""] {
        assert_eq!(
            run(&|command| {
                command.env("CNB_PLATFORM_API", api);
            })
            .0,
            11,
            "{api}"
        );
    }
    assert_eq!(
        run(&|command| {
            command.env("CNB_LAYERS_DIR", "/none");
        })
        .0,
        1
    );
    assert_eq!(
        run(&|command| {
            command.env("CNB_APP_DIR", "/none");
        })
        .0,
        82
    );
    assert!(
        run(&|command| {
            command.env("CNB_PROCESS_TYPE", "web");
        })
        .1
        .contains("CNB_PROCESS_TYPE is not supported in Platform API 0.15")
    );
    let old = Image::new(&web("['true']").replace("0.12", "0.1"));
    assert_eq!(old.run("web", &[]).status.code(), Some(12));
    assert!(Path::new("/bin/bash").exists(), "the shell tests need bash");
}
