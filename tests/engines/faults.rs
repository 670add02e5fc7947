//! Engines that break off: the image that was there stays, and what failed is said.

use super::{KINDS, Place, id};
use crate::support::{Engine, Kind, run, succeed};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Passes connections on to an engine and breaks each off after so many bytes.
fn broken(engine: &Engine, socket: &Path, after: usize) -> Arc<AtomicUsize> {
    let listener = UnixListener::bind(socket).unwrap();
    let target = engine.host().trim_start_matches("unix://").to_string();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let (mut near, mut far) = (stream.unwrap(), UnixStream::connect(&target).unwrap());
            let (mut near_again, mut far_again) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut far_again, &mut near_again));
            thread::spawn(move || {
                let (mut passed, mut piece) = (0, vec![0; 8192]);
                while let Ok(count @ 1..) = near.read(&mut piece) {
                    let count = count.min(after - passed);
                    if far.write_all(&piece[..count]).is_err() {
                        break;
                    }
                    passed += count;
                    if passed == after {
                        break;
                    }
                }
                drop(near.shutdown(Shutdown::Both));
                drop(far.shutdown(Shutdown::Both));
            });
        }
    });
    connections
}

#[test]
fn a_load_that_breaks_off_leaves_the_old_image() {
    for kind in KINDS {
        let (place, engine) = (Place::new(), Engine::of(kind));
        let name = format!("broken-{}:1", kind as usize);
        let (first, first_source) = place.small("1", &[("base", b"base"), ("app", b"one")]);
        let (second, second_source) = place.small("2", &[("base", b"base"), ("app", &noise(400_000))]);
        place.said(engine, &["copy", &first_source, &format!("docker:{name}")]);
        for after in [5_000, 100_000, 390_000] {
            let socket = place.path(&format!("socket-{after}"));
            let connections = broken(engine, Path::new(&socket), after);
            let mut command = place.machine.command(&["copy", &second_source, &format!("docker:{name}")]);
            let output = run(command.env("DOCKER_HOST", format!("unix://{socket}")));
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(
                !output.status.success() && said.contains(&format!("cannot load the image `{name}` into the engine")),
                "{kind:?}: {said}"
            );
            assert!(connections.load(Ordering::SeqCst) <= 3, "{kind:?}");
            assert_eq!(engine.inspect(&name, "{{.Id}}"), id(kind, &first), "{kind:?}");
        }
        place.said(engine, &["copy", &second_source, &format!("docker:{name}")]);
        assert_eq!(engine.inspect(&name, "{{.Id}}"), id(kind, &second), "{kind:?}");
    }
}

/// The engine is killed as a power failure does.
#[test]
fn an_engine_that_dies_amid_a_load_has_the_old_image_afterwards() {
    let (place, engine) = (Place::new(), Engine::start(Kind::Docker, &[]));
    let (first, first_source) = place.small("1", &[("base", b"base"), ("app", b"one")]);
    let (second, second_source) = place.small("2", &[("base", b"base"), ("app", &noise(60_000_000))]);
    place.said(&engine, &["copy", &first_source, "docker:dies:1"]);
    let mut command = place.command(&engine, &["copy", &second_source, "docker:dies:1"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let started = Instant::now();
    // The engine unpacks the archive below its own folder while it arrives.
    let arrived = || {
        let size = succeed(Command::new("du").arg("-sk").arg(engine.folder().join("data/tmp")));
        size.split('\t').next().unwrap().parse::<u64>().unwrap()
    };
    while arrived() < 4_000 {
        assert!(started.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none(), "the load was too quick");
    }
    engine.kill();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success() && said.contains("cannot load the image `dies:1` into the engine"), "{said}");
    engine.wait();
    assert_eq!(engine.inspect("dies:1", "{{.Id}}"), first.config);
    place.said(&engine, &["copy", &second_source, "docker:dies:1"]);
    assert_eq!(engine.inspect("dies:1", "{{.Id}}"), second.config);
}

/// What an engine gives may break off too: nothing of it is in the store then.
#[test]
fn an_image_that_breaks_off_on_its_way_into_the_store_has_no_name_there() {
    let (place, engine) = (Place::new(), Engine::shared());
    let (image, source) = place.small("1", &[("app", &noise(300_000))]);
    place.said(engine, &["copy", &source, "docker:breaks:1"]);
    let other = Place::new();
    for after in [3_000, 150_000] {
        let socket = other.path(&format!("socket-{after}"));
        let listener = UnixListener::bind(&socket).unwrap();
        let target = engine.host().trim_start_matches("unix://").to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut near, mut far) = (stream.unwrap(), UnixStream::connect(&target).unwrap());
                let (mut near_again, mut far_again) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut near, &mut far));
                thread::spawn(move || {
                    std::io::copy(&mut (&mut far_again).take(after), &mut near_again).ok();
                    near_again.shutdown(Shutdown::Both).ok();
                });
            }
        });
        let output = run(other.machine.command(&["pull", "docker:breaks:1"]).env("DOCKER_HOST", format!("unix://{socket}")));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("broke off"), "{said}");
        assert_eq!(succeed(&mut other.machine.command(&["images", "--output", "json"])).trim(), "[]");
        assert_eq!(succeed(&mut other.machine.command(&["store", "verify"])), "the store is valid\n");
    }
    other.said(engine, &["pull", "docker:breaks:1"]);
    assert!(succeed(&mut other.machine.command(&["inspect", "breaks:1", "--output", "json"])).contains(&image.diff_ids[0]));
}
