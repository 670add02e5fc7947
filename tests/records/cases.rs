//! The cases: the same commands for both programs.

use super::{Actor, compare, look};
use crate::buildpackages::module;
use crate::support::{Small, succeed, write};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const METADATA: &str = "io.buildpacks.lifecycle.metadata";

/// Sends images to the registry: a build image, and run images `run:1` and `run:2`.
fn base_images(actor: &Actor) -> [Small; 3] {
    let layout = actor.folder().join("base");
    let image = |tag: &str, text: &[u8], labels: Value| {
        let config = json!({ "User": "1001:1000", "Env": ["PATH=/bin", "CNB_USER_ID=1001", "CNB_GROUP_ID=1000"], "Labels": labels });
        Small::write_with(&layout, tag, &[("etc/base", text)], json!({ "config": config }))
    };
    let labels = |of: &str| json!({ "of": of, "io.buildpacks.base.distro.name": "debian", "io.buildpacks.base.distro.version": "13" });
    let images = [image("build", b"build", labels("build")), image("run1", b"1", labels("1")), image("run2", b"2", labels("2"))];
    for (tag, name) in [("build", "build:1"), ("run1", "run:1"), ("run2", "run:2"), ("run1", "mirror:1"), ("run2", "newer:1")] {
        send(actor, tag, name);
    }
    images
}

fn send(actor: &Actor, tag: &str, name: &str) {
    let source = format!("oci:{}:{tag}", actor.folder().join("base").display());
    succeed(&mut actor.observer().command(&["copy", &source, &format!("docker://{}", actor.name(name)), "--quiet"]));
}

/// Buildpacks, one of them composed, and an extension, as folders.
fn modules(actor: &Actor) {
    let folder = actor.folder();
    module(&folder.join("one"), "buildpack", "acme/one", "1.0.0", "[[targets]]\nos = \"linux\"\narch = \"amd64\"\n");
    module(&folder.join("two"), "buildpack", "acme/two", "2.0.0", "");
    module(&folder.join("ext"), "extension", "acme/ext", "1.0.0", "");
    write(
        &folder.join("both/buildpack.toml"),
        "api = \"0.11\"\n[buildpack]\nid = \"acme/both\"\nversion = \"3.0.0\"\nname = \"Both\"\ndescription = \"Two\"\nhomepage = \"https://acme.test\"\nkeywords = [\"k\"]\n\
         [[buildpack.licenses]]\ntype = \"MIT\"\n[[order]]\n[[order.group]]\nid = \"acme/one\"\nversion = \"1.0.0\"\n[[order.group]]\nid = \"acme/two\"\nversion = \"2.0.0\"\noptional = true\n",
    );
    write(
        &folder.join("both/package.toml"),
        "[buildpack]\nuri = \".\"\n[[dependencies]]\nuri = \"../one\"\n[[dependencies]]\nuri = \"../two\"\n",
    );
}

/// A lifecycle whose programs do nothing.
fn lifecycle(actor: &Actor) {
    let folder = actor.folder().join("lifecycle-source");
    for program in ["detector", "restorer", "analyzer", "builder", "exporter", "launcher", "creator", "lifecycle", "extender", "rebaser"] {
        write(&folder.join("lifecycle").join(program), "#!/bin/sh\n");
    }
    let apis = "[apis.buildpack]\ndeprecated = []\nsupported = [\"0.10\", \"0.11\"]\n[apis.platform]\ndeprecated = [\"0.11\"]\nsupported = [\"0.11\", \"0.12\", \"0.13\"]\n";
    write(
        &folder.join("lifecycle.toml"),
        &format!("[api]\nplatform = \"0.11\"\nbuildpack = \"0.10\"\n{apis}[lifecycle]\nversion = \"0.20.0\"\n"),
    );
    let archive = actor.folder().join("lifecycle.tgz");
    succeed(Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(&folder).args(["lifecycle.toml", "lifecycle"]));
}

