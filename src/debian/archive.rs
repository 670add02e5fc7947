//! The signed Release file of an archive: whether it can be trusted, and what it lists.

use crate::error::{Context, Error, Result};
use crate::image::Digest;
use pgp::composed::{CleartextSignedMessage, Deserializable, SignedPublicKey};
use pgp::types::{KeyDetails, Tag};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Keyrings that come with the program, by name.
const KEYRINGS: [(&str, &[u8]); 2] = [
    ("debian-bookworm", include_bytes!("../../builders/keys/debian-bookworm.gpg")),
    ("debian-trixie", include_bytes!("../../builders/keys/debian-trixie.gpg")),
];

/// A Release file whose signature is good.
pub(super) struct Verified {
    fields: HashMap<String, String>,
    files: HashMap<String, (String, u64)>,
    /// SHA-256 of the signed file, in hexadecimal.
    pub sha256: String,
}

/// The keys of a ring that comes with the program, or of a file.
pub(super) fn keyring(name: &str) -> Result<Vec<SignedPublicKey>> {
    if name.contains('/') {
        return parse_keys(&std::fs::read(name).context(|| format!("cannot read the keyring `{name}`"))?);
    }
    let bytes = KEYRINGS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes);
    parse_keys(bytes.context(|| format!("there is no keyring `{name}`"))?)
}

/// The keys of a binary keyring.
pub(super) fn parse_keys(bytes: &[u8]) -> Result<Vec<SignedPublicKey>> {
    let keys = SignedPublicKey::from_bytes_many(bytes).context(|| "cannot read a keyring")?;
    Ok(keys.filter_map(std::result::Result::ok).collect())
}

/// Checks the signature of an `InRelease` file by one of `keys` and reads what was signed, nothing else.
///
/// # Errors
/// When no valid key of the ring signed the file.
pub(super) fn verify(bytes: &[u8], keys: &[SignedPublicKey]) -> Result<Verified> {
    let text = std::str::from_utf8(bytes).context(|| "the Release file is not text")?;
    let (message, _) = CleartextSignedMessage::from_string(text).context(|| "the Release file is not signed")?;
    let signed = keys.iter().any(|key| {
        let by_subkey =
            |subkey: &pgp::composed::SignedPublicSubKey| message.verify(subkey).is_ok() && subkey.verify_bindings(&key.primary_key).is_ok();
        (message.verify(key).is_ok() || key.public_subkeys.iter().any(by_subkey)) && is_valid(key)
    });
    if !signed {
        return Err(Error::new("no key of the archive signed the Release file")
            .hint("the mirror may be damaged or hostile: name another one with `--deb-mirror`"));
    }
    let signed_text = message.signed_text().replace('\r', "");
    let (fields, files) = parse(&signed_text);
    Ok(Verified { fields, files, sha256: Digest::of(bytes).hex().to_string() })
}

/// Whether the key says so itself that it is somebody's, and is neither revoked nor expired. What others say of it does not count.
fn is_valid(key: &SignedPublicKey) -> bool {
    let own = key.details.users.iter().flat_map(|user| user.signatures.iter().map(move |signature| (user, signature)));
    let own = own.filter(|(user, signature)| signature.verify_certification(&key.primary_key, Tag::UserId, &user.id).is_ok());
    let Some((_, newest)) = own.max_by_key(|(_, signature)| signature.created().map(|time| time.as_secs())) else { return false };
    let created = UNIX_EPOCH + Duration::from_secs(u64::from(key.primary_key.created_at().as_secs()));
    let life = newest.key_expiration_time().map(|life| Duration::from_secs(u64::from(life.as_secs())));
    let expired = life.is_some_and(|life| !life.is_zero() && created + life < SystemTime::now());
    key.details.revocation_signatures.is_empty() && !expired
}

fn parse(text: &str) -> (HashMap<String, String>, HashMap<String, (String, u64)>) {
    let (mut fields, mut files) = (HashMap::new(), HashMap::new());
    let mut in_sums = false;
    for line in text.lines() {
        if let Some(entry) = line.strip_prefix(' ') {
            let mut words = entry.split_whitespace();
            if let (true, Some(sum), Some(size), Some(name)) =
                (in_sums, words.next(), words.next().and_then(|size| size.parse().ok()), words.next())
            {
                files.insert(name.to_string(), (sum.to_string(), size));
            }
        } else if let Some((name, value)) = line.split_once(':') {
            in_sums = name == "SHA256";
            fields.insert(name.to_string(), value.trim().to_string());
        }
    }
    (fields, files)
}

impl Verified {
    /// A field's value, or nothing.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// SHA-256 and size of a listed file.
    pub fn file(&self, name: &str) -> Option<&(String, u64)> {
        self.files.get(name)
    }

    /// When the file was made, as RFC 3339.
    pub fn date(&self) -> Result<String> {
        Ok(parse_date(self.field("Date"))?.to_string())
    }

    /// Refuses a file that is older than it may be.
    pub fn check_valid_until(&self, now: SystemTime) -> Result<()> {
        let until = self.field("Valid-Until");
        if until.is_empty() {
            return Ok(());
        }
        let now = jiff::Timestamp::try_from(now).context(|| "the clock of this machine is wrong")?;
        if parse_date(until)? < now {
            return Err(Error::new(format!("the Release file was valid until {until}"))
                .hint("name a mirror that is up to date, or pass `--no-check-valid-until`"));
        }
        Ok(())
    }
}

fn parse_date(text: &str) -> Result<jiff::Timestamp> {
    // Debian writes `UTC`, which RFC 2822 does not know.
    let text = text.replace("UTC", "+0000");
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(&text).context(|| format!("`{text}` is not a date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_sums_and_dates_are_read() {
        let (fields, files) = parse("Origin: Debian\nMD5Sum:\n aa 1 x\nSHA256:\n bb 2 main/x\n cc 3 y\nOther: z\n dd 4 w\n");
        assert_eq!(fields["Origin"], "Debian");
        assert_eq!(files["main/x"], ("bb".to_string(), 2));
        assert_eq!(files.len(), 2);
        assert_eq!(parse_date("Sat, 21 Nov 2026 08:30:05 UTC").unwrap().to_string(), "2026-11-21T08:30:05Z");
    }

    #[test]
    fn embedded_keys_are_valid_today() {
        for (name, _) in KEYRINGS {
            let keys = keyring(name).unwrap();
            assert!(keys.len() >= 3 && keys.iter().all(is_valid), "{name}");
        }
        assert!(keyring("other").is_err());
    }

    #[test]
    fn what_nobody_signed_is_refused() {
        assert!(verify(b"Origin: Debian\n", &keyring("debian-trixie").unwrap()).is_err());
    }
}
