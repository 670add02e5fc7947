//! Runs a program in a root file system of its own, without root: user namespace, overlay over unpacked layers, bind mounts, and everything
//! else closed.

mod spec;

pub use spec::{Access, Exit, Mount, Network, Publish, Spec, Stream, Upper, User};
