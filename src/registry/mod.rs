//! Images elsewhere: a client for registries (OCI Distribution Specification 1.1). What comes from a registry is not trusted: documents are
//! bounded, every blob must have the size and the digest that were promised, and credentials go to the registry that they are for and to
//! nobody else. Start with [`Registries`]; [`pull`] brings an image into the store.

mod attach;
mod blob;
mod certificates;
mod challenge;
mod credentials;
mod endpoint;
mod fault;
mod find;
mod list;
mod login;
mod mirrors;
mod new_blob;
mod pages;
mod publish;
mod pull;
mod push;
mod referrers;
mod removal;
mod sending;
mod session;
mod tags;
mod upload;

pub use crate::http::go_offline;
pub use certificates::Certificates;
pub use credentials::{Credentials, Environment, Place, plain_key};
pub use find::{Lookup, Remote};
pub use list::{List, Member};
pub use new_blob::NewBlob;
pub use publish::Publish;
pub use pull::{Wanted, pull};
pub use push::{Blob, Push, Source};

use crate::error::{Context, Result};
use crate::http::{Client, Peer, Trust};
use crate::image::{Digest, Layer, Reference};
use crate::output::Output;
use crate::store::Store;
use session::Session;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// All registries, with what opens them. Calls block; threads may share it.
pub struct Registries {
    credentials: Arc<Credentials>,
    insecure: Vec<String>,
    mirrors: BTreeMap<String, String>,
    certificates: Certificates,
    sessions: Mutex<HashMap<(String, bool), Arc<Session>>>,
    clients: Mutex<HashMap<Peer, Arc<Client>>>,
    /// Images by their identifiers, which never mean another image.
    found: Mutex<HashMap<String, Remote>>,
}

impl Registries {
    /// The registries, with the credentials for them. Names that begin with one of `insecure` may be reached without encryption, or with a
    /// certificate that nobody vouches for (IMG-14).
    pub fn new(credentials: Credentials, insecure: Vec<String>) -> Self {
        Self {
            credentials: Arc::new(credentials),
            insecure: insecure.into_iter().filter(|prefix| !prefix.is_empty()).collect(),
            mirrors: BTreeMap::new(),
            certificates: Certificates::default(),
            sessions: Mutex::default(),
            clients: Mutex::default(),
            found: Mutex::default(),
        }
    }

    /// With mirrors that are asked first for what is read, by the names of registries; `*` stands for all. A mirror is a registry, or a part of
    /// one, as `mirror.example/docker`.
    ///
    /// # Errors
    /// When one is no registry's name.
    pub fn with_mirrors(mut self, mirrors: &BTreeMap<String, String>) -> Result<Self> {
        for (registry, mirror) in mirrors {
            let mirror = plain_key(mirror);
            Reference::parse(&format!("{mirror}/x")).context(|| format!("the mirror of `{registry}` makes no sense"))?;
            self.mirrors.insert(plain_key(registry), mirror);
        }
        Ok(self)
    }

    /// With certificates for registries.
    #[must_use]
    pub fn with_certificates(mut self, certificates: Certificates) -> Self {
        self.certificates = certificates;
        self
    }

    /// Whether a repository has all these blobs.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn has_blobs(&self, name: &Reference, digests: Vec<&Digest>) -> Result<bool> {
        let session = self.session(name)?;
        let missing = AtomicBool::new(false);
        pull::each(digests, pull::AT_ONCE, |digest| {
            // One that is missing is enough.
            if !missing.load(Ordering::Relaxed) && !blob::is_there(&session, name.repository(), digest, session::Access::Pull)? {
                missing.store(true, Ordering::Relaxed);
            }
            Ok(())
        })?;
        Ok(!missing.into_inner())
    }

    /// Brings the blob of a layer into the store.
    ///
    /// # Errors
    /// When the registry does not have it, or sends something else; or when the store cannot be written.
    pub fn fetch_layer(&self, name: &Reference, layer: &Layer, store: &Store) -> Result<()> {
        if store.has_blob(&layer.blob.digest) { Ok(()) } else { pull::fetch(self, name, layer, store, None) }
    }

    /// Brings the blobs of layers into the store, several at once.
    ///
    /// # Errors
    /// When the registry does not have one, or sends something else; or when the store cannot be written.
    pub fn fetch_layers(&self, name: &Reference, layers: &[Layer], store: &Store, output: &Output) -> Result<()> {
        pull::fetch_layers(self, name, layers, store, output)
    }

    /// The session with the registry of a name; nothing is sent yet.
    fn session(&self, name: &Reference) -> Result<Arc<Session>> {
        let insecure = self.is_insecure(name);
        let key = (name.registry().to_string(), insecure);
        if let Some(session) = self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(session.clone());
        }
        let peer = endpoint::peer(name.registry(), insecure);
        let session = Arc::new(Session::new(name.registry(), peer, self.client(name.registry(), peer)?, self.credentials.clone()));
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(sessions.entry(key).or_insert(session).clone())
    }

    fn is_insecure(&self, name: &Reference) -> bool {
        let (full, written) = (name.full(), name.to_string());
        self.insecure.iter().any(|prefix| full.starts_with(prefix) || written.starts_with(prefix))
    }

    /// The client for a registry; those without certificates of their own share one.
    fn client(&self, registry: &str, peer: Peer) -> Result<Arc<Client>> {
        if let Some(trust) = self.certificates.trust(registry)? {
            return Ok(Arc::new(Client::careful(peer, trust)?));
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&peer) {
            return Ok(client.clone());
        }
        let client = Arc::new(Client::careful(peer, Trust::default())?);
        clients.insert(peer, client.clone());
        Ok(client)
    }
}

#[cfg(test)]
pub mod tests;
