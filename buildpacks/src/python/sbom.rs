//! What was installed, as CycloneDX, SPDX and Syft documents. They hold no time and no random number, so equal builds have equal ones.

use super::problem::Problem;
use libcnb::data::sbom::SbomFormat;
use libcnb::sbom::Sbom;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

const CREATED: &str = "1980-01-01T00:00:01Z";

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    name: String,
    version: String,
    licence: Option<String>,
}

/// The packages of a virtual environment, sorted by name.
pub fn installed(venv: &Path) -> Result<Vec<Package>, Problem> {
    let mut found = Vec::new();
    for python in folders(&venv.join("lib"))? {
        for folder in folders(&python.join("site-packages"))? {
            if folder.extension().is_some_and(|extension| extension == "dist-info")
                && let Ok(text) = fs::read_to_string(folder.join("METADATA"))
            {
                found.extend(parse(&text));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn folders(folder: &Path) -> Result<Vec<std::path::PathBuf>, Problem> {
    let entries = fs::read_dir(folder).map_err(|error| Problem::Io("read", folder.to_path_buf(), error))?;
    Ok(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

/// The headers of a METADATA file (Python's core metadata).
fn parse(text: &str) -> Option<Package> {
    let headers = || text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
    let header = |name: &str| headers().find(|(found, _)| *found == name).map(|(_, value)| value.trim().to_string());
    // Older packages put whole licence texts into `License`.
    let licence = header("License-Expression").or_else(|| header("License").filter(|text| text.len() < 40 && !text.contains("UNKNOWN")));
    Some(Package { name: header("Name")?, version: header("Version")?, licence })
}

impl Package {
    /// The package URL; names are folded as the index folds them (PEP 503).
    fn purl(&self) -> String {
        let name = self.name.to_ascii_lowercase().replace(['_', '.'], "-");
        format!("pkg:pypi/{name}@{}", self.version.replace('+', "%2B"))
    }

    fn is_spdx(&self) -> bool {
        let known = ["MIT", "Apache-2.0", "BSD-3-Clause", "BSD-2-Clause", "ISC", "MPL-2.0", "PSF-2.0", "Unlicense", "0BSD"];
        self.licence.as_deref().is_some_and(|licence| known.contains(&licence))
    }
}

/// The three documents.
pub fn documents(packages: &[Package]) -> Vec<Sbom> {
    let document = |format, value: Value| Sbom { format, data: value.to_string().into_bytes() };
    vec![
        document(SbomFormat::CycloneDxJson, cyclonedx(packages)),
        document(SbomFormat::SpdxJson, spdx(packages)),
        document(SbomFormat::SyftJson, syft(packages)),
    ]
}

fn cyclonedx(packages: &[Package]) -> Value {
    let component = |package: &Package| {
        let mut component = json!({ "type": "library", "bom-ref": package.purl(), "name": package.name, "version": package.version, "purl": package.purl() });
        if let Some(licence) = &package.licence {
            let key = if package.is_spdx() { "id" } else { "name" };
            component["licenses"] = json!([{ "license": { key: licence } }]);
        }
        component
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "tools": { "components": [{ "type": "application", "name": "cooper-buildpacks", "version": env!("CARGO_PKG_VERSION") }] } },
        "components": packages.iter().map(component).collect::<Vec<_>>(),
    })
}

fn spdx(packages: &[Package]) -> Value {
    let names: String = packages.iter().map(|package| package.purl() + "\n").collect();
    let hash: String = Sha256::digest(names.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let id = |at: usize| format!("SPDXRef-Package-{}", at + 1);
    let package = |(at, package): (usize, &Package)| {
        json!({
            "SPDXID": id(at),
            "name": package.name,
            "versionInfo": package.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": package.licence.clone().filter(|_| package.is_spdx()).unwrap_or_else(|| "NOASSERTION".into()),
            "copyrightText": "NOASSERTION",
            "externalRefs": [{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": package.purl() }],
        })
    };
    let described =
        |at: usize| json!({ "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": id(at) });
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "python",
        "documentNamespace": format!("https://cooperage.invalid/spdx/python-{hash}"),
        "creationInfo": { "created": CREATED, "creators": [format!("Tool: cooper-buildpacks-{}", env!("CARGO_PKG_VERSION"))] },
        "packages": packages.iter().enumerate().map(package).collect::<Vec<_>>(),
        "relationships": (0..packages.len()).map(described).collect::<Vec<_>>(),
    })
}

fn syft(packages: &[Package]) -> Value {
    let artifact = |package: &Package| {
        let id: String = Sha256::digest(package.purl().as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let licences: Vec<Value> = package.licence.iter().map(|licence| json!({ "value": licence, "spdxExpression": if package.is_spdx() { licence } else { "" }, "type": "declared", "urls": [], "locations": [] })).collect();
        json!({ "id": id, "name": package.name, "version": package.version, "type": "python", "foundBy": "cooper-buildpacks", "locations": [], "licenses": licences, "language": "python", "cpes": [], "purl": package.purl() })
    };
    json!({
        "artifacts": packages.iter().map(artifact).collect::<Vec<_>>(),
        "artifactRelationships": [],
        "source": { "id": "", "name": "python", "version": "", "type": "directory", "metadata": { "path": "." } },
        "distro": {},
        "descriptor": { "name": "cooper-buildpacks", "version": env!("CARGO_PKG_VERSION") },
        "schema": { "version": "16.0.18", "url": "https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.0.18.json" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_every_package() {
        let venv = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("a-1.dist-info", "Name: Zope.Interface\nVersion: 1\nLicense-Expression: MIT\n\nbody"),
            ("b-2.dist-info", "Name: b\nVersion: 2+local\nLicense: Own\n"),
            ("c", "Name: c\nVersion: 1\n"),
        ] {
            let folder = venv.path().join("lib/python3.13/site-packages").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("METADATA"), text).unwrap();
        }
        let packages = installed(venv.path()).unwrap();
        assert_eq!(packages.iter().map(Package::purl).collect::<Vec<_>>(), ["pkg:pypi/zope-interface@1", "pkg:pypi/b@2%2Blocal"]);
        let cyclonedx = cyclonedx(&packages);
        assert_eq!(cyclonedx["components"][0]["licenses"][0]["license"]["id"], "MIT");
        assert_eq!(cyclonedx["components"][1]["licenses"][0]["license"]["name"], "Own");
        assert_eq!(spdx(&packages)["packages"][1]["licenseDeclared"], "NOASSERTION");
        assert_eq!(syft(&packages)["artifacts"].as_array().unwrap().len(), 2);
        assert_eq!(
            documents(&packages).iter().map(|sbom| sbom.data.clone()).collect::<Vec<_>>(),
            documents(&packages).iter().map(|sbom| sbom.data.clone()).collect::<Vec<_>>()
        );
    }
}
