//! What people call licences, besides the identifiers of SPDX's list.

/// Names without the words that say nothing, in lower case.
const NAMES: [(&str, &str); 49] = [
    ("apache", "Apache-2.0"),
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("asl 2.0", "Apache-2.0"),
    ("apache software", "Apache-2.0"),
    ("apache software 2.0", "Apache-2.0"),
    ("mit", "MIT"),
    ("mit/x11", "MIT"),
    ("expat", "MIT"),
    ("bsd 2-clause", "BSD-2-Clause"),
    ("2-clause bsd", "BSD-2-Clause"),
    ("simplified bsd", "BSD-2-Clause"),
    ("freebsd", "BSD-2-Clause"),
    ("bsd 3-clause", "BSD-3-Clause"),
    ("3-clause bsd", "BSD-3-Clause"),
    ("bsd-3-clause", "BSD-3-Clause"),
    ("new bsd", "BSD-3-Clause"),
    ("modified bsd", "BSD-3-Clause"),
    ("iscl", "ISC"),
    ("bsl-1.0", "BSL-1.0"),
    ("epl-2.0", "EPL-2.0"),
    ("eupl 1.2", "EUPL-1.2"),
    ("isc", "ISC"),
    ("mpl 2.0", "MPL-2.0"),
    ("mpl-2", "MPL-2.0"),
    ("mozilla public 2.0", "MPL-2.0"),
    ("mpl2", "MPL-2.0"),
    ("psf", "PSF-2.0"),
    ("psfl", "PSF-2.0"),
    ("python software foundation", "PSF-2.0"),
    ("gnu gpl v2", "GPL-2.0-only"),
    ("gplv2", "GPL-2.0-only"),
    ("gplv2+", "GPL-2.0-or-later"),
    ("gplv3", "GPL-3.0-only"),
    ("gplv3+", "GPL-3.0-or-later"),
    ("lgplv3", "LGPL-3.0-only"),
    ("lgplv3+", "LGPL-3.0-or-later"),
    ("gnu lgpl", "LGPL-2.0-or-later"),
    ("agplv3", "AGPL-3.0-only"),
    ("agplv3+", "AGPL-3.0-or-later"),
    ("zpl 2.1", "ZPL-2.1"),
    ("bsd 2-clause simplified", "BSD-2-Clause"),
    ("unlicense", "Unlicense"),
    ("wtfpl", "WTFPL"),
    ("cc0", "CC0-1.0"),
    ("zlib", "Zlib"),
    ("zlib/libpng", "Zlib"),
    ("artistic-2", "Artistic-2.0"),
];

/// The identifier for a name.
pub(super) fn known(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase().replace(',', " ");
    let said = |word: &&str| !["the", "license", "licence", "version", "v.", "v2.0"].contains(word);
    let words: Vec<&str> = lower.split_whitespace().collect();
    // The second version of Apache's is the only one with a `v` before it that people write so.
    let version = if words.contains(&"v2.0") { " 2.0" } else { "" };
    let plain = words.into_iter().filter(said).collect::<Vec<_>>().join(" ") + version;
    let find = |plain: &str| NAMES.iter().find(|(name, _)| *name == plain).map(|(_, id)| *id);
    // Classifiers have the short name in brackets.
    let short = plain.strip_suffix(')').and_then(|plain| plain.rsplit_once('('));
    find(&plain).or_else(|| short.and_then(|(_, short)| find(short)))
}
