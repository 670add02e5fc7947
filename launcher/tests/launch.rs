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

/// LCH-13, LCH-18.
#[test]
fn files_named_as_the_process_are_programs_and_variables_as_any_other() {
    let image = Image::new(&web("['sh', '-c', 'echo $EXEC $web']"));
    image.file("layers/a_b/one/exec.d/web", "#!/bin/sh\necho 'EXEC = \"all\"' >&3\n").file("layers/a_b/one/env.launch/web", "variable");
    let output = image.run("web", &[]);
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), ("all variable\n", ""));
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

/// A launcher's image with one process of a type, as metadata of any age may have it.
fn process(api: &str, process: &str) -> Image {
    Image::new(&format!(
        "[[buildpacks]]\nid = 'a/b'\nversion = '1'\napi = '{api}'\n[[processes]]\ntype = 'web'\nbuildpack-id = 'a/b'\n{process}\n"
    ))
}

/// LCH-07, LCH-08, LCH-09, LCH-26: which arguments reach the program, by the APIs of buildpack and platform.
#[test]
fn arguments_follow_the_apis() {
    for (api, command, platform, user, expected) in [
        ("0.9", "command = ['echo']\nargs = ['x']\ndirect = true", "0.9", &["u"][..], "x u\n"),
        ("0.9", "command = ['echo', 'a']\nargs = ['x']\ndirect = true", "0.10", &[], "a x\n"),
        ("0.9", "command = ['echo', 'a']\nargs = ['x']\ndirect = true", "0.10", &["u"], "a u\n"),
        ("0.8", "command = ['echo']\nargs = ['x']\ndirect = true", "0.10", &["u"], "x u\n"),
        ("0.9", "command = ['echo']\nargs = ['x']\ndirect = true", "0.10", &["u"], "u\n"),
        ("0.9", "command = ['echo']\nargs = ['x']\ndirect = true", "0.10", &[], "x\n"),
        ("0.8", "command = 'echo $HOME && echo two'", "0.10", &[], "/home/it\ntwo\n"),
        ("0.8", "command = 'echo'\nargs = ['$HOME', 'a  \"b\"']", "0.10", &[], "/home/it a b\n"),
    ] {
        let image = process(api, command);
        let output = image.command("web", user).env("CNB_PLATFORM_API", platform).env("HOME", "/home/it").output().unwrap();
        assert_eq!(text(&output.stdout), expected, "{api} {command} {platform} {user:?} {}", text(&output.stderr));
    }
}

