//! What the user says about indexes and Debian packages, as environment variables of the build.

use libcnb::Env;
use serde::Serialize;
use std::ffi::OsString;

/// pip's settings and uv's names for them.
const PIP_TO_UV: [(&str, &str); 6] = [
    ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    ("PIP_FIND_LINKS", "UV_FIND_LINKS"),
    ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST"),
    ("PIP_CONSTRAINT", "UV_CONSTRAINT"),
    ("PIP_PRE", "UV_PRERELEASE"),
];

/// Settings of the build.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Every `PIP_*` and `UV_*` variable, sorted.
    pub variables: Vec<(OsString, OsString)>,
    build_packages: Vec<String>,
    run_packages: Vec<String>,
}

/// Debian packages, as the plan carries them.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Packages {
    build: Vec<String>,
    run: Vec<String>,
}

impl Settings {
    /// Reads the user's variables.
    pub fn read(env: &Env) -> Self {
        let relevant = |name: &OsString| name.to_str().is_some_and(|name| name.starts_with("PIP_") || name.starts_with("UV_"));
        let mut variables: Vec<(OsString, OsString)> =
            env.iter().filter(|(name, _)| relevant(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        variables.sort();
        let words = |name: &str| {
            env.get_string_lossy(name)
                .unwrap_or_default()
                .split([' ', ',', '\n'])
                .filter(|word| !word.is_empty())
                .map(str::to_string)
                .collect()
        };
        Self { variables, build_packages: words("BP_DEBIAN_BUILD_PACKAGES"), run_packages: words("BP_DEBIAN_PACKAGES") }
    }

    /// The Debian packages that build and app need.
    pub fn packages(&self) -> Packages {
        let python = "python3".to_string();
        let build =
            [python.clone(), "python3-pip-whl".into()].into_iter().chain(self.run_packages.clone()).chain(self.build_packages.clone());
        Packages { build: build.collect(), run: std::iter::once(python).chain(self.run_packages.clone()).collect() }
    }

    /// The settings as uv reads them; its own names win.
    pub fn for_uv(&self) -> Vec<(OsString, OsString)> {
        let mut all = Vec::new();
        for (pip, uv) in PIP_TO_UV {
            let value = self.variables.iter().find(|(name, value)| name == pip && !value.is_empty()).map(|(_, value)| value);
            if let (Some(value), false) = (value, self.variables.iter().any(|(name, _)| name == uv)) {
                let value = if uv == "UV_PRERELEASE" { OsString::from("allow") } else { value.clone() };
                all.push((uv.into(), value));
            }
        }
        all.extend(self.variables.iter().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("UV_"))).cloned());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut env = Env::new();
        for (name, value) in pairs {
            env.insert(name, value);
        }
        Settings::read(&env)
    }

    #[test]
    fn settings_of_pip_are_handed_to_uv_unless_uv_has_its_own() {
        let all = settings(&[
            ("PIP_INDEX_URL", "https://a.test"),
            ("PIP_EXTRA_INDEX_URL", "https://b.test"),
            ("UV_INDEX", "https://c.test"),
            ("PIP_PRE", "1"),
            ("OTHER", "x"),
        ]);
        let all: Vec<_> = all.for_uv().into_iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
        assert_eq!(all, ["UV_DEFAULT_INDEX=https://a.test", "UV_PRERELEASE=allow", "UV_INDEX=https://c.test"]);
    }

    #[test]
    fn debian_packages_of_the_user_come_along() {
        let packages = settings(&[("BP_DEBIAN_PACKAGES", "libpq5"), ("BP_DEBIAN_BUILD_PACKAGES", "gcc, libpq-dev")]).packages();
        assert_eq!(packages.run, ["python3", "libpq5"]);
        assert_eq!(packages.build, ["python3", "python3-pip-whl", "libpq5", "gcc", "libpq-dev"]);
    }
}
