//! Rebases where something goes wrong, and how little is asked of a registry where nothing does.

mod lists;

use crate::support::{Answer, Asked, Break, Faulty, Machine, Odd, Registry, Small, plain, run, succeed};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

const LOWEST: (&str, &[u8]) = ("base", b"base");
const OLD: (&str, &[u8]) = ("os", b"old");
const NEW: (&str, &[u8]) = ("os", b"new");
const APP: (&str, &[u8]) = ("app", b"app");
const METADATA: &str = "io.buildpacks.lifecycle.metadata";

/// A layout with two run images, tags `old` and `new`, and an app on the old one, tag `app`.
struct Images {
    layout: PathBuf,
    old: Small,
    new: Small,
    app: Small,
}

impl Images {
    /// The app names its run image so.
    fn new(folder: &Path, run_image: &str) -> Self {
        Self::of(folder, run_image, "amd64")
    }

    /// The same for a processor.
    fn of(folder: &Path, run_image: &str, architecture: &str) -> Self {
        let members = json!({ "architecture": architecture });
        Self::made(folder, run_image, json!({}), [members.clone(), members])
    }

    /// The same with other labels, and other members of the new run image's configuration.
    fn with(folder: &Path, run_image: &str, labels: Value, members: Value) -> Self {
        Self::made(folder, run_image, labels, [members, json!({})])
    }

    fn made(folder: &Path, run_image: &str, labels: Value, [of_run, of_app]: [Value; 2]) -> Self {
        let layout = folder.join("layout");
        let old = Small::write(&layout, "old", &[LOWEST, OLD]);
        let new = Small::write_with(&layout, "new", &[LOWEST, NEW, ("more", b"more")], of_run);
        let metadata = json!({ "app": [], "runImage": { "topLayer": old.diff_ids[1], "reference": "x", "image": run_image } });
        let mut all = json!({ METADATA: metadata.to_string() });
        labels.as_object().unwrap().iter().for_each(|(name, label)| all[name] = label.clone());
        let mut members = of_app;
        members["config"] = json!({ "Labels": all, "Env": ["CNB_PLATFORM_API=0.13"] });
        let app = Small::write_with(&layout, "app", &[LOWEST, OLD, APP], members);
        Self { layout, old, new, app }
    }

    fn place(&self, tag: &str) -> String {
        format!("oci:{}:{tag}", self.layout.display())
    }

    /// Sends an image to a registry.
    fn send(&self, machine: &Machine, tag: &str, name: &str) {
        succeed(&mut machine.command(&["copy", &self.place(tag), name]));
    }
}

/// What a tag means in a registry: the digest of a manifest whose blobs are all there.
fn meant(registry: &Registry, repository: &str) -> String {
    let root = registry.data().join("repositories").join(repository);
    let digest = std::fs::read_to_string(root.join("_manifests/tags/1/current/link")).unwrap();
    let manifest: Value = serde_json::from_slice(&std::fs::read(super::bench::blob_path(registry, &digest)).unwrap()).unwrap();
    for blob in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
        let hex = &blob["digest"].as_str().unwrap()["sha256:".len()..];
        assert!(root.join("_layers/sha256").join(hex).join("link").exists(), "{repository}: {digest} lacks {hex}");
    }
    digest
}

/// What goes wrong from some request on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// Nothing arrives at the registry.
    Before,
    /// No answer comes back.
    After,
    /// The program is killed while it waits for the answer.
    Kill,
}

/// A proxy that lets so many requests pass.
struct Gate {
    odd: Odd,
    left: Arc<AtomicUsize>,
}

impl Gate {
    fn start(registry: &Registry, cut: Cut, reached: Sender<()>) -> Self {
        let (server, left) = (registry.host(), Arc::new(AtomicUsize::new(usize::MAX)));
        let open = left.clone();
        let answer = move |asked: &Asked, _: &str| -> Option<Answer> {
            if open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                return asked.passed_on(&server);
            }
            match cut {
                Cut::Before => None,
                Cut::After => asked.passed_on(&server).and(None),
                Cut::Kill => {
                    drop(asked.passed_on(&server));
                    reached.send(()).ok();
                    std::thread::sleep(Duration::from_secs(60));
                    None
                }
            }
        };
        Self { odd: Odd::start(answer), left }
    }
}

