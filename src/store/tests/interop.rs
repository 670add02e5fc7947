//! What we write is read by the tools that people have: skopeo, umoci and Docker's engine.

use super::*;
use crate::archive::Kind;
use crate::image::RunConfig;
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a tool that must succeed and returns what it wrote. Panics where it is missing: .ci/run lists the packages.
fn tool(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("cannot start `{program}`: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// An image with two layers, the second twice, with all that an archive can hold of ours.
fn sample(store: &Store) -> Stored {
    let below = |writer: &mut LayerWriter<BlobWriter>| {
        let mut tar = TarWriter::new(writer);
        tar.append(&Entry::directory("/app", 0o755, 0, 0, 315_532_801), &[][..])?;
        tar.append(&Entry::file("/app/gone", 1, 0o644, 0, 0, 315_532_801), b"x".as_slice())?;
        tar.append(&Entry::file("/app/run", 5, 0o4755, 1002, 1000, 315_532_801), b"hello".as_slice())?;
        let long = ["/app/", &"n".repeat(200)].concat();
        tar.append(&Entry::file(long.clone(), 3 << 20, 0o644, 0, 0, 315_532_801), vec![7; 3 << 20].as_slice())?;
        let link = Kind::HardLink { target: long.into() };
        tar.append(&Entry { kind: link, ..Entry::file("/app/again", 0, 0o644, 0, 0, 315_532_801) }, &[][..])?;
        tar.append(&Entry::symlink("/app/link", "run", 1002, 1000, 315_532_801), &[][..])?;
        tar.finish()?;
        Ok(())
    };
    let above = |writer: &mut LayerWriter<BlobWriter>| {
        let mut tar = TarWriter::new(writer);
        tar.append(&Entry::file("/app/.wh.gone", 0, 0o644, 0, 0, 315_532_801), &[][..])?;
        tar.finish()?;
        Ok(())
    };
    let history = |text: &str| History { created: "1980-01-01T00:00:01Z".into(), created_by: text.into(), ..History::default() };
    let first = store.put_layer(history("below"), below).unwrap();
    let second = store.put_layer(history("above"), above).unwrap();
    let config = Config {
        architecture: "amd64".into(),
        os: "linux".into(),
        created: "1980-01-01T00:00:01Z".into(),
        config: RunConfig {
            entrypoint: Some(vec!["/app/run".into()]),
            env: Some(vec!["A=<b>".into()]),
            user: "1002:1000".into(),
            working_dir: "/app".into(),
            labels: Some([("l".to_string(), "{\"a\":\"&\"}".to_string())].into()),
            ..RunConfig::default()
        },
        ..Config::default()
    };
    let image = Image { config, layers: vec![first, second.clone(), second] };
    let manifest = store.put_image(&image).unwrap();
    store.tag(&Reference::parse("sample:1").unwrap(), &manifest).unwrap();
    Stored { image, digest: manifest.digest }
}

fn inspected(place: &str) -> Value {
    serde_json::from_str(&tool("skopeo", &["inspect", "--config", place])).unwrap()
}

fn check_config(config: &Value) {
    assert_eq!(config["config"]["Entrypoint"], json!(["/app/run"]));
    assert_eq!(config["config"]["Env"], json!(["A=<b>"]));
    assert_eq!(config["config"]["Labels"]["l"], json!("{\"a\":\"&\"}"));
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 3);
    assert_eq!(config["history"][0]["created_by"], json!("below"));
}

#[test]
fn skopeo_reads_the_store_the_layout_and_the_archive() {
    let (folder, store) = open();
    let stored = sample(&store);
    let out = tempfile::tempdir().unwrap();
    let at = |name: &str| out.path().join(name).display().to_string();
    write_layout(&store, std::slice::from_ref(&stored), &stored.image.documents().descriptor, Path::new(&at("layout")), "v1").unwrap();
    write_layout(&store, std::slice::from_ref(&stored), &stored.image.documents().descriptor, Path::new(&at("layout")), "v2").unwrap();
    let names = ["sample:1", "r.io/team/sample:2"].map(|name| Reference::parse(name).unwrap());
    write_docker_archive(&store, &[(&stored, &names)], Path::new(&at("archive.tar"))).unwrap();
    let places = [
        format!("oci:{}:index.docker.io/library/sample:1", folder.path().display()),
        format!("oci:{}:v1", at("layout")),
        format!("oci:{}:v2", at("layout")),
        format!("docker-archive:{}:docker.io/library/sample:1", at("archive.tar")),
        format!("docker-archive:{}:r.io/team/sample:2", at("archive.tar")),
    ];
    for (index, place) in places.iter().enumerate() {
        check_config(&inspected(place));
        // Copying reads every blob and compares it with its digest.
        tool("skopeo", &["--insecure-policy", "copy", "--quiet", place, &format!("oci:{}:x", at(&format!("copy{index}")))]);
    }
    let digest = tool("skopeo", &["inspect", "--format", "{{.Digest}}", &places[1]]);
    assert_eq!(digest.trim(), stored.digest.as_str());
}

#[test]
fn umoci_unpacks_the_layout() {
    let (_folder, store) = open();
    let stored = sample(&store);
    let out = tempfile::tempdir().unwrap();
    let at = |name: &str| out.path().join(name).display().to_string();
    write_layout(&store, std::slice::from_ref(&stored), &stored.image.documents().descriptor, Path::new(&at("layout")), "v1").unwrap();
    let image = format!("{}:v1", at("layout"));
    let mut arguments = vec!["raw", "unpack", "--image", &image];
    if !rustix::process::geteuid().is_root() {
        arguments.push("--rootless");
    }
    let bundle = at("rootfs");
    arguments.push(&bundle);
    tool("umoci", &arguments);
    let app = out.path().join("rootfs/app");
    assert_eq!(fs::read(app.join("run")).unwrap(), b"hello");
    assert_eq!(fs::read(app.join("again")).unwrap().len(), 3 << 20);
    assert!(!app.join("gone").exists() && app.join("link").is_symlink());
}

#[test]
fn an_archive_is_the_same_each_time_and_replaces_the_old_one_whole() {
    let (_folder, store) = open();
    let stored = sample(&store);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("a.tar");
    let names = [Reference::parse("sample:1").unwrap()];
    write_docker_archive(&store, &[(&stored, &names)], &file).unwrap();
    let first = fs::read(&file).unwrap();
    write_docker_archive(&store, &[(&stored, &names)], &file).unwrap();
    assert!(fs::read(&file).unwrap() == first);
    fs::remove_file(store.blob_path(&stored.image.layers[0].blob.digest)).unwrap();
    assert!(write_docker_archive(&store, &[(&stored, &names)], &file).is_err());
    assert!(fs::read(&file).unwrap() == first);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
}

/// An engine of its own, ended with the test.
struct Engine {
    folder: tempfile::TempDir,
    daemon: Child,
}

impl Engine {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let log = File::create(folder.path().join("log")).unwrap();
        let daemon = Command::new("dockerd")
            .args([
                "--data-root",
                &at("data"),
                "--exec-root",
                &at("exec"),
                "--pidfile",
                &at("pid"),
                "--host",
                &format!("unix://{}", at("s")),
            ])
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("`dockerd` is missing: .ci/run lists the packages");
        let mut engine = Self { folder, daemon };
        let start = Instant::now();
        while !engine.command().arg("version").output().unwrap().status.success() {
            let ended = engine.daemon.try_wait().unwrap().is_some();
            let log = || fs::read_to_string(engine.folder.path().join("log")).unwrap();
            assert!(!ended && start.elapsed() < Duration::from_secs(60), "the engine does not start: {}", log());
            std::thread::sleep(Duration::from_millis(200));
        }
        engine
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command.arg("--host").arg(format!("unix://{}", self.folder.path().join("s").display()));
        command
    }

    fn docker(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.daemon);
        // It ends its own containerd before itself.
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        self.daemon.wait().unwrap();
    }
}

