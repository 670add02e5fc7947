//! The program as its users meet it: one module for each command or promise. Most tests share one store, so that Debian packages are
//! fetched once; each has image names of its own.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod apps;
mod architecture;
mod authoring;
mod build;
mod builder_create;
mod builder_export;
mod builders;
mod buildpack_test;
mod buildpackages;
mod configuration;
mod conformance;
mod daemon;
mod diff;
mod documentation;
mod engines;
mod extender;
mod extensions;
mod failures;
mod fleet;
mod from_pack;
mod inspect;
mod interoperation;
mod kill;
mod mmdebstrap;
mod phases;
mod platforms;
mod project;
mod publish;
mod rebase;
mod records;
mod reference;
mod registry;
mod repro;
mod sbom;
mod signing;
mod support;