/// How many requests a rebase needs at the most.
const MOST: usize = 10;

/// REB-21.
#[test]
fn a_rebase_in_a_registry_takes_ten_requests_over_one_connection() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let proxy = Faulty::start(&registry.host(), move |index| {
        count.store(index + 1, Ordering::Relaxed);
        None::<Break>
    });
    let name = |repository: &str| format!("{}/{repository}", proxy.host());
    let images = Images::new(folder.path(), &name("base/run:1"));
    let machine = Machine::empty(folder.path());
    images.send(&machine, "new", &name("base/run:1"));
    images.send(&machine, "app", &name("team/app:1"));
    let elsewhere = Machine::empty(&folder.path().join("elsewhere"));
    let (asked, before) = (registry.requests().len(), connections.load(Ordering::Relaxed));
    // Whether there are documents to make anew takes two more.
    succeed(&mut elsewhere.command(&["rebase", &name("team/app:1"), "--publish", "--no-attest"]));
    let requests = registry.requests()[asked..].to_vec();
    assert!(requests.len() <= MOST, "{requests:#?}");
    let layers = [&images.new.blobs[..], &images.app.blobs].concat();
    assert!(
        !requests.iter().any(|request| request.starts_with("GET ") && layers.iter().any(|layer| request.contains(layer))),
        "{requests:#?}"
    );
    // One more connection shows that the registry speaks no TLS, and one may be opened while the first is being given back.
    let opened = connections.load(Ordering::Relaxed) - before;
    assert!((2..=3).contains(&opened), "{opened} {requests:#?}");
    let digest = meant(&registry, "team/app");
    assert_ne!(digest, images.app.digest);
    // Nothing to do is found out with four.
    let asked = registry.requests().len();
    succeed(&mut elsewhere.command(&["rebase", &name("team/app:1"), "--publish"]));
    assert!(registry.requests().len() - asked <= 5 && meant(&registry, "team/app") == digest, "{:#?}", &registry.requests()[asked..]);
}

/// REB-01.
#[test]
fn wherever_a_rebase_ends_a_tag_means_the_old_or_the_new_image() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    std::thread::scope(|scope| {
        for (cut, left) in [Cut::Before, Cut::After, Cut::Kill].into_iter().flat_map(|cut| (0..=MOST).map(move |left| (cut, left))) {
            let (registry, folder) = (&registry, folder.path().join(format!("{cut:?}-{left}")));
            scope.spawn(move || rebase_until(cut, left, registry, &folder));
        }
    });
}

