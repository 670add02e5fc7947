//! Which builder is for an app: the built-in ones and those that many people use, with what each is for. Nothing is asked of the network.

use crate::error::{Context, Result};
use serde::Serialize;
use std::fs;
use std::path::Path;

/// A builder, and why it is for the app.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// Its name.
    pub builder: &'static str,
    /// Whose it is.
    pub vendor: &'static str,
    /// What it is.
    pub description: &'static str,
    /// What it builds.
    pub languages: &'static [&'static str],
    /// What apps run on.
    pub run_image: &'static str,
    /// Files of the app that it is for.
    pub because_of: Vec<String>,
    /// What to type.
    pub command: String,
}

struct Known {
    builder: &'static str,
    vendor: &'static str,
    description: &'static str,
    languages: &'static [&'static str],
    run_image: &'static str,
}

/// By which files a language is known; a name that starts with `.` is an ending.
const SIGNS: [(&str, &[&str]); 11] = [
    ("Python", &["requirements.txt", "pyproject.toml", "setup.py", "Pipfile", "uv.lock", "environment.yml"]),
    ("Procfile", &["Procfile"]),
    ("Node.js", &["package.json"]),
    ("Java", &["pom.xml", "build.gradle", "build.gradle.kts", "mvnw", "gradlew"]),
    ("Go", &["go.mod"]),
    ("Ruby", &["Gemfile"]),
    ("PHP", &["composer.json", "index.php"]),
    (".NET", &[".csproj", ".fsproj", ".sln"]),
    ("Rust", &["Cargo.toml"]),
    ("Scala", &["build.sbt"]),
    ("static files", &["index.html", "nginx.conf", "httpd.conf"]),
];

/// The built-in ones first: where two fit alike, the earlier one is better.
const KNOWN: [Known; 9] = [
    Known {
        builder: "trixie",
        vendor: "Cooperage",
        description: "Debian 13, composed on this machine; no engine, patched by rebase",
        languages: &["Python", "Procfile"],
        run_image: "composed from Debian packages",
    },
    Known {
        builder: "bookworm",
        vendor: "Cooperage",
        description: "Debian 12, composed on this machine; no engine, patched by rebase",
        languages: &["Python", "Procfile"],
        run_image: "composed from Debian packages",
    },
    Known {
        builder: "heroku/builder:24",
        vendor: "Heroku",
        description: "Ubuntu 24.04 with Heroku's buildpacks, for amd64 and arm64",
        languages: &["Python", "Procfile", "Node.js", "Java", "Go", "Ruby", "PHP", ".NET", "Scala"],
        run_image: "heroku/heroku:24",
    },
    Known {
        builder: "heroku/builder:22",
        vendor: "Heroku",
        description: "Ubuntu 22.04 with Heroku's buildpacks",
        languages: &["Python", "Procfile", "Node.js", "Java", "Go", "Ruby", "PHP", "Scala"],
        run_image: "heroku/heroku:22",
    },
    Known {
        builder: "paketobuildpacks/builder-jammy-base",
        vendor: "Paketo",
        description: "Ubuntu 22.04, small, with Paketo's buildpacks",
        languages: &["Python", "Procfile", "Node.js", "Java", "Go", "Ruby", ".NET", "static files"],
        run_image: "paketobuildpacks/run-jammy-base",
    },
    Known {
        builder: "paketobuildpacks/builder-jammy-full",
        vendor: "Paketo",
        description: "Ubuntu 22.04 with many system packages, with Paketo's buildpacks",
        languages: &["Python", "Procfile", "Node.js", "Java", "Go", "Ruby", "PHP", ".NET", "static files"],
        run_image: "paketobuildpacks/run-jammy-full",
    },
    Known {
        builder: "paketobuildpacks/builder-jammy-tiny",
        vendor: "Paketo",
        description: "Ubuntu 22.04 without a shell, for programs that need little",
        languages: &["Java", "Go", "Procfile"],
        run_image: "paketobuildpacks/run-jammy-tiny",
    },
    Known {
        builder: "paketobuildpacks/builder-jammy-buildpackless-static",
        vendor: "Paketo",
        description: "an almost empty run image, for static programs; buildpacks are named in the build",
        languages: &[],
        run_image: "paketobuildpacks/run-jammy-static",
    },
    Known {
        builder: "gcr.io/buildpacks/builder:google-22",
        vendor: "Google",
        description: "Ubuntu 22.04 with the buildpacks of Google Cloud",
        languages: &["Python", "Procfile", "Node.js", "Java", "Go", "Ruby", "PHP", ".NET"],
        run_image: "gcr.io/buildpacks/google-22/run",
    },
];

/// The builders, those first that are for the most of what the app is made of.
///
/// # Errors
/// When the app's folder cannot be read.
pub fn suggest(app: &Path) -> Result<Vec<Suggestion>> {
    let describe = || format!("cannot read the folder `{}`", app.display());
    let names = fs::read_dir(app).context(describe)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<Result<_>>().context(describe)?;
    let found: Vec<(&str, String)> = SIGNS.iter().filter_map(|(language, signs)| Some((*language, sign(signs, &names)?))).collect();
    let path = if app == Path::new(".") { String::new() } else { format!(" --path {}", app.display()) };
    let suggestion = |known: &Known| Suggestion {
        builder: known.builder,
        vendor: known.vendor,
        description: known.description,
        languages: known.languages,
        run_image: known.run_image,
        because_of: found
            .iter()
            .filter(|(language, _)| known.languages.contains(language))
            .map(|(language, file)| format!("{language}: {file}"))
            .collect(),
        command: format!("cooper build my-app{path} --builder {}", known.builder),
    };
    let mut all: Vec<Suggestion> = KNOWN.iter().map(suggestion).collect();
    all.sort_by_key(|suggestion| std::cmp::Reverse(suggestion.because_of.len()));
    Ok(all)
}

fn sign(signs: &[&str], names: &[String]) -> Option<String> {
    let fits = |name: &&String| signs.iter().any(|sign| if sign.starts_with('.') { name.ends_with(sign) } else { name == sign });
    names.iter().filter(fits).min().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_the_app_best_comes_first() {
        let app = tempfile::tempdir().unwrap();
        let first = |files: &[&str]| {
            let folder = app.path().join(files.join("-"));
            fs::create_dir(&folder).unwrap();
            files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
            let all = suggest(&folder).unwrap();
            assert_eq!(all.len(), KNOWN.len());
            (all[0].builder, all[0].because_of.join(", "))
        };
        assert_eq!(first(&["requirements.txt", "Procfile"]), ("trixie", "Python: requirements.txt, Procfile: Procfile".into()));
        assert_eq!(first(&["package.json"]), ("heroku/builder:24", "Node.js: package.json".into()));
        assert_eq!(first(&["app.csproj", "Procfile", "index.html"]).0, "paketobuildpacks/builder-jammy-base");
        assert_eq!(first(&["nothing"]), ("trixie", String::new()));
        assert!(KNOWN[..2].iter().all(|known| super::super::is_built_in(known.builder)));
        assert!(suggest(&app.path().join("none")).is_err());
    }
}
