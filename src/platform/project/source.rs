//! Where the source came from, for the image's label `io.buildpacks.project.metadata` (CLI-56).

use super::Project;
use crate::lifecycle::documents::project_metadata::{ProjectMetadata, Source};
use crate::output::Output;
use std::path::Path;
use std::process::Command;

/// What a project file declares of the source.
#[derive(Debug, Default)]
pub struct Declared {
    /// Its version.
    pub version: String,
    /// Where it is.
    pub url: String,
    /// Whether this comes before what git knows, as in schema 0.1.
    pub first: bool,
}

/// What is known of the source: by its own git repository, or by what its project file declares.
pub fn metadata(project: &Project, source: &Path, output: &Output) -> ProjectMetadata {
    let declared = declared(&project.declared);
    let source = match declared {
        Some(declared) if project.declared.first => Some(declared),
        declared => of_git(source, output).or(declared),
    };
    ProjectMetadata { source }
}

/// Whether a source that is a git repository has changes besides its commit; nothing where git does not say.
pub fn is_changed(source: &Path) -> Option<bool> {
    let mut command = git(source);
    let answer = command.args(["--no-optional-locks", "status", "--porcelain"]).output().ok()?;
    answer.status.success().then_some(!answer.stdout.is_empty())
}

/// Not even a hook of the repository may run.
fn git(source: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(source).args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
    command
}

fn declared(declared: &Declared) -> Option<Source> {
    let Declared { version, url, .. } = declared;
    (!version.is_empty() || !url.is_empty()).then(|| Source {
        kind: "project".into(),
        version: toml::Table::from_iter([("declared".to_string(), version.as_str().into())]),
        metadata: toml::Table::from_iter([("url".to_string(), url.as_str().into())]),
    })
}

/// A repository around the source is not the source's.
fn of_git(source: &Path, output: &Output) -> Option<Source> {
    if !source.join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| -> Option<String> {
        let answer = git(source).args(arguments).output().ok()?;
        let text = String::from_utf8(answer.stdout).ok().filter(|_| answer.status.success())?;
        Some(text.trim().to_string()).filter(|text| !text.is_empty())
    };
    let Some(commit) = git(&["rev-parse", "--verify", "HEAD"]) else {
        output.detail(&format!("git does not say which commit `{}` is at, so the image does not either", source.display()));
        return None;
    };
    // Whole digests, since the shortest clear beginning depends on what else is in the repository.
    let describe = git(&["describe", "--tags", "--always", "--abbrev=40"]).unwrap_or_else(|| commit.clone());
    let branch = git(&["symbolic-ref", "--short", "HEAD"]).unwrap_or_else(|| "HEAD".into());
    let tags = git(&["tag", "--points-at", "HEAD"]).unwrap_or_default();
    let remotes = git(&["remote"]).unwrap_or_default();
    let remote = remotes.lines().find(|name| *name == "origin").or_else(|| remotes.lines().next());
    let url = remote.and_then(|name| git(&["config", "--get", &format!("remote.{name}.url")])).unwrap_or_default();
    let refs: Vec<toml::Value> = std::iter::once(branch.as_str()).chain(tags.lines()).map(Into::into).collect();
    Some(Source {
        kind: "git".into(),
        version: toml::Table::from_iter([("commit".to_string(), commit.into()), ("describe".to_string(), describe.into())]),
        metadata: toml::Table::from_iter([("refs".to_string(), refs.into()), ("url".to_string(), without_secret(&url).into())]),
    })
}

/// An address without the password that may stand in it.
fn without_secret(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}{}{path}", if rest.contains('/') { "/" } else { "" })
        }
        None => url.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]).args(arguments);
        let answer = command.output().unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).unwrap().trim().to_string()
    }

    /// CLI-56.
    #[test]
    fn a_repository_says_which_commit_it_is_at() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path();
        let label = |project: &Project| metadata(project, source, &Output::quiet()).to_label();
        assert_eq!(label(&Project::default()), "{}");
        git(source, &["init", "--quiet"]);
        assert_eq!(label(&Project::default()), "{}", "there is no commit yet");
        git(source, &["commit", "--quiet", "--allow-empty", "-m", "one"]);
        git(source, &["tag", "v1"]);
        git(source, &["remote", "add", "origin", "https://me:secret@acme.test/app"]);
        let commit = git(source, &["rev-parse", "HEAD"]);
        assert_eq!(
            label(&Project::default()),
            format!(
                r#"{{"source":{{"type":"git","version":{{"commit":"{commit}","describe":"v1"}},"metadata":{{"refs":["main","v1"],"url":"https://acme.test/app"}}}}}}"#
            )
        );
        let declared = |first| Project { declared: Declared { version: "3".into(), url: "u".into(), first }, ..Project::default() };
        let text = r#"{"source":{"type":"project","version":{"declared":"3"},"metadata":{"url":"u"}}}"#;
        assert_eq!(label(&declared(true)), text);
        assert!(label(&declared(false)).contains(&commit));
        std::fs::rename(source.join(".git"), source.join("git")).unwrap();
        assert_eq!(label(&declared(false)), text);
    }

    #[test]
    fn addresses_lose_their_passwords() {
        for (url, clean) in [("https://a:b@h/p@q", "https://h/p@q"), ("git@h:p", "git@h:p"), ("ssh://git@h", "ssh://h"), ("/p", "/p")] {
            assert_eq!(without_secret(url), clean);
        }
    }
}
