//! A request's body that is read from a file while it is sent.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::fs::File;
use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

const PIECE: usize = 256 << 10;

/// The next `left` bytes of a file.
pub(super) struct FileBody {
    pub file: File,
    pub left: u64,
    /// Counts what was handed over.
    pub sent: Arc<AtomicU64>,
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = self.left.min(PIECE as u64);
        let mut piece = Vec::with_capacity(PIECE);
        let count = match (&mut self.file).take(wanted).read_to_end(&mut piece) {
            Ok(0) => return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")))),
            Ok(count) => count as u64,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.left -= count;
        self.sent.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
