//! Folders and files of this machine that a build sees: `--volume HOST:TARGET[:ro|rw]` (CLI-24).

use crate::error::{Advice, Context, Error, Result};
use crate::sandbox::{Access, Mount};
use std::path::{Component, Path, PathBuf};

const FORMS: &str = "write `HOST:TARGET[:ro|rw]`, as `./settings:/platform/bindings/settings`";
/// What the build itself is made of.
const OWN: [&str; 4] = ["/cnb", "/layers", "/workspace", "/platform"];
/// What the sandbox has of its own.
const OF_SANDBOX: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A folder or file, and what a user should know of where it is put.
#[derive(Debug)]
pub struct Volume {
    /// What to mount.
    pub mount: Mount,
    /// A warning.
    pub warning: Option<String>,
}

/// Reads a volume. It is not writable unless the text says so.
///
/// # Errors
/// When the text is none, there is no such folder or file, or the target would break the build.
pub fn volume(text: &str) -> Result<Volume> {
    let describe = || format!("cannot use `--volume {text}`");
    let (source, target, options) = split(text).context(describe)?;
    let access = access(options).context(describe)?;
    let target = absolute(Path::new(target)).context(describe)?;
    let below = |folders: &[&str], path: &Path| folders.iter().any(|folder| path.starts_with(folder));
    let is_own = OWN.iter().any(|own| Path::new(own).starts_with(&target));
    if is_own || below(&OF_SANDBOX, &target) {
        let cause = Error::new(format!("`{}` is the build's own", target.display()));
        return Err(cause).context(describe).hint("choose another target; service bindings belong into /platform/bindings/NAME");
    }
    // Below `/platform` is where bindings belong.
    let warning = below(&OWN[..3], &target).then(|| format!("mounting to a sensitive folder: `{}`", target.display()));
    let source = source.canonicalize().context(|| format!("there is no `{}` on this machine", source.display())).context(describe)?;
    Ok(Volume { mount: Mount { source, target, access }, warning })
}

fn split(text: &str) -> Result<(PathBuf, &str, &str)> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target, options) = match parts.as_slice() {
        [source, target] => (*source, *target, ""),
        [source, target, options] => (*source, *target, *options),
        _ => return Err(Error::new("it is not two paths")).hint(FORMS),
    };
    if source.is_empty() {
        return Err(Error::new("it names nothing of this machine")).hint(FORMS);
    }
    let home = source.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'));
    if home.is_some() {
        return Err(Error::new("`~` is the shell's to resolve, which it does at the beginning of a word only")).hint("write `$HOME`");
    }
    // As engines read it, a plain word is the name of a volume of theirs.
    if !source.contains('/') && source != "." && source != ".." {
        return Err(Error::new(format!("`{source}` would be a volume of an engine, and there is none")))
            .hint(format!("name a folder: `./{source}:{target}`"));
    }
    Ok((source.into(), target, options))
}

fn access(options: &str) -> Result<Access> {
    let mut access = Access::ReadOnly;
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => access = Access::ReadOnly,
            "rw" => access = Access::ReadWrite,
            // What engines relabel or share for their containers.
            "z" | "Z" | "delegated" | "cached" | "consistent" => {}
            other if other.starts_with("volume-opt") => {
                return Err(Error::new(format!("`{other}` is for volumes of an engine, and there is none"))).hint("mount a folder");
            }
            other => return Err(Error::new(format!("the mode `{other}` is unknown")).hint(FORMS)),
        }
    }
    Ok(access)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match path.is_absolute() && plain && path != Path::new("/") {
        true => Ok(path.components().collect()),
        false => Err(Error::new(format!("`{}` is no place in a build", path.display())).hint("name an absolute path, without `..`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-24.
    #[test]
    fn volumes_are_read_only_unless_asked_and_keep_off_what_the_build_is_made_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        let mount = |rest: &str| volume(&format!("{path}:{rest}"));
        for (rest, access) in [("/data", Access::ReadOnly), ("/data:ro", Access::ReadOnly), ("/data:rw", Access::ReadWrite)] {
            let found = mount(rest).unwrap();
            assert!(found.mount.access == access && found.warning.is_none() && found.mount.target == Path::new("/data"), "{rest}");
        }
        assert!(mount("/platform/bindings/db").unwrap().warning.is_none());
        for rest in ["/workspace/more", "/cnb/x", "/layers/x:rw"] {
            assert!(mount(rest).unwrap().warning.is_some(), "{rest}");
        }
        for rest in ["/", "/cnb", "/layers:rw", "/workspace", "/proc", "/dev/x", "data", "/a/../cnb", "/data:other", "/data:volume-opt=x"] {
            assert!(mount(rest).is_err(), "{rest}");
        }
        for text in ["/only", ":/data", "name:/data", "/no/such:/data", "~/x:/data", "/a:/b:ro:x"] {
            assert!(volume(text).is_err(), "{text}");
        }
    }
}
