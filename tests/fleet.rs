//! Many images are rebased by one command.

use crate::rebase::{manifest, patched};
use crate::support::builder::Builder;
use crate::support::{Machine, Registry, repository, run, succeed};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

const IMAGES: usize = 12;

/// A registry with apps on a run image that a newer one has taken the name of, in `team`, and that run image among them.
struct Fleet {
    folder: tempfile::TempDir,
    registry: Registry,
    machine: Machine,
}

impl Fleet {
    fn new() -> Self {
        let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
        let builder = Builder::new(&machine, folder.path());
        let registry = Registry::start();
        let run_image = registry.name("team/run:1");
        let source = builder.run_image_layout(&machine, folder.path());
        let push = |source: &str| {
            succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", source, &format!("docker://{run_image}")]));
        };
        push(&source);
        let job = Machine::empty(&folder.path().join("job"));
        let first = registry.name("team/app-0:1");
        let app = repository("fixtures/builder/app");
        let more = ["--builder", &builder.name(), "--run-image", &run_image, "--publish"];
        job.built(&first, &app, &more);
        succeed(&mut job.command(&["rebase", &first, "--publish", "--run-image", &run_image, "--force"]));
        for at in 1..IMAGES {
            succeed(&mut job.command(&[
                "copy",
                &format!("docker://{first}"),
                &format!("docker://{}", registry.name(&format!("team/app-{at}:1"))),
            ]));
        }
        push(&patched(&source, folder.path()));
        let machine = Machine::empty(&folder.path().join("fleet"));
        Self { folder, registry, machine }
    }

    /// The exit code, the rows, and what else was said.
    fn rebase(&self, arguments: &[&str]) -> (Option<i32>, Vec<Value>, String) {
        let output = run(self.machine.command(&["rebase", "--output", "json"]).args(arguments));
        let rows = String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code(), rows, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn manifests(&self) -> Vec<Value> {
        (0..IMAGES).map(|at| manifest(&self.registry, &format!("team/app-{at}:1"))).collect()
    }
}

fn in_state(rows: &[Value], state: &str) -> usize {
    rows.iter().filter(|row| row["state"] == state).count()
}

#[test]
fn a_part_of_a_registry_is_rebased_a_few_first() {
    let fleet = Fleet::new();
    let team = fleet.registry.name("team");
    let before = fleet.manifests();

    let (code, rows, said) = fleet.rebase(&["--all", &team, "--check"]);
    assert_eq!((code, in_state(&rows, "due"), in_state(&rows, "skipped")), (Some(10), IMAGES, 1), "{said}");
    assert_eq!(fleet.manifests(), before);
    let (code, rows, said) = fleet.rebase(&["--all", &team, "--selector", "io.buildpacks.base.distro.name=other"]);
    assert_eq!((code, in_state(&rows, "skipped")), (Some(0), IMAGES + 1), "{said}");

    let (code, rows, said) = fleet.rebase(&["--all", &team, "--first", "2"]);
    assert_eq!((code, in_state(&rows, "rebased")), (Some(0), 2), "{said}");
    let changed = |before: &[Value]| fleet.manifests().iter().zip(before).filter(|(now, before)| now != before).count();
    assert_eq!(changed(&before), 2);

    let asked = fleet.registry.requests().len();
    let (code, rows, said) = fleet.rebase(&["--all", &team, "--selector", "io.buildpacks.base.distro.name=debian"]);
    assert_eq!((code, in_state(&rows, "rebased"), in_state(&rows, "current")), (Some(0), IMAGES - 2, 2), "{said}");
    assert!(said.contains(&format!("{} images: {} rebased, 2 up to date, 1 skipped", IMAGES + 1, IMAGES - 2)), "{said}");
    assert_eq!(changed(&before), IMAGES);
    // The run image is read once for all of them; by its name and, as one of the team's, once more.
    let requests = fleet.registry.requests()[asked..].to_vec();
    let of_run = requests.iter().filter(|request| request.starts_with("GET ") && request.contains("/team/run/manifests/")).count();
    assert!(of_run <= 2, "{requests:#?}");
    let (code, rows, _) = fleet.rebase(&["--all", &team]);
    assert_eq!((code, in_state(&rows, "current")), (Some(0), IMAGES));
}

#[test]
fn what_goes_wrong_with_one_image_keeps_nobody_from_the_next() {
    let fleet = Fleet::new();
    let names: Vec<String> = (0..4).map(|at| fleet.registry.name(&format!("team/app-{at}:1"))).collect();
    let list = fleet.folder.path().join("list");
    let bad = [fleet.registry.name("team/gone:1"), fleet.registry.name("team/run:1"), "Not A Name".into()];
    fs::write(&list, format!("# a list\n\n{}\n{}\n{}\n", names[0], bad[..2].join("\n"), names[1..].join("\n"))).unwrap();
    let (code, rows, said) = fleet.rebase(&["--publish", "--list", list.to_str().unwrap()]);
    assert_eq!((code, in_state(&rows, "rebased"), in_state(&rows, "failed")), (Some(72), 4, 2), "{said}");
    let error = |name: &str| rows.iter().find(|row| row["image"].as_str().unwrap().contains(name)).unwrap()["error"].clone();
    assert!(error("gone").as_str().unwrap().contains("the registry does not have"), "{rows:#?}");
    assert!(error("team/run").as_str().unwrap().contains("was not built by buildpacks"), "{rows:#?}");

    // A list that makes no sense ends the command; what was done before is done.
    let mut child = fleet.machine.command(&["rebase", "--publish", "--list", "-"]);
    let mut child = child.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{}\n{}\n", fleet.registry.name("team/app-5:1"), bad[2]).as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Not A Name"), "{said}");
    let (code, rows, _) = fleet.rebase(&["--publish", "--list", list.to_str().unwrap(), "--check"]);
    assert_eq!((code, in_state(&rows, "current"), in_state(&rows, "failed")), (Some(72), 4, 2));
}
