//! A builder's image for another processor.

use super::{app, json, other};
use crate::support::builder::Builder;
use crate::support::{Machine, Registry, repository, run, succeed};

/// The builder's buildpacks are shell scripts: they run with the shell of the other processor's image. The builder is found in an index by its
/// platform too.
/// CLI-30.
#[test]
fn a_builder_for_another_processor_builds_here() {
    let (machine, folder, registry) = (Machine::shared(), tempfile::tempdir().unwrap(), Registry::start());
    machine.prepare();
    let platform = other().platform();
    // Composes the images of the other processor.
    machine.built("composed-there", app(), &["--platform", &platform]);
    let theirs = Builder::for_processor(&machine, folder.path(), other().image);
    let name = registry.name("base/builder:1");
    let single = registry.name("base/builder:there");
    succeed(&mut machine.command(&["copy", &theirs.name(), &single]));
    std::fs::create_dir(folder.path().join("ours")).unwrap();
    let ours = Builder::new(&machine, &folder.path().join("ours"));
    let here_single = registry.name("base/builder:here");
    succeed(&mut machine.command(&["copy", &ours.name(), &here_single]));
    succeed(&mut machine.command(&["manifest", "create", &name, &here_single, &single, "--publish"]));
    let source = repository("fixtures/builder/app").display().to_string();
    for builder in [theirs.name(), name] {
        let run_image = &theirs.run_image;
        let build = ["build", "built-there", "--path", &source, "--builder", &builder, "--run-image", run_image, "--platform", &platform];
        let output = run(machine.command(&build).args(["--env", "USER_SETS=user"]));
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{builder}: {said}");
        let described = json(&machine, &["inspect", "built-there", "--platform", &platform]);
        assert_eq!(described["platform"], *platform, "{described:#}");
        assert_eq!(succeed(&mut machine.command(&["run", "built-there"])), "linux production exec.d hello\n");
        succeed(&mut machine.command(&["rmi", "built-there"]));
    }
}
