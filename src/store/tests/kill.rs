//! A killed program leaves a valid store.

use super::*;
use std::process::{Command, Stdio};
use std::time::Duration;

const STORE: &str = "COOPER_TEST_STORE";

/// Works on a store until it is killed.
#[test]
#[ignore = "the test below runs it as a program of its own"]
fn victim() {
    let root = std::env::var_os(STORE).unwrap();
    let mut round = 0;
    loop {
        let store = Store::open(Path::new(&root)).unwrap();
        for number in 0..4 {
            let (reference, _) = image(&store, &format!("image{}-{}", round % 3, number));
            store.unpacked(&store.find(&reference).unwrap().unwrap().image.layers[0]).unwrap();
        }
        store.untag(&Reference::parse(&format!("image{}-1", (round + 1) % 3)).unwrap()).unwrap();
        store.prune().unwrap();
        round += 1;
    }
}

#[test]
fn a_kill_at_any_moment_leaves_it_valid() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..25 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::kill::victim", "--ignored"])
            .env(STORE, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(20 + 13 * round));
        assert!(victim.try_wait().unwrap().is_none(), "it ended by itself in round {round}");
        victim.kill().unwrap();
        victim.wait().unwrap();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.verify().unwrap(), []);
        for named in store.list().unwrap() {
            for layer in &named.stored.image.layers {
                let tree = store.unpacked(layer).unwrap().tree;
                assert_eq!(fs::read_dir(tree).unwrap().count(), 1, "{}", named.name);
            }
        }
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    }
    assert!(Store::open(folder.path()).unwrap().list().unwrap().len() > 5, "nothing was done");
}