#[test]
fn the_docker_engine_loads_the_archive() {
    if !rustix::process::geteuid().is_root() {
        // Debian's package starts no engine for other users; the tests of CI run as root.
        return;
    }
    let (_folder, store) = open();
    let stored = sample(&store);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("a.tar").display().to_string();
    let names = ["sample:1", "r.io/team/sample:2"].map(|name| Reference::parse(name).unwrap());
    write_docker_archive(&store, &[(&stored, &names)], Path::new(&file)).unwrap();
    let engine = Engine::start();
    assert_eq!(engine.docker(&["load", "--input", &file]), "Loaded image: sample:1\nLoaded image: r.io/team/sample:2\n");
    let id = engine.docker(&["inspect", "--format", "{{.Id}} {{.Config.User}} {{len .RootFS.Layers}}", "sample:1"]);
    let config = Digest::of(&stored.image.documents().config);
    assert_eq!(id.trim(), format!("{config} 1002:1000 3"));
    engine.docker(&["create", "--name", "one", "r.io/team/sample:2"]);
    let exported = out.path().join("exported.tar").display().to_string();
    engine.docker(&["export", "--output", &exported, "one"]);
    let listing = tool("tar", &["--numeric-owner", "-tvf", &exported]);
    let lines: Vec<&str> = listing.lines().filter(|line| line.contains(" app")).collect();
    assert!(lines.iter().any(|line| line.starts_with("-rwsr-xr-x 1002/1000") && line.contains("1980-01-01")), "{lines:?}");
    assert!(!listing.contains("gone") && listing.contains("app/link -> run"), "{lines:?}");
}
