//! The buildpack `cooper/python`: installs an app's dependencies with uv into a virtual environment, and finds out how the app starts.

mod install;
mod key;
mod problem;
mod project;
mod sbom;
mod settings;
mod start;

use crate::debian_packages;
use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::build_plan::{BuildPlanBuilder, Require};
use libcnb::data::layer_name;
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::{GenericMetadata, GenericPlatform};
use libcnb::layer::{CachedLayerDefinition, InvalidMetadataAction, LayerState, RestoredLayerAction};
use libcnb::layer_env::{LayerEnv, ModificationBehavior, Scope};
use libcnb::{Buildpack, Error, Platform};
use problem::Problem;
use project::Project;
use serde::{Deserialize, Serialize};
use settings::Settings;

/// The buildpack.
pub struct Python;

/// What a layer was made from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    from: String,
}

impl Buildpack for Python {
    type Platform = GenericPlatform;
    type Metadata = GenericMetadata;
    type Error = Problem;

    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, Problem> {
        if Project::find(&context.app_dir).is_none() {
            println!("looked for requirements.txt, uv.lock and pyproject.toml");
            return DetectResultBuilder::fail().build();
        }
        let settings = Settings::read(context.platform.env());
        let mut require = Require::new(debian_packages::NAME);
        require.metadata(settings.packages()).map_err(|error| Error::BuildpackError(Problem::Plan(error.to_string())))?;
        DetectResultBuilder::pass().build_plan(BuildPlanBuilder::new().requires(require).build()).build()
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, Problem> {
        let project = Project::find(&context.app_dir).ok_or(Error::BuildpackError(Problem::Gone))?;
        let settings = Settings::read(context.platform.env());
        let python = install::python().map_err(Error::BuildpackError)?;
        let venv = layer(&context, Layer::Venv, &key::of(&project, &settings, &python).map_err(Error::BuildpackError)?)?;
        if let LayerState::Empty { .. } = venv.state {
            let uv = layer(&context, Layer::Uv, install::UV_VERSION)?;
            if let LayerState::Empty { .. } = uv.state {
                install::uv(&uv.path(), &settings).map_err(Error::BuildpackError)?;
            }
            install::packages(&project, &settings, &uv.path(), &venv.path()).map_err(Error::BuildpackError)?;
            let installed = sbom::Installed::read(&venv.path()).map_err(Error::BuildpackError)?;
            let wheels = install::wheels(&project, &settings, &uv.path(), &venv.path(), &installed.pinned());
            let inventory = installed.inventory(&wheels.map_err(Error::BuildpackError)?, &project);
            venv.write_sboms(&sbom::documents(&inventory))?;
            println!("installed {} packages with {python}", installed.len());
        } else {
            println!("the packages of the previous build are still right");
            // A layer that is kept but not asked for would be lost.
            layer(&context, Layer::Uv, install::UV_VERSION)?;
        }
        venv.write_env(environment(&venv.path()))?;
        let launch = start::launch(&context.app_dir, &venv.path());
        BuildResultBuilder::new().launch(launch).build()
    }

    fn on_error(&self, error: Error<Problem>) {
        crate::end(error)
    }
}

enum Layer {
    /// The virtual environment, in the image and kept for the next build.
    Venv,
    /// uv, kept for the next build.
    Uv,
}

type LayerRef = libcnb::layer::LayerRef<Python, (), ()>;

/// A cached layer, emptied unless it was made from the same.
fn layer(context: &BuildContext<Python>, layer: Layer, from: &str) -> libcnb::Result<LayerRef, Problem> {
    let (name, in_image) = match layer {
        Layer::Venv => (layer_name!("venv"), true),
        Layer::Uv => (layer_name!("uv"), false),
    };
    let definition = CachedLayerDefinition {
        build: in_image,
        launch: in_image,
        invalid_metadata_action: &|_| InvalidMetadataAction::<Made>::DeleteLayer,
        restored_layer_action: &|made: &Made, _| {
            if made.from == from { RestoredLayerAction::KeepLayer } else { RestoredLayerAction::DeleteLayer }
        },
    };
    let layer = context.cached_layer(name, definition)?;
    if let LayerState::Empty { .. } = layer.state {
        layer.write_metadata(Made { from: from.to_string() })?;
    }
    Ok(layer)
}

fn environment(venv: &std::path::Path) -> LayerEnv {
    LayerEnv::new()
        .chainable_insert(Scope::All, ModificationBehavior::Override, "VIRTUAL_ENV", venv)
        .chainable_insert(Scope::All, ModificationBehavior::Default, "PYTHONUNBUFFERED", "1")
        .chainable_insert(Scope::Launch, ModificationBehavior::Default, "PORT", "8080")
}
