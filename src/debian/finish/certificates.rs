//! The certificates that programs trust: one bundle, a link for each certificate, and a link by hash for each as OpenSSL looks them up.

use super::super::tree::Tree;
use super::Facts;
use crate::error::{Context, Result};
use sha1::{Digest as _, Sha1};
use std::collections::BTreeMap;

const SHIPPED: &str = "usr/share/ca-certificates/";
const FOLDER: &str = "etc/ssl/certs";

pub(super) fn finish(tree: &mut Tree, facts: &Facts) -> Result<()> {
    let made = &facts.made;
    let shipped: Vec<String> = tree.below(SHIPPED).map(|(path, _)| path.clone()).filter(|path| path.ends_with(".crt")).collect();
    if shipped.is_empty() {
        return Ok(());
    }
    for folder in ["etc/ssl", FOLDER, "usr/local/share/ca-certificates"] {
        tree.put_directory(folder, 0o755, made);
    }
    let list: String = shipped.iter().map(|path| format!("{}\n", &path[SHIPPED.len()..])).collect();
    tree.put_file("etc/ca-certificates.conf", list, 0o644, made);
    let (mut bundle, mut subjects) = (Vec::new(), BTreeMap::new());
    for path in &shipped {
        let pem = tree.text(path).context(|| format!("`{path}` was not kept"))?;
        bundle.extend(pem.trim_end_matches('\n').bytes().chain([b'\n']));
        let name = link_name(path);
        tree.put_link(&format!("{FOLDER}/{name}"), &format!("/{path}"), made);
        let certificate = decode_pem(&pem).context(|| format!("`{path}` is no certificate"))?;
        subjects.insert(name, subject_hash(&certificate).context(|| format!("`{path}` has no subject"))?);
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for (name, hash) in subjects {
        let number = taken.entry(hash.clone()).or_default();
        tree.put_link(&format!("{FOLDER}/{hash}.{number}"), &name, made);
        *number += 1;
    }
    tree.put_file(&format!("{FOLDER}/ca-certificates.crt"), bundle, 0o644, made);
    if !tree.has("usr/lib/ssl/certs") {
        // The package openssl ships these; the library looks there also without it.
        tree.put_directory("usr/lib/ssl", 0o755, made);
        for (name, target) in [("cert.pem", "/etc/ssl/certs/ca-certificates.crt"), ("certs", "/etc/ssl/certs")] {
            tree.put_link(&format!("usr/lib/ssl/{name}"), target, made);
        }
    }
    Ok(())
}

/// The name that update-ca-certificates gives a certificate.
fn link_name(path: &str) -> String {
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".crt");
    format!("{}.pem", stem.replace([' ', ','], "_").replace(['(', ')'], "="))
}

fn decode_pem(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----")?;
    let (body, _) = rest.split_once("-----END CERTIFICATE-----")?;
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for letter in body.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

/// OpenSSL's `X509_NAME_hash`: the first bytes of SHA-1 over the subject in canonical form, without the outer sequence.
fn subject_hash(certificate: &[u8]) -> Option<String> {
    let mut canonical = Vec::new();
    let mut names = subject(certificate)?;
    while !names.is_empty() {
        let (_, mut set) = take(&mut names)?;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let (_, mut attribute) = take(&mut set)?;
            let whole = attribute;
            take(&mut attribute)?;
            let value_at = whole.len() - attribute.len();
            let (tag, value) = take(&mut attribute)?;
            let mut inner = whole[..value_at].to_vec();
            match canonical_text(tag, value) {
                Some(text) => inner.extend(encode(0x0c, text.as_bytes())),
                None => inner.extend_from_slice(&whole[value_at..]),
            }
            attributes.extend(encode(0x30, &inner));
        }
        canonical.extend(encode(0x31, &attributes));
    }
    let hash = Sha1::digest(&canonical);
    Some(format!("{:08x}", u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])))
}

/// The content of the subject's sequence.
fn subject(certificate: &[u8]) -> Option<&[u8]> {
    let mut outer = certificate;
    let (_, mut rest) = take(&mut outer)?;
    let (_, mut rest) = take(&mut rest)?;
    if rest.first() == Some(&0xa0) {
        take(&mut rest)?;
    }
    for _serial_algorithm_issuer_validity in 0..4 {
        take(&mut rest)?;
    }
    take(&mut rest).map(|(_, content)| content)
}

/// Takes one DER element off the front: its tag and content.
fn take<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (tag, first) = (*bytes.first()?, *bytes.get(1)?);
    let (start, length) = if first & 0x80 == 0 {
        (2, usize::from(first))
    } else {
        let count = usize::from(first & 0x7f);
        let digits = bytes.get(2..2 + count).filter(|_| count <= 4)?;
        (2 + count, digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    };
    let content = bytes.get(start..start.checked_add(length)?)?;
    *bytes = &bytes[start + length..];
    Some((tag, content))
}

fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len();
    if length < 128 {
        bytes.push(length as u8);
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        bytes.push(0x80 | digits.len() as u8);
        bytes.extend(digits);
    }
    bytes.extend_from_slice(content);
    bytes
}

/// Text with white space folded and ASCII in lower case; nothing for what is not text.
fn canonical_text(tag: u8, value: &[u8]) -> Option<String> {
    let text = match tag {
        0x0c | 0x13 | 0x16 | 0x1a => String::from_utf8_lossy(value).into_owned(),
        0x14 => value.iter().map(|byte| char::from(*byte)).collect(),
        0x1e => String::from_utf16_lossy(&value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect::<Vec<_>>()),
        0x1c => value.chunks_exact(4).filter_map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]]))).collect(),
        _ => return None,
    };
    let words: Vec<&str> = text.split([' ', '\t', '\n', '\r', '\u{c}', '\u{b}']).filter(|word| !word.is_empty()).collect();
    Some(words.join(" ").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host's own certificates and links were made by update-ca-certificates.
    #[test]
    fn hashes_are_those_of_openssl() {
        let mut compared = 0;
        for entry in std::fs::read_dir("/etc/ssl/certs").unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some((hash, _)) = name.split_once('.').filter(|(hash, number)| hash.len() == 8 && number.parse::<u32>().is_ok()) else {
                continue;
            };
            let pem = std::fs::read_to_string(&path).unwrap();
            assert_eq!(subject_hash(&decode_pem(&pem).unwrap()).unwrap(), hash, "{name}");
            compared += 1;
        }
        assert!(compared > 50, "only {compared} certificates were compared");
    }

    #[test]
    fn damage_is_no_panic() {
        for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x30\x01\x02", &[0x30, 0x80]] {
            assert_eq!(subject_hash(bytes), None);
        }
        assert_eq!(link_name("usr/share/ca-certificates/m/A (b), c.crt"), "A_=b=__c.pem");
    }
}
