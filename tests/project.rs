//! What the authors of an app say of its build: `project.toml`, `.cooperignore`; and what a user says instead.

use crate::support::{Machine, copied, repository, succeed, write};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What a build says, which must succeed or must not.
fn build(machine: &Machine, app: &Path, name: &str, more: &[&str]) -> Result<String, String> {
    let arguments = [&["build", name, "--path", app.to_str().unwrap()], more].concat();
    let output = machine.run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

fn files(machine: &Machine, name: &str, folder: &str) -> String {
    let list = format!("cd {folder} && find . -type f | sort | tr '\\n' ' '");
    succeed(&mut machine.command(&["run", name, "--entrypoint", "launcher", "--", "sh", "-c", &list]))
}

const INLINE: &str = "[_]\nschema-version = '0.2'\n[io.buildpacks]\nexclude = ['*.env']\n\
    [[io.buildpacks.build.env]]\nname = 'GREETING'\nvalue = 'of the project'\n\
    [[io.buildpacks.build.env]]\nname = 'OTHER'\nvalue = 'kept'\n\
    [[io.buildpacks.group]]\nid = 'acme/first'\nscript = { api = '0.10', inline = 'echo \"$GREETING, $OTHER\" > first.txt' }\n\
    [[io.buildpacks.group]]\nid = 'cooper/procfile'\n";

/// PRJ-05, PRJ-07, PRJ-12, PRJ-13, PRJ-17, PRJ-21, CLI-04, CLI-51.
#[test]
fn a_project_file_says_what_is_built_and_how() {
    let (machine, app) = (Machine::shared(), copied("procfile"));
    machine.prepare();
    write(&app.path().join("project.toml"), INLINE);
    write(&app.path().join("secret.env"), "x");
    write(&app.path().join("logs/old.log"), "x");
    write(&app.path().join(".cooperignore"), "logs\n");
    let said = build(&machine, app.path(), "project", &["--env", "GREETING=of the user"]).unwrap();
    for words in ["===> DETECTING\n", "[detector] acme/first", "[detector] cooper/procfile", "===> BUILDING\n", "[builder] "] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(files(&machine, "project", "/workspace"), "./.cooperignore ./Procfile ./first.txt ./project.toml ");
    let first = succeed(&mut machine.command(&["run", "project", "--entrypoint", "launcher", "--", "cat", "/workspace/first.txt"]));
    assert_eq!(first, "of the user, kept\n");
    // The option is instead of the group.
    let said = build(&machine, app.path(), "project", &["--buildpack", "cooper/procfile@0.1.0"]).unwrap();
    assert!(!said.contains("acme/first"), "{said}");
}

/// PRJ-01, PRJ-09.
#[test]
fn a_project_file_elsewhere_must_be_there() {
    let (machine, app) = (Machine::shared(), copied("procfile"));
    let error = build(&machine, app.path(), "elsewhere", &["--descriptor", "/no/such.toml"]).unwrap_err();
    assert!(error.contains("cannot read the project file `/no/such.toml`"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.toml");
    write(&file, "[_]\nschema-version = '0.2'\n[io.buildpacks]\nbuilder = 'acme/nowhere'\n");
    let file = file.to_str().unwrap();
    let error = build(&machine, app.path(), "elsewhere", &["--descriptor", file, "--offline"]).unwrap_err();
    assert!(error.contains("there is no builder `acme/nowhere`"), "{error}");
    machine.prepare();
    build(&machine, app.path(), "elsewhere", &["--descriptor", file, "--builder", "trixie"]).unwrap();
}

/// PRJ-14, PRJ-15, CLI-04.
#[test]
fn groups_are_framed_and_spliced_in_the_order_in_which_they_are_written() {
    let (machine, app) = (Machine::shared(), copied("procfile"));
    machine.prepare();
    let inline = |place: &str, id: &str| {
        format!("[[io.buildpacks.{place}]]\nid = 'acme/{id}'\nscript = {{ api = '0.10', inline = 'echo {id} >> trace.txt' }}\n")
    };
    let places = [("pre.group", "one"), ("pre.group", "two"), ("post.group", "three")];
    let framed: String = places.iter().map(|(place, id)| inline(place, id)).collect();
    write(&app.path().join("project.toml"), &format!("[_]\nschema-version = '0.2'\n{framed}"));
    build(&machine, app.path(), "framed", &[]).unwrap();
    let trace = || succeed(&mut machine.command(&["run", "framed", "--entrypoint", "launcher", "--", "cat", "/workspace/trace.txt"]));
    assert_eq!(trace(), "one\ntwo\nthree\n");
    let spliced = format!("{}[[io.buildpacks.group]]\nuri = 'from=builder'\n{}", inline("group", "before"), inline("group", "after"));
    write(&app.path().join("project.toml"), &format!("[_]\nschema-version = '0.2'\n{spliced}"));
    build(&machine, app.path(), "framed", &[]).unwrap();
    assert_eq!(trace(), "before\nafter\n");
}

/// CLI-22.
#[test]
fn a_zip_is_built_as_its_folder_is() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let source = repository("fixtures/apps/procfile");
    let zip = folder.path().join("app.zip");
    let program = "import shutil, sys; shutil.make_archive(sys.argv[1][:-4], 'zip', sys.argv[2])";
    succeed(Command::new("python3").args(["-c", program]).arg(&zip).arg(&source));
    let digest = machine.built("zipped", &source, &[]);
    assert_eq!(machine.built("zipped", &zip, &[]), digest);
    assert!(build(&machine, &source.join("Procfile"), "zipped", &[]).unwrap_err().contains("neither a folder nor a zip file"));
}

/// PRJ-07.
#[test]
fn inputs_are_listed_with_their_sizes_and_the_rules() {
    let (machine, app) = (Machine::shared(), tempfile::tempdir().unwrap());
    for (name, text) in [("main.py", "print()"), ("node_modules/a/b.js", "x"), ("logs/a.log", "x"), ("logs/keep.log", "xy"), (".env", "x")]
    {
        write(&app.path().join(name), text);
    }
    write(&app.path().join("project.toml"), "[_]\nschema-version='0.2'\n[io.buildpacks]\nexclude=['.env']\n");
    write(&app.path().join(".cooperignore"), "# dependencies\nnode_modules\n*.log\n!keep.log\n");
    let list = |more: &[&str]| {
        succeed(&mut machine.command(&[&["build", "--list-inputs", "--path", app.path().to_str().unwrap()], more].concat()))
    };
    let expected = "      44 B  .cooperignore\n       2 B  logs/keep.log\n       7 B  main.py\n      58 B  project.toml\n     111 B  in 4 files\n\n\
                    left out\n  .env           exclude of project.toml: .env\n  logs/a.log     .cooperignore: *.log\n  node_modules/  .cooperignore: node_modules\n";
    assert_eq!(list(&[]), expected);
    assert_eq!(list(&["--quiet"]), ".cooperignore\nlogs/keep.log\nmain.py\nproject.toml\n");
}

/// CLI-56.
#[test]
fn an_image_says_which_commit_it_was_built_of() {
    let (machine, app) = (Machine::shared(), copied("procfile"));
    machine.prepare();
    let git = |arguments: &[&str]| {
        succeed(Command::new("git").current_dir(&app).args(["-c", "user.name=a", "-c", "user.email=a"]).args(arguments))
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "one"]);
    write(&app.path().join(".cooperignore"), ".git\n");
    machine.built("committed", app.path(), &[]);
    let config = machine.config("committed");
    let label: Value = serde_json::from_str(config["config"]["Labels"]["io.buildpacks.project.metadata"].as_str().unwrap()).unwrap();
    assert_eq!(label["source"]["version"]["commit"], git(&["rev-parse", "HEAD"]).trim());
    assert_eq!(files(&machine, "committed", "/workspace"), "./.cooperignore ./Procfile ");
}

/// CLI-14, CLI-24, CLI-33, CLI-36, CLI-37.
#[test]
fn the_sandbox_the_times_and_the_files_of_a_build_are_the_users() {
    let (machine, app, out) = (Machine::shared(), copied("procfile"), tempfile::tempdir().unwrap());
    machine.prepare();
    let script = "id -u; pwd; cat /data/file; echo $CNB_EXEC_ENV; touch /data/no 2>/dev/null || echo read-only";
    let text = format!("[[io.buildpacks.pre.group]]\nid = 'acme/look'\nscript = {{ api = '0.10', inline = '''{script}''' }}\n");
    write(&app.path().join("project.toml"), &format!("[_]\nschema-version = '0.2'\n{text}"));
    write(&out.path().join("data/file"), "of this machine\n");
    let (volume, folder) = (format!("{}:/data", out.path().join("data").display()), out.path().display().to_string());
    let given =
        ["--volume", &volume, "--workspace", "/app", "--uid", "1234", "--exec-env", "test", "--creation-time", "2001-02-03T04:05:06Z"];
    let written = ["--report-output-dir", &format!("{folder}/report"), "--sbom-output-dir", &format!("{folder}/sbom")];
    let said = build(&machine, app.path(), "sandboxed", &[given.as_slice(), &written].concat()).unwrap();
    for line in ["1234", "/app", "of this machine", "test", "read-only"] {
        assert!(said.lines().any(|found| found.trim_end().ends_with(line)), "{line}: {said}");
    }
    assert_eq!(machine.config("sandboxed")["created"], "2001-02-03T04:05:06Z");
    let report = fs::read_to_string(out.path().join("report/report.toml")).unwrap();
    assert!(report.contains("digest = \"sha256:") && report.contains("tags = [\"sandboxed\"]"), "{report}");
    assert!(out.path().join("sbom/launch/buildpacksio_lifecycle/launcher/sbom.cdx.json").is_file());
    assert!(files(&machine, "sandboxed", "/app").contains("./Procfile"));
}

/// CLI-11, CLI-13.
#[test]
fn a_cache_is_kept_where_the_user_says() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let source = repository("fixtures/apps/python-flask");
    let cache = format!("type=build;format=bind;source={}", folder.path().display());
    let again = || build(&machine, &source, "kept", &["--cache", &cache]).unwrap();
    let first = again();
    assert!(folder.path().join("build-cache/committed").is_dir(), "{first}");
    drop(machine.run(&["rmi", "kept"]));
    let second = again();
    assert!(second.contains("Restoring data") && !first.contains("Restoring data"), "{second}");
    let cleared = build(&machine, &source, "kept", &["--cache", &cache, "--clear-cache"]).unwrap();
    assert!(!cleared.contains("Restoring data"), "{cleared}");
    let error = build(&machine, &source, "kept", &["--cache", "type=build;format=tape"]).unwrap_err();
    assert!(error.contains("the format `tape` is unknown") && error.contains("hint: write `type=build"), "{error}");
}

