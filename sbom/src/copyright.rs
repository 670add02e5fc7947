//! Debian's copyright files: the licences of a package (DEP-5, "Machine-readable debian/copyright file").

use crate::licence::Licence;
use std::collections::BTreeSet;

const FORMAT: &str = "copyright-format";
const COMMON: &str = "/usr/share/common-licenses/";
/// A file that names more is not believed.
const MOST: usize = 200;

/// Debian's short names that are not SPDX's own; versions are apart.
const NAMES: [(&str, &str); 22] = [
    ("expat", "MIT"),
    ("mit/x11", "MIT"),
    ("x11", "X11"),
    ("zlib/libpng", "Zlib"),
    ("zlib", "Zlib"),
    ("perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"),
    ("artistic", "Artistic-1.0-Perl"),
    ("artistic-1", "Artistic-1.0"),
    ("artistic-2", "Artistic-2.0"),
    ("apache-1", "Apache-1.0"),
    ("apache-2", "Apache-2.0"),
    ("bsd-2-clauses", "BSD-2-Clause"),
    ("bsd-3-clauses", "BSD-3-Clause"),
    ("bsd-4-clauses", "BSD-4-Clause"),
    ("psf-2", "PSF-2.0"),
    ("python-2", "Python-2.0"),
    ("mpl-1", "MPL-1.0"),
    ("mpl-2", "MPL-2.0"),
    ("cc0", "CC0-1.0"),
    ("ofl-1", "OFL-1.0"),
    ("boost-1", "BSL-1.0"),
    ("boost-1.0", "BSL-1.0"),
];

const EXCEPTIONS: [(&str, &str, &str); 12] = [
    ("autoconf", "GPL-2", "Autoconf-exception-2.0"),
    ("autoconf", "GPL-3", "Autoconf-exception-3.0"),
    ("bison", "", "Bison-exception-2.2"),
    ("libtool", "", "Libtool-exception"),
    ("classpath", "", "Classpath-exception-2.0"),
    ("font", "", "Font-exception-2.0"),
    ("gcc", "GPL-3", "GCC-exception-3.1"),
    ("gcc", "GPL-2", "GCC-exception-2.0"),
    ("gcc-runtime-library", "GPL-3", "GCC-exception-3.1"),
    ("llvm", "", "LLVM-exception"),
    ("linux-syscall-note", "", "Linux-syscall-note"),
    ("texinfo", "", "Texinfo-exception"),
];

/// The licences that a copyright file names; nothing where it names none that can be told.
pub fn licence(text: &str) -> Option<Licence> {
    let is_dep5 = text.lines().take(10).any(|line| line.starts_with("Format") && line.contains(FORMAT))
        || text.starts_with("Format:") && text.contains("dep5");
    if !is_dep5 {
        return in_prose(text);
    }
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("License:")).map(str::trim).collect();
    Licence::all(names.into_iter().filter(|name| !name.is_empty()).take(MOST).filter_map(short_name))
}

/// Older files: the common licences that their text refers to.
fn in_prose(text: &str) -> Option<Licence> {
    let later = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase().contains("any later version");
    let named = text.match_indices(COMMON).map(|(at, _)| {
        let rest = &text[at + COMMON.len()..];
        rest.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-' && letter != '.').next().unwrap_or_default()
    });
    let names: BTreeSet<String> = named.map(|name| name.trim_end_matches(['.', '-']).to_string()).filter(|name| !name.is_empty()).collect();
    let licences = names.into_iter().take(MOST).filter_map(|name| {
        let is_gnu = name.contains("GPL") || name.starts_with("GFDL");
        short_name(&match name.as_str() {
            // Debian's own: the one of the University of California.
            "BSD" => "BSD-3-Clause".to_string(),
            "GPL" | "LGPL" => format!("{name}-{}+", if name == "GPL" { 1 } else { 2 }),
            _ if is_gnu && later => format!("{name}+"),
            _ => name,
        })
    });
    // Nobody refers to this one by a file of its own.
    let pythons = text.contains("PYTHON SOFTWARE FOUNDATION LICENSE").then(|| Licence::read("Python-2.0")).flatten();
    Licence::all(licences.chain(pythons))
}

/// What one field `License` says: short names with `and`, `or`, `with`, and a comma that binds weakest.
fn short_name(text: &str) -> Option<Licence> {
    let whole = Licence::own(text);
    if text.len() > 400 {
        return Some(whole);
    }
    let text = text.replace(['(', ')'], " ");
    let groups: Vec<&str> = text.split(',').map(str::trim).filter(|group| !group.is_empty()).collect();
    let mut written = String::new();
    for (at, group) in groups.iter().enumerate() {
        let word = group.split_whitespace().next().unwrap_or_default();
        let (operator, rest) = match word {
            "and" | "or" => (word.to_ascii_uppercase(), group[word.len()..].trim()),
            _ => ("AND".into(), *group),
        };
        let Some(inner) = group_of(rest) else { return Some(whole) };
        let inner = if groups.len() > 1 && inner.contains(' ') { format!("({inner})") } else { inner };
        written = if at == 0 { inner } else { format!("{written} {operator} {inner}") };
    }
    match Licence::read(&written) {
        Some(licence) if licence.texts().keys().all(|name| written.contains(name.as_str())) => Some(named(licence, &text)),
        _ => Some(whole),
    }
}

/// Names that are Debian's own stand for themselves.
fn named(licence: Licence, text: &str) -> Licence {
    let known = text.split_whitespace().map(|word| (own(word), word.to_string())).collect();
    licence.with_texts(&known)
}