/// An app image on `run:1`.
fn app(actor: &Actor, run: &Small) {
    let layout = actor.folder().join("base");
    let sbom: &[u8] = b"{\"bomFormat\":\"CycloneDX\"}";
    let layers: [(&str, &[u8]); 3] = [("etc/base", b"1"), ("workspace/app", b"app"), ("layers/sbom/launch/acme_one/sbom.cdx.json", sbom)];
    let of_layers = Small::write_with(&layout, "draft", &layers, json!({}));
    let run_image =
        json!({ "topLayer": run.diff_ids[0], "reference": format!("{}@{}", actor.name("run"), run.digest), "image": actor.name("run:1") });
    let metadata = json!({
        "app": [{ "sha": of_layers.diff_ids[1] }], "sbom": { "sha": of_layers.diff_ids[2] }, "buildpacks": [], "config": { "sha": "" }, "launcher": { "sha": "" }, "process-types": { "sha": "" },
        "runImage": run_image, "stack": { "runImage": { "image": actor.name("run:1"), "mirrors": null } }
    });
    let build = json!({
        "bom": null, "buildpacks": [{ "id": "acme/one", "version": "1.0.0", "homepage": "https://acme.test" }],
        "launcher": { "version": "0.20.0", "source": { "git": { "repository": "r", "commit": "c" } } },
        "processes": [{ "type": "web", "command": ["a", "b"], "args": ["c"], "direct": true, "buildpackID": "acme/one" },
            { "type": "worker", "command": ["w"], "args": null, "direct": true, "buildpackID": "acme/one" }],
        "buildpack-default-process-type": "web"
    });
    let labels = json!({ METADATA: metadata.to_string(), "io.buildpacks.build.metadata": build.to_string(), "io.buildpacks.project.metadata": "{}",
        "io.buildpacks.base.distro.name": "debian", "io.buildpacks.base.distro.version": "13", "io.buildpacks.rebasable": "true" });
    let variables = ["PATH=/cnb/process:/cnb/lifecycle:/bin", "CNB_LAYERS_DIR=/layers", "CNB_APP_DIR=/workspace", "CNB_PLATFORM_API=0.13"];
    let config =
        json!({ "Labels": labels, "Env": variables, "Entrypoint": ["/cnb/process/web"], "User": "1001:1000", "WorkingDir": "/workspace" });
    Small::write_with(&layout, "app", &layers, json!({ "config": config, "created": "1980-01-01T00:00:01Z" }));
    send(actor, "app", "app:1");
}

fn builder(actor: &Actor) -> Value {
    drop(base_images(actor));
    modules(actor);
    lifecycle(actor);
    let text = "description = \"A <test>\"\n[[buildpacks]]\nuri = \"two\"\n[[buildpacks]]\nuri = \"one\"\nid = \"acme/one\"\nversion = \"1.0.0\"\n[[extensions]]\nuri = \"ext\"\n\
                [[order]]\n[[order.group]]\nid = \"acme/two\"\noptional = true\n[[order.group]]\nid = \"acme/one\"\nversion = \"1.0.0\"\n\
                [[order-extensions]]\n[[order-extensions.group]]\nid = \"acme/ext\"\nversion = \"1.0.0\"\n[lifecycle]\nuri = \"lifecycle.tgz\"\n\
                [build]\nimage = \"REGISTRY/build:1\"\n[[build.env]]\nname = \"A\"\nvalue = \"1\"\nsuffix = \"append\"\ndelim = \":\"\n\
                [[run.images]]\nimage = \"REGISTRY/run:1\"\nmirrors = [\"REGISTRY/mirror:1\"]\n";
    let host = actor.name("");
    write(&actor.folder().join("builder.toml"), &text.replace("REGISTRY", host.trim_end_matches('/')));
    actor.succeed(&["config", "experimental", "true"]);
    actor.succeed(&["builder", "create", "REGISTRY/builder:1", "--config", "builder.toml", "--publish", "--label", "x=y"]);
    let said: Value = serde_json::from_str(&actor.succeed(&["builder", "inspect", "REGISTRY/builder:1", "--output", "json"])).unwrap();
    json!({ "image": look::image(actor, "builder:1"), "said": said })
}

