//! `/etc/ld.so.cache` in glibc's new format, so that `ctypes.util.find_library` and the like find libraries without a compiler.

use super::super::tree::Tree;
use super::Facts;
use crate::archive::Kind;
use std::cmp::Ordering;
use std::collections::BTreeMap;

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER: usize = 48;
const ROW: usize = 24;
const LITTLE_ENDIAN: u8 = 2;

pub(super) fn finish(tree: &mut Tree, facts: &Facts) {
    let Some((machine, flags)) = (match facts.architecture {
        "amd64" => Some((62, 0x303_u32)),
        "arm64" => Some((183, 0xa03)),
        _ => None,
    }) else {
        return;
    };
    let libraries = libraries(tree, machine);
    if !libraries.is_empty() {
        tree.put_file("etc/ld.so.cache", cache(&libraries, flags), 0o644, &facts.made);
    }
}

/// Each library's name and path, in the order in which the cache has them.
fn libraries(tree: &Tree, machine: u16) -> Vec<(String, String)> {
    let mut folders: Vec<String> = Vec::new();
    for (path, _) in tree.below("etc/ld.so.conf.d/").filter(|(path, _)| path.ends_with(".conf")) {
        let text = tree.text(path).unwrap_or_default();
        folders
            .extend(text.lines().map(|line| line.split('#').next().unwrap_or("").trim().to_string()).filter(|line| line.starts_with('/')));
    }
    folders.extend(["/lib".to_string(), "/usr/lib".to_string()]);
    let (mut found, mut seen): (BTreeMap<(String, usize), String>, Vec<String>) = (BTreeMap::new(), Vec::new());
    for (at, folder) in folders.iter().enumerate() {
        let Some(real) = tree.resolve(folder) else { continue };
        if seen.contains(&real) {
            continue;
        }
        for (path, node) in tree.below(&format!("{real}/")) {
            let Some(name) = path.strip_prefix(&format!("{real}/")).filter(|name| !name.contains('/')) else { continue };
            if !(name.starts_with("lib") || name.starts_with("ld-")) || !name.contains(".so") {
                continue;
            }
            let Some(library) = dynamic_of(tree, path).filter(|library| library.machine == machine && library.shared) else { continue };
            let soname = if library.soname.is_empty() { name } else { &library.soname };
            let is_link = matches!(node.entry.kind, Kind::Symlink { .. });
            if soname == name || !is_link {
                let file = if tree.has(&format!("{real}/{soname}")) { soname } else { name };
                found.entry((soname.to_string(), at)).or_insert_with(|| format!("{folder}/{file}"));
            }
        }
        seen.push(real);
    }
    let mut all: Vec<((String, usize), String)> = found.into_iter().collect();
    all.sort_by(|((one, at), _), ((other, other_at), _)| compare(other, one).then(at.cmp(other_at)));
    all.into_iter().map(|((soname, _), path)| (soname, path)).collect()
}

fn dynamic_of<'a>(tree: &'a Tree, path: &str) -> Option<&'a super::super::elf::Dynamic> {
    let mut real = tree.resolve(path)?;
    if let Kind::HardLink { target } = &tree.nodes.get(&real)?.entry.kind {
        real = String::from_utf8_lossy(target).into_owned();
    }
    tree.dynamics.get(&real)
}

fn cache(libraries: &[(String, String)], flags: u32) -> Vec<u8> {
    let base = HEADER + ROW * libraries.len();
    let (mut rows, mut strings, mut places) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut place = |text: &str| {
        let at = *places.entry(text.to_string()).or_insert_with(|| {
            let at = base + strings.len();
            strings.extend(text.bytes().chain([0]));
            at
        });
        u32::try_from(at).unwrap_or(u32::MAX).to_le_bytes()
    };
    for (soname, path) in libraries {
        rows.extend(flags.to_le_bytes());
        rows.extend(place(soname));
        rows.extend(place(path));
        rows.extend([0; 12]);
    }
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u32::try_from(libraries.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(u32::try_from(strings.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend([LITTLE_ENDIAN, 0, 0, 0]);
    bytes.resize(HEADER, 0);
    bytes.extend(rows);
    bytes.extend(strings);
    bytes
}

/// The dynamic linker searches the cache by halving, so it must be in the linker's own order: digits compare as numbers and after letters.
fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let (mut i, mut j) = (0, 0);
    while i < one.len() {
        let right = other.get(j).copied().unwrap_or(0);
        match (one[i].is_ascii_digit(), right.is_ascii_digit()) {
            (true, true) => {
                let (left, next_i) = number(one, i);
                let (right, next_j) = number(other, j);
                if left != right {
                    return left.cmp(&right);
                }
                (i, j) = (next_i, next_j);
            }
            (true, false) => return Ordering::Greater,
            (false, true) => return Ordering::Less,
            (false, false) if one[i] != right => return one[i].cmp(&right),
            (false, false) => (i, j) = (i + 1, j + 1),
        }
    }
    if j < other.len() { Ordering::Less } else { Ordering::Equal }
}

fn number(text: &[u8], start: usize) -> (u64, usize) {
    let end = start + text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[start..end].iter().fold(0u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    (value, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_linkers_order() {
        let mut names = ["libc.so.6", "libz.so.1", "libcrypto.so.3", "libc.so.10", "ld-linux.so.2", "libc_x.so"];
        names.sort_by(|one, other| compare(other, one));
        assert_eq!(names, ["libz.so.1", "libcrypto.so.3", "libc_x.so", "libc.so.10", "libc.so.6", "ld-linux.so.2"]);
    }
}
