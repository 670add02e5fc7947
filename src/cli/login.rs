//! `cooper login` and `cooper logout`: passwords of registries, kept where Docker keeps them.

use super::Session;
use super::ask::{ask, piped, unseen};
use crate::error::{Advice, Context, Error, Result};
use crate::registry::{Environment, Place, plain_key};
use rustix::termios::isatty;

/// Log in to a registry. The password is checked and kept where `docker login` keeps it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Registry, as `ghcr.io` or `localhost:5000`.
    #[arg(default_value = "docker.io")]
    registry: String,
    /// User; asked for where it is not given.
    #[arg(long, short)]
    username: Option<String>,
    /// Read the password from standard input, as scripts do.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    registries: super::registries::Reach,
}

/// Log out of a registry: its password is forgotten.
#[derive(clap::Args)]
pub struct LogoutArguments {
    /// Registry, as `ghcr.io` or `localhost:5000`.
    #[arg(default_value = "docker.io")]
    registry: String,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let registry = registry(&self.registry)?;
        let (user, password) = self.read()?;
        let wanted = self.registries.open_unknown()?.check_password(&registry, &user, &password)?;
        if !wanted {
            session.output.warn(&format!("`{registry}` lets everyone in; whether it knows the password cannot be said"));
        }
        let environment = Environment::read(|name| std::env::var_os(name));
        if environment.registry_auth.is_some() {
            session.output.warn("`CNB_REGISTRY_AUTH` is set and comes before what is kept now");
        }
        let place = environment.keep(&registry, &user, &password)?;
        session.output.line(&format!("logged in to {registry} as {user}; the password is kept in {place}"));
        if let Place::File(_) = place {
            session.output.detail("it is not encrypted there; `credsStore` in that file names a program that keeps it better");
        }
        Ok(0)
    }

    fn read(&self) -> Result<(String, String)> {
        if self.password_stdin {
            let user = self.username.clone().context(|| "no user is given").hint("add `--username NAME`")?;
            return checked(user, piped()?);
        }
        if !isatty(std::io::stdin()) {
            return Err(Error::new("the password cannot be asked for, because standard input is no terminal")
                .hint("pipe it in and add `--username NAME --password-stdin`"));
        }
        let user = match &self.username {
            Some(user) => user.clone(),
            None => ask("Username: ")?,
        };
        let password = unseen(|| ask("Password: "))?;
        checked(user, password)
    }
}

impl LogoutArguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let registry = registry(&self.registry)?;
        match Environment::read(|name| std::env::var_os(name)).forget(&registry)? {
            Some(place) => session.output.line(&format!("logged out of {registry}; the password was in {place}")),
            None => session.output.line(&format!("not logged in to {registry}")),
        }
        Ok(0)
    }
}

/// The registry's name as images have it; people also write its address.
fn registry(text: &str) -> Result<String> {
    let registry = plain_key(text);
    match registry.is_empty() || registry.contains(['/', '@']) || registry.chars().any(char::is_whitespace) {
        true => Err(Error::new(format!("`{text}` is no registry")).hint("write its host, as `ghcr.io` or `localhost:5000`")),
        false => Ok(registry),
    }
}

fn checked(user: String, password: String) -> Result<(String, String)> {
    match user.is_empty() || user.contains(':') || password.is_empty() {
        true => Err(Error::new("a user without `:` and a password are needed")),
        false => Ok((user, password)),
    }
}
