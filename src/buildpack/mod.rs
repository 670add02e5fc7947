//! buildpack.
