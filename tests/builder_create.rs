//! `cooper builder create` and `inspect`: builders of a builder.toml, as the reference makes them.

use crate::buildpackages::{labels, members, module};
use crate::support::{Machine, Registry, repository, succeed, write};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const SYSTEM: &str = "[[system.pre.buildpacks]]\nid = \"acme/one\"\noptional = true\n";

/// A builder.toml of small modules beside it, without what `more` says.
fn configuration(machine: &Machine, folder: &Path, more: &str) -> String {
    machine.prepare();
    module(&folder.join("one"), "buildpack", "acme/one", "1.0.0", "[[targets]]\nos = \"linux\"\n");
    module(&folder.join("two"), "buildpack", "acme/two", "2.0.0", "");
    module(&folder.join("ext"), "extension", "acme/ext", "1.0.0", "");
    let modules = "[[buildpacks]]\nuri = \"two\"\n[[buildpacks]]\nuri = \"one\"\nid = \"acme/one\"\nversion = \"1.0.0\"\n[[extensions]]\nuri = \"ext\"\n";
    let order = "[[order]]\n[[order.group]]\nid = \"acme/two\"\noptional = true\n[[order-extensions]]\n[[order-extensions.group]]\nid = \"acme/ext\"\noptional = true\n";
    let variables = "[[build.env]]\nname = \"A\"\nvalue = \"1\"\nsuffix = \"append\"\ndelim = \":\"\n";
    let images = format!(
        "[build]\nimage = \"{}\"\n{variables}[[run.images]]\nimage = \"{}\"\nmirrors = [\"mirror.test/run\"]\n",
        machine.composed("build").0,
        machine.composed("run").0
    );
    let file = folder.join("builder.toml");
    write(&file, &format!("description = \"A <test>\"\n{modules}{order}{images}{more}"));
    file.to_str().unwrap().to_string()
}

/// The text of a file in the builder's topmost layer that has it.
fn file(machine: &Machine, name: &str, path: &str) -> String {
    succeed(&mut machine.command(&["run", name, "--entrypoint", "cat", "--", path]))
}

