//! Files from the web.

use crate::error::{Context, Error, Result};
use crate::http::{Answer, Client};
use crate::store::Store;
use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};

/// Receives the file at `url`, and does something with it.
///
/// # Errors
/// When it cannot be had, or what is done with it goes wrong.
pub fn with_file<T>(url: &str, store: &Store, use_file: impl FnOnce(File) -> Result<T>) -> Result<T> {
    let file = tempfile::tempfile_in(store.root().join("tmp")).context(|| "cannot write to the store")?;
    let file = RefCell::new(file);
    let mut start = || -> Result<()> {
        let mut file = file.borrow_mut();
        file.set_len(0)?;
        Ok(file.rewind()?)
    };
    let mut receive = |piece: &[u8]| file.borrow_mut().write_all(piece).context(|| "cannot write to the store");
    match Client::new()?.get(url, &mut start, &mut receive)? {
        Answer::Content => use_file(file.into_inner()),
        Answer::NotFound => Err(Error::new(format!("there is nothing at {url}"))),
    }
}