fn rebase_until(cut: Cut, left: usize, registry: &Registry, folder: &Path) {
    let (reached, killed) = channel();
    let gate = Gate::start(registry, cut, reached);
    let repository = format!("{}/app-{left}", format!("{cut:?}").to_lowercase());
    let name = |repository: &str| format!("{}/{repository}", gate.odd.address);
    let images = Images::new(folder, &name(&format!("{repository}-run:1")));
    let machine = Machine::empty(folder);
    images.send(&machine, "new", &registry.name(&format!("{repository}-run:1")));
    images.send(&machine, "app", &registry.name(&format!("{repository}:1")));
    let arguments = ["rebase", &name(&format!("{repository}:1")), "--publish"];
    gate.left.store(left, Ordering::Relaxed);
    let mut command = machine.command(&arguments);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    if cut == Cut::Kill && killed.recv_timeout(Duration::from_secs(20)).is_ok() {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let (said, now) = (String::from_utf8_lossy(&output.stderr), meant(registry, &repository));
    if output.status.success() {
        assert_ne!(now, images.app.digest, "{cut:?} {left}: {said}");
    } else if now != images.app.digest {
        // The registry did what it was told last, and nobody heard of it.
        assert!(cut != Cut::Before, "{cut:?} {left}: {said}");
    }
    assert!(cut == Cut::Kill || output.status.success() || said.matches("error:").count() == 1, "{cut:?} {left}: {said}");
    // Whatever happened, the next one ends it.
    gate.left.store(usize::MAX, Ordering::Relaxed);
    succeed(&mut machine.command(&arguments));
    let end = meant(registry, &repository);
    assert!(end != images.app.digest && (now == images.app.digest || now == end), "{cut:?} {left}");
}

/// REB-02, REB-08, REB-09, REB-12.
#[test]
fn what_cannot_be_rebased_says_why_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let run_image = registry.name("base/run:1");
    let metadata = |top: &str| json!({ "runImage": { "topLayer": top, "image": run_image } }).to_string();
    let none = || json!({});
    let cases = [
        ("arm", none(), json!({ "architecture": "arm64" }), "unable to satisfy target os/arch constraints"),
        ("label", json!({ "io.buildpacks.rebasable": "false" }), none(), "not marked as rebasable"),
        ("shape", json!({ METADATA: "3" }), none(), "cannot read the label"),
        ("json", json!({ METADATA: "{" }), none(), "cannot read the label"),
        ("top", json!({ METADATA: metadata("sha256:0") }), none(), "could not find base layer `sha256:0`"),
        ("empty", json!({ METADATA: "{}" }), none(), "does not say which run image it is on"),
        ("gone", json!({ METADATA: metadata("x").replace("run:1", "none:1") }), none(), "no run image of the app can be read"),
        ("name", json!({ METADATA: metadata("x").replace("base/run:1", "Not A Name") }), none(), "no run image of the app can be read"),
    ];
    for (case, labels, members, why) in cases {
        let folder = folder.path().join(case);
        let images = Images::with(&folder, &run_image, labels, members);
        let machine = Machine::empty(&folder);
        images.send(&machine, "new", &run_image);
        let name = registry.name(&format!("team/{case}:1"));
        images.send(&machine, "app", &name);
        fails(&machine, &["rebase", &name, "--publish"], why);
        assert_eq!(meant(&registry, &format!("team/{case}")), images.app.digest);
    }
    let machine = Machine::empty(folder.path());
    fails(&machine, &["rebase", &registry.name("team/nothing:1"), "--publish"], "the registry does not have");
    fails(&machine, &["rebase", &format!("{}@sha256:{}", registry.name("a"), "0".repeat(64)), "--publish"], "names a digest");
    fails(&machine, &["rebase", "oci:layout"], "does not name the image");
    fails(&machine, &["rebase", "oci:layout:x", "--publish"], "leave out `--publish`");
}

fn fails(machine: &Machine, arguments: &[&str], why: &str) {
    let output = run(&mut machine.command(arguments));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(why) && said.matches("error:").count() == 1, "{arguments:?}: {said}");
}

