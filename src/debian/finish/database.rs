//! dpkg's database, so that scanners see the packages and dpkg can go on from here.

use super::super::tree::Tree;
use super::Facts;
use crate::debian::compose::Unpacked;
use std::collections::BTreeMap;

const ROOT: &str = "var/lib/dpkg";
const SCRIPTS: [&str; 5] = ["preinst", "postinst", "prerm", "postrm", "config"];

pub(super) fn finish(tree: &mut Tree, facts: &Facts) {
    let made = &facts.made;
    for folder in ["", "/alternatives", "/info", "/parts", "/triggers", "/updates"] {
        tree.put_directory(&format!("{ROOT}{folder}"), 0o755, made);
    }
    let mut packages: Vec<&Unpacked> = facts.packages.iter().collect();
    packages.sort_by(|one, other| one.package.name.cmp(&other.package.name));
    let status: Vec<String> = packages.iter().map(|package| paragraph(package)).collect();
    for package in &packages {
        let name = info_name(package);
        let list: String = package.list.iter().map(|path| format!("{path}\n")).collect();
        tree.put_file(&format!("{ROOT}/info/{name}.list"), list, 0o644, made);
        for (file, content) in package.control.iter().filter(|(file, _)| file.as_str() != "control") {
            let mode = if SCRIPTS.contains(&file.as_str()) { 0o755 } else { 0o644 };
            tree.put_file(&format!("{ROOT}/info/{name}.{file}"), content.clone(), mode, made);
        }
    }
    let empty = ["available", "diversions", "statoverride", "triggers/Unincorp"].map(|name| (name.to_string(), String::new()));
    let filled =
        [("status".into(), status.join("\n")), ("info/format".into(), "1\n".into()), ("arch".into(), format!("{}\n", facts.architecture))];
    for (name, content) in empty.into_iter().chain(filled).chain(triggers(&packages)) {
        tree.put_file(&format!("{ROOT}/{name}"), content, 0o644, made);
    }
}

/// Who wants to be told of which files and names (deb-triggers(5)).
fn triggers(packages: &[&Unpacked]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::from([("triggers/File".to_string(), String::new())]);
    for package in packages {
        for line in package.text("triggers").lines() {
            let mut words = line.split_whitespace();
            let (Some(kind), Some(trigger)) = (words.next(), words.next()) else { continue };
            let Some(interest) = kind.strip_prefix("interest") else { continue };
            let interested = format!("{}{}", package.package.name, if interest == "-noawait" { "/noawait" } else { "" });
            let (file, line) = if trigger.starts_with('/') {
                ("triggers/File".to_string(), format!("{trigger} {interested}\n"))
            } else {
                (format!("triggers/{trigger}"), format!("{interested}\n"))
            };
            found.entry(file).or_default().push_str(&line);
        }
    }
    found
}

/// The package's control paragraph as dpkg keeps it.
fn paragraph(package: &Unpacked) -> String {
    let control = package.text("control");
    let mut lines = control.trim_end().lines().map(str::to_string);
    let mut paragraph: Vec<String> = lines.next().into_iter().collect();
    paragraph.push("Status: install ok installed".into());
    paragraph.extend(lines);
    let conffiles: Vec<String> =
        package.conffiles.iter().filter(|(_, sum)| !sum.is_empty()).map(|(path, sum)| format!(" {path} {sum}")).collect();
    if !conffiles.is_empty() {
        let at = paragraph.iter().position(|line| line.starts_with("Description:")).unwrap_or(paragraph.len());
        paragraph.splice(at..at, std::iter::once("Conffiles:".to_string()).chain(conffiles));
    }
    paragraph.join("\n") + "\n"
}

/// The name of a package's files in `info`: with the architecture where several may be installed together.
fn info_name(package: &Unpacked) -> String {
    let several = package.text("control").lines().any(|line| line == "Multi-Arch: same");
    if several { format!("{}:{}", package.package.name, package.package.architecture) } else { package.package.name.clone() }
}
