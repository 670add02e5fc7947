//! Programs for another processor, run by QEMU.

use super::people::as_everybody_with_mounts;
use super::{Spec, World};
use crate::sandbox::{Emulator, PROCESSORS, emulator, smallest_program};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The processor that this machine has not.
fn other() -> &'static str {
    PROCESSORS[usize::from(cfg!(target_arch = "x86_64"))]
}

/// Neither a registration on this machine nor root is needed.
#[test]
fn programs_for_another_processor_run() {
    as_everybody_with_mounts("programs_for_another_processor_run", |person| {
        let world = World::new();
        let program = world.path("lower/usr/foreign");
        fs::write(&program, smallest_program(other(), 7)).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let found = emulator(&world.path("scratch"), other()).unwrap_or_else(|error| panic!("{person:?}: {error:?}"));
        let run = |emulator: Option<Emulator>| world.run(&Spec { arguments: vec!["/usr/foreign".into()], emulator, ..world.spec(&[]) });
        assert_eq!(run(found.clone()).unwrap().0, 7, "{person:?}");
        if found.is_some() {
            assert!(run(None).is_err(), "{person:?}");
        }
        let error = emulator(&world.path("scratch"), "z80").unwrap_err();
        assert_eq!(error.to_string(), "programs for z80 cannot run on this machine");
    });
}
