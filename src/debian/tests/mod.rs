//! What Debian's part promises as a whole: a small archive, made here, behind mirrors that lie, and apt's own choice of packages. Start with
//! [`mirrors`].

mod apt;
mod mirrors;
mod server;
mod small_archive;