/// IMG-27.
/// Who may not mount sends; who may not send is told; and what is gone meanwhile is an error.
#[test]
fn permissions_that_are_missing_and_blobs_that_go_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let denied = || plain(403, r#"{"errors":[{"code":"DENIED","message":"not you"}]}"#);
    type Refused = fn(&Asked) -> bool;
    let mount: Refused = |asked| asked.line.contains("mount=");
    let cases: [(&str, Refused, Option<&str>); 4] = [
        ("mount", mount, None),
        ("blobs", |asked| asked.line.starts_with("POST "), Some("DENIED: not you")),
        ("manifest", |asked| asked.line.starts_with("PUT ") && asked.line.contains("/manifests/"), Some("DENIED: not you")),
        (
            "gone",
            |asked| asked.line.contains("mount=") || asked.line.starts_with("GET ") && asked.line.contains("run/blobs/"),
            Some("cannot send the layer"),
        ),
    ];
    for (case, refused, why) in cases {
        let (server, folder) = (registry.host(), folder.path().join(case));
        // The configuration of the run image is read before.
        let mut first = 1;
        let reads = std::sync::Mutex::new(move || std::mem::replace(&mut first, 0) == 1);
        let proxy = Odd::start(move |asked, _| {
            let is_config = asked.line.contains("run/blobs/") && asked.line.starts_with("GET ") && (reads.lock().unwrap())();
            if refused(asked) && !is_config { denied() } else { asked.passed_on(&server) }
        });
        let repository = format!("{case}/app");
        let (run_image, name) = (format!("{}/{case}/run:1", proxy.address), format!("{}/{repository}:1", proxy.address));
        let images = Images::new(&folder, &run_image);
        let machine = Machine::empty(&folder);
        images.send(&machine, "new", &registry.name(&format!("{case}/run:1")));
        images.send(&machine, "app", &registry.name(&format!("{repository}:1")));
        // What passed through the store would be sent from there.
        std::fs::remove_dir_all(&machine.store).unwrap();
        match why {
            Some(why) => fails(&machine, &["rebase", &name, "--publish"], why),
            None => drop(succeed(&mut machine.command(&["rebase", &name, "--publish"]))),
        }
        assert_eq!(meant(&registry, &repository) == images.app.digest, why.is_some(), "{case}");
    }
}

