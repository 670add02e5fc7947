//! The folders that a build works in, on the store's own file system, gone when it ends.

use super::Request;
use crate::error::{Context, Result};
use crate::image::Digest;
use crate::lifecycle::documents::analyzed::Analyzed;
use crate::lifecycle::exporter::{Folders, Place};
use crate::lifecycle::layer::{Owner, inside};
use crate::output::Output;
use crate::platform::app::{Copy, copy, digest};
use crate::platform::builder::Builder;
use crate::store::{Scratch, Store};
use launcher::file::read_document;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

/// Workspace, layers and platform folders of one build.
pub(super) struct Workplace {
    scratch: Scratch,
    folders: Folders,
    owner: Owner,
    source: Option<Digest>,
}

impl Workplace {
    /// Makes the folders; copies the app and writes the user's variables.
    pub fn new(request: &Request, store: &Store, builder: &Builder, output: &Output) -> Result<Self> {
        let scratch = store.scratch()?;
        let path = |name: &str| scratch.path().join(name);
        let folders = Folders {
            layers: path("layers"),
            layers_in_image: "/layers".into(),
            app: path("workspace"),
            app_in_image: request.workspace.clone(),
            place: Place::Elsewhere,
        };
        let config = &builder.build.stored.image.config;
        let number = |name: &str| config.variable(name).and_then(|value| value.parse().ok()).unwrap_or(1000);
        let (uid, gid) = request.user;
        let owner = Owner { uid: uid.unwrap_or_else(|| number("CNB_USER_ID")), gid: gid.unwrap_or_else(|| number("CNB_GROUP_ID")) };
        let mut place = Self { scratch, folders, owner, source: None };
        place.make(request, store, output).context(|| "cannot prepare the folders of the build")?;
        if request.is_attested() {
            place.source = Some(digest(&place.folders.app)?);
        }
        Ok(place)
    }

    fn make(&self, request: &Request, store: &Store, output: &Output) -> Result<()> {
        let platform = self.platform();
        for folder in [self.layers(), &platform, &platform.join("env")] {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        // What the user gives comes after what this machine's configuration says, and wins.
        for variable in request.host.pip.iter().chain(&request.environment) {
            fs::write(platform.join("env").join(&variable.name), &variable.value)?;
        }
        let owner = self.owner_on_disk().map(|owner| (owner.uid, owner.gid));
        if let Some((user, group)) = owner {
            chown(self.layers(), Some(user), Some(group))?;
        }
        let (source, rules, target) = (request.source.folder(), &request.rules, &self.folders.app);
        copy(&Copy { source, rules, target, owner, apart: &request.apart(store) }, output)
    }

    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The digest of the files of the source, before buildpacks change them; nothing where nobody wants it.
    pub fn source_digest(&self) -> Option<&Digest> {
        self.source.as_ref()
    }

    pub fn layers(&self) -> &Path {
        &self.folders.layers
    }

    pub fn platform(&self) -> PathBuf {
        self.scratch.path().join("platform")
    }

    /// The build's user, as the image knows it.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Whom files must belong to on this machine: root hands them to the build's user, everybody else is the build's user.
    pub fn owner_on_disk(&self) -> Option<Owner> {
        rustix::process::geteuid().is_root().then_some(self.owner)
    }

    pub fn analyzed(&self) -> Result<Analyzed> {
        Analyzed::parse(&self.read_layers_file("analyzed.toml")?)
    }

    pub fn read_layers_file(&self, name: &str) -> Result<String> {
        let path = inside(self.layers(), name)?;
        read_document(&path).context(|| format!("cannot read `{}`", path.display()))
    }

    /// Writes a file that the phases may write again.
    pub fn write_layers_file(&self, name: &str, text: &str) -> Result<()> {
        let path = self.layers().join(name);
        let describe = || format!("cannot write `{}`", path.display());
        fs::write(&path, text).context(describe)?;
        match self.owner_on_disk() {
            Some(owner) => chown(&path, Some(owner.uid), Some(owner.gid)).context(describe),
            None => Ok(()),
        }
    }
}