/// CLI-09.
#[test]
fn what_cannot_be_is_refused_and_what_is_needless_is_said() {
    let (machine, app) = (Machine::shared(), copied("procfile"));
    machine.prepare();
    for (arguments, words) in [
        (vec!["--buildpack", "urn:cnb:builder:acme/none"], "the builder does not have `acme/none`"),
        (vec!["--buildpack", "./nowhere"], "there is no `././nowhere`"),
        (vec!["--buildpack", "from=builder", "--buildpack", "from=builder"], "named twice"),
        (vec!["--buildpack", "cooper/procfile", "--pre-buildpack", "x"], "no effect beside `--buildpack`"),
        (vec!["--volume", "name:/data"], "would be a volume of an engine"),
        (vec!["--network", "bridge"], "no engine whose networks"),
        (vec!["--exec-env", "a/b"], "cannot be an execution environment"),
        (vec!["--creation-time", "soon"], "no time of creation"),
        (vec!["--interactive"], "there is no terminal interface"),
        (vec!["--sparse"], "layouts are written whole"),
        (vec!["--uid", "0"], "do not run as root"),
        (vec!["--builder", "refused"], "it is the builder's"),
    ] {
        let error = build(&machine, app.path(), "refused", &arguments).unwrap_err();
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    let needless =
        ["--trust-builder", "--trust-extra-buildpacks", "--lifecycle-image", "x", "--userns-host", "--disable-system-buildpacks"];
    let said = build(&machine, app.path(), "needless", &needless).unwrap();
    assert_eq!(said.matches("has nothing to do").count(), 4, "{said}");
}