/// REB-01, REB-20, REB-23.
#[test]
fn images_in_layouts_and_archives_are_rebased_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let run_image = registry.name("base/run:1");
    let images = Images::new(folder.path(), &run_image);
    let machine = Machine::empty(folder.path());
    images.send(&machine, "new", &run_image);
    let expected = [&images.new.diff_ids[..], &images.app.diff_ids[2..]].concat();
    let layers = |place: &str| -> Vec<String> {
        let text = succeed(&mut machine.command(&["inspect", place, "--output", "json"]));
        let described: Value = serde_json::from_str(&text).unwrap();
        described["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].as_str().unwrap().to_string()).collect()
    };
    let report = folder.path().join("reports");
    let reported = || -> toml::Table { toml::from_str(&std::fs::read_to_string(report.join("report.toml")).unwrap()).unwrap() };
    let with_report = ["--report-output-dir", report.to_str().unwrap()];
    let rebase = |arguments: &[&str]| succeed(&mut machine.command(&[&["rebase"], arguments, &with_report].concat()));

    let app = images.place("app");
    rebase(&[&images.place("other"), "--previous-image", &app]);
    assert_eq!((layers(&app), layers(&images.place("other"))), (images.app.diff_ids.clone(), expected.clone()));
    rebase(&[&app, "--tag", "second"]);
    assert_eq!((layers(&app), layers(&images.place("second"))), (expected.clone(), expected.clone()));
    let tags = reported()["image"]["tags"].as_array().unwrap().clone();
    assert_eq!(tags, [app.clone().into(), toml::Value::from(images.place("second"))]);
    assert!(reported().get("build").is_none() && reported()["image"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(layers(&images.place("old")) == images.old.diff_ids);

    let archive = format!("docker-archive:{}", folder.path().join("app.tar").display());
    let fresh = Images::new(&folder.path().join("fresh"), &run_image);
    succeed(&mut machine.command(&["copy", &fresh.place("app"), &format!("{archive}:my/app:1")]));
    rebase(&[&format!("{archive}:my/app:1"), "--tag", "my/app:2"]);
    assert_eq!((layers(&format!("{archive}:my/app:1")), layers(&format!("{archive}:my/app:2"))), (expected.clone(), expected.clone()));
    // From a layout into the store, and there with another name.
    rebase(&["my/app:3", "--previous-image", &fresh.place("app"), "--tag", "my/app:4"]);
    assert_eq!((layers("store://my/app:3"), layers("store://my/app:4")), (expected.clone(), expected));
    assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
}

/// REB-01, REB-14.
/// Until all images of a list are there, its name means the old list.
#[test]
fn a_list_is_rebased_image_by_image() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let machine = Machine::empty(folder.path());
    let run_image = registry.name("base/run:1");
    let names = ["amd64", "arm64"].map(|architecture| {
        let images = Images::of(&folder.path().join(architecture), &run_image, architecture);
        let [run, app] = ["run", "app"].map(|kind| registry.name(&format!("made/{kind}-{architecture}:1")));
        images.send(&machine, "new", &run);
        images.send(&machine, "app", &app);
        [run, app]
    });
    let list = |name: &str, which: usize, from: &[[String; 2]]| {
        let images: Vec<&str> = from.iter().map(|names| names[which].as_str()).collect();
        succeed(&mut machine.command(&[&["manifest", "create", name, "--publish"], &images[..]].concat()));
    };
    let app = registry.name("team/app:1");
    list(&run_image, 0, &names);
    list(&app, 1, &names);
    let now = |name: &str| super::bench::manifest(&registry, name).0;
    let before = now("team/app:1");
    let rebase = |more: &[&str]| {
        let output = run(machine.command(&["rebase", &app, "--publish"]).args(more));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!((rebase(&["--check"]).0, now("team/app:1")), (Some(10), before.clone()));
    let (code, said) = rebase(&["--tag", &registry.name("team/app:2")]);
    assert_eq!((code, now("team/app:2")), (Some(0), now("team/app:1")), "{said}");
    let after = now("team/app:1");
    for (at, architecture) in ["amd64", "arm64"].into_iter().enumerate() {
        let (old, new) = (&before["manifests"][at], &after["manifests"][at]);
        assert!(old["platform"] == new["platform"] && new["platform"]["architecture"] == architecture && old["digest"] != new["digest"]);
        let layers = |name: String| now(&name)["layers"].as_array().unwrap().clone();
        let (app, run) = (layers(format!("team/app@{}", new["digest"].as_str().unwrap())), layers(format!("made/run-{architecture}:1")));
        assert_eq!((&app[..3], app.len()), (&run[..], 4));
    }
    assert_eq!(rebase(&["--check"]).0, Some(0));

    // A list of run images that lacks one leaves everything as it was.
    machine.run(&["manifest", "remove", &run_image]);
    list(&run_image, 0, &names[..1]);
    let (code, said) = rebase(&[]);
    assert!(code == Some(72) && said.contains("no run image of the app can be read"), "{code:?} {said}");
    assert_eq!(now("team/app:1"), after);
}

/// The real `pack` and this program rebase each other's images, where `PEER_PACK` names it.
#[test]
fn pack_and_cooper_rebase_what_the_other_rebased() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start();
    let run_image = registry.name("base/run:1");
    let (images, machine) = (Images::new(folder.path(), &run_image), Machine::empty(folder.path()));
    let name = registry.name("team/app:1");
    images.send(&machine, "app", &name);
    let pack = std::env::var_os("PEER_PACK");
    for (round, tag) in ["new", "old", "new", "old"].into_iter().enumerate() {
        images.send(&machine, tag, &run_image);
        match &pack {
            Some(pack) if round % 2 == 0 => {
                succeed(std::process::Command::new(pack).args(["rebase", &name, "--publish"]).env("HOME", folder.path()))
            }
            Some(_) | None => succeed(&mut machine.command(&["rebase", &name, "--publish"])),
        };
        let run = if tag == "new" { &images.new } else { &images.old };
        // pack writes documents that skopeo does not read.
        let config: Value =
            serde_json::from_str(&succeed(std::process::Command::new("crane").args(["config", "--insecure", &name]))).unwrap();
        let expected: Vec<&String> = run.diff_ids.iter().chain([&images.app.diff_ids[2]]).collect();
        assert_eq!(config["rootfs"]["diff_ids"], json!(expected), "round {round}");
        let metadata: Value = serde_json::from_str(config["config"]["Labels"][METADATA].as_str().unwrap()).unwrap();
        assert_eq!(metadata["runImage"]["topLayer"], **run.diff_ids.last().as_ref().unwrap());
        assert_eq!(metadata["runImage"]["reference"], format!("{}@{}", registry.name("base/run"), run.digest));
    }
}
