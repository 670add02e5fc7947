//! Runs the phases that execute other people's code, in the sandbox: this very program, started there as the detector and the builder.

use super::folders::Workplace;
use super::{Network, Request};
use crate::error::{Advice, Context, Error, Result};
use crate::output::{Output, Verbosity};
use crate::platform::builder::Builder;
use crate::platform::foreign;
use crate::platform::host::CERTIFICATES;
use crate::platform::images::InStore;
use crate::platform::rootfs::RootFs;
use crate::sandbox::{self, Access, Mount, Privileges, Spec, Upper, User};
use crate::store::Store;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A phase and what it runs on.
pub(super) struct Phase<'a> {
    pub request: &'a Request,
    pub store: &'a Store,
    pub output: &'a Output,
    pub builder: &'a Builder<'a>,
    pub place: &'a Workplace,
    pub image: &'a InStore,
}

impl Phase<'_> {
    /// Runs the detector, without network.
    pub fn detect(&self) -> Result<()> {
        let code = self.run("detector", Network::None, &[])?;
        let source = self.request.source.named();
        match code {
            0 => Ok(()),
            20 => Err(Error::new(format!("no buildpack of the builder `{}` can build `{source}`", self.builder.name)).code(20))
                .hint("the lines above say what each looked for; is it the right folder?"),
            21 => Err(Error::new(format!("a buildpack went wrong while it looked at `{source}`")).code(21)).hint("the lines above say why"),
            code => Err(Error::new("the detector failed").code(code)).hint("the lines above say why"),
        }
    }

    /// Runs the builder, with the network that was asked for and this machine's trust.
    pub fn build(&self) -> Result<()> {
        match self.run("builder", self.request.network.clone(), &self.host_mounts()?)? {
            0 => Ok(()),
            code => Err(Error::new(format!("cannot build `{}`", self.request.source.named())).code(code))
                .hint("the buildpack's own messages above say why"),
        }
    }

    fn run(&self, name: &str, network: Network, more: &[Mount]) -> Result<u8> {
        let root = RootFs::unpack(self.store, &self.image.stored.image)?;
        let owner = self.place.owner();
        let user = User { uid: owner.uid, gid: owner.gid };
        let spec = Spec {
            lowers: root.lowers().into_iter().chain(self.builder.cnb.clone()).collect(),
            upper: Upper::Discard,
            mounts: self.mounts(name)?.into_iter().chain(more.iter().cloned()).collect(),
            arguments: vec![format!("/cnb/lifecycle/{name}").into()],
            environment: self.environment(&root, !more.is_empty())?,
            directory: self.request.workspace.clone().into(),
            user,
            privileges: Privileges::None,
            network,
            emulator: foreign::emulator(&self.image.stored.image.config, self.store)?,
            writable: root.writable(user)?,
        };
        let scratch = self.store.scratch()?;
        let mut print =
            |_: sandbox::Stream, line: &[u8]| self.output.program_line(name, String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']));
        let exit = sandbox::run(scratch.path(), &spec, &mut print).context(|| format!("cannot run the {name}"))?;
        if exit.interrupted {
            return Err(Error::new("the build was interrupted").code(exit.code).hint("the image that was there before is still there"));
        }
        Ok(exit.code)
    }

    /// This program takes the place of the builder's own phase.
    fn mounts(&self, name: &str) -> Result<Vec<Mount>> {
        let program = std::env::current_exe().context(|| "cannot find this program's own file")?;
        let mount = |source: &Path, target: &Path, access| Mount { source: source.to_path_buf(), target: target.into(), access };
        let own = [
            mount(&program, &Path::new("/cnb/lifecycle").join(name), Access::ReadOnly),
            mount(&self.place.folders().app, Path::new(&self.request.workspace), Access::ReadWrite),
            mount(self.place.layers(), Path::new("/layers"), Access::ReadWrite),
            mount(&self.place.platform(), Path::new("/platform"), Access::ReadOnly),
        ];
        Ok(own.into_iter().chain(self.request.volumes.iter().cloned()).collect())
    }

    /// This machine's certificates and names of hosts, in place of the image's (nothing of them gets into an image).
    fn host_mounts(&self) -> Result<Vec<Mount>> {
        let host = &self.request.host;
        let file = |source: &PathBuf, target: &Path| -> Result<Mount> {
            let source = source.canonicalize().context(|| format!("cannot find `{}`", source.display()))?;
            Ok(Mount { source, target: target.to_path_buf(), access: Access::ReadOnly })
        };
        let certificates = host.certificates.iter().map(|path| file(path, Path::new(CERTIFICATES)));
        certificates.chain(host.resolver.iter().map(|path| file(path, path))).collect()
    }

    fn environment(&self, root: &RootFs, with_proxies: bool) -> Result<Vec<(OsString, OsString)>> {
        let config = &self.image.stored.image.config;
        let home = root.account(&config.config.user)?.home;
        let mut variables: Vec<(String, String)> = config
            .config
            .env
            .iter()
            .flatten()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        variables.push(("HOME".into(), home));
        variables.push(("CNB_PLATFORM_API".into(), "0.15".into()));
        variables.push(("CNB_EXEC_ENV".into(), self.request.exec_env.clone()));
        variables.push(("CNB_APP_DIR".into(), self.request.workspace.clone()));
        // Who prints the lines colours them.
        variables.push(("CNB_NO_COLOR".into(), "true".into()));
        if self.output.verbosity() == Verbosity::Verbose {
            variables.push(("CNB_LOG_LEVEL".into(), "debug".into()));
        }
        if with_proxies {
            variables.extend(self.request.host.proxies.iter().map(|proxy| (proxy.name.clone(), proxy.value.clone())));
        }
        Ok(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
