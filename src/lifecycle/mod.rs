//! The phases of a build, each a function from values to values, and the documents that they hand to each other (CNB Platform
//! Specification, phases). Start with `analyzer`, `restorer` and `exporter`; `documents` holds labels and TOML files, `layer` the tar of
//! a layer.

pub mod analyzer;
pub mod builder;
pub mod cache;
pub mod detector;
pub mod documents;
pub mod exporter;
pub mod extender;
pub mod generator;
pub mod images;
pub mod layer;
pub mod log;
pub mod phase;
pub mod rebaser;
pub mod restorer;
