use super::*;
use crate::image::{Descriptor, Digest, History, media_type};

fn layer(content: &str) -> Layer {
    Layer {
        blob: Descriptor::of(media_type::LAYER_GZIP, content.as_bytes()),
        diff_id: Digest::of(content.as_bytes()),
        history: History::default(),
    }
}

fn run_image(layers: &[&str]) -> Image {
    let mut image = Image { layers: layers.iter().map(|name| layer(name)).collect(), ..Image::default() };
    (image.config.os, image.config.architecture) = ("linux".into(), "amd64".into());
    image.set_label("io.buildpacks.base.distro.name", "debian");
    image.set_label("io.buildpacks.base.distro.version", "13");
    image
}

fn app(api: &str) -> Image {
    let mut image = run_image(&["old base", "old top", "app", "launcher"]);
    let top = Digest::of(b"old top");
    image.set_label(
        LIFECYCLE_METADATA_LABEL,
        format!(
            r#"{{"app":["x","y"],"buildpacks":null,"config":{{"sha":"c"}},"runImage":{{"topLayer":"{top}","reference":"old","image":"acme/run","mirrors":["r.test/run"]}},"stack":{{"runImage":{{"image":"acme/run"}}}}}}"#
        ),
    );
    image.config.set_variable("CNB_PLATFORM_API", api);
    image.config.set_variable("KEPT", "yes");
    image
}

fn rebased(app: &Image, run: &Image, name: &str, force: bool) -> Result<Image> {
    let request =
        Rebase { app, run, run_reference: "new@sha256:1", run_name: name, platform_api: Api::new(0, 15), force, tags_are_patches: false };
    rebase(&request, &Output::quiet())
}

/// REB-12, REB-13, REB-15, REB-16, REB-18, REB-19.
#[test]
fn the_layers_above_the_run_image_stay() {
    let mut app = app("0.15");
    app.set_label("io.buildpacks.rebasable", "true");
    let image = rebased(&app, &run_image(&["new base"]), "acme/run:latest", false).unwrap();
    let layers: Vec<_> = image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    assert_eq!(layers, ["new base", "app", "launcher"].map(|name| Digest::of(name.as_bytes())));
    assert_eq!(
        image.label(LIFECYCLE_METADATA_LABEL).unwrap(),
        format!(
            r#"{{"app":["x","y"],"buildpacks":null,"config":{{"sha":"c"}},"runImage":{{"topLayer":"{}","reference":"new@sha256:1","image":"acme/run","mirrors":["r.test/run"]}},"stack":{{"runImage":{{"image":"acme/run"}}}}}}"#,
            Digest::of(b"new base")
        )
    );
    assert_eq!((image.config.created.as_str(), image.layers[1].history.created.as_str()), (CREATED, CREATED));
    assert_eq!((image.config.variable("KEPT"), image.label("io.buildpacks.rebasable")), (Some("yes"), Some("true")));
    app.layers.remove(1);
    assert!(rebased(&app, &run_image(&["new base"]), "acme/run", false).unwrap_err().to_string().contains("could not find base layer"));
}

/// REB-14, REB-17.
#[test]
fn what_describes_the_run_image_comes_from_the_new_one() {
    let mut app = app("0.15");
    app.set_label("io.buildpacks.stack.old", "x");
    app.set_label("io.buildpacks.base.old", "x");
    app.set_label("other", "x");
    let mut run = run_image(&["new base"]);
    run.set_label("io.buildpacks.base.new", "y");
    run.set_label("elsewhere", "y");
    run.config.variant = "v2".into();
    let image = rebased(&app, &run, "r.test/run", false).unwrap();
    let labels: Vec<&str> = image.config.config.labels.as_ref().unwrap().keys().map(String::as_str).collect();
    let expected =
        ["base.distro.name", "base.distro.version", "base.new", "lifecycle.metadata"].map(|name| format!("io.buildpacks.{name}"));
    assert_eq!(labels, expected.iter().map(String::as_str).chain(["other"]).collect::<Vec<_>>());
    assert_eq!(image.config.variant, "v2");
}

