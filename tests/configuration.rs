//! `cooper config`, and that what is configured has its effect; completions and manual pages.

use crate::support::builder::Builder;
use crate::support::{Machine, Registry, copied, repository, run, succeed, write};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A command of somebody whose home is a folder.
fn command(machine: &Machine, home: &Path, arguments: &[&str]) -> Command {
    let mut command = machine.command(arguments);
    command.env("HOME", home).env_remove("XDG_CONFIG_HOME");
    command
}

fn said(machine: &Machine, home: &Path, arguments: &[&str]) -> String {
    succeed(&mut command(machine, home, arguments))
}

fn refused(machine: &Machine, home: &Path, arguments: &[&str]) -> String {
    let output = run(&mut command(machine, home, arguments));
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// CLI-47.
#[test]
fn everything_can_be_set_listed_and_unset() {
    let (machine, home) = (Machine::shared(), tempfile::tempdir().unwrap());
    let home = home.path();
    let config = |arguments: &[&str]| said(&machine, home, &[&["config"], arguments].concat());
    for (key, value) in [("default-builder", "acme/builder"), ("pull-policy", "hourly"), ("lifecycle-image", "acme/lifecycle")] {
        config(&[key, value]);
        assert_eq!(config(&[key]), format!("{value}\n"));
        config(&[key, "--unset"]);
        assert_eq!(config(&[key]), "");
    }
    assert_eq!(config(&["experimental"]), "false\n");
    config(&["experimental", "true"]);
    assert_eq!(config(&["experimental"]), "true\n");

    config(&["trusted-builders", "add", "acme/builder"]);
    config(&["trusted-builders", "add", "acme/another"]);
    config(&["trusted-builders", "add", "docker.io/acme/builder:latest"]);
    assert_eq!(config(&["trusted-builders"]), "acme/another\nacme/builder\n");
    config(&["trusted-builders", "remove", "acme/another"]);

    config(&["run-image-mirrors", "add", "acme/run", "-m", "a.test/run", "-m", "b.test/run,c.test/run"]);
    config(&["run-image-mirrors", "remove", "acme/run", "--mirror", "b.test/run"]);
    assert_eq!(config(&["run-image-mirrors", "list"]), "acme/run\n  a.test/run\n  c.test/run\n");
    assert_eq!(config(&["run-image-mirrors", "list", "acme/other"]), "");

    config(&["registry-mirrors", "add", "*", "-m", "mirror.test"]);
    assert_eq!(config(&["registry-mirrors", "list"]), "* mirror.test\n");

    config(&["registries", "add", "mine", "https://acme.test/index", "--type", "git", "--default"]);
    let expected = "  official  https://github.com/buildpacks/registry-index\n* mine      https://acme.test/index\n";
    assert_eq!(config(&["registries", "list"]), expected);
    assert_eq!(config(&["registries", "default"]), "mine\n");
    let text = fs::read_to_string(home.join(".config/cooper/config.toml")).unwrap();
    let expected = "experimental = true\ndefault-registry = \"mine\"\n\n[[trusted-builders]]\nname = \"acme/builder\"\n\n\
                    [[run-images]]\nimage = \"acme/run\"\nmirrors = [\"a.test/run\", \"c.test/run\"]\n\n\
                    [registry-mirrors]\n\"*\" = \"mirror.test\"\n\n\
                    [[registries]]\nname = \"mine\"\ntype = \"git\"\nurl = \"https://acme.test/index\"\n";
    assert_eq!(text, expected);
    assert_eq!(config(&[]), expected);
    config(&["registries", "remove", "mine"]);
    assert_eq!(config(&["registries", "default"]), "official\n");
}

/// CLI-47.
#[test]
fn what_makes_no_sense_is_not_written() {
    let (machine, home) = (Machine::shared(), tempfile::tempdir().unwrap());
    let error = |arguments: &[&str]| refused(&machine, home.path(), &[&["config"], arguments].concat());
    for (arguments, words) in [
        (vec!["pull-policy", "sometimes"], "is no pull policy"),
        (vec!["default-builder", "A builder"], "cannot be a builder"),
        (vec!["trusted-builders", "remove", "none"], "`cooper config trusted-builders list`"),
        (vec!["run-image-mirrors", "remove", "none"], "no mirrors of `none`"),
        (vec!["run-image-mirrors", "add", "x"], "--mirror"),
        (vec!["registry-mirrors", "add", "x", "-m", "no mirror"], "makes no sense"),
        (vec!["registries", "add", "official", "x"], "already"),
        (vec!["registries", "remove", "official"], "cannot be removed"),
        (vec!["registries", "default", "none"], "no registry `none`"),
    ] {
        assert!(error(&arguments).contains(words), "{arguments:?}: {}", error(&arguments));
    }
    assert!(!home.path().join(".config").exists());
    write(&home.path().join(".config/cooper/config.toml"), "pull-policy = 1\n");
    let text = error(&["default-builder", "x"]);
    assert!(text.contains("correct the file by hand") && text.contains("config.toml"), "{text}");
}

/// CLI-26, CLI-27, CLI-47, PRJ-09.
#[test]
fn what_is_configured_has_its_effect() {
    let (machine, folder, home) = (Machine::shared(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (builder, registry) = (Builder::new(&machine, folder.path()), Registry::start());
    let mirror = format!("{}/mirror/run", registry.host());
    let run_image = format!("store://{}", builder.run_image);
    succeed(&mut machine.command(&["copy", &run_image, &format!("docker://{mirror}")]));
    let home = home.path();
    let config = |arguments: &[&str]| said(&machine, home, &[&["config"], arguments].concat());
    config(&["default-builder", &builder.name()]);
    config(&["run-image-mirrors", "add", &builder.run_image, "-m", &mirror]);
    let app = repository("fixtures/builder/app");
    let build = |more: &[&str]| {
        let arguments = [&["build", "configured", "--path", app.to_str().unwrap(), "--env", "USER_SETS=user"], more].concat();
        let output = run(&mut command(&machine, home, &arguments));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let volume = format!("{}:/data", folder.path().display());
    let text = build(&["--volume", &volume]);
    assert!(text.contains("acme/new") && text.contains("none that you trust"), "{text}");
    assert!(!build(&["--volume", &volume, "--trust-builder"]).contains("none that you trust"));
    let inspected = said(&machine, home, &["inspect", "configured", "--output", "json"]);
    assert!(inspected.contains(&format!("{mirror}@sha256:")), "{inspected}");
}

/// CLI-01, CLI-02, CLI-04, CLI-05, CLI-06, PRJ-16.
#[test]
fn buildpacks_come_from_folders_files_images_and_registries() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let here = folder.path();
    for id in ["one", "two"] {
        let bin = |name: &str| here.join(id).join("bin").join(name);
        write(&here.join(id).join("buildpack.toml"), &format!("api = '0.10'\n[buildpack]\nid = 'acme/{id}'\nversion = '1.0.0'\n"));
        write(&bin("detect"), "#!/bin/sh\nexit 0\n");
        write(&bin("build"), &format!("#!/bin/sh\necho {id} >> trace.txt\n"));
    }
    succeed(Command::new("tar").arg("-czf").arg(here.join("two.tgz")).arg("-C").arg(here.join("two")).arg("."));
    let app = copied("procfile");
    let trace = |more: &[&str]| {
        machine.built("elsewhere-packs", app.path(), more);
        succeed(&mut machine.command(&["run", "elsewhere-packs", "--entrypoint", "launcher", "--", "cat", "/workspace/trace.txt"]))
    };
    let (one, two) = (here.join("one").display().to_string(), here.join("two.tgz").display().to_string());
    assert_eq!(trace(&["--buildpack", &format!("{one},{two},cooper/procfile")]), "one\ntwo\n");
    assert_eq!(trace(&["--buildpack", &two, "--buildpack", "from=builder", "--buildpack", &format!("file://{one}")]), "two\none\n");
    assert_eq!(trace(&["--pre-buildpack", &two, "--post-buildpack", &one]), "two\none\n");
    // A folder with a package.toml brings what it is composed of.
    let order = "[[order]]\n[[order.group]]\nid = 'acme/two'\nversion = '1.0.0'\n[[order.group]]\nid = 'acme/one'\nversion = '1.0.0'\n";
    write(&here.join("both/buildpack.toml"), &format!("api = '0.10'\n[buildpack]\nid = 'acme/both'\nversion = '1.0.0'\n{order}"));
    write(
        &here.join("both/package.toml"),
        "[buildpack]\nuri = '.'\n[[dependencies]]\nuri = '../one'\n[[dependencies]]\nuri = '../two.tgz'\n",
    );
    assert_eq!(trace(&["--buildpack", &here.join("both").display().to_string(), "--buildpack", "cooper/procfile"]), "two\none\n");
    // Paths in a project file start from its folder.
    write(
        &here.join("other.toml"),
        "[_]\nschema-version = '0.2'\n[[io.buildpacks.pre.group]]\nuri = './one'\n[[io.buildpacks.post.group]]\nuri = 'two.tgz'\n",
    );
    assert_eq!(trace(&["--descriptor", here.join("other.toml").to_str().unwrap()]), "one\ntwo\n");
    for id in ["left", "right"] {
        write(&here.join(id).join("extension.toml"), &format!("api = '0.10'\n[extension]\nid = 'acme/{id}'\nversion = '1.0.0'\n"));
        write(&here.join(id).join("bin/detect"), "#!/bin/sh\nexit 0\n");
    }
    let (left, right) = (here.join("left").display().to_string(), here.join("right").display().to_string());
    let extended = ["build", "extended", "--path", app.path().to_str().unwrap(), "--extension", &left, "--extension", &right];
    let output = machine.run(&extended);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("acme/left") && said.contains("acme/right"), "{said}");
    let output = machine.run(&["build", "none", "--path", app.path().to_str().unwrap(), "--extension", &one]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("it is the buildpack `acme/one@1.0.0`") && error.contains("--buildpack"), "{error}");
}

#[test]
fn shells_complete_and_manuals_are_whole() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    for (shell, words) in
        [("bash", "_cooper()"), ("zsh", "#compdef cooper"), ("fish", "complete -c cooper"), ("powershell", "Register-ArgumentCompleter")]
    {
        let script = succeed(&mut machine.command(&["completion", "--shell", shell]));
        assert!(script.contains(words) && script.contains("list-inputs"), "{shell}");
    }
    let script = folder.path().join("cooper.bash");
    fs::write(&script, succeed(&mut machine.command(&["completion"]))).unwrap();
    succeed(Command::new("bash").arg("-n").arg(&script));
    succeed(&mut machine.command(&["man", "--output-dir", folder.path().to_str().unwrap()]));
    let page = fs::read_to_string(folder.path().join("cooper-config-default-builder.1")).unwrap();
    assert!(page.contains(".TH") && page.contains("unset"), "{page}");
    assert!(succeed(&mut machine.command(&["man"])).contains("Cloud Native Buildpacks"));
}

#[test]
fn a_report_hides_names_unless_it_is_explicit() {
    let (machine, home) = (Machine::shared(), tempfile::tempdir().unwrap());
    write(&home.path().join(".config/cooper/config.toml"), "default-builder-image = 'secret.test/builder'\n");
    let report = |more: &[&str]| said(&machine, home.path(), &[&["report"], more].concat());
    assert!(report(&[]).contains("default-builder-image = '[hidden]'") && !report(&[]).contains("secret"));
    let explicit = report(&["--explicit"]);
    assert!(explicit.contains("secret.test/builder") && explicit.contains(env!("CARGO_PKG_VERSION")), "{explicit}");
    assert_eq!(succeed(&mut machine.command(&["version"])), format!("{}\n", env!("CARGO_PKG_VERSION")));
    assert!(succeed(&mut machine.command(&["stack", "suggest"])).contains("run image"));
}
