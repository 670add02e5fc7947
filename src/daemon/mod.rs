//! Images in a Docker or Podman engine, by the engine's HTTP interface (Docker Engine API). One connection is opened at the start and kept,
//! because a process that gave up its privileges could not open another one to a socket of root's. Start with [`Engine`].

mod address;
mod archive;
mod connection;
mod context;
mod deliver;
mod inspect;
mod naming;
mod pull;
mod saved;
mod settings;
mod tls;
mod transport;

pub use archive::{Present, Shipment, shared_layers};
pub use deliver::Delivery;
pub use inspect::EngineImage;
pub use settings::Settings;

use crate::error::{Advice, Context, Error, Result};
use crate::image::{Reference, host_architecture};
use connection::{Answer, Connection, Upload};
use naming::or_id;
use serde::Deserialize;
use settings::Endpoint;
use std::io::{ErrorKind, Read};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The newest version of the interface that this program speaks, as the minor number after `1.`.
const NEWEST: u32 = 49;
/// The version since which an engine can be asked for the image of one platform (IMG-36).
const PLATFORMS: u32 = 49;

/// How an engine keeps images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In Docker's own store: layers are known by what they hold, and an image's ID is the digest of its configuration.
    Docker,
    /// In containerd: blobs are known by their digests, and an image's ID is the digest of its manifest. An archive must have all layers (IMG-25).
    Containerd,
    /// As Podman: an image's ID is the digest of its configuration, and an archive must have all layers.
    Podman,
}

/// A Docker or Podman engine.
pub struct Engine {
    connection: Box<Mutex<Connection>>,
    /// The version of the interface, as the minor number after `1.`.
    version: u32,
    is_podman: bool,
    /// What it is, once it was asked.
    kind: OnceLock<Kind>,
}

impl Engine {
    /// Connects to the engine that is meant. No thread is started.
    ///
    /// # Errors
    /// When none can be reached; the hint says what to do.
    pub fn connect(settings: &Settings) -> Result<Self> {
        let mut failures: Vec<(String, Error)> = Vec::new();
        for endpoint in settings.endpoints()? {
            let address = endpoint.address.to_string();
            match Self::at(endpoint) {
                Ok(engine) => return Ok(engine),
                Err(error) => failures.push((address, error)),
            }
        }
        let tried: Vec<String> = failures.iter().map(|(address, _)| address.clone()).collect();
        // Of an engine that is there, more can be said than of one that is not.
        let most = failures.iter().position(|(_, error)| !error.is_io(ErrorKind::NotFound)).unwrap_or(0);
        match failures.into_iter().nth(most) {
            Some((_, error)) if tried.len() > 1 => Err(error).context(|| format!("no engine answers; tried {}", tried.join(", "))),
            Some((_, error)) => Err(error),
            None => Err(Error::new("there is no engine to try")),
        }
    }

    fn at(endpoint: Endpoint) -> Result<Self> {
        let describe = format!("cannot speak to what listens at {}", endpoint.address);
        let (connection, answer) = Connection::open(endpoint)?;
        let version = answer.header("api-version").map(str::to_string);
        let is_podman = answer.header("libpod-api-version").is_some();
        let answer = answer.success().context(|| describe.as_str());
        let hint = "name a Docker or Podman engine with DOCKER_HOST";
        answer.hint(hint)?;
        // Every engine that people still run says it.
        let version = version.and_then(|version| version.strip_prefix("1.")?.parse().ok());
        let version: u32 = version.context(|| "it is no Docker or Podman engine").context(|| describe).hint(hint)?;
        Ok(Self { connection: Box::new(Mutex::new(connection)), version: version.min(NEWEST), is_podman, kind: OnceLock::new() })
    }

    /// Asks for a sign of life, unless the engine is at work for us; so the connection stays open while nobody needs it (CRE-06).
    ///
    /// # Errors
    /// When there is none.
    pub fn ping(&self) -> Result<()> {
        match self.connection.try_lock() {
            Ok(mut connection) => connection.get("/_ping")?.success().map(drop),
            Err(_) => Ok(()),
        }
    }

    /// Finds an image by its full name.
    ///
    /// # Errors
    /// When the engine cannot be asked, or its answer cannot be understood.
    pub fn named(&self, name: &Reference) -> Result<Option<EngineImage>> {
        match self.image(&self.called(name))? {
            // Podman looks for a name without a registry in several.
            None if self.is_podman => self.image(&name.familiar()),
            found => Ok(found),
        }
    }

    /// The IDs of the images that the engine has, the newest first.
    ///
    /// # Errors
    /// When the engine cannot be asked, or its answer cannot be understood.
    pub fn ids(&self) -> Result<Vec<String>> {
        let listed: Option<Vec<Listed>> = self.document("/images/json").context(|| "cannot list the engine's images")?;
        let mut listed = listed.unwrap_or_default();
        listed.sort_by_key(|image| std::cmp::Reverse(image.created));
        Ok(listed.into_iter().map(|image| image.id).collect())
    }

