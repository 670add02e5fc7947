//! Names to addresses by `/etc/hosts` and the servers of `/etc/resolv.conf`, never by servers that nobody named.

use crate::error::{Context, Error};
use hickory_resolver::TokioResolver;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

/// The addresses of a host.
///
/// # Errors
/// When no server knows it.
pub async fn addresses(host: &str) -> crate::error::Result<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let describe = || format!("cannot find the host `{host}`");
    let name = host.parse().map_err(|_| Error::new("this is no name of a host")).context(describe)?;
    let found = Resolver::default().resolve(name).await.map_err(|error| Error::from_cause(describe(), error))?;
    Ok(found.map(|address| address.ip()).collect())
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Looks names up; reads the system's settings at the first name.
#[derive(Clone, Default)]
pub(super) struct Resolver(Arc<OnceLock<TokioResolver>>);

impl Resolver {
    fn resolver(&self) -> Result<TokioResolver, Failure> {
        if let Some(resolver) = self.0.get() {
            return Ok(resolver.clone());
        }
        let made = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        let made = made.map_err(|error| format!("cannot use /etc/resolv.conf: {error}"))?;
        Ok(self.0.get_or_init(|| made).clone())
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            if name.as_str().eq_ignore_ascii_case("localhost") {
                let loopback = [SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 0))];
                return Ok(Box::new(loopback.into_iter()) as Addrs);
            }
            let found = this
                .resolver()?
                .lookup_ip(name.as_str())
                .await
                .map_err(|error| format!("cannot find the host `{}`: {error}", name.as_str()))?;
            let addresses: Vec<SocketAddr> = found.iter().map(|address| SocketAddr::new(address, 0)).collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
