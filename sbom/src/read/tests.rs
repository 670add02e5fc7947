use super::*;

#[test]
fn documents_of_the_first_syft_are_read() {
    let text = include_str!("../../../fixtures/sbom/libpak.syft.json");
    let found = read(Format::Syft, text.as_bytes()).unwrap();
    let package = found.packages().next().unwrap();
    assert_eq!((package.name.as_str(), package.version.as_str()), ("helper", "3.10.0"));
    assert_eq!(package.licence.as_ref().unwrap().expression(), "Apache-2.0");
    assert!(package.cpes.is_empty(), "what is no CPE is left out");
}

#[test]
fn components_within_components_and_odd_ones_are_read() {
    let text = r#"{"bomFormat":"CycloneDX","specVersion":"1.2","components":[
        {"type":"library","group":"org.a","name":"b","version":"1","licenses":[{"license":{"id":"MIT"}},{"license":{"name":"Own"}}],
         "components":[{"type":"library","name":"c","purl":"pkg:npm/c@2"}]},
        {"type":"operating-system","name":"Debian","version":"12"},
        {"type":"library"}, 7, null, {"name":{"a":1}}, {"type":"file","name":"f"}],
        "dependencies":[{"ref":"x","dependsOn":["y"]},3]}"#;
    let found = read(Format::CycloneDx, text.as_bytes()).unwrap();
    assert_eq!(found.by_key().keys().collect::<Vec<_>>(), ["org.a/b@1", "pkg:npm/c@2"]);
    assert_eq!(found.packages().next().unwrap().licence.as_ref().unwrap().expression(), "LicenseRef-Own AND MIT");
    assert_eq!(found.distribution.unwrap().qualifier(), "debian-12");
}

#[test]
fn nonsense_is_an_error_and_no_more() {
    let deep = format!("{{\"bomFormat\":\"CycloneDX\",\"components\":[{}{}]}}", "[".repeat(100_000), "]".repeat(100_000));
    for text in ["", "{}", "[]", "null", "{\"bomFormat\":1}", "{\"spdxVersion\":\"SPDX-3.0\"}", "{\"packages\":{}}"] {
        for format in Format::ALL {
            drop(read(format, text.as_bytes()));
        }
        assert!(read(Format::CycloneDx, text.as_bytes()).is_err() && read(Format::Spdx, text.as_bytes()).is_err(), "{text}");
    }
    drop(read(Format::CycloneDx, deep.as_bytes()));
}

#[test]
fn only_names_of_the_specification_are_cpes() {
    for (text, expected) in [
        ("cpe:2.3:a:a:b:1\\:2\\+3:*:*:*:*:*:*:*", true),
        ("cpe:2.3:a:paketo/x:b:1:*:*:*:*:*:*:*", false),
        ("cpe:2.3:a:a:b:1:*:*:*:*:*:*", false),
        ("cpe:/a:a:b", false),
        ("cpe:2.3:a:a:b:1:*:*:*:*:*:*:\\", false),
        ("cpe:2.3:a::b:1:*:*:*:*:*:*:*", false),
    ] {
        assert_eq!(is_cpe(text), expected, "{text}");
    }
}
