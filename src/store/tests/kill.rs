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
            for layer in named.images.iter().flat_map(|stored| &stored.image.layers) {
                let tree = store.unpacked(layer).unwrap().tree;
                assert_eq!(fs::read_dir(tree).unwrap().count(), 1, "{}", named.name);
            }
        }
        assert_eq!(fs::read_dir(folder.path().join("tmp")).unwrap().count(), 0);
    }
    assert!(Store::open(folder.path()).unwrap().list().unwrap().len() > 5, "nothing was done");
}

/// Programs that a killed build started may go on for a moment.
#[test]
fn what_is_still_written_to_keeps_nobody_from_opening_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let stale = folder.path().join("tmp/work-stale");
    let ended = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u32.. {
                if ended.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
                // It is cleared away in between.
                drop(fs::create_dir_all(stale.join("upper")));
                drop(fs::write(stale.join(format!("upper/{number}")), ""));
            }
        });
        let opened: Vec<bool> = (0..300).map(|_| Store::open(folder.path()).is_ok()).collect();
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(opened.iter().all(|opened| *opened));
    });
    drop(Store::open(folder.path()).unwrap());
    assert!(!stale.exists());
}
