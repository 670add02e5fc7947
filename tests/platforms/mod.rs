//! Images for several platforms: built here whatever this machine's processor is, one index under one name, moved whole or in part.

mod builder;
mod foreign;
mod moving;

use crate::support::{Machine, succeed};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A processor in the words of images and of Rust.
struct Processor {
    image: &'static str,
    rust: &'static str,
}

const PROCESSORS: [Processor; 2] = [Processor { image: "amd64", rust: "x86_64" }, Processor { image: "arm64", rust: "aarch64" }];

impl Processor {
    fn is_here(&self) -> bool {
        self.rust == std::env::consts::ARCH
    }

    fn platform(&self) -> String {
        format!("linux/{}", self.image)
    }
}

fn here() -> &'static Processor {
    PROCESSORS.iter().find(|processor| processor.is_here()).unwrap()
}

fn other() -> &'static Processor {
    PROCESSORS.iter().find(|processor| !processor.is_here()).unwrap()
}

/// A folder with an app that has a program for each processor and starts the one for its own.
fn app() -> &'static Path {
    static APP: OnceLock<PathBuf> = OnceLock::new();
    APP.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("platforms");
        std::fs::create_dir_all(&folder).unwrap();
        for processor in PROCESSORS {
            let mut rustc = Command::new("rustc");
            rustc.args(["--edition", "2024", "-C", "target-feature=+crt-static", "-O", "tests/platforms/server.rs"]);
            if !processor.is_here() {
                rustc.args(["-C", "linker=rust-lld", "--target", &format!("{}-unknown-linux-musl", processor.rust)]);
            }
            let output = folder.join(format!("server-{}", processor.rust));
            succeed(rustc.arg("-o").arg(output).current_dir(env!("CARGO_MANIFEST_DIR")));
        }
        std::fs::write(folder.join("Procfile"), "web: ./server-$(uname -m)\n").unwrap();
        folder
    })
}

fn json(machine: &Machine, arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(&mut machine.command(&[arguments, &["--output", "json"]].concat()))).unwrap()
}

/// What an index says of each of its images: the platform, and the digest.
fn members(index: &Value) -> Vec<(String, String)> {
    let member = |entry: &Value| {
        let platform = |key: &str| entry["platform"][key].as_str().unwrap().to_string();
        (format!("{}/{}", platform("os"), platform("architecture")), entry["digest"].as_str().unwrap().to_string())
    };
    index["manifests"].as_array().unwrap().iter().map(member).collect()
}
