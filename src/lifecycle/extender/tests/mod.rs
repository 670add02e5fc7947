//! Instructions in a root file system that is a plain folder, and on the file system of a container.

mod files;
mod world;

use super::*;
use std::fs;
use std::time::Duration;
use world::{World, variables};

#[test]
fn what_is_not_offered_is_refused_and_says_why() {
    let world = World::new();
    for (text, expected) in [
        ("RUN --mount=type=cache,target=/x a", "`RUN --mount=type=cache,target=/x` is not offered"),
        ("RUN --network=none a", "`RUN --network=none` is not offered"),
        ("RUN <<EOF\n#!/usr/bin/env python3\nEOF\n", "a here-document that names its own interpreter is not offered"),
        ("ADD https://x.test/y /y", "`https://x.test/y` is not on this machine, and nothing is downloaded for ADD"),
        ("COPY --from=other a /b", "files cannot be copied from another image or stage"),
        ("COPY --parents a /b", "the option `--parents` is not offered"),
        ("COPY --chown=ann a.txt /b", "the image has no user `ann`"),
        ("COPY --chmod=u+x a.txt /b", "`--chmod=u+x` is not an octal mode"),
        ("COPY a.txt b.txt /b", "with more than one source file, the destination must be a directory and end with a /"),
        ("COPY dir /place/there", "cannot copy a folder over the file `/place/there`"),
        ("COPY a.txt /place/there/x", "`/place/there` is not a folder"),
        ("USER $NOBODY", "`$NOBODY` is empty once its variables are replaced"),
        ("EXPOSE 70000", "`70000` is not a port"),
        ("HEALTHCHECK --interval=often CMD x", "`--interval=often` is not understood"),
        ("ENV x", "`x` has no value"),
        ("USER ann\nRUN x", "the image has no user `ann`"),
    ] {
        assert_eq!(world.refused(text), expected, "{text}");
    }
}

#[test]
fn the_configuration_is_what_docker_writes() {
    let world = World::new();
    let text = "CMD [\"old\"]\nENTRYPOINT [\"/x\", \"y\"]\nCMD z $BASE\nEXPOSE 80 53/udp 8000-8001\nVOLUME /v /w\nVOLUME [\"/v x\"]\nSTOPSIGNAL SIGINT\nHEALTHCHECK --interval=1m30s --retries=3 CMD curl x\nMAINTAINER Ann\nONBUILD RUN a\nLABEL a=\"$BASE\" b=c\nUSER 7:8\n";
    let image = world.extend(&[text]).unwrap().image;
    let config = serde_json::to_value(&image.config).unwrap();
    insta::assert_snapshot!(serde_json::to_string(&config["config"]).unwrap(), @r#"{"Cmd":["/bin/sh","-c","z $BASE"],"Entrypoint":["/x","y"],"Env":["BASE=of the image"],"ExposedPorts":{"53/udp":{},"80/tcp":{},"8000/tcp":{},"8001/tcp":{}},"Healthcheck":{"Interval":90000000000,"Retries":3,"Test":["CMD-SHELL","curl x"]},"Labels":{"a":"of the image","b":"c","io.buildpacks.rebasable":"false"},"OnBuild":["RUN a"],"StopSignal":"SIGINT","User":"7:8","Volumes":{"/v":{},"/v x":{},"/w":{}}}"#);
    assert_eq!((image.config.author.as_str(), image.config.created.as_str()), ("Ann", "0001-01-01T00:00:00Z"));
    let mut with_command = World::new();
    with_command.image.config.config.cmd = Some(vec!["inherited".into()]);
    let image = with_command.extend(&["ENTRYPOINT x"]).unwrap().image;
    assert_eq!((image.config.config.cmd, image.config.config.entrypoint.unwrap()[2].as_str()), (None, "x"));
    assert_eq!(world.extend(&["HEALTHCHECK NONE"]).unwrap().image.config.config.healthcheck.unwrap().to_string(), r#"{"Test":["NONE"]}"#);
}

/// EXT-12, EXT-13, EXT-14, EXT-15.
#[test]
fn who_may_rebase_and_who_runs() {
    let mut world = World::new();
    world.kind = Kind::Run;
    world.image.set_label(REBASABLE, "false");
    let yes = "LABEL io.buildpacks.rebasable=true\n";
    let rebasable = |dockerfiles: &[&str]| world.extend(dockerfiles).unwrap().image.label(REBASABLE).unwrap().to_string();
    assert_eq!(rebasable(&[]), "false");
    assert_eq!(rebasable(&[yes]), "true");
    assert_eq!(rebasable(&[yes, "LABEL io.buildpacks.rebasable=1"]), "true");
    assert_eq!(rebasable(&["USER 1", yes]), "false");
    assert_eq!(rebasable(&["LABEL io.buildpacks.rebasable=perhaps"]), "false");
    assert_eq!(world.extend(&[]).unwrap().image.config.created, "");
    let copied = world.extend(&["COPY   a.txt /"]).unwrap().image;
    assert_eq!(copied.layers[0].history.created_by, "Layer: 'COPY   a.txt /', Created by extension: acme/e0");
    let error = world.extend(&["USER root"]).err().unwrap();
    assert_eq!(error.exit_code(), 102);
    assert!(error.to_string().starts_with("the final user ID is 0 (root)"));
    let said = world.extend(&["USER 0", "ARG user_id\nUSER 5$user_id"]).unwrap().said;
    assert_eq!(said.len(), 2);
    assert!(said[0].contains("changed the user ID from 1002 to 0") && said[1].contains("was 1002 but"), "{said:?}");
    world.kind = Kind::Build;
    assert!(world.extend(&["USER root"]).is_ok());
}

/// EXT-08.
#[test]
fn results_are_used_again_until_something_differs() {
    let world = World::new();
    let ran = |text: &str| world.extend(&[text]).unwrap().programs.len();
    let text = "COPY a.txt /\nRUN one\nRUN two\n";
    assert_eq!((ran(text), ran(text)), (2, 0));
    assert_eq!(ran("COPY a.txt /\nRUN one\nRUN three\n"), 1);
    assert_eq!(ran("ENV X=y\nCOPY a.txt /\nRUN one\n"), 1);
    fs::write(world.path("context/a.txt"), "other").unwrap();
    assert_eq!(ran(text), 2);
    assert_eq!(ran("ARG build_id\nRUN four\n"), 1);
    assert_eq!(ran("ARG build_id\nRUN four\n"), 0);
    let each_time = "ARG build_id\nRUN four\nRUN echo ${build_id}\nENV ID=$build_id\nRUN five\n";
    assert_eq!((ran(each_time), ran(each_time)), (2, 2));
    assert_eq!(ran("ARG DEFAULT=1\nRUN six"), 1);
    assert_eq!(ran("ARG DEFAULT=2\nRUN six"), 1);
    let old = Steps { store: &world.store, longest: Duration::ZERO };
    assert_eq!(world.extend_with(&[text], old).unwrap().programs.len(), 2);
    let named = || world.store.list().unwrap().len();
    assert!(named() > 5);
    old.forget_old().unwrap();
    assert_eq!(named(), 0);
}

#[test]
fn the_same_files_make_the_same_layer() {
    let layer = || {
        let world = World::new();
        let file = fs::File::options().write(true).open(world.path("context/a.txt")).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(rand::random::<u32>().into())).unwrap();
        world.extend(&["COPY . /copied/"]).unwrap().image.layers[0].blob.digest.clone()
    };
    assert_eq!(layer(), layer());
}
