//! Order of package versions (Debian Policy, "The version of a package").

use std::cmp::Ordering;

/// Compares two versions as dpkg does.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    if one == other {
        return Ordering::Equal;
    }
    let ((epoch, upstream, revision), (other_epoch, other_upstream, other_revision)) = (split(one), split(other));
    epoch.cmp(&other_epoch).then_with(|| compare_part(upstream, other_upstream)).then_with(|| compare_part(revision, other_revision))
}

/// Whether `version` stands in `relation` to `wanted`.
pub(super) fn satisfies(version: &str, relation: &str, wanted: &str) -> bool {
    let order = compare(version, wanted);
    match relation {
        "<<" => order.is_lt(),
        "<=" | "<" => order.is_le(),
        "=" => order.is_eq(),
        ">=" | ">" => order.is_ge(),
        ">>" => order.is_gt(),
        _ => false,
    }
}

/// The part of a version that its authors give, without epoch and without what a repackaging adds.
pub(super) fn upstream(version: &str) -> &str {
    split(version).1
}

fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = version.split_once(':').map_or((0, version), |(epoch, rest)| (epoch.parse().unwrap_or(0), rest));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    (epoch, upstream, revision)
}

fn compare_part(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    while !one.is_empty() || !other.is_empty() {
        let (text, other_text) = (take(&mut one, |byte| !byte.is_ascii_digit()), take(&mut other, |byte| !byte.is_ascii_digit()));
        for at in 0..text.len().max(other_text.len()) {
            let order = weight(text.get(at)).cmp(&weight(other_text.get(at)));
            if order.is_ne() {
                return order;
            }
        }
        let (number, other_number) = (trimmed(take(&mut one, u8::is_ascii_digit)), trimmed(take(&mut other, u8::is_ascii_digit)));
        let order = number.len().cmp(&other_number.len()).then_with(|| number.cmp(other_number));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn take<'a>(rest: &mut &'a [u8], wanted: impl Fn(&u8) -> bool) -> &'a [u8] {
    let count = rest.iter().take_while(|byte| wanted(byte)).count();
    let (taken, left) = rest.split_at(count);
    *rest = left;
    taken
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == b'0').count();
    &number[zeros..]
}

/// `~` sorts before the end, the end before letters, letters before all else.
fn weight(byte: Option<&u8>) -> i32 {
    match byte {
        None => 0,
        Some(b'~') => -1,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(*letter),
        Some(other) => i32::from(*other) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_orders() {
        for (one, other) in [
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0-1"),
            ("1.9", "1.10"),
            ("9.9", "1:0.1"),
            ("1.0a", "1.0+"),
            ("2.7-1+deb13u1", "2.7-2"),
            ("1.0-1", "1.0-1.1"),
        ] {
            assert_eq!(compare(one, other), Ordering::Less, "{one} {other}");
            assert_eq!(compare(other, one), Ordering::Greater, "{one} {other}");
        }
        assert_eq!(compare("1.02", "1.2"), Ordering::Equal);
        assert!(satisfies("1.0", ">=", "1.0~x") && !satisfies("1.0", ">>", "1.0") && satisfies("1", "<", "1"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn the_order_is_that_of_dpkg(one in "[0-9]{1,2}(\\.[0-9a-z~+]{0,4}){0,3}(-[0-9a-z.~+]{1,3})?", other in "[0-9]{1,2}(\\.[0-9a-z~+]{0,4}){0,3}(-[0-9a-z.~+]{1,3})?") {
            let asked = std::process::Command::new("dpkg").args(["--compare-versions", &one, "lt", &other]).status().unwrap();
            prop_assert_eq!(compare(&one, &other).is_lt(), asked.success(), "{} {}", one, other);
        }
    }
}
