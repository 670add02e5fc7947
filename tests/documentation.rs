//! Every command in the guides works.

use crate::support::{Engine, Machine, PASSWORD, Registry, USER, cooper, repository, run};
use std::fs;
use std::process::Command;

/// Lines `$ …` of the guides' blocks, run in order in the repository.
#[test]
fn the_commands_of_the_guides_work() {
    let machine = Machine::shared();
    machine.prepare();
    let registry = Registry::start_with_password();
    let mut ran = 0;
    let guides = [repository("docs"), repository("docs/guides")].map(|folder| fs::read_dir(folder).unwrap());
    for entry in guides.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let output = tempfile::tempdir().unwrap();
        for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let folder = format!("{}:{}", cooper().parent().unwrap().display(), std::env::var("PATH").unwrap());
            let mut shell = Command::new("sh");
            shell
                .args(["-c", line])
                .current_dir(repository(""))
                .env("PATH", folder)
                .env("COOPER_STORE", &machine.store)
                .env("HOME", output.path())
                .env("REGISTRY", registry.host())
                .env("REGISTRY_USER", USER)
                .env("REGISTRY_PASSWORD", PASSWORD)
                .env("DOCKER_HOST", Engine::shared().host())
                .env("OUT", output.path());
            let result = run(&mut shell);
            assert!(result.status.success(), "{}: `{line}`\n{}", path.display(), String::from_utf8_lossy(&result.stderr));
            ran += 1;
        }
    }
    assert!(ran >= 8, "only {ran} commands were found");
}
