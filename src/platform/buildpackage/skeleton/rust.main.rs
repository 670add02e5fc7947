//! The buildpack `THE_ID`: one program, which the lifecycle starts as `bin/detect` and as `bin/build`.

use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::launch::{LaunchBuilder, ProcessBuilder};
use libcnb::data::process_type;
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::{GenericMetadata, GenericPlatform};
use libcnb::{Buildpack, Error, buildpack_main};

struct ThisBuildpack;

/// What can go wrong, besides what libcnb itself finds.
#[derive(Debug)]
enum Problem {
    Read(std::io::Error),
}

impl Buildpack for ThisBuildpack {
    type Platform = GenericPlatform;
    type Metadata = GenericMetadata;
    type Error = Problem;

    /// Passes where this is for the app.
    fn detect(&self, _context: DetectContext<Self>) -> libcnb::Result<DetectResult, Self::Error> {
        DetectResultBuilder::pass().build()
    }

    /// Makes layers and says how the app starts.
    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, Self::Error> {
        println!("---> THE_ID");
        let files = std::fs::read_dir(&context.app_dir).map_err(|error| Error::BuildpackError(Problem::Read(error)))?;
        println!("the app has {} files", files.count());
        let process = ProcessBuilder::new(process_type!("web"), ["bash", "-c", "echo hello from $(pwd): $(ls)"])
            .default(true)
            .build();
        BuildResultBuilder::new().launch(LaunchBuilder::new().process(process).build()).build()
    }

    fn on_error(&self, error: Error<Problem>) {
        match error {
            Error::BuildpackError(Problem::Read(error)) => eprintln!("cannot read the app: {error}"),
            other => eprintln!("{other}"),
        }
    }
}

buildpack_main!(ThisBuildpack);
