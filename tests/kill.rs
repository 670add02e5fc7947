//! A build that is killed at any moment leaves a store that is valid, and an image that is there.

use crate::support::{Machine, copied, succeed};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

const KILLS: u32 = 100;

/// The moments are spread evenly with a step that does not divide the length of a build, so that every phase is hit.
#[test]
fn a_hundred_kills_leave_a_valid_store() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::fresh(folder.path());
    let app = copied("procfile");
    let path = app.path().to_str().unwrap().to_string();
    machine.built("killed", app.path(), &[]);
    let started = std::time::Instant::now();
    machine.built("killed", app.path(), &[]);
    let length = started.elapsed();
    let mut killed = 0;
    for at in 0..KILLS {
        fs::write(app.path().join("data"), at.to_string()).unwrap();
        let mut child = machine.command(&["build", "killed", "--path", &path]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(length.mul_f64(f64::from(at * 37 % KILLS) / f64::from(KILLS)) + Duration::from_millis(1));
        killed += u32::from(child.try_wait().unwrap().is_none());
        drop(child.kill());
        child.wait().unwrap();
        if at % 10 == 0 {
            assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
            assert!(machine.run(&["inspect", "killed"]).status.success());
        }
    }
    assert!(killed > KILLS / 2, "only {killed} builds were killed before they ended");
    let digest = machine.built("killed", app.path(), &[]);
    let elsewhere = tempfile::tempdir().unwrap();
    assert_eq!(Machine::fresh(elsewhere.path()).built("killed", app.path(), &[]), digest);
    assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
}
