//! Images that are built and published by one command, as a job of CI does that has no store from before.

use crate::support::builder::Builder;
use crate::support::{Machine, PASSWORD, Registry, USER, cooper, repository, run, succeed};
use std::path::Path;
use std::process::{Command, Stdio};

/// The digest of what a registry has under a name.
fn digest(registry: &Registry, name: &str) -> String {
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"]);
    if let Some((user, password)) = registry.password() {
        skopeo.args(["--creds", &format!("{user}:{password}")]);
    }
    succeed(skopeo.arg(format!("docker://{}", registry.name(name)))).trim().to_string()
}

/// The shell commands of a workflow: the blocks `run: |` of GitHub's form, or the items of the lists `script` of GitLab's, except what makes the
/// machine ready.
fn steps(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(repository("docs/guides").join(file)).unwrap();
    let (mut steps, mut lines) = (Vec::new(), text.lines().peekable());
    while let Some(line) = lines.next() {
        let depth = line.len() - line.trim_start().len();
        let below = |next: &&str| next.len() - next.trim_start().len() > depth;
        if line.trim() == "run: |" {
            let mut step = Vec::new();
            while let Some(next) = lines.next_if(below) {
                step.push(next.trim());
            }
            steps.push(step.join("\n"));
        } else if line.trim() == "script:" {
            while let Some(next) = lines.next_if(below) {
                steps.push(next.trim().strip_prefix("- ").unwrap().to_string());
            }
        }
    }
    steps
}

/// The secrets are variables, and nothing that is printed shows them.
#[test]
fn the_workflows_of_the_guides_publish() {
    let machine = Machine::shared();
    machine.prepare();
    let registry = Registry::start_with_password();
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    succeed(Command::new("cp").arg("-r").arg(repository("fixtures/apps/procfile")).arg(&app));
    let program = format!("file://{}", cooper().display());
    for (file, image, tag) in [("github-actions.yml", "team/github", "7"), ("gitlab-ci.yml", "team/gitlab", "7")] {
        let steps = steps(file);
        assert!(steps.len() >= 3, "{steps:?}");
        for step in steps {
            let mut shell = Command::new("bash");
            shell.args(["-euo", "pipefail", "-c", &step]).current_dir(&app).env_clear().stdin(Stdio::null());
            let bin = if file.starts_with("github") { folder.path().join(".local/bin") } else { cooper().parent().unwrap().to_path_buf() };
            shell.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).env("HOME", folder.path()).env("COOPER_STORE", &machine.store);
            let (host, image) = (registry.host(), registry.name(image));
            let path = folder.path().join("path").display().to_string();
            for (name, value) in [
                ("COOPER_URL", program.as_str()),
                ("GITHUB_PATH", path.as_str()),
                ("REGISTRY", host.as_str()),
                ("IMAGE", image.as_str()),
                ("REGISTRY_USER", USER),
                ("REGISTRY_PASSWORD", PASSWORD),
                ("GITHUB_RUN_NUMBER", tag),
                ("CI_REGISTRY", host.as_str()),
                ("CI_REGISTRY_IMAGE", image.as_str()),
                ("CI_REGISTRY_USER", USER),
                ("CI_REGISTRY_PASSWORD", PASSWORD),
                ("CI_PIPELINE_IID", tag),
            ] {
                shell.env(name, value);
            }
            let output = run(&mut shell);
            let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !said.contains(PASSWORD), "{file}: {step}\n{said}");
        }
        assert_eq!(digest(&registry, &format!("{image}:{tag}")), digest(&registry, &format!("{image}:latest")));
        assert!(digest(&registry, &format!("{image}:cache")).starts_with("sha256:"));
    }
}