/// REB-08, REB-09, REB-10, REB-11.
#[test]
fn doubts_are_errors_unless_forced() {
    let mut marked = app("0.15");
    marked.set_label("io.buildpacks.rebasable", "false");
    let good = run_image(&["new base"]);
    let mut other_arch = good.clone();
    other_arch.config.architecture = "arm64".into();
    let mut other_distro = good.clone();
    other_distro.set_label("io.buildpacks.base.distro.version", "12");
    for (app, run, name, says) in [
        (&marked, &good, "acme/run", "app image is not marked as rebasable; please provide -force to override"),
        (&app("0.15"), &other_arch, "acme/run", "unable to satisfy target os/arch constraints"),
        (&app("0.12"), &other_distro, "acme/run", "unable to satisfy target os/arch constraints"),
        (&app("0.15"), &good, "foreign/run", "new base image 'foreign/run' not found in existing run image metadata"),
    ] {
        let error = rebased(app, run, name, false).unwrap_err().to_string();
        assert!(error.contains(says) && error.ends_with("-force to override"), "{error}");
        rebased(app, run, name, true).unwrap();
    }
    let forced = rebased(&app("0.15"), &good, "foreign/run", true).unwrap();
    let names = run_image_names(&forced, Api::new(0, 15)).unwrap();
    assert_eq!((names.image.as_str(), names.mirrors.len()), ("foreign/run", 0));
    assert_eq!(run_image_names(&forced, Api::new(0, 11)).unwrap().image, "foreign/run");
}

/// REB-03, REB-05, REB-06, REB-07.
#[test]
fn old_apps_are_compared_by_stack() {
    let mut old = app("0.11");
    let mut run = run_image(&["new base"]);
    let says = |old: &Image, run: &Image| rebased(old, run, "acme/run", true).map(drop).map_err(|error| error.to_string());
    assert_eq!(says(&old, &run), Err("stack not defined on app image".into()));
    old.set_label("io.buildpacks.stack.id", "a");
    assert_eq!(says(&old, &run), Err("stack not defined on new base image".into()));
    run.set_label("io.buildpacks.stack.id", "b");
    assert_eq!(says(&old, &run), Err("incompatible stack: 'b' is not compatible with 'a'".into()));
    run.set_label("io.buildpacks.stack.id", "a");
    old.set_label("io.buildpacks.stack.mixins", r#"["run:z","git","build:c"]"#);
    run.set_label("io.buildpacks.stack.mixins", r#"["git"]"#);
    assert_eq!(says(&old, &run), Err("missing required mixin(s): c, z".into()));
    run.set_label("io.buildpacks.stack.mixins", r#"["git","c","z"]"#);
    assert_eq!(says(&old, &run), Ok(()));
    old.config.config.labels.as_mut().unwrap().remove(LIFECYCLE_METADATA_LABEL);
    assert!(run_image_names(&old, Api::new(0, 15)).is_err());
}

/// Another tag of a run image is a patch, where a platform says so; what the label names stays.
#[test]
fn another_tag_of_the_run_image_needs_no_force() {
    let (app, run) = (app("0.15"), run_image(&["new base"]));
    let with = |run_name, tags_are_patches| {
        let request = Rebase {
            app: &app,
            run: &run,
            run_reference: "new@sha256:1",
            run_name,
            platform_api: Api::new(0, 15),
            force: false,
            tags_are_patches,
        };
        rebase(&request, &Output::quiet())
    };
    assert!(with("acme/run:1.3", false).is_err());
    assert!(with("acme/run:1.3", true).unwrap().label(LIFECYCLE_METADATA_LABEL).unwrap().contains(r#""image":"acme/run","#));
    assert!(with("r.test/run:2", true).is_ok());
    assert!(with("acme/other", true).is_err());
}
