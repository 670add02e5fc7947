//! The phases as programs with images in Docker's engine.

mod place;

use crate::registry::bench::write_layout;
use crate::support::{Engine, Registry, run, succeed};
use place::Place;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

/// How often the engine unpacked each layer.
fn unpacked(engine: &Engine) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in engine.log().lines() {
        if let Some((_, rest)) = line.split_once("Applied tar ") {
            *counts.entry(rest.split(' ').next().unwrap().to_string()).or_default() += 1;
        }
    }
    counts
}

/// The socket is root's and the creator gives up root before it first asks for an image.
///
/// EXIT-17, EXIT-18, EXIT-20, EXP-02, EXP-30, EXP-32, EXP-33, EXP-39, CACHE-16, IMG-17, IMG-26, IMG-31, CRE-04.
#[test]
fn the_creator_exports_into_an_engine_of_roots_as_another_user() {
    let place = Place::new("created");
    let socket = fs::metadata(place.engine.host().trim_start_matches("unix://")).unwrap();
    assert_eq!((socket.mode() & 0o007, socket.uid()), (0, 0));
    let launch_cache = place.path("launch-cache").display().to_string();
    let second = place.image("second:2");
    let output = place.create(&["-launch-cache", &launch_cache, "-tag", &second, "-log-level", "debug"]);
    let id = place.id("app");
    assert_eq!((id.len(), place.id("second:2")), (64, id.clone()));
    let names = ["created-app", "created-second:2"];
    let lines = format!("Saving {}...\n*** Images ({}):\n      {}\n      {}\n", names[0], &id[..12], names[0], names[1]);
    assert!(output.contains(&lines), "{output}");
    assert!(output.contains(&format!("\n*** Image ID: {id}\n")), "{output}");
    let report = fs::read_to_string(place.path("layers/report.toml")).unwrap();
    assert_eq!(report, format!("[image]\ntags = [\"{}\", \"{}\"]\nimage-id = \"{id}\"\n", names[0], names[1]));
    let run_id = place.id("run");
    assert_eq!(place.document("layers/analyzed.toml")["run-image"]["reference"].as_str(), Some(run_id.as_str()));
    let label: serde_json::Value = serde_json::from_str(&place.label("app", "io.buildpacks.lifecycle.metadata")).unwrap();
    assert_eq!(label["runImage"]["reference"], run_id);
    let layers = place.layers("app");
    assert_eq!(layers[..1], place.layers("run"));
    let mut expected: Vec<String> = layers[1..].iter().map(|layer| format!("{layer}.tar")).collect();
    expected.sort();
    assert_eq!(place.cached(), expected);
    assert_eq!(place.file("app", "/etc/release"), "first");
    assert_eq!(place.file("app", &place.path("app/main.txt").display().to_string()), "hello\n");
    assert_eq!(place.engine.inspect(&place.image("app"), "{{.Config.Entrypoint}}"), "[/cnb/process/web]");
}

/// Only layers that are new, or lie on new ones, reach the engine; what nobody has at hand comes from the launch cache.
///
/// IMG-25, EXP-39, ANA-13, ANA-16.
#[test]
fn a_rebuild_sends_what_changed_and_takes_the_rest_from_the_launch_cache() {
    let place = Place::new("rebuilt");
    let launch_cache = place.path("launch-cache").display().to_string();
    let arguments = ["-launch-cache", launch_cache.as_str()];
    place.create(&arguments);
    let (first, layers, counts) = (place.id("app"), place.layers("app"), unpacked(place.engine));
    let output = place.create(&arguments);
    assert!(output.contains(&format!("Reusing layers from image '{first}'")) && output.contains("Reusing layer 'test/x:tool'"), "{output}");
    assert_eq!((place.id("app"), place.layers("app")), (first.clone(), layers.clone()));
    let again = unpacked(place.engine);
    assert!(layers.iter().all(|layer| again.get(layer) == counts.get(layer)), "{layers:?} {again:?}");

    place.buildpack("settings", "two\n");
    place.create(&arguments);
    let (second, changed) = (place.id("app"), place.layers("app"));
    assert_ne!(second, first);
    let counts = unpacked(place.engine);
    assert_eq!((changed[0] == layers[0], counts.get(&layers[0])), (true, again.get(&layers[0])), "the run image's layer was sent");
    assert_eq!(counts[&place.tool()], 2);
    assert_eq!(place.file("app", &place.path("layers/test_x/tool/file").display().to_string()), "tool\n");
    assert!(!place.was_saved(&first) && !place.was_saved(&second));
    assert_eq!(place.cached().len(), changed.len() - 1);
}

