//! A private key behind a password, in the form of cosign's keys: scrypt makes a key of the password, and a box of NaCl (XSalsa20 and Poly1305) holds
//! the private key.

use crate::error::{Context, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::{Aead, KeyInit};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use p256::elliptic_curve::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

const KDF: &str = "scrypt";
const CIPHER: &str = "nacl/secretbox";
/// Costs of scrypt, as powers of two, that are accepted: another one could take a machine's whole memory.
const COSTS: [u8; 3] = [15, 16, 17];
/// The cost of what is written.
const COST: u8 = 16;
const BLOCK: u32 = 8;

#[derive(Serialize, Deserialize)]
struct Document {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Parameters,
    salt: String,
}

#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Parameters {
    #[serde(rename = "N")]
    cost: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

/// What only chance decides of a locked key.
pub(super) struct Chance {
    pub salt: [u8; 32],
    pub nonce: [u8; 24],
}

/// Locks bytes with a password.
pub(super) fn lock(bytes: &[u8], password: &str, chance: &Chance) -> Result<Vec<u8>> {
    let cipher = cipher(password, &chance.salt, COST)?;
    let ciphertext = cipher.encrypt(Nonce::from_slice(&chance.nonce), bytes).map_err(|_| Error::new("the box cannot be closed"))?;
    let document = Document {
        kdf: Kdf { name: KDF.into(), params: Parameters { cost: 1 << COST, r: BLOCK, p: 1 }, salt: STANDARD.encode(chance.salt) },
        cipher: Cipher { name: CIPHER.into(), nonce: STANDARD.encode(chance.nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    serde_json::to_vec(&document).context(|| "cannot write the key")
}

/// Unlocks what was locked with a password.
pub(super) fn unlock(locked: &[u8], password: &str) -> Result<Zeroizing<Vec<u8>>> {
    let document: Document = serde_json::from_slice(locked).context(|| "its content makes no sense")?;
    if document.kdf.name != KDF || document.cipher.name != CIPHER {
        return Err(Error::new(format!("it is locked with `{}` and `{}`, which are unknown", document.kdf.name, document.cipher.name)));
    }
    let known = |cost: &u8| document.kdf.params == Parameters { cost: 1 << cost, r: BLOCK, p: 1 };
    let cost = COSTS.into_iter().find(known).context(|| "its password is hardened in an unknown way")?;
    let decode = |text: &str| STANDARD.decode(text).context(|| "its content is damaged");
    let (salt, nonce, ciphertext) = (decode(&document.kdf.salt)?, decode(&document.cipher.nonce)?, decode(&document.ciphertext)?);
    if nonce.len() != size_of::<Nonce>() {
        return Err(Error::new("its content is damaged"));
    }
    let opened = cipher(password, &salt, cost)?.decrypt(Nonce::from_slice(&nonce), ciphertext.as_slice());
    opened.map(Zeroizing::new).map_err(|_| Error::new("the password is another one, or the key is damaged"))
}

fn cipher(password: &str, salt: &[u8], cost: u8) -> Result<XSalsa20Poly1305> {
    let mut key = Zeroizing::new([0; 32]);
    let parameters = scrypt::Params::new(cost, BLOCK, 1, key.len()).map_err(|_| Error::new("the costs make no sense"))?;
    scrypt::scrypt(password.as_bytes(), salt, &parameters, key.as_mut_slice()).map_err(|_| Error::new("the costs make no sense"))?;
    Ok(XSalsa20Poly1305::new(Key::from_slice(key.as_slice())))
}
