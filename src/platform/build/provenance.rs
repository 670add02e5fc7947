//! How an image was built, for whoever builds it again or asks where it is from. docs/guides/signing.md says what is recorded.

use super::extend::Extended;
use super::{Build, Request};
use crate::attestation::provenance::{Build as Asked, Chosen, Named, Provenance, Resource, Source, Variable, resource};
use crate::buildpack::{GroupDocument, GroupElement};
use crate::debian::Kind;
use crate::error::{Context, Result};
use crate::image::{ArtifactFile, Digest};
use crate::platform::attest::About;
use crate::platform::base_image::Distribution;
use crate::platform::builder::{Choice, RunLock, Wish};
use crate::platform::images::InStore;
use crate::platform::packages::Packages;
use crate::platform::place::Place;
use crate::platform::project;
use crate::sandbox::Network;

/// Variables that buildpacks read by convention. Others may be anything, passwords too.
const PLAIN: [&str; 3] = ["BP_", "BPL_", "BPE_"];
/// What names of secrets have in them.
const SECRET: [&str; 8] = ["TOKEN", "SECRET", "PASS", "KEY", "CREDENTIAL", "AUTH", "CERT", "COOKIE"];

impl Build<'_, '_> {
    /// The documents that say how the image was built; none where nobody gets them.
    pub(super) fn about(&self, images: &Extended, group: &GroupDocument, packages: &Packages) -> Result<About> {
        let Some(files) = self.place.source_digest() else { return Ok(About::default()) };
        let locks = self.locks(packages)?;
        let chosen = Chosen {
            group: group.group.iter().map(full_name).collect(),
            extensions: group.extensions.iter().map(full_name).collect(),
            build_packages: packages.build.clone(),
            run_packages: packages.run.clone(),
        };
        let asked = self.asked(files);
        let used = self.used(&asked.source, images, &chosen, &locks);
        let provenance = Provenance::of_build(&asked, &chosen, used).context(|| "cannot say how the image was built")?;
        Ok(About { provenance: Some(provenance.to_bytes()), locks, ..About::default() })
    }

    fn asked(&self, files: &Digest) -> Asked {
        let request = self.request;
        let (user, group) = request.user;
        let id = |id: Option<u32>| id.map(|id| id.to_string()).unwrap_or_default();
        Asked {
            source: source(request, files),
            builder: request.builder.builder.clone(),
            run_image: request.builder.run_image.as_ref().map(Place::to_string).unwrap_or_default(),
            platform: self.platform.to_string(),
            buildpacks: named(&request.choice),
            environment: request.environment.iter().map(recorded).collect(),
            default_process: request.default_process.clone(),
            creation_time: request.source_date_epoch.clone(),
            exec_env: request.exec_env.clone(),
            workspace: request.workspace.clone(),
            user: (user.is_some() || group.is_some()).then(|| format!("{}:{}", id(user), id(group))),
            network: if request.network == Network::None { "none" } else { "host" }.into(),
            volumes: request.volumes.iter().map(|volume| volume.target.display().to_string()).collect(),
        }
    }

    fn used(&self, source: &Source, images: &Extended, chosen: &Chosen, locks: &[ArtifactFile]) -> Vec<Resource> {
        let mut used = Vec::new();
        if !source.commit.is_empty() {
            let digest = [("gitCommit".to_string(), source.commit.clone())].into();
            used.push(Resource { name: resource::REPOSITORY.into(), uri: source.uri.clone(), digest, ..Resource::default() });
        }
        used.extend(source.files.iter().map(|files| Resource::new(resource::SOURCE, "", files)));
        used.push(of_image(resource::BUILD_IMAGE, &self.builder.build));
        used.push(of_image(resource::RUN_IMAGE, &images.run));
        for name in chosen.group.iter().chain(&chosen.extensions) {
            let digest = self.builder.modules.get(name);
            used.extend(digest.map(|digest| Resource::new(format!("{} {name}", resource::BUILDPACK), "", digest)));
        }
        for lock in locks {
            let name = if lock.name.starts_with(Kind::Run.name()) { resource::RUN_LOCK } else { resource::BUILD_LOCK };
            used.push(Resource::of_file(name, lock));
        }
        used
    }

    /// The packages of images that were composed.
    fn locks(&self, packages: &Packages) -> Result<Vec<ArtifactFile>> {
        let Some(distribution) = &self.builder.distribution else { return Ok(Vec::new()) };
        [(Kind::Build, &packages.build), (Kind::Run, &packages.run)]
            .iter()
            .map(|(kind, extras)| lock(distribution, *kind, extras))
            .collect()
    }
}

