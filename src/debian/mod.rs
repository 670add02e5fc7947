//! Debian packages as data: signed indexes, resolution, lock, and layers composed straight from .debs, without running anything of theirs.
//! Start with [`Base`], then [`lock::Lock`], then [`compose`](compose::compose).

mod archive;
pub mod base;
pub mod changelog;
mod check;
pub mod compose;
mod deb;
pub mod difference;
mod elf;
mod fetch;
mod finish;
pub mod index;
mod installed;
pub mod inventory;
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

/// Reads `data` as everything that comes from Debian's archives, for the fuzzers.
#[cfg(fuzzing)]
pub fn fuzz(data: &[u8]) {
    drop(deb::read(
        data,
        |_| Ok(()),
        |tar| std::io::copy(&mut std::io::Read::take(tar, 1 << 22), &mut std::io::sink()).map(drop).map_err(Into::into),
    ));
    drop(archive::verify(data, &[]));
    let Ok(text) = std::str::from_utf8(data) else { return };
    relation::clauses(text).for_each(drop);
    let (one, other) = text.split_once(' ').unwrap_or((text, ""));
    assert_eq!(version::compare(one, other), version::compare(other, one).reverse());
    drop(Base::parse(text));
}