/// BIMG-02, BIMG-03, BIMG-04, BIMG-05, BIMG-06, BIMG-07, BIMG-08, BIMG-09, BIMG-10, BIMG-15, BIMG-28.
#[test]
fn a_builder_is_made_as_the_reference_makes_it() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let config = configuration(&machine, folder.path(), SYSTEM);
    let create = |name: &str| succeed(&mut machine.command(&["builder", "create", name, "--config", &config, "--label", "x=y", "--quiet"]));
    let digest = create("made-builder");
    assert_eq!(create("made-builder-again"), digest);
    let layers = members(&machine, "made-builder");
    let line = |mode: &str, owner: &str, path: &str| format!("{mode} {owner} 315532801 {path}");
    let ours = [("/workspace", "1001/1000"), ("/layers", "1001/1000")];
    let roots = ["/cnb", "/cnb/buildpacks", "/cnb/extensions", "/platform", "/platform/env", "/cnb/build-config", "/cnb/build-config/env"];
    let folders: Vec<String> =
        ours.iter().copied().chain(roots.map(|path| (path, "0/0"))).map(|(path, owner)| line("755", owner, path)).collect();
    assert_eq!(layers[1], folders);
    assert!(
        layers[2][0] == line("755", "0/0", "/cnb/lifecycle") && layers[2].last() == Some(&line("777", "0/0", "/lifecycle")),
        "{:?}",
        layers[2]
    );
    let first = |at: usize| layers[at][0].rsplit(' ').next().unwrap().to_string();
    assert_eq!([first(3), first(4), first(5)], ["/cnb/buildpacks/acme_one", "/cnb/buildpacks/acme_two", "/cnb/extensions/acme_ext"]);
    let files: Vec<&[String]> = layers[6..].iter().map(Vec::as_slice).collect();
    let one = |path: &str| vec![line("644", "0/0", path)];
    let documents = ["order", "system", "stack", "run"].map(|name| one(&format!("/cnb/{name}.toml")));
    assert_eq!(files[..4], documents.each_ref().map(Vec::as_slice));
    assert_eq!(files[4], [one("/cnb/build-config/env/A.append"), one("/cnb/build-config/env/A.delim")].concat());

    let (built, label) = labels(&machine, "made-builder");
    assert_eq!(
        (&built["config"]["WorkingDir"], &built["config"]["User"], &built["config"]["Labels"]["x"]),
        (&json!("/layers"), &json!("1001:1000"), &json!("y"))
    );
    let run = machine.composed("run").0;
    let mut metadata = label("io.buildpacks.builder.metadata");
    assert_eq!(metadata["lifecycle"]["apis"]["platform"]["supported"].as_array().unwrap().len(), 9);
    metadata["lifecycle"].take();
    let info = |id: &str, version: &str| json!({ "id": id, "name": format!("Of {id}"), "version": version });
    let expected = json!({
        "description": "A <test>", "buildpacks": [info("acme/two", "2.0.0"), info("acme/one", "1.0.0")], "extensions": [info("acme/ext", "1.0.0")],
        "stack": { "runImage": { "image": "", "mirrors": null } }, "lifecycle": null,
        "createdBy": { "name": "cooper", "version": env!("CARGO_PKG_VERSION") }, "images": [{ "image": run, "mirrors": ["mirror.test/run"] }]
    });
    assert_eq!(metadata, expected);
    assert_eq!(label("io.buildpacks.buildpack.order"), json!([{ "group": [{ "id": "acme/two", "optional": true }] }]));
    assert_eq!(
        label("io.buildpacks.buildpack.system"),
        json!({ "pre": { "buildpacks": [{ "id": "acme/one", "optional": true }] }, "post": {} })
    );
    assert_eq!(
        (label("io.buildpacks.extension.layers")["acme/ext"]["1.0.0"]["api"].clone(), label("io.buildpacks.stack.mixins")),
        (json!("0.11"), Value::Null)
    );
    let order: toml::Table = toml::from_str(&file(&machine, "made-builder", "/cnb/order.toml")).unwrap();
    let text = order.to_string();
    assert_eq!(order["order"][0]["group"][0]["version"].as_str(), Some("2.0.0"), "{text}");
    assert_eq!(order["order-extensions"][0]["group"][0].as_table().unwrap().keys().collect::<Vec<_>>(), ["id", "version"], "{text}");
    assert!(file(&machine, "made-builder", "/cnb/system.toml").contains("version = \"1.0.0\""));
    let stack: toml::Table = toml::from_str(&file(&machine, "made-builder", "/cnb/stack.toml")).unwrap();
    let runs: toml::Table = toml::from_str(&file(&machine, "made-builder", "/cnb/run.toml")).unwrap();
    assert_eq!(
        (stack["run-image"]["image"].as_str(), runs["images"][0]["mirrors"][0].as_str()),
        (Some(run.as_str()), Some("mirror.test/run"))
    );
}

