//! Asks a registry whether it knows a user.

use super::credentials::Credential;
use super::fault::fault;
use super::session::{Access, Call, Session};
use super::{Credentials, Registries, endpoint};
use crate::error::{Context, Error, Result};
use crate::http::{Method, repeatedly};
use std::sync::Arc;

impl Registries {
    /// Checks a password with its registry. Returns whether the registry wants any; one that wants none knows no users.
    ///
    /// # Errors
    /// When the registry cannot be reached, or does not know the user and the password.
    pub fn check_password(&self, registry: &str, user: &str, password: &str) -> Result<bool> {
        let peer = endpoint::peer(registry, self.insecure.iter().any(|prefix| format!("{registry}/").starts_with(prefix)));
        let ask = |credentials: Credentials| {
            let session = Session::new(registry, peer, self.client(registry, peer)?, Arc::new(credentials));
            let call = Call::new(Method::GET, "", "", Access::Nothing);
            repeatedly(|| {
                let response = session.send(&call)?;
                match response.status() {
                    200 => Ok(true),
                    401 | 403 => Ok(false),
                    _ => Err(fault(response)),
                }
            })
        };
        let describe = || format!("cannot log in to `{registry}`");
        if ask(Credentials::default()).unwrap_or(false) {
            return Ok(false);
        }
        if ask(Credentials::only(registry, Credential::basic(user, password))).context(describe)? {
            return Ok(true);
        }
        Err(Error::new("the registry does not know this user and password")
            .hint("many registries want a token instead of the account's password"))
        .context(describe)
    }
}