fn lock(distribution: &Distribution, kind: Kind, extras: &[String]) -> Result<ArtifactFile> {
    let (base, whole) = (distribution.lock(kind, &[])?, distribution.lock(kind, extras)?);
    RunLock { builder: distribution.name.into(), packages: extras.to_vec(), base, whole }.file(kind)
}

fn full_name(member: &GroupElement) -> String {
    format!("{}@{}", member.id, member.version)
}

/// A path of this machine means nothing elsewhere.
fn of_image(name: &str, image: &InStore) -> Resource {
    let uri = match Place::parse(&image.name) {
        Ok(Place::Name(name) | Place::Registry(name)) if name.has_host() => format!("docker://{}", name.full()),
        Ok(Place::Layout { .. } | Place::Archive { .. }) | Err(_) => String::new(),
        Ok(Place::Engine(_) | Place::Registry(_) | Place::Store(_) | Place::Name(_)) => image.name.clone(),
    };
    Resource::new(name, uri, &image.stored.digest)
}

fn source(request: &Request, files: &Digest) -> Source {
    let known = request.project.source.as_ref();
    let text = |table: Option<&toml::Table>, key: &str| {
        table.and_then(|table| table.get(key)).and_then(toml::Value::as_str).unwrap_or_default().to_string()
    };
    let is_git = known.is_some_and(|source| source.kind == "git");
    let url = text(known.map(|source| &source.metadata), "url");
    Source {
        uri: if is_git { git_uri(&url) } else { url },
        commit: if is_git { text(known.map(|source| &source.version), "commit") } else { String::new() },
        dirty: if is_git { project::is_changed(request.source.folder()) } else { None },
        files: Some(files.clone()),
    }
}

/// The address of a repository as SPDX writes it.
fn git_uri(url: &str) -> String {
    match (url.contains("://"), url.split_once(':')) {
        (true, _) => format!("git+{url}"),
        (false, Some((host, path))) if !host.contains('/') => format!("git+ssh://{host}/{}", path.trim_start_matches('/')),
        (false, _) => url.to_string(),
    }
}

/// The buildpacks that options or the project file named. Inline ones are part of the source.
fn named(choice: &Choice) -> Vec<Named> {
    let options = [
        ("buildpack", &choice.buildpacks),
        ("pre-buildpack", &choice.pre),
        ("post-buildpack", &choice.post),
        ("extension", &choice.extensions),
    ];
    let text = |wish: &Wish| match wish {
        Wish::Named { text, .. } => text.clone(),
        Wish::Inline(inline) => format!("{}@{}", inline.id, inline.version),
    };
    let named =
        options.into_iter().flat_map(|(option, wishes)| wishes.iter().map(move |wish| Named { option: option.into(), value: text(wish) }));
    let without = choice.without_system.then(|| Named { option: "disable-system-buildpacks".into(), value: "true".into() });
    named.chain(without).collect()
}

/// A variable of the build, without a value that may be secret.
fn recorded(variable: &crate::platform::environment::Variable) -> Variable {
    let crate::platform::environment::Variable { name, value } = variable;
    let upper = name.to_uppercase();
    let is_plain = PLAIN.iter().any(|prefix| name.starts_with(prefix)) && !SECRET.iter().any(|word| upper.contains(word));
    let has_password = value.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().is_some_and(|host| host.contains('@')));
    Variable { name: name.clone(), value: (is_plain && !has_password).then(|| value.clone()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::environment::Variable as Given;

    #[test]
    fn values_that_may_be_secret_are_not_recorded() {
        for (name, value, is_recorded) in [
            ("BP_PYTHON_VERSION", "3.13", true),
            ("BPL_X", "", true),
            ("BP_INDEX", "https://mirror.test/simple", true),
            ("BP_INDEX", "https://me:pw@mirror.test/simple", false),
            ("BP_GITHUB_TOKEN", "x", false),
            ("BP_ssh_key", "x", false),
            ("DATABASE_URL", "x", false),
            ("PIP_INDEX_URL", "https://mirror.test", false),
        ] {
            let variable = recorded(&Given { name: name.into(), value: value.into() });
            assert_eq!((variable.name.as_str(), variable.value.is_some()), (name, is_recorded), "{name} {value}");
        }
    }

    #[test]
    fn addresses_of_repositories_are_uris() {
        for (url, uri) in [
            ("https://acme.test/app.git", "git+https://acme.test/app.git"),
            ("git@acme.test:team/app", "git+ssh://git@acme.test/team/app"),
            ("/srv/app", "/srv/app"),
            ("", ""),
        ] {
            assert_eq!(git_uri(url), uri);
        }
    }
}
