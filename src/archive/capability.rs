//! The capabilities of a program, which are an attribute of its file.

use std::fs::File;

/// The capabilities of a program, as they are for root of every machine.
pub fn capability(file: &File) -> Option<Vec<u8>> {
    const VERSION: usize = 3;
    /// Without and with the number of the root who set them (linux/capability.h, `vfs_cap_data` and `vfs_ns_cap_data`).
    const LENGTHS: [usize; 2] = [20, 24];
    let mut value = [0; LENGTHS[1]];
    let length = rustix::fs::fgetxattr(file, "security.capability", &mut value).ok()?;
    if length == LENGTHS[1] && value[VERSION] == 3 {
        value[VERSION] = 2;
        return Some(value[..LENGTHS[0]].to_vec());
    }
    Some(value[..length].to_vec())
}
