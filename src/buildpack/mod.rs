//! The Buildpack interface: descriptors, orders, plans and layers as values, and running `bin/detect`, `bin/build` and `bin/generate`
//! (CNB Buildpack Specification). Start with [`Descriptor`] and [`Group`].

mod bom;
mod build;
mod descriptor;
mod detect;
mod generate;
mod keys;
mod launch;
mod layer;
mod module_toml;
mod order;
mod plan;
mod run;
mod sbom;
mod system;
mod target;

pub use bom::{BomBuildpack, BomEntry, bom};
pub use build::{BuildInput, build};
pub use descriptor::{Descriptor, Kind, Modules, folder_of};
pub use detect::{DetectInput, DetectOutcome, Verdict, detect};
pub use generate::{GenerateInput, generate};
pub use launch::LaunchToml;
pub use launcher::api::Api;
pub use launcher::escape_id;
pub use launcher::metadata::{BuildMetadata, GroupElement, Label, Process, Slice};
pub use layer::{LayerToml, can_be_layer, layer_names};
pub use module_toml::{ModuleInfo, ModuleToml, Stack};
pub use order::{Group, GroupDocument, Order, OrderEntry};
pub use plan::{BuildPlan, BuildpackPlan, Plan, PlanEntry, Provider, Require};
pub use run::{Line, Program};
pub use sbom::copy_sboms;
pub use system::System;
pub use target::{Distro, Target};
