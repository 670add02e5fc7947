//! Runs an image of the store, without an engine and without root.

use super::environment::Variable;
use super::foreign;
use super::rootfs::{Account, RootFs};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Config, Reference};
use crate::sandbox::{self, Access, Mount, Network, Privileges, Publish, Spec, Upper};
use crate::store::Store;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Where programs are looked up in images that do not say.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The image.
    pub image: Reference,
    /// What it reaches by network.
    pub network: Reach,
    /// Variables beside those of the image; these win.
    pub environment: Vec<Variable>,
    /// A program to run instead of the image's own. A process of the image by its name, as `worker`, or any other program.
    pub entrypoint: Option<String>,
    /// Arguments, instead of the image's own.
    pub arguments: Vec<String>,
}

/// What an image reaches by network.
#[derive(Clone, Debug)]
pub enum Reach {
    /// The outside; these ports of this machine lead to it.
    Outside(Vec<Publish>),
    /// All that this machine reaches.
    Host,
    /// Nothing.
    Nothing,
}

/// Runs an image with this program's own input and output and returns the exit code of its program. Ctrl-C asks that program to end.
///
/// # Errors
/// When the image is not in the store or its sandbox cannot be set up.
pub fn run(store: &Store, request: &Request) -> Result<u8> {
    let stored = store
        .find(&request.image)?
        .context(|| format!("there is no image `{}`", request.image))
        .hint("`cooper images` lists what is there; `cooper build` makes one")?;
    let emulator = foreign::emulator(&stored.image.config, store).context(|| format!("cannot run `{}`", request.image))?;
    let root = RootFs::unpack(store, &stored.image)?;
    let spec = Spec { emulator, ..describe(&root, &stored.image.config, request)? };
    let scratch = store.scratch()?;
    let exit = sandbox::run_attached(scratch.path(), &spec).context(|| format!("cannot run `{}`", request.image))?;
    Ok(exit.code)
}

fn describe(root: &RootFs, config: &Config, request: &Request) -> Result<Spec> {
    let run = &config.config;
    let account = root.account(&run.user)?;
    let directory = if run.working_dir.is_empty() { "/" } else { &run.working_dir };
    Ok(Spec {
        lowers: root.lowers(),
        upper: Upper::Discard,
        mounts: match request.network {
            Reach::Outside(_) | Reach::Host => names_of_hosts(),
            Reach::Nothing => Vec::new(),
        },
        arguments: command(config, request)?.into_iter().map(OsString::from).collect(),
        environment: environment(config, request, &account),
        directory: directory.into(),
        user: account.user,
        privileges: Privileges::None,
        network: match &request.network {
            Reach::Outside(ports) => Network::Published(ports.clone()),
            Reach::Host => Network::Host,
            Reach::Nothing => Network::None,
        },
        emulator: None,
        writable: root.writable(account.user)?,
    })
}

/// As engines do: another entrypoint does not get the image's arguments, and arguments replace the image's.
fn command(config: &Config, request: &Request) -> Result<Vec<String>> {
    let own = config.config.entrypoint.clone().unwrap_or_default();
    let entrypoint = request.entrypoint.clone().map_or(own, |entrypoint| vec![entrypoint]);
    let arguments = match (&request.arguments, &request.entrypoint) {
        (arguments, _) if !arguments.is_empty() => arguments.clone(),
        (_, Some(_)) => Vec::new(),
        (_, None) => config.config.cmd.clone().unwrap_or_default(),
    };
    let command = [entrypoint, arguments].concat();
    if command.is_empty() {
        return Err(Error::new(format!("the image `{}` does not say what to run", request.image)).hint("name a program after the image"));
    }
    Ok(command)
}

/// What engines set, what the image sets, what the user sets: later ones win.
fn environment(config: &Config, request: &Request, account: &Account) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| {
        variables.retain(|(earlier, _)| earlier != name);
        variables.push((name.to_string(), value.to_string()));
    };
    set("PATH", PATH);
    set("HOME", &account.home);
    if std::io::stdin().is_terminal() {
        set("TERM", "xterm");
    }
    for line in config.config.env.iter().flatten() {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        set(name, value);
    }
    for variable in &request.environment {
        set(&variable.name, &variable.value);
    }
    variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// How this machine resolves names.