    /// Finds an image by its name or ID.
    ///
    /// # Errors
    /// When the engine cannot be asked, or its answer cannot be understood.
    pub fn image(&self, name: &str) -> Result<Option<EngineImage>> {
        let describe = || format!("cannot look at the image `{name}` in the engine");
        let name = or_id(name);
        let Some(mut inspected) = self.document::<inspect::Inspected>(&format!("/images/{name}/json")).context(describe)? else {
            return Ok(None);
        };
        let id = inspected.id.clone();
        if self.platform().is_some() {
            inspected = self.of_platform(&format!("/images/{name}/json")).context(describe)?.unwrap_or(inspected);
        }
        let history = match self.of_platform(&format!("/images/{name}/history")) {
            // Podman 4 falls over steps without a time, and an image is no less usable without its history.
            Err(_) if self.is_podman => None,
            history => history.context(describe)?,
        };
        inspect::image(&id, inspected, history.unwrap_or_default()).context(describe).map(Some)
    }

    /// Reads an image's archive, as `docker save` writes it.
    ///
    /// # Errors
    /// When the engine does not have the image, or `read` fails.
    pub fn save(&self, name: &str, read: &mut dyn FnMut(&mut (dyn Read + Send)) -> Result<()>) -> Result<()> {
        let describe = || format!("cannot read the image `{name}` from the engine");
        let path = format!("/images/{}/get", or_id(name));
        let with_platform = self.platform().map(|platform| format!("{path}?platform={platform}"));
        let mut connection = self.locked();
        for path in with_platform.into_iter().chain([path]) {
            let path = self.versioned(&path);
            if let Some(refused) = connection.stream(&path, read).context(describe)? {
                if path.contains('?') {
                    continue;
                }
                return refused.success().map(drop).context(describe);
            }
            break;
        }
        Ok(())
    }

    /// Sends an archive for `docker load`.
    ///
    /// # Errors
    /// When `write` fails, or the engine refuses the archive.
    pub fn load(&self, write: &mut dyn FnMut(&mut Upload) -> Result<()>) -> Result<()> {
        let mut connection = self.locked();
        // An upload cannot be repeated: a connection that is gone is noticed before it.
        connection.get("/_ping")?.success()?;
        let answer = connection.upload(&self.versioned("/images/load?quiet=1"), write)?.success()?;
        // An engine that began to answer reports what goes wrong afterwards in the answer itself.
        let lines = serde_json::Deserializer::from_slice(&answer.body).into_iter::<Progress>();
        match lines.filter_map(|line| line.ok()?.error).next() {
            Some(error) => Err(Error::new(error)).context(|| "the engine refused the image"),
            None => Ok(()),
        }
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// When the engine refuses.
    pub fn tag(&self, id: &str, name: &Reference) -> Result<()> {
        let (repository, tag) = (self.repository(name), name.tag().unwrap_or("latest"));
        let path = self.versioned(&format!("/images/{}/tag?repo={repository}&tag={tag}", or_id(id)));
        let tagged = self.locked().post(&path)?.success().map(drop);
        tagged.context(|| format!("the engine does not give an image the name `{name}`"))
    }

    /// What the engine is.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn kind(&self) -> Result<Kind> {
        if self.is_podman {
            return Ok(Kind::Podman);
        }
        if let Some(kind) = self.kind.get() {
            return Ok(*kind);
        }
        let info: Option<Info> = self.document("/info").context(|| "cannot ask the engine how it keeps images")?;
        let status = info.and_then(|info| info.driver_status).unwrap_or_default();
        let in_containerd = status.iter().any(|[_, value]| value.contains("io.containerd.snapshotter"));
        Ok(*self.kind.get_or_init(|| if in_containerd { Kind::Containerd } else { Kind::Docker }))
    }

    /// The documents of an image of this program's own platform, where the engine can tell them apart; else the only ones (IMG-36).
    fn of_platform<T: for<'a> Deserialize<'a>>(&self, path: &str) -> Result<Option<T>> {
        if let Some(platform) = self.platform()
            && let Ok(Some(found)) = self.document(&format!("{path}?platform={platform}"))
        {
            return Ok(Some(found));
        }
        self.document(path)
    }

    /// This program's own platform as the engine's JSON in a query, where the engine knows platforms.
    fn platform(&self) -> Option<String> {
        let architecture = host_architecture();
        (self.version >= PLATFORMS).then(|| format!("%7B%22os%22:%22linux%22,%22architecture%22:%22{architecture}%22%7D"))
    }

    fn document<T: for<'a> Deserialize<'a>>(&self, path: &str) -> Result<Option<T>> {
        let answer = self.locked().get(&self.versioned(path))?;
        if answer.status == 404 {
            return Ok(None);
        }
        let answer = answer.success()?;
        serde_json::from_slice(&answer.body).context(|| "cannot understand the engine's answer").map(Some)
    }

    fn versioned(&self, path: &str) -> String {
        format!("/v1.{}{path}", self.version)
    }

    fn locked(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry of the list of images.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    created: i64,
}

/// A line of what an engine says while it works.
#[derive(Deserialize)]
struct Progress {
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    driver_status: Option<Vec<[String; 2]>>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Answer {
    /// This answer, if the engine did what was asked.
    fn success(self) -> Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let said = serde_json::from_slice(&self.body).map(|refusal: Refusal| refusal.message);
        Err(Error::new(said.unwrap_or_else(|_| format!("the engine answered with status {}", self.status))))
    }
}

#[cfg(test)]
mod tests;
