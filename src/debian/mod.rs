//! Debian packages as data: signed indexes, resolution, lock, and layers composed straight from .debs, without running anything of theirs.
//! Start with [`Base`], then [`lock::Lock`], then [`compose`](compose::compose).

mod archive;
pub mod base;
mod check;
pub mod compose;
mod deb;
mod elf;
mod fetch;
mod finish;
pub mod index;
pub mod lock;
pub mod mirror;
mod relation;
mod resolve;
mod tree;
mod version;

pub use base::{Base, Kind};
pub use check::Finding;
pub use fetch::{Cache, fetch};
pub use index::{Index, Refresh};
pub use lock::{Lock, Package, Release};
pub use mirror::Mirrors;
pub use resolve::resolve;

#[cfg(test)]
mod tests;
