//! Grype looks vulnerabilities of our documents up, in a database that has two: no network is needed.

use super::{download, json};
use crate::support::{Machine, repository, succeed};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Makes a database of no vulnerabilities, or adds two to one whose tables Grype has made: one of a source package of Debian 13, one of a package of
/// Python.
const DATABASE: &str = r#"
import json, os, sqlite3, sys, tarfile

database, archive = sys.argv[1:]
is_new = not os.path.exists(database)
connection = sqlite3.connect(database)
run = lambda statement, *values: connection.execute(statement, values).lastrowid
blob = lambda value: run('INSERT INTO blobs (value) VALUES (?)', json.dumps(value))
if is_new:
    run('CREATE TABLE db_metadata (build_timestamp datetime NOT NULL, model integer NOT NULL, revision integer NOT NULL, addition integer NOT NULL)')
    run("INSERT INTO db_metadata VALUES ('2026-01-01 00:00:00+00:00', 6, 1, 0)")
else:
    run("INSERT INTO providers (id, version, processor, date_captured, input_digest) VALUES ('test', '1', 'test', '2026-01-01 00:00:00+00:00', 'x')")
    debian = run("INSERT INTO operating_systems (name, release_id, major_version, minor_version, label_version, codename, channel) "
                 "VALUES ('debian', 'debian', '13', '', '', 'trixie', '')")
    for name, ecosystem, package, system, versions in [('CVE-1-1', 'deb', 'glibc', debian, 'dpkg'), ('GHSA-1', 'python', 'flask', None, 'python')]:
        vulnerability = run('INSERT INTO vulnerability_handles (name, status, provider_id, blob_id) VALUES (?, ?, ?, ?)', name, 'active', 'test', blob({'id': name}))
        affected = run('INSERT INTO packages (ecosystem, name) VALUES (?, ?)', ecosystem, package)
        ranges = {'ranges': [{'version': {'type': versions, 'constraint': '< 99'}}]}
        run('INSERT INTO affected_package_handles (vulnerability_id, operating_system_id, package_id, blob_id) VALUES (?, ?, ?, ?)',
            vulnerability, system, affected, blob(ranges))
connection.commit()
connection.close()
with tarfile.open(archive, 'w') as tar:
    tar.add(database, 'vulnerability.db')
"#;

fn grype(arguments: &[&str], cache: &Path) -> String {
    let mut command = Command::new("grype");
    for name in ["GRYPE_CHECK_FOR_APP_UPDATE", "GRYPE_DB_AUTO_UPDATE", "GRYPE_DB_VALIDATE_AGE"] {
        command.env(name, "false");
    }
    succeed(command.args(arguments).env("GRYPE_DB_CACHE_DIR", cache))
}

/// Packages of Debian are found by their source package, in each format.
#[test]
fn grype_finds_vulnerabilities_of_packages_in_each_document() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    machine.built("for-grype", &repository("fixtures/apps/python-flask"), &[]);
    download(&machine, "for-grype", folder.path(), &[]);
    let (cache, empty, archive) = (folder.path().join("cache"), folder.path().join("empty.db"), folder.path().join("database.tar"));
    for database in [&empty, &cache.join("6/vulnerability.db")] {
        let database = if database.exists() {
            std::fs::copy(database, folder.path().join("filled.db")).unwrap();
            folder.path().join("filled.db")
        } else {
            database.clone()
        };
        succeed(Command::new("python3").args(["-c", DATABASE]).arg(&database).arg(&archive));
        grype(&["db", "import", archive.to_str().unwrap()], &cache);
    }
    for name in ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"] {
        let found = folder.path().join(format!("{name}.found"));
        let document = format!("sbom:{}", folder.path().join(name).display());
        grype(&["--quiet", "--output", "json", "--file", found.to_str().unwrap(), &document], &cache);
        let found = json(found);
        let matched = found["matches"].as_array().unwrap().iter();
        let matched = matched
            .map(|found| format!("{} {}", found["vulnerability"]["id"].as_str().unwrap(), found["artifact"]["name"].as_str().unwrap()));
        let expected = ["CVE-1-1 libc-bin", "CVE-1-1 libc6", "GHSA-1 Flask"].map(str::to_string);
        assert_eq!(matched.collect::<BTreeSet<_>>(), BTreeSet::from(expected), "{name}");
        assert_eq!(found["distro"]["version"], "13", "{name}");
    }
}