/// LCH-04, LCH-05, LCH-06, LCH-10, LCH-21, LCH-28, LCH-30: what cannot be started, and why.
#[test]
fn processes_that_cannot_be_chosen_are_refused() {
    let test_only = "command = ['true']\ndirect = true\nexec-env = ['test']";
    for (platform, exec_env, code) in [("0.15", "", 82), ("0.15", "test", 0), ("0.14", "", 0)] {
        let image = process("0.12", test_only);
        let output = image.command("web", &[]).env("CNB_PLATFORM_API", platform).env("CNB_EXEC_ENV", exec_env).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{platform} {exec_env} {}", text(&output.stderr));
    }
    let of_nobody = process("0.8", "command = 'echo'\nargs = ['x']");
    let metadata = std::fs::read_to_string(of_nobody.path("layers/config/metadata.toml")).unwrap();
    of_nobody.file("layers/config/metadata.toml", &metadata.replace("buildpack-id = 'a/b'", "buildpack-id = 'c'"));
    let output = of_nobody.run("web", &[]);
    assert!(output.status.code() == Some(82) && text(&output.stderr).contains("process type 'web' provided by unknown buildpack 'c'"));
    for (metadata, name, arguments, said) in [
        ("command = []\ndirect = true", "web", &[][..], "no command provided for process type \"web\""),
        ("command = ['true']\ndirect = true", "launcher", &[], "when there is no default process a command is required"),
        ("command = ['true']\ndirect = true", "launcher", &["--"], "when there is no default process a command is required"),
    ] {
        let output = process("0.12", metadata).run(name, arguments);
        assert!(output.status.code() == Some(82) && text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}

/// LCH-13, LCH-15, LCH-16, LCH-17, LCH-18, LCH-23, LCH-24: programs and profiles, layer by layer; links are no layers.
#[test]
fn programs_and_profiles_come_layer_by_layer() {
    let image = Image::new(&web("['true']").replace("direct = true", "direct = false").replace("['true']", "'echo $LOG; pwd'"));
    for layer in ["one", "two"] {
        for (folder, name) in [("exec.d", "e"), ("exec.d/web", "ew")] {
            image.file(&format!("layers/a_b/{layer}/{folder}/1"), &format!("#!/bin/sh\necho \"LOG = \\\"$LOG {layer}-{name}\\\"\" >&3\n"));
        }
        image.file(&format!("layers/a_b/{layer}/profile.d/p.sh"), &format!("export LOG=\"$LOG {layer}-p\"\n"));
        image.file(&format!("layers/a_b/{layer}/profile.d/web/p.sh"), &format!("export LOG=\"$LOG {layer}-pw\"\n"));
    }
    image.file("app/.profile", "export LOG=\"$LOG app\"\n");
    symlink(image.path("layers/a_b/one"), image.path("layers/a_b/three")).unwrap();
    let app = image.path("app").canonicalize().unwrap();
    let output = image.run("web", &[]);
    let expected = "one-e one-ew two-e two-ew one-p one-pw two-p two-pw app";
    assert_eq!(text(&output.stdout), format!("{expected}\n{}\n", app.display()), "{}", text(&output.stderr));
}

/// LCH-13, LCH-15, LCH-19: a relative program is found from the app's folder, and started in the process's own.
#[test]
fn relative_programs_are_those_of_the_app() {
    let image = process("0.12", "command = ['./bin/x', 'a']\ndirect = true\nworking-dir = '/'");
    image.file("app/bin/x", "#!/bin/sh\necho $0 $1 $(pwd)\n");
    let output = image.run("web", &[]);
    let program = image.path("app").join("./bin/x");
    assert_eq!(text(&output.stdout), format!("{} a /\n", program.display()), "{}", text(&output.stderr));
}

/// Arguments are bytes; LCH-33: nothing of a shell is needed where there is none.
#[test]
fn arguments_that_are_no_text_arrive_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let image = Image::new(&web("['/usr/bin/printf', '%s']"));
    let odd = std::ffi::OsStr::from_bytes(b"a\xffb");
    assert_eq!(image.command("web", &[]).arg(odd).env("PATH", "/nothing").output().unwrap().stdout, b"a\xffb");
    let direct = image.command("launcher", &["--", "printf", "%s|"]).arg(odd).output().unwrap();
    assert_eq!(direct.stdout, b"a\xffb|");
}

/// LCH-31, LCH-32: an image of nothing but the launcher, the app and the layers, and nothing said but the Platform API.
#[test]
fn an_image_needs_no_other_program_and_says_no_folder() {
    let process = |name: &str, environment: &str| {
        let command = "command = ['/cnb/lifecycle/launcher']\ndirect = true\nbuildpack-id = 'a/b'";
        format!("[[processes]]\ntype = '{name}'\nexec-env = ['{environment}']\n{command}\n")
    };
    let head = "[[buildpacks]]\nid = 'a/b'\nversion = '1'\napi = '0.12'\n";
    let image = Image::new(&format!("{head}{}{}", process("web", "production"), process("check", "test")));
    for folder in ["cnb/lifecycle", "cnb/process", "workspace"] {
        fs::create_dir_all(image.path(folder)).unwrap();
    }
    // Another thread's child would hold open for writing what this process copies itself.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_launcher")).arg(image.path("cnb/lifecycle/launcher")).status();
    assert!(copied.unwrap().success());
    for name in ["web", "check"] {
        symlink("/cnb/lifecycle/launcher", image.path("cnb/process").join(name)).unwrap();
    }
    let run = |name: &str, environment: &[(&str, &str)]| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--root"]).arg(image.path("")).arg(format!("/cnb/process/{name}"));
        command.env_clear().env("CNB_PLATFORM_API", "0.15").envs(environment.iter().copied());
        let output = command.output().unwrap();
        (output.status.code().unwrap(), text(&output.stderr))
    };
    // The only program that there is to start says that it is not told the Platform API, which is the launcher's own matter.
    let started = |name: &str, environment: &[(&str, &str)]| {
        let (code, said) = run(name, environment);
        (code == 11) && said.starts_with("ERROR: failed to get platform API version")
    };
    assert!(started("web", &[]), "{:?}", run("web", &[]));
    assert!(started("check", &[("CNB_EXEC_ENV", "test")]) && !started("check", &[]) && !started("web", &[("CNB_EXEC_ENV", "test")]));
    assert!(!started("web", &[("CNB_LAYERS_DIR", "/elsewhere")]) && !started("web", &[("CNB_APP_DIR", "/elsewhere")]));
    // What is a shell's needs one.
    fs::write(image.path("layers/config/metadata.toml"), web("['true']").replace("direct = true", "direct = false")).unwrap();
    assert_eq!(run("web", &[]), (82, "ERROR: failed to launch: exec \"/bin/bash\": No such file or directory (os error 2)\n".into()));
}