/// BIMG-11: a builder on a builder. What is the same stays, what is another hides what was there.
#[test]
fn a_builder_may_stand_on_a_builder() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let config = configuration(&machine, folder.path(), "");
    let create =
        |name: &str, more: &[&str]| succeed(machine.command(&["builder", "create", name, "--config", &config, "--quiet"]).args(more));
    create("below-builder", &[]);
    let text = fs::read_to_string(&config).unwrap().replace(&machine.composed("build").0, "below-builder");
    write(Path::new(&config), &text);
    write(&folder.path().join("two/added"), "new");
    create("above-builder", &[]);
    let names: Vec<String> =
        members(&machine, "above-builder").iter().map(|layer| layer[0].rsplit(' ').next().unwrap().to_string()).collect();
    let below = members(&machine, "below-builder").len();
    let expected = [
        "/workspace",
        "/cnb/lifecycle",
        "/cnb/buildpacks/acme_two/.wh.2.0.0",
        "/cnb/buildpacks/acme_two",
        "/cnb/order.toml",
        "/cnb/stack.toml",
        "/cnb/run.toml",
        "/cnb/build-config/env/A.append",
    ];
    assert_eq!(names[below..], expected);
    assert_eq!(file(&machine, "above-builder", "/cnb/buildpacks/acme_two/2.0.0/added"), "new");
    assert_eq!(labels(&machine, "above-builder").1("io.buildpacks.builder.metadata")["buildpacks"].as_array().unwrap().len(), 2);
    // Several in one layer.
    create("flat-builder", &["--flatten", "acme/one@1.0.0,acme/two@2.0.0"]);
    let layers = labels(&machine, "flat-builder").1("io.buildpacks.buildpack.layers");
    assert_eq!(layers["acme/one"]["1.0.0"]["layerDiffID"], layers["acme/two"]["2.0.0"]["layerDiffID"]);
}

/// BIMG-12, BIMG-13, BIMG-14, BIMG-19, BIMG-20.
#[test]
fn parts_that_do_not_fit_are_told() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let refused = |change: &dyn Fn(&str) -> String, more: &str| {
        let config = configuration(&machine, folder.path(), "");
        let text = change(&fs::read_to_string(&config).unwrap());
        write(Path::new(&config), &format!("{text}{more}"));
        let output = machine.run(&["builder", "create", "refused-builder", "--config", &config]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let same = |text: &str| text.to_string();
    let place = |name: &str| folder.path().join(name);
    module(&place("far"), "buildpack", "acme/far", "1.0.0", "[[targets]]\nos = \"linux\"\narch = \"sparc\"\n");
    write(
        &place("all/buildpack.toml"),
        "api = \"0.11\"\n[buildpack]\nid = \"acme/all\"\nversion = \"1.0.0\"\n[[order]]\n[[order.group]]\nid = \"acme/none\"\nversion = \"1.0.0\"\n",
    );
    let lifecycle = place("lifecycle.tgz");
    succeed(&mut machine.command(&["lifecycle", "package", "--output", lifecycle.to_str().unwrap()]));
    let repack = |name: &str, script: &str| {
        let script = format!("rm -rf x && mkdir x && tar -xzf lifecycle.tgz -C x && cd x && {script} && tar -czf ../{name} .");
        succeed(Command::new("sh").args(["-c", &script]).current_dir(folder.path()));
    };
    repack("incomplete.tgz", "rm lifecycle/restorer");
    repack("old.tgz", "printf '[api]\\nbuildpack = \"0.10\"\\nplatform = \"0.7\"\\n[lifecycle]\\nversion = \"0.1.0\"\\n' > lifecycle.toml");
    let buildpack = |uri: &str| format!("[[buildpacks]]\nuri = \"{uri}\"\n");
    let lifecycle = |uri: &str| format!("[lifecycle]\nuri = \"{uri}\"\n");
    for (change, more, why) in [
        (&same as &dyn Fn(&str) -> String, buildpack("far"), "buildpack `acme/far@1.0.0` does not work in the build image"),
        (&same, buildpack("all"), "buildpack `acme/none@1.0.0` not found on the builder"),
        (&same, buildpack("ext"), "is the extension `acme/ext@1.0.0`"),
        (&same, lifecycle("incomplete.tgz"), "did not find 'restorer' in tar"),
        (&same, lifecycle("old.tgz"), "(Buildpack API 0.11) is incompatible with lifecycle `0.1.0` (Buildpack API(s) 0.10)"),
        (&same, lifecycle("nothing.tgz"), "there is no"),
        (
            &|text: &str| text.replace("id = \"acme/two\"\noptional", "id = \"acme/three\"\noptional"),
            String::new(),
            "no versions of buildpack `acme/three`",
        ),
        (&|text: &str| text.replace("version = \"1.0.0\"", "version = \"9.0.0\""), String::new(), "has the version `1.0.0`, not `9.0.0`"),
    ] {
        let said = refused(change, &more);
        assert!(said.contains(why), "{why}: {said}");
    }
}

/// What `lifecycle package` and `lifecycle image` make is what a builder takes. BIMG-19, BIMG-23, BIMG-24.
#[test]
fn the_lifecycle_of_a_builder_comes_from_a_file_or_an_image() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let file = folder.path().join("lifecycle.tgz");
    succeed(&mut machine.command(&["lifecycle", "package", "--output", file.to_str().unwrap()]));
    succeed(&mut machine.command(&["lifecycle", "image", "lifecycle-of-tests"]));
    let create = |name: &str, more: &str| {
        let config = configuration(&machine, folder.path(), more);
        succeed(&mut machine.command(&["builder", "create", name, "--config", &config, "--quiet"]));
        let layer: std::collections::BTreeSet<String> = members(&machine, name)[2].iter().cloned().collect();
        (layer, labels(&machine, name).1("io.buildpacks.builder.metadata")["lifecycle"].clone())
    };
    let own = create("own-lifecycle", "");
    assert_eq!(create("packed-lifecycle", "[lifecycle]\nuri = \"lifecycle.tgz\"\n"), own);
    assert_eq!(create("imaged-lifecycle", "[lifecycle]\nuri = \"store://lifecycle-of-tests\"\n"), own);
}

