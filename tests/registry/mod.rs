//! Images in registries: a real one runs on loopback.

pub mod bench;
mod build;
mod cache;
mod extended;
mod faults;
mod layout;
mod lists;
mod login;
mod peers;
mod rebase;
mod referrers;
mod refusals;

use crate::support::{PASSWORD, Registry, USER, succeed};
use std::process::Command;

#[test]
fn the_registry_of_the_tests_asks_for_a_password_where_it_should() {
    let status = |registry: &Registry, user: Option<&str>| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        command.args(user.into_iter().flat_map(|user| ["--user", user]));
        succeed(command.arg(format!("http://{}/v2/", registry.host())))
    };
    let (open, closed) = (Registry::start(), Registry::start_with_password());
    assert_eq!(status(&open, None), "200");
    assert_eq!(status(&closed, None), "401");
    assert_eq!(status(&closed, Some(&format!("{USER}:{PASSWORD}"))), "200");
    assert_eq!(closed.requests(), ["GET /v2/ 401", "GET /v2/ 200"]);
    assert_eq!(open.name("app:1"), format!("{}/app:1", open.host()));
}