/// Without a launch cache, the engine itself is asked for the layers.
///
/// ANA-06, EXP-07, IMG-04, RES-01.
#[test]
fn the_phases_one_by_one_take_layers_of_the_previous_image_from_the_engine() {
    let place = Place::new("phases");
    place.create(&[]);
    let first = place.id("app");
    place.buildpack("settings", "two\n");
    succeed(Command::new("rm").arg("-rf").arg(place.path("layers")));
    fs::create_dir(place.path("layers")).unwrap();
    let other = place.image("other");
    succeed(&mut place.command("analyzer", &["-previous-image", &first, &other]));
    assert_eq!(place.document("layers/analyzed.toml")["image"]["reference"].as_str(), Some(first.as_str()));
    assert!(place.path("layers/sbom/launch/test_x/tool/sbom.cdx.json").is_file());
    assert!(place.was_saved(&first));
    succeed(&mut place.command("detector", &[]));
    succeed(&mut place.command("restorer", &[]));
    assert!(place.path("layers/test_x/tool.toml").is_file() && !place.path("layers/test_x/tool").exists());
    succeed(&mut place.command("builder", &[]));
    let output = succeed(&mut place.command("exporter", &[&other]));
    assert!(output.contains("Reusing layer 'test/x:tool'") && output.contains("Adding layer 'test/x:settings'"), "{output}");
    assert_eq!(place.id("app"), first, "the previous image stays");
    assert_eq!(place.file("other", &place.path("layers/test_x/tool/file").display().to_string()), "tool\n");
    assert_eq!(place.file("other", &place.path("layers/test_x/settings/file").display().to_string()), "two\n");
    assert_eq!(place.document("layers/report.toml")["image"]["image-id"].as_str(), Some(place.id("other").as_str()));
}

/// What an extension made of the run image is sent as any new layer, and kept in the launch cache as one.
///
/// EXP-02, EXP-03, EXP-39, IMG-26.
#[test]
fn an_extended_run_image_reaches_the_engine() {
    let place = Place::new("extended");
    let launch_cache = place.path("launch-cache").display().to_string();
    let arguments = ["-launch-cache", launch_cache.as_str()];
    place.create(&arguments);
    let layers = place.layers("app");
    write_layout(&place.path("layers/extended/run/any"), "etc/extension", "was here");
    let analyzed = fs::read_to_string(place.path("layers/analyzed.toml")).unwrap();
    place.write("layers/analyzed.toml", &analyzed.replace("[run-image]\n", "[run-image]\nextend = true\n"));
    let output = succeed(place.command("exporter", &arguments).arg(place.image("app")));
    assert!(output.contains(":extended-layer-0'"), "{output}");
    let extended = place.layers("app");
    assert_eq!((extended.len(), &extended[..1], &extended[2..]), (layers.len() + 1, &layers[..1], &layers[1..]));
    assert_eq!((place.file("app", "/etc/extension"), place.file("app", "/etc/release")), ("was here".into(), "first".into()));
    assert_eq!(place.file("app", &place.path("layers/test_x/tool/file").display().to_string()), "tool\n");
    assert_eq!(place.engine.inspect(&place.image("app"), "{{.Config.User}}"), "1000:1000");
    let base = extended[1].clone() + ".tar";
    assert!(place.cached().contains(&base), "{base} {:?}", place.cached());
}

/// REB-01, REB-12, REB-13, REB-17, REB-20, EXP-33.
#[test]
fn the_rebaser_puts_an_app_on_a_new_run_image_in_the_engine() {
    let place = Place::new("rebased");
    place.create(&[]);
    let (first, layers) = (place.id("app"), place.layers("app"));
    place.import_run_image("second");
    let report = place.path("report.toml").display().to_string();
    let previous = place.image("app");
    let arguments = ["-report", &report, "-previous-image", &previous, &place.image("new"), &place.image("newer")];
    succeed(&mut place.command("rebaser", &arguments));
    let new = place.id("new");
    assert_eq!((place.id("app"), place.id("newer")), (first, new.clone()));
    assert_eq!(place.layers("new"), [place.layers("run"), layers[1..].to_vec()].concat());
    assert_eq!((place.file("new", "/etc/release"), place.label("new", "io.buildpacks.base.release")), ("second".into(), "second".into()));
    let label: serde_json::Value = serde_json::from_str(&place.label("new", "io.buildpacks.lifecycle.metadata")).unwrap();
    assert_eq!(label["runImage"]["reference"], place.id("run"));
    assert_eq!(place.document("report.toml")["image"]["image-id"].as_str(), Some(new.as_str()));
    assert_eq!(place.document("report.toml").len(), 1);
}