fn packages(actor: &Actor) -> Value {
    modules(actor);
    actor.succeed(&["buildpack", "package", "REGISTRY/one:1", "--path", "one", "--publish", "--label", "x=y"]);
    actor.succeed(&["buildpack", "package", "REGISTRY/both:1", "--config", "both/package.toml", "--publish"]);
    actor.succeed(&["buildpack", "package", "one.cnb", "--path", "one", "--format", "file"]);
    write(&actor.folder().join("ext/package.toml"), "[extension]\nuri = \".\"\n");
    actor.succeed(&["extension", "package", "REGISTRY/ext:1", "--config", "ext/package.toml", "--publish"]);
    let told = |arguments: &[&str]| {
        let said = actor.succeed(arguments);
        ["acme/one", "acme/two", "acme/both", "1.0.0", "2.0.0", "3.0.0"].into_iter().filter(|word| said.contains(word)).collect::<Vec<_>>()
    };
    // In which order pack puts the layers of several is left to chance (PKG-11).
    json!({
        "one": look::image(actor, "one:1"), "both": look::sorted(look::image(actor, "both:1")), "file": look::file(actor, "one.cnb"), "extension": look::image(actor, "ext:1"),
        "inspected": told(&["buildpack", "inspect", "REGISTRY/both:1"]),
    })
}

fn apps(actor: &Actor) -> Value {
    let [_, run, _] = base_images(actor);
    app(actor, &run);
    let mut said: Value = serde_json::from_str(&actor.succeed(&["inspect", "REGISTRY/app:1", "--output", "json"])).unwrap();
    // Ours says more, besides.
    said.as_object_mut().unwrap().retain(|key, _| ["image_name", "remote_info", "local_info"].contains(&key.as_str()));
    actor.succeed(&["sbom", "download", "REGISTRY/app:1", "--remote", "--output-dir", "sbom"]);
    fs::create_dir(actor.folder().join("report")).unwrap();
    actor.succeed(&[
        "rebase",
        "REGISTRY/app:1",
        "--publish",
        "--run-image",
        "REGISTRY/newer:1",
        "--force",
        "--report-output-dir",
        "report",
    ]);
    json!({
        "inspected": said, "sbom": look::folder(&actor.folder().join("sbom/layers")), "rebased": look::image(actor, "app:1"),
        "report": look::report(&actor.folder().join("report/report.toml")),
    })
}

fn lists(actor: &Actor) -> Value {
    // pack sends a list only where its images are in the same repository.
    drop(base_images(actor));
    for (tag, name) in [("build", "list:build"), ("run1", "list:one"), ("run2", "list:two"), ("build", "docker:build")] {
        send(actor, tag, name);
    }
    actor.succeed(&["config", "experimental", "true"]);
    actor.succeed(&["manifest", "create", "REGISTRY/list:1", "REGISTRY/list:build", "REGISTRY/list:one"]);
    actor.succeed(&["manifest", "add", "REGISTRY/list:1", "REGISTRY/list:two"]);
    let digest = look::manifest_digest(actor, "list:one");
    let run = actor.name(&format!("list@{digest}"));
    actor.succeed(&["manifest", "annotate", "REGISTRY/list:1", &run, "--arch", "arm64", "--variant", "v8", "--annotations", "a=b"]);
    let other = actor.name(&format!("list@{}", look::manifest_digest(actor, "list:two")));
    actor.succeed(&["manifest", "rm", "REGISTRY/list:1", &other]);
    actor.succeed(&["manifest", "push", "REGISTRY/list:1"]);
    let oci = look::manifest(actor, "list:1");
    actor.succeed(&["manifest", "remove", "REGISTRY/list:1"]);
    let gone = actor.start(&["manifest", "inspect", "REGISTRY/list:1"]).status.success();
    actor.succeed(&["manifest", "create", "REGISTRY/docker:1", "REGISTRY/docker:build", "--format", "docker", "--publish"]);
    json!({ "oci": oci, "still there": gone, "docker": look::manifest(actor, "docker:1") })
}