/// A job: a store that nobody used before, and a builder.
fn job(folder: &Path, name: &str, builder: &Builder, run_image: &str, image: &str, more: &[&str]) -> (bool, String) {
    let machine = Machine::empty(&folder.join(name));
    let app = repository("fixtures/builder/app");
    let arguments = ["build", image, "--path", app.to_str().unwrap(), "--builder", &builder.name(), "--run-image", run_image];
    let output = run(machine.command(&arguments).args(more).env("HOME", folder));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// IMG-06, IMG-27.
#[test]
fn a_job_builds_publishes_and_takes_up_what_the_last_one_left() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let registry = Registry::start();
    let run_image = registry.name("base/run:1");
    let source = format!("oci:{}:{}", machine.store.display(), builder.run_image);
    succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", &source, &format!("docker://{run_image}")]));
    let (image, other, cache) = (registry.name("team/app:1"), registry.name("other/app:1"), registry.name("team/cache"));
    let more = ["--publish", "--tag", &other, "--cache-image", &cache];

    let (succeeded, first) = job(folder.path(), "first", &builder, &run_image, &image, &more);
    assert!(succeeded && first.contains("build 1 sees nothing"), "{first}");
    assert!(first.contains(&format!("sent to  {image}")) && first.contains(&other), "{first}");
    let published = digest(&registry, "team/app:1");
    assert!(first.contains(&format!("digest   {published}")), "{first}");
    assert_eq!(digest(&registry, "other/app:1"), published);
    // The run image's layers are mounted, and the second name gets the first one's.
    let base = registry.requests().into_iter().filter(|request| request.contains("mount=") && request.ends_with(" 201"));
    assert!(base.count() > 2, "{:#?}", registry.requests());

    let (succeeded, second) = job(folder.path(), "second", &builder, &run_image, &image, &more);
    assert!(succeeded && second.contains("build 2 sees nothing") && second.contains("the cached layer is back"), "{second}");
    assert_eq!(digest(&registry, "other/app:1"), digest(&registry, "team/app:1"));
}

/// IMG-27.
/// An image that is there already is neither read nor sent: the two questions before the build, and one after it.
#[test]
fn an_unchanged_image_is_published_by_few_requests() {
    let machine = Machine::shared();
    let registry = Registry::start();
    let image = registry.name("team/app:1");
    let app = repository("fixtures/apps/procfile");
    let publish = || {
        let before = registry.requests().len();
        let digest = machine.built(&image, &app, &["--publish"]);
        (digest, registry.requests()[before..].to_vec())
    };
    let (first, _) = publish();
    let (second, requests) = publish();
    assert_eq!((&second, &first), (&digest(&registry, "team/app:1"), &second));
    assert!(requests.len() <= 6 && !requests.iter().any(|request| request.contains("/blobs/sha256")), "{requests:#?}");
}

/// IMG-06.
#[test]
fn what_cannot_be_published_is_not_built() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let (closed, read_only) = (Registry::start_with_password(), Registry::start_read_only());
    let run_image = builder.run_image_layout(&machine, folder.path());
    for (registry, why) in [(&closed, "401"), (&read_only, "cannot publish")] {
        let (succeeded, said) = job(folder.path(), "refused", &builder, &run_image, &registry.name("team/app:1"), &["--publish"]);
        assert!(!succeeded && said.contains(why) && !said.contains("BUILDING"), "{said}");
    }
    let previous = ["--previous-image", &read_only.name("team/none:1")];
    let (succeeded, said) = job(folder.path(), "refused", &builder, &run_image, "app", &previous);
    assert!(succeeded && said.contains("there is no previous image"), "{said}");
    let (succeeded, said) = job(folder.path(), "refused", &builder, &run_image, "app", &["--previous-image", "127.0.0.1:1/none"]);
    assert!(!succeeded && said.contains("cannot read the image `127.0.0.1:1/none"), "{said}");

    // The same job once it has logged in.
    let login = ["login", &closed.host(), "--username", USER, "--password-stdin"];
    let mut login = Machine::empty(folder.path()).command(&login);
    let mut login = login.env("HOME", folder.path()).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut login.stdin.take().unwrap(), PASSWORD.as_bytes()).unwrap();
    assert!(login.wait().unwrap().success());
    let (succeeded, said) = job(folder.path(), "refused", &builder, &run_image, &closed.name("team/app:1"), &["--publish"]);
    assert!(succeeded && !said.contains(PASSWORD), "{said}");
    assert!(said.contains(&digest(&closed, "team/app:1")), "{said}");
}
