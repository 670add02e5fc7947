//! The only reader and writer of tar.
