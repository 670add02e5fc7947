//! debian.