/// Which of the words that a script looks for a query says, after each change.
fn configuration(actor: &Actor) -> Value {
    let words =
        ["acme/builder", "mirror.test/run", "other.test/run", "if-not-present", "never", "acme.test/lifecycle", "mine", "proxy.test"];
    let mut steps = Vec::new();
    for line in [
        "default-builder acme/builder",
        "default-builder",
        "default-builder --unset",
        "default-builder",
        "trusted-builders add acme/builder",
        "trusted-builders list",
        "trusted-builders remove acme/builder",
        "trusted-builders list",
        "run-image-mirrors add acme/run --mirror mirror.test/run --mirror other.test/run",
        "run-image-mirrors list",
        "run-image-mirrors remove acme/run --mirror mirror.test/run",
        "run-image-mirrors list",
        "pull-policy never",
        "pull-policy",
        "pull-policy sometimes",
        "pull-policy --unset",
        "pull-policy",
        "lifecycle-image acme.test/lifecycle",
        "lifecycle-image",
        "lifecycle-image --unset",
        "experimental true",
        "experimental",
        "registry-mirrors add index.docker.io --mirror proxy.test",
        "registry-mirrors list",
        "registry-mirrors remove index.docker.io",
        "registry-mirrors list",
        "registries add mine https://github.com/acme/registry",
        "registries list",
        "registries default mine",
        "registries remove none",
        "registries default --unset",
        "registries remove mine",
        "registries list",
    ] {
        let arguments: Vec<&str> = std::iter::once("config").chain(line.split(' ')).collect();
        let output = actor.start(&arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        let is_query =
            ["list", "default-builder", "pull-policy", "lifecycle-image", "experimental"].contains(&line.split(' ').next_back().unwrap());
        let says: Vec<&str> = words.into_iter().filter(|word| is_query && said.contains(word)).collect();
        let file = [".config/cooper/config.toml", "pack/config.toml"]
            .map(|path| fs::read_to_string(actor.folder().join(path)))
            .into_iter()
            .find_map(Result::ok);
        let mut file: toml::Table = toml::from_str(&file.unwrap_or_default()).unwrap();
        // Where pack keeps layouts; here they are where they are named.
        file.remove("layout-repo-dir");
        steps.push(json!({ "config": line, "ends": output.status.success(), "says": says, "file": file }));
    }
    steps.into()
}

/// BIMG-02, BIMG-06, BIMG-07, BIMG-08.
#[test]
fn builders_are_made_as_pack_makes_them() {
    let times = "one and the same lifecycle is the same layer, whenever its files were made; the reference adds an empty layer";
    let local = "what is published stays in the store";
    compare("builder", builder, &[("image/layers", times), ("said/local_info", local)]);
}

/// PKG-01, PKG-05, PKG-06, PKG-07.
#[test]
fn packages_are_made_as_pack_makes_them() {
    compare("packages", packages, &[("file/created", "a file and an image of one package are the same image here")]);
}

/// CLI-40.
#[test]
fn apps_are_inspected_and_rebased_as_pack_does_it() {
    compare("apps", apps, &[("inspected/remote_info/processes/1/args", "a list is a list, also where it is empty")]);
}

#[test]
fn lists_of_images_are_made_as_pack_makes_them() {
    compare("lists", lists, &[]);
}

#[test]
fn the_configuration_is_kept_as_pack_keeps_it() {
    let reason = "a builder may be named before it is there";
    let better = ["0/ends", "1/says", "0/file/default-builder-image", "1/file/default-builder-image"].map(|place| (place, reason));
    compare("configuration", configuration, &better);
    assert!(fs::exists(crate::support::repository("fixtures/golden/pack/configuration.json")).unwrap());
}
