//! Export.

pub mod pattern;
pub mod slices;
