//! A request's body that is read from a file while it is sent.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use rustix::buffer::spare_capacity;
use std::fs::File;
use std::io;
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
        // One call of the kernel for a piece; to read to the end of something takes several.
        let mut piece = Vec::with_capacity(usize::try_from(wanted).unwrap_or(PIECE));
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.file, spare_capacity(&mut piece))) {
            Ok(0) => return Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter")))),
            Ok(_) => {}
            Err(error) => return Poll::Ready(Some(Err(error.into()))),
        }
        // There may have been room for more than was asked for.
        let count = self.left.min(piece.len() as u64);
        piece.truncate(usize::try_from(count).unwrap_or(piece.len()));
        self.left -= count;
        self.sent.fetch_add(count, Ordering::Relaxed);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