fn names_of_hosts() -> Vec<Mount> {
    let files = ["/etc/resolv.conf", "/etc/hosts"].map(PathBuf::from);
    let shown = |path: PathBuf| Mount { source: path.clone(), target: path, access: Access::ReadOnly };
    files.into_iter().filter(|path| Path::exists(path)).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Entry, TarWriter};
    use crate::image::{History, Image, host_architecture};
    use crate::sandbox::{User, smallest_program};

    fn request(entrypoint: Option<&str>, arguments: &[&str]) -> Request {
        Request {
            image: Reference::parse("app").unwrap(),
            network: Reach::Nothing,
            environment: vec![Variable { name: "B".into(), value: "mine".into() }],
            entrypoint: entrypoint.map(str::to_string),
            arguments: arguments.iter().map(ToString::to_string).collect(),
        }
    }

    fn config() -> Config {
        let mut config = Config::default();
        config.config.entrypoint = Some(vec!["/cnb/process/web".into()]);
        config.config.cmd = Some(vec!["--port".into(), "1".into()]);
        config.config.env = Some(vec!["A=1".into(), "B=2".into(), "PATH=/cnb/process".into()]);
        config
    }

    #[test]
    fn the_command_is_put_together_as_engines_do() {
        let command = |entrypoint, arguments: &[&str]| command(&config(), &request(entrypoint, arguments)).unwrap().join(" ");
        assert_eq!(command(None, &[]), "/cnb/process/web --port 1");
        assert_eq!(command(None, &["x"]), "/cnb/process/web x");
        assert_eq!(command(Some("worker"), &[]), "worker");
        assert_eq!(command(Some("bash"), &["-c", "id"]), "bash -c id");
        assert!(super::command(&Config::default(), &request(None, &[])).is_err());
    }

    #[test]
    fn an_image_of_the_store_runs() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let program = smallest_program(host_architecture(), 7);
        let layer = store
            .put_layer(History::default(), |writer| {
                let mut tar = TarWriter::new(writer);
                tar.append(&Entry::directory("cnb/process", 0o755, 0, 0, 1), std::io::empty())?;
                tar.append(&Entry::file("cnb/process/web", program.len() as u64, 0o755, 0, 0, 1), program.as_slice())?;
                tar.finish()?;
                Ok(())
            })
            .unwrap();
        let mut image = Image { layers: vec![layer], config: config() };
        image.config.os = "linux".into();
        image.config.architecture = host_architecture().into();
        image.config.config.user = "1002:1000".into();
        let request = request(None, &[]);
        store.tag(&request.image, &store.put_image(&image).unwrap()).unwrap();
        assert_eq!(run(&store, &request).unwrap(), 7);
        assert_eq!(run(&store, &Request { entrypoint: Some("web".into()), ..request.clone() }).unwrap(), 7);
        let missing = Request { entrypoint: Some("worker".into()), network: Reach::Outside(Vec::new()), ..request.clone() };
        assert_eq!(run(&store, &missing).unwrap_err().exit_code(), 127);
        let absent = Request { image: Reference::parse("absent").unwrap(), ..request };
        assert_eq!(run(&store, &absent).unwrap_err().to_string(), "there is no image `absent`");
    }

    #[test]
    fn the_users_variables_win() {
        let account = Account { user: User { uid: 1, gid: 1 }, home: "/home/a".into() };
        let found = environment(&config(), &request(None, &[]), &account);
        let found: Vec<_> = found.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect();
        let found: Vec<_> = found.iter().filter(|line| !line.starts_with("TERM=")).map(String::as_str).collect();
        assert_eq!(found, ["HOME=/home/a", "A=1", "PATH=/cnb/process", "B=mine"]);
    }
}