/// BIMG-25, PKG-18, PKG-19. One image for each machine, and a list of them in the registry.
#[test]
fn images_for_several_machines_become_a_list() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let machine = Machine::empty(folder.path());
    let source = folder.path().join("source");
    module(
        &source,
        "buildpack",
        "acme/one",
        "1.0.0",
        "[[targets]]\nos = \"linux\"\narch = \"amd64\"\n[[targets]]\nos = \"linux\"\narch = \"arm64\"\n",
    );
    write(&source.join("linux/arm64/bin/build"), "#!/bin/sh\n# of arm64\n");
    let path = source.to_str().unwrap();
    let name = format!("{}/several:1", registry.host());
    succeed(&mut machine.command(&["buildpack", "package", &name, "--path", path, "--publish", "--append-image-name-suffix"]));
    let list: Value = serde_json::from_str(&succeed(&mut machine.command(&["manifest", "inspect", &name]))).unwrap();
    let machines: Vec<&str> =
        list["manifests"].as_array().unwrap().iter().map(|entry| entry["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(machines, ["amd64", "arm64"]);
    let of = |suffix: &str| {
        members(&machine, &format!("{name}-linux-{suffix}"))[0]
            .iter()
            .map(|line| line.rsplit(' ').next().unwrap().to_string())
            .collect::<Vec<_>>()
    };
    assert!(of("amd64").contains(&"/cnb/buildpacks/acme_one/1.0.0/bin/detect".into()));
    assert_eq!(of("arm64")[2..], ["buildpack.toml", "bin", "bin/build"].map(|name| format!("/cnb/buildpacks/acme_one/1.0.0/{name}")));

    succeed(machine.command(&["buildpack", "package", "several", "--format", "file", "--path", path]).current_dir(folder.path()));
    assert!(["several-linux-amd64.cnb", "several-linux-arm64.cnb"].iter().all(|name| folder.path().join(name).is_file()));
    // What is here is for this machine only.
    write(
        &folder.path().join("all/buildpack.toml"),
        "api = \"0.11\"\n[buildpack]\nid = \"acme/all\"\nversion = \"1.0.0\"\n[[order]]\n[[order.group]]\nid = \"acme/one\"\nversion = \"1.0.0\"\n",
    );
    let package = |uri: &str| {
        write(&folder.path().join("all/package.toml"), &format!("[buildpack]\nuri = \".\"\n[[dependencies]]\nuri = \"{uri}\"\n"));
        let all = folder.path().join("all");
        machine.run(&[
            "buildpack",
            "package",
            &format!("{}/all:1", registry.host()),
            "--path",
            all.to_str().unwrap(),
            "--publish",
            "--target",
            "linux/amd64",
            "--target",
            "linux/arm64",
        ])
    };
    let refused = String::from_utf8(package("../source").stderr).unwrap();
    assert!(refused.contains("`../source` is not allowed in a composed package for several machines"), "{refused}");
    let made = package(&format!("docker://{name}"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// BIMG-06, BIMG-08: only the documents of a builder in a registry are read.
#[test]
fn a_builder_is_looked_at_here_and_in_its_registry() {
    let (machine, folder, registry) = (Machine::shared(), tempfile::tempdir().unwrap(), Registry::start());
    let name = format!("{}/looked-at:1", registry.host());
    let config = configuration(&machine, folder.path(), "");
    succeed(&mut machine.command(&["builder", "create", &name, "--config", &config, "--publish"]));
    let far = Machine::empty(folder.path());
    let inspect = |machine: &Machine, more: &[&str]| succeed(machine.command(&["builder", "inspect", &name]).args(more));
    let found: Value = serde_json::from_str(&inspect(&far, &["--output", "json"])).unwrap();
    assert!(
        found["local_info"].is_null()
            && !far.store.join("blobs/sha256").read_dir().unwrap().any(|blob| blob.unwrap().metadata().unwrap().len() > 1 << 16)
    );
    let both: Value = serde_json::from_str(&inspect(&machine, &["--output", "json"])).unwrap();
    assert_eq!((&both["local_info"], &both["remote_info"]), (&found["remote_info"], &found["remote_info"]));
    assert_eq!(found["remote_info"]["detection_order"], json!([{ "buildpacks": [{ "id": "acme/two", "optional": true }] }]));
    assert_eq!(found["remote_info"]["lifecycle"]["buildpack_apis"]["supported"][0], "0.7");
    let toml: toml::Table = toml::from_str(&inspect(&far, &["--output", "toml"])).unwrap();
    assert_eq!(toml["remote_info"]["description"].as_str(), Some("A <test>"));
    assert!(inspect(&far, &["--output", "yaml"]).contains("remote_info:\n") && inspect(&far, &[]).contains("acme/two  (optional)"));
    let refused = machine.run(&["builder", "inspect", &machine.composed("run").0]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is it a builder?"));
}

/// A builder of a `base.toml`: its images are composed, and its run image goes where the builder goes.
#[test]
fn a_builder_is_composed_from_debian_packages() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let machine = Machine::fresh(folder.path());
    let base = repository("builders/trixie/base.toml");
    let run = format!("{}/run:1", registry.host());
    let app = repository("fixtures/builder/app");
    let modules = ["old", "clear", "new"]
        .map(|name| format!("[[buildpacks]]\nuri = \"{}\"\n", repository("fixtures/builder").join(name).display()))
        .concat();
    let order = fs::read_to_string(repository("fixtures/builder/order.toml")).unwrap();
    let images = format!("[build]\nbase = \"{0}\"\n[run]\nbase = \"{0}\"\n[[run.images]]\nimage = \"{run}\"\n", base.display());
    write(&folder.path().join("builder.toml"), &format!("{modules}{order}{images}"));
    let builder = format!("{}/builder:1", registry.host());
    succeed(&mut machine.command(&[
        "builder",
        "create",
        &builder,
        "--config",
        folder.path().join("builder.toml").to_str().unwrap(),
        "--publish",
    ]));
    let far = Machine::empty(folder.path());
    succeed(&mut far.command(&[
        "build",
        "far-app",
        "--path",
        app.to_str().unwrap(),
        "--builder",
        &builder,
        "--env",
        "USER_SETS=user",
        "--quiet",
    ]));
    assert_eq!(succeed(&mut far.command(&["run", "far-app"])), "linux production exec.d hello\n");
}
