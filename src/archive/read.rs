//! Reads blobs whatever they are compressed with.

use std::io::{self, BufRead, BufReader, Read};

/// The content of a blob that is compressed with gzip or zstd, or not at all.
///
/// # Errors
/// When the blob cannot be read.
pub fn decompressed<'a>(blob: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut blob = BufReader::with_capacity(256 * 1024, blob);
    let start = blob.fill_buf()?;
    Ok(if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(blob))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::stream::read::Decoder::with_buffer(blob)?)
    } else {
        Box::new(blob)
    })
}