/// Passes one connection on to the engine, and remembers what is asked on it. The socket is root's.
fn overheard(engine: &Engine, socket: &Path) -> Arc<Mutex<Vec<u8>>> {
    let listener = UnixListener::bind(socket).unwrap();
    let to_engine = UnixStream::connect(engine.host().trim_start_matches("unix://")).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&asked);
    thread::spawn(move || {
        let (mut from_us, _) = listener.accept().unwrap();
        let (mut from_engine, mut to_us) = (to_engine.try_clone().unwrap(), from_us.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut from_engine, &mut to_us));
        let mut piece = vec![0; 1 << 16];
        while let Ok(count @ 1..) = from_us.read(&mut piece) {
            record.lock().unwrap().extend_from_slice(&piece[..count]);
            (&to_engine).write_all(&piece[..count]).unwrap();
        }
    });
    asked
}

/// One connection serves a whole build, however long it takes.
///
/// CRE-06, EXIT-20.
#[test]
fn an_engine_hears_of_us_during_a_long_build() {
    let place = Place::new("slow");
    place.buildpack("seconds", "3\n");
    let socket = place.path("socket");
    let asked = overheard(place.engine, &socket);
    succeed(place.command("creator", &[]).env("DOCKER_HOST", format!("unix://{}", socket.display())).arg(place.image("app")));
    let asked = String::from_utf8_lossy(&asked.lock().unwrap()).into_owned();
    assert_eq!(asked.matches("POST /v1.41/images/load").count(), 1);
    // One at the start, one before the load, and one in each half second of the build.
    assert!(asked.matches("GET /_ping").count() >= 6, "{asked}");
}

/// IN-20, EXIT-12, EXP-36.
#[test]
fn an_engine_that_is_not_there_is_an_error_that_says_what_to_do() {
    let place = Place::new("absent");
    let socket = place.path("no-socket").display().to_string();
    for program in ["analyzer", "restorer", "exporter", "creator", "rebaser"] {
        let mut command = place.command(program, &[]);
        if program != "restorer" {
            command.arg(place.image("app"));
        }
        for (file, text) in [("group.toml", ""), ("analyzed.toml", "[run-image]\nreference = \"x\"\n")] {
            place.write(&format!("layers/{file}"), text);
        }
        let output = run(command.env("DOCKER_HOST", format!("unix://{socket}")));
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = format!("cannot connect to the engine at unix://{socket}");
        assert!(output.status.code() == Some(1) && text.contains(&expected) && text.contains("DOCKER_HOST"), "{program}: {text}");
    }
    let output = run(place.command("analyzer", &["-daemon=false"]).env("CNB_USE_DAEMON", "true").arg(place.image("app")));
    assert!(!String::from_utf8(output.stdout).unwrap().contains("the engine at"));
    assert!(!Path::new(&place.path("layers/report.toml")).exists());
}

/// CACHE-11: the image goes into the engine, its cache to the registry.
#[test]
fn a_cache_image_is_in_a_registry_even_where_images_are_in_an_engine() {
    let (place, registry) = (Place::new("cached"), Registry::start());
    place.buildpack(
        "bin/build",
        "#!/bin/sh\nmkdir -p \"$1/kept\"\necho kept > \"$1/kept/file\"\nprintf '[types]\\ncache = true\\n' > \"$1/kept.toml\"\n",
    );
    let cache = registry.name("team/cache:1");
    let output = place.create(&["-cache-image", &cache]);
    assert!(output.contains("Adding cache layer 'test/x:kept'"), "{output}");
    assert!(registry.data().join("repositories/team/cache/_manifests/tags/1").is_dir());
    assert!(!registry.data().join("repositories").join(place.image("app")).exists());
    assert!(!run(&mut place.engine.docker(&["image", "inspect", &cache])).status.success());
    let output = place.create(&["-cache-image", &cache]);
    assert!(output.contains("Restoring data for \"test/x:kept\" from cache"), "{output}");
}

/// LCH-35: the folder of the launcher is in `PATH`.
#[test]
fn a_container_may_name_the_launcher_alone() {
    let place = Place::new("launched");
    place.create(&[]);
    let mut command = place.engine.docker(&["run", "--rm", "--network", "none", "--entrypoint", "launcher"]);
    let output = run(command.args([&place.image("app"), "--", "gone"]));
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "ERROR: failed to launch: path lookup: exec: \"gone\": executable file not found in $PATH";
    assert!(output.status.code() == Some(82) && said.contains(expected), "{said}");
}
