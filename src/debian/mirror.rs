//! Where archives are. Signatures decide trust, so any mirror will do. The order: what the command line says, the environment, the user's
//! configuration, this machine's apt sources, and the default that the program was compiled with.

use crate::error::{Context, Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The default given when the program is compiled, in the form of [`Sources::environment`]. The source names no host.
const COMPILED_IN: Option<&str> = option_env!("COOPER_DEFAULT_DEBIAN_MIRROR");

/// Where to look for mirrors.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `ARCHIVE=URL`, each from one option.
    pub options: Vec<String>,
    /// `COOPER_DEBIAN_MIRROR`: `ARCHIVE=URL` separated by spaces.
    pub environment: Option<String>,
    /// The user's configuration file, with a table `[mirrors]`.
    pub configuration: Option<PathBuf>,
    /// The folder of apt's configuration, `/etc/apt`.
    pub apt: Option<PathBuf>,
    /// Whether a Release file may be older than its `Valid-Until`.
    pub accept_expired: bool,
}

/// The mirrors to try for each archive, in order.
#[derive(Clone, Debug, Default)]
pub struct Mirrors {
    named: BTreeMap<String, Vec<String>>,
    /// Addresses whose archive is only known from their Release file.
    unnamed: Vec<String>,
    compiled_in: BTreeMap<String, Vec<String>>,
    /// Whether a Release file may be older than its `Valid-Until`.
    pub accept_expired: bool,
}

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    mirrors: BTreeMap<String, String>,
}

impl Mirrors {
    /// Reads the sources.
    ///
    /// # Errors
    /// When an option, variable or configuration cannot be read. What apt's files hold is taken as far as it is understood.
    pub fn read(sources: &Sources) -> Result<Self> {
        let mut mirrors = Self { accept_expired: sources.accept_expired, ..Self::default() };
        add(&mut mirrors.named, sources.options.iter().map(String::as_str)).context(|| "cannot use `--deb-mirror`")?;
        if let Some(environment) = &sources.environment {
            add(&mut mirrors.named, environment.split_whitespace()).context(|| "cannot use COOPER_DEBIAN_MIRROR")?;
        }
        if let Some(path) = sources.configuration.as_ref().filter(|path| path.is_file()) {
            let describe = || format!("cannot read the configuration `{}`", path.display());
            let configuration: Configuration = toml::from_str(&std::fs::read_to_string(path).context(describe)?).context(describe)?;
            for (archive, url) in configuration.mirrors {
                mirrors.named.entry(archive).or_default().push(trimmed(&url));
            }
        }
        if let Some(folder) = &sources.apt {
            mirrors.unnamed = apt_addresses(folder);
        }
        if let Some(default) = COMPILED_IN {
            add(&mut mirrors.compiled_in, default.split_whitespace()).context(|| "cannot use the compiled-in mirror")?;
        }
        Ok(mirrors)
    }

    /// The addresses to try for an archive, in order. Those of apt come sorted by how likely they are to carry it.
    ///
    /// # Errors
    /// When there is none.
    pub fn of(&self, archive: &str) -> Result<Vec<String>> {
        let mut found = self.named.get(archive).cloned().unwrap_or_default();
        let mut likely = self.unnamed.clone();
        likely.sort_by_key(|url| url.rsplit('/').next() != Some(archive));
        found.extend(likely);
        found.extend(self.compiled_in.get(archive).cloned().unwrap_or_default());
        if found.is_empty() {
            return Err(Error::new(format!("no mirror of the archive `{archive}` is known")).hint(format!(
                "name one with `--deb-mirror {archive}=URL`, with COOPER_DEBIAN_MIRROR, or in the configuration's [mirrors]"
            )));
        }
        Ok(found)
    }
}

fn add<'a>(mirrors: &mut BTreeMap<String, Vec<String>>, pairs: impl Iterator<Item = &'a str>) -> Result<()> {
    for pair in pairs {
        let named = pair.split_once('=').filter(|(archive, url)| !archive.is_empty() && url.contains("://"));
        let (archive, url) = named.context(|| format!("`{pair}` is not ARCHIVE=URL"))?;
        mirrors.entry(archive.to_string()).or_default().push(trimmed(url));
    }
    Ok(())
}

fn trimmed(url: &str) -> String {
    url.trim_end_matches('/').to_string()
}

/// The addresses in `sources.list`, `sources.list.d/*.list` and `*.sources` (sources.list(5)).
fn apt_addresses(folder: &Path) -> Vec<String> {
    let mut files = vec![folder.join("sources.list")];
    if let Ok(entries) = std::fs::read_dir(folder.join("sources.list.d")) {
        let mut parts: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        parts.sort();
        files.extend(parts);
    }
    let mut found: Vec<String> = Vec::new();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let deb822 = file.extension().is_some_and(|extension| extension == "sources");
        let addresses = if deb822 { of_deb822(&text) } else { of_list(&text) };
        for address in addresses.into_iter().filter(|address| address.starts_with("http")) {
            let address = trimmed(&address);
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

fn of_deb822(text: &str) -> Vec<String> {
    let enabled = |stanza: &&str| !stanza.lines().any(|line| line.to_ascii_lowercase().replace(' ', "") == "enabled:no");
    let addresses = |stanza: &str| {
        let uris = stanza.lines().filter_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("uris")));
        uris.flat_map(|(_, value)| value.split_whitespace().map(str::to_string)).collect::<Vec<_>>()
    };
    text.split("\n\n").filter(enabled).flat_map(addresses).collect()
}

fn of_list(text: &str) -> Vec<String> {
    let entries = text.lines().map(str::trim).filter_map(|line| line.strip_prefix("deb "));
    let without_options = |entry: &str| entry.split_once(']').map_or_else(|| entry.to_string(), |(_, rest)| rest.to_string());
    entries.map(without_options).filter_map(|entry| entry.split_whitespace().next().map(str::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_wins_and_apt_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("sources.list.d")).unwrap();
        write(
            "sources.list",
            "# deb http://no.test/debian x\ndeb [arch=amd64] http://a.test/other stable main\ndeb-src http://src.test/debian x main\n",
        );
        write(
            "sources.list.d/d.sources",
            "Types: deb\nURIs: http://a.test/debian/ https://b.test/debian-security\n\nEnabled: no\nURIs: http://off.test/debian\n",
        );
        write("config.toml", "[mirrors]\ndebian = \"http://config.test/debian\"\n");
        let mirrors = Mirrors::read(&Sources {
            options: vec!["debian=http://option.test/debian/".into()],
            environment: Some("debian=http://env.test/debian".into()),
            configuration: Some(folder.path().join("config.toml")),
            apt: Some(folder.path().into()),
            accept_expired: false,
        })
        .unwrap();
        let names: Vec<_> = mirrors.of("debian").unwrap();
        let expected = ["http://option.test/debian", "http://env.test/debian", "http://config.test/debian", "http://a.test/debian"];
        assert_eq!(names[..4], expected);
        assert_eq!(mirrors.of("debian-security").unwrap()[0], "https://b.test/debian-security");
        assert!(!names.iter().any(|url| url.contains("off.test") || url.contains("no.test") || url.contains("src.test")));
    }

    #[test]
    fn without_a_mirror_the_error_says_how_to_name_one() {
        let error = Mirrors::default().of("debian").unwrap_err();
        assert!(error.nearest_hint().unwrap().contains("--deb-mirror debian=URL"));
        assert!(Mirrors::read(&Sources { options: vec!["debian".into()], ..Sources::default() }).is_err());
    }
}
