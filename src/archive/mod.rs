//! The only reader and writer of tar: deterministic out, hostile-proof in. Writing starts with [`TarWriter`] over a [`LayerWriter`], reading
//! with [`unpack`] and [`decompressed`].

mod capability;
mod compress;
mod entry;
mod extension;
mod layer;
mod normal;
mod read;
mod reader;
mod unpack;
mod upper;
mod whiteouts;
mod write;

pub use capability::capability;
pub use compress::{ENCODER, gzip_smallest};
pub use entry::{Entry, Kind};
pub use layer::{Form, LayerWriter, Written};
pub use normal::{append_with_time, copy_with_time};
pub use read::decompressed;
pub use reader::{Member, MemberKind, TarReader};
pub use unpack::{Ownership, SIDECAR, unpack, unpack_over};
pub use upper::{Below, Changes, Times, write_changes};
pub use whiteouts::whiteouts;
pub use write::TarWriter;
