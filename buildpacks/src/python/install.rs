//! Installs uv, and with it the app's packages into a virtual environment.

use super::problem::Problem;
use super::project::Project;
use super::sbom::Wheels;
use super::settings::Settings;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of uv.
pub const UV_VERSION: &str = "0.13.9";
/// SHA-256 of its wheels for x86-64 and ARM64.
const UV_HASHES: [&str; 2] = [
    "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
];
const PYTHON: &str = "/usr/bin/python3";
/// Where Debian keeps the wheel of pip.
const WHEELS: &str = "/usr/share/python-wheels";
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Name and version of the image's Python, as `python3.13`.
pub fn python() -> Result<String, Problem> {
    let target = fs::canonicalize(PYTHON).map_err(|_| Problem::NoPython)?;
    Ok(target.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// Fetches uv's wheel with pip, which checks its hash, into `layer`.
pub fn uv(layer: &Path, settings: &Settings) -> Result<(), Problem> {
    let pip = pip()?;
    let hashes: String = UV_HASHES.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    let requirements = layer.join("requirements.txt");
    fs::write(&requirements, format!("uv=={UV_VERSION}{hashes}\n")).map_err(|error| Problem::Io("write", requirements.clone(), error))?;
    println!("fetching uv {UV_VERSION}");
    let mut command = command(PYTHON);
    command.arg(pip).args([
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-cache-dir",
        "--no-compile",
    ]);
    command.args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--target"]).arg(layer.join("lib")).arg("-r").arg(&requirements);
    command
        .envs(settings.variables.iter().filter(|(name, _)| name.to_string_lossy().starts_with("PIP_")).map(|(name, value)| (name, value)));
    run(command, "fetch uv")
}

fn pip() -> Result<PathBuf, Problem> {
    let wheels = fs::read_dir(WHEELS).map_err(|_| Problem::NoPip)?;
    let wheel = wheels
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pip-")));
    wheel.map(|wheel| wheel.join("pip")).ok_or(Problem::NoPip)
}

/// uv in a virtual environment for a project.
struct Uv<'a> {
    project: &'a Project,
    settings: &'a Settings,
    layer: &'a Path,
    venv: &'a Path,
}

impl Uv<'_> {
    fn command(&self, arguments: &[&OsStr]) -> Command {
        let mut command = command(self.layer.join("lib/bin/uv"));
        command
            .args(arguments)
            .env("UV_CACHE_DIR", "/tmp/uv-cache")
            .env("UV_LINK_MODE", "copy")
            .env("UV_PYTHON_DOWNLOADS", "never")
            .env("UV_NO_PROGRESS", "1");
        command.env("UV_PROJECT_ENVIRONMENT", self.venv).env("VIRTUAL_ENV", self.venv);
        command.env("SOURCE_DATE_EPOCH", "315532801").envs(self.settings.for_uv()).current_dir(self.project.folder());
        command
    }
}

/// The files that packages of indexes came in, with their hashes: those of the lock, or those in the pages of indexes that uv has just read to
/// install them. Nothing is fetched, so equal builds know equal ones.
pub fn wheels(project: &Project, settings: &Settings, uv_layer: &Path, venv: &Path, pinned: &str) -> Result<Wheels, Problem> {
    let uv = Uv { project, settings, layer: uv_layer, venv };
    let list = std::env::temp_dir().join("installed.txt");
    fs::write(&list, pinned).map_err(|error| Problem::Io("write", list.clone(), error))?;
    let os = OsStr::new;
    let mut command = match project {
        Project::Locked(_) => {
            uv.command(&[os("export"), os("--quiet"), os("--frozen"), os("--no-dev"), os("--offline"), os("--format"), os("pylock.toml")])
        }
        Project::Requirements(_) | Project::Declared(_) => uv.command(&[
            os("pip"),
            os("compile"),
            os("--quiet"),
            os("--no-deps"),
            os("--offline"),
            os("--format"),
            os("pylock.toml"),
            list.as_os_str(),
        ]),
    };
    let output = command.output().map_err(|error| Problem::Start("uv".into(), error))?;
    if !output.status.success() {
        println!("the hashes of the packages' files are not known: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(Wheels::parse(&String::from_utf8_lossy(&output.stdout)))
}

/// Makes the virtual environment `venv` with the app's packages in it, byte-compiled so that two builds give the same bytes.
pub fn packages(project: &Project, settings: &Settings, uv_layer: &Path, venv: &Path) -> Result<(), Problem> {
    let all = Uv { project, settings, layer: uv_layer, venv };
    let uv = |arguments: &[&OsStr]| all.command(arguments);
    let os = OsStr::new;
    run(
        uv(&[os("venv"), os("--quiet"), os("--no-project"), os("--clear"), os("--python"), os(PYTHON), venv.as_os_str()]),
        "make a virtual environment",
    )?;
    match project {
        Project::Requirements(path) => {
            run(uv(&[os("pip"), os("install"), os("-r"), path.as_os_str()]), "install the packages of requirements.txt")?
        }
        Project::Locked(_) => {
            run(uv(&[os("sync"), os("--frozen"), os("--no-dev"), os("--no-editable")]), "install the packages of uv.lock")?
        }
        Project::Declared(_) if project.installs_itself() => run(uv(&[os("pip"), os("install"), os(".")]), "install the project")?,
        Project::Declared(path) => {
            run(uv(&[os("pip"), os("install"), os("-r"), path.as_os_str()]), "install the packages of pyproject.toml")?
        }
    }
    compile(venv)
}

/// Compiled modules that are trusted without looking at their source's time, so that times do not matter.
fn compile(venv: &Path) -> Result<(), Problem> {
    let mut command = command(PYTHON);
    command
        .args(["-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"])
        .arg(venv.join("lib"))
        .env("PYTHONHASHSEED", "0");
    // Some packages ship files for other versions of Python; what does not compile is imported as source or not at all.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command.status().map(drop).map_err(|error| Problem::Start(PYTHON.into(), error))
}

fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    if std::env::var_os("SSL_CERT_FILE").is_none() && Path::new(CERTIFICATES).exists() {
        command.env("SSL_CERT_FILE", CERTIFICATES);
    }
    command
}

fn run(mut command: Command, action: &'static str) -> Result<(), Problem> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(|error| Problem::Start(program, error))?;
    if status.success() { Ok(()) } else { Err(Problem::Ended(action, status)) }
}