fn group_of(text: &str) -> Option<String> {
    let (mut written, mut name): (Vec<String>, Vec<&str>) = (Vec::new(), Vec::new());
    for word in text.split_whitespace().chain(["and"]) {
        match word.to_ascii_lowercase().as_str() {
            operator @ ("and" | "or" | "and/or") => {
                written.push(one(&name)?);
                name.clear();
                written.push(if operator == "and" { "AND" } else { "OR" }.into());
            }
            _ => name.push(word),
        }
    }
    written.pop();
    Some(written.join(" "))
}

/// One licence, with its exception if it has one.
fn one(words: &[&str]) -> Option<String> {
    let (name, rest) = words.split_first()?;
    let id = id_of(name);
    match rest {
        [] => Some(id),
        [with, exception @ .., last]
            if with.eq_ignore_ascii_case("with") && last.eq_ignore_ascii_case("exception") && !exception.is_empty() =>
        {
            let called = exception.join("-").to_ascii_lowercase();
            let known = EXCEPTIONS.iter().find(|(known, of, _)| *known == called && id.starts_with(of));
            Some(known.map_or_else(|| own(&words.join("-")), |(_, _, exception)| format!("{id} WITH {exception}")))
        }
        [with, exception] if with.eq_ignore_ascii_case("with") && spdx::exception_id(exception).is_some() => {
            Some(format!("{id} WITH {exception}"))
        }
        // `BSD 3 clause` and the like are names of several words.
        _ => Some(own(&words.join("-"))),
    }
}

fn id_of(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let (base, later) = lower.strip_suffix('+').map_or((lower.as_str(), false), |base| (base, true));
    if let Some(version) = ["agpl-", "lgpl-", "gpl-", "gfdl-"].iter().find_map(|gnu| Some((*gnu, base.strip_prefix(gnu)?))) {
        let (gnu, number) = (version.0.to_ascii_uppercase(), version.1.trim_end_matches("-or-later").trim_end_matches("-only"));
        let number = if number.contains('.') { number.to_string() } else { format!("{number}.0") };
        let number = number.strip_suffix(".0.0").map_or(number.clone(), |number| format!("{number}.0"));
        let kind = if later || version.1.ends_with("-or-later") { "or-later" } else { "only" };
        let id = format!("{gnu}{number}-{kind}");
        return if spdx::license_id(&id).is_some() { id } else { own(name) };
    }
    if let Some((_, id)) = NAMES.iter().find(|(known, _)| *known == base) {
        return if id.contains(' ') { format!("({id})") } else { (*id).to_string() };
    }
    let known = |name: &str| Licence::read(name).filter(|licence| licence.texts().is_empty());
    // Versions are as `2.0` in SPDX's list and as `2` or `2.0` in Debian's.
    match known(base).or_else(|| known(&format!("{base}.0"))) {
        Some(licence) if !licence.expression().contains(' ') => format!("{}{}", licence.expression(), if later { "+" } else { "" }),
        _ => own(name),
    }
}

fn own(name: &str) -> String {
    Licence::own(name).expression().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_spdx_identifiers_where_there_are_some() {
        for (short, expression) in [
            ("GPL-2+", "GPL-2.0-or-later"),
            ("GPL-2", "GPL-2.0-only"),
            ("LGPL-2.1+", "LGPL-2.1-or-later"),
            ("GFDL-1.3", "GFDL-1.3-only"),
            ("Expat", "MIT"),
            ("BSD-3-clause", "BSD-3-Clause"),
            ("public-domain", "LicenseRef-public-domain"),
            ("GPL-2+ or Artistic", "GPL-2.0-or-later OR Artistic-1.0-Perl"),
            ("GPL-1+ or Artistic, and BSD-3-clause", "(GPL-1.0-or-later OR Artistic-1.0-Perl) AND BSD-3-Clause"),
            ("GPL-3+ with Bison exception", "GPL-3.0-or-later WITH Bison-exception-2.2"),
            ("GPL-2+ with Autoconf exception", "GPL-2.0-or-later WITH Autoconf-exception-2.0"),
            ("GPL-2+ with OpenSSL exception", "LicenseRef-GPL-2-with-OpenSSL-exception"),
            ("Apache-2.0", "Apache-2.0"),
            ("MPL-1.1", "MPL-1.1"),
            ("Unicode", "LicenseRef-Unicode"),
            ("GPL-99", "LicenseRef-GPL-99"),
            ("own and MIT", "LicenseRef-own AND MIT"),
        ] {
            let licence = short_name(short).unwrap();
            assert_eq!(licence.expression(), expression, "{short}");
            assert!(spdx::Expression::parse(expression).is_ok(), "{expression}");
        }
    }

    #[test]
    fn files_are_read_in_both_forms() {
        let dep5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-2+\n text\n\n\
                    Files: a\nLicense: Expat\n\nLicense: GPL-2+\n On Debian systems …\n";
        assert_eq!(licence(dep5).unwrap().expression(), "GPL-2.0-or-later AND MIT");
        let prose = "It is under the GPL, version 2 or\n(at your option) any\n  later version: `/usr/share/common-licenses/GPL-2'.";
        assert_eq!(licence(prose).unwrap().expression(), "GPL-2.0-or-later");
        assert_eq!(licence("See /usr/share/common-licenses/Apache-2.0.").unwrap().expression(), "Apache-2.0");
        assert_eq!(licence("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2").unwrap().expression(), "Python-2.0");
        assert_eq!(licence("nothing"), None);
    }
}
