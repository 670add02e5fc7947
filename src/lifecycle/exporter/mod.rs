//! Export.

pub mod configure;
pub mod make;
pub mod pattern;
pub mod slices;
