//! `cooper key`: key pairs that sign images, and how every command reads them.

use super::Session;
use super::ask::{ask, piped, unseen};
use crate::attestation::{PrivateKey, PublicKey};
use crate::error::{Advice, Context, Error, Result};
use crate::platform::attest::Signer;
use clap::Subcommand;
use p256::elliptic_curve::zeroize::Zeroizing;
use rustix::termios::isatty;
use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A longer key is a file that was given by mistake.
const LONGEST: u64 = 64 << 10;
/// What a key is called that stands in a variable.
const VARIABLE: &str = "env://";
/// Variables with the password, the first that is set.
const PASSWORDS: [&str; 2] = ["COOPER_KEY_PASSWORD", "COSIGN_PASSWORD"];

/// Make key pairs that sign images.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key pair: `cosign.key`, which signs and is locked with a password, and `cosign.pub`, which verifies. cosign takes both.
    #[command(
        after_help = "The password is $COOPER_KEY_PASSWORD or $COSIGN_PASSWORD, else it is asked for, or read from standard input.\n\n\
                            Examples:\n  cooper key generate\n  cooper key generate --output-key-prefix team"
    )]
    Generate {
        /// Beginning of the files' names, before `.key` and `.pub`.
        #[arg(long, value_name = "PATH", default_value = "cosign")]
        output_key_prefix: String,
        /// Replace files that are there.
        #[arg(long)]
        force: bool,
    },
    /// Print the public key of a private one.
    Public {
        /// The private key: a file, or `env://VARIABLE`.
        key: String,
    },
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Generate { output_key_prefix, force } => generate(&output_key_prefix, force, session)?,
            Command::Public { key } => session.print(&private_key(&key)?.public().to_pem()?)?,
        }
        Ok(0)
    }
}

fn generate(prefix: &str, force: bool, session: &Session) -> Result<()> {
    let path = |ending: &str| PathBuf::from(format!("{prefix}.{ending}"));
    let (private, public) = (path("key"), path("pub"));
    if let Some(there) = [&private, &public].into_iter().find(|path| path.symlink_metadata().is_ok() && !force) {
        return Err(Error::new(format!("`{}` is there already", there.display())))
            .hint("choose other names with `--output-key-prefix`, or replace the pair with `--force`");
    }
    let key = PrivateKey::generate()?;
    let locked = key.lock(&new_password()?)?;
    write(&private, &locked, 0o600, force)?;
    write(&public, &key.public().to_pem()?, 0o644, force)?;
    session.output.line(&format!("wrote {}, which signs, and {}, which verifies", private.display(), public.display()));
    Ok(())
}

/// Writes a file whole or not at all. Nobody else can read a private key, not even while it is written.
fn write(path: &Path, text: &str, mode: u32, replace: bool) -> Result<()> {
    let describe = || format!("cannot write the key `{}`", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).context(describe)?;
    file.write_all(text.as_bytes()).context(describe)?;
    fs::set_permissions(file.path(), Permissions::from_mode(mode)).context(describe)?;
    file.as_file().sync_all().context(describe)?;
    let persisted = if replace { file.persist(path) } else { file.persist_noclobber(path) };
    persisted.map(drop).context(describe)
}

/// The private key in a file or a variable; asks for its password where it is locked.
///
/// # Errors
/// When it cannot be read, or the password is another one.
pub(super) fn private_key(place: &str) -> Result<PrivateKey> {
    let describe = || format!("cannot use the private key `{place}`");
    PrivateKey::read(&text(place).context(describe)?, || password("Password of the key: ")).context(describe)
}

/// Who signs: with the private key in a file or a variable.
///
/// # Errors
/// As [`private_key`].
pub(super) fn signer(place: &str, tags: bool) -> Result<Signer> {
    Ok(Signer { key: private_key(place)?, tags })
}

/// The public key in a file or a variable.
///
/// # Errors
/// When it cannot be read.
pub(super) fn public_key(place: &str) -> Result<PublicKey> {
    let describe = || format!("cannot use the public key `{place}`");
    PublicKey::parse(&text(place).context(describe)?).context(describe)
}

/// The text of a key.
///
/// # Errors
/// When it is not there.
fn text(place: &str) -> Result<Zeroizing<String>> {
    if let Some(name) = place.strip_prefix(VARIABLE) {
        return std::env::var(name).map(Zeroizing::new).context(|| format!("the variable {name} is not set"));
    }
    let mut text = Zeroizing::new(String::new());
    fs::File::open(place).and_then(|file| file.take(LONGEST).read_to_string(&mut text)).context(|| "it cannot be read")?;
    Ok(text)
}

/// The password of a new key, asked for twice, since nobody sees what is typed.
fn new_password() -> Result<Zeroizing<String>> {
    let first = password("Password for the new key: ")?;
    let is_typed = PASSWORDS.iter().all(|name| std::env::var_os(name).is_none()) && isatty(std::io::stdin());
    if is_typed && password("Once more: ")? != first {
        return Err(Error::new("the two passwords are not the same"));
    }
    Ok(first)
}

/// The password: of a variable, else what is typed, else what is piped in.
fn password(question: &str) -> Result<Zeroizing<String>> {
    if let Some(password) = PASSWORDS.iter().find_map(|name| std::env::var(name).ok()) {
        return Ok(Zeroizing::new(password));
    }
    if isatty(std::io::stdin()) {
        return unseen(|| ask(question)).map(Zeroizing::new);
    }
    piped().map(Zeroizing::new)
}
