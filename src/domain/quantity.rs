//! Kubernetes quantities (`500m`, `1.5`, `128Mi`, `2e3`, `123456789n`), rounded up as the API server does.

/// Powers of ten or two that a suffix stands for.
const SUFFIXES: [(&str, i32, u32); 14] = [
    ("Ki", 0, 10),
    ("Mi", 0, 20),
    ("Gi", 0, 30),
    ("Ti", 0, 40),
    ("Pi", 0, 50),
    ("n", -9, 0),
    ("u", -6, 0),
    ("m", -3, 0),
    ("k", 3, 0),
    ("M", 6, 0),
    ("G", 9, 0),
    ("T", 12, 0),
    ("P", 15, 0),
    ("", 0, 0),
];

/// Cores in thousandths; `None` if it is no quantity.
pub fn millicores(text: &str) -> Option<u32> {
    u32::try_from(scaled(text, 3)?).ok()
}

/// Bytes; `None` if it is no quantity.
pub fn bytes(text: &str) -> Option<u64> {
    u64::try_from(scaled(text, 0)?).ok()
}

/// Thousandths of whatever it counts; `None` if it is no quantity.
pub fn thousandths(text: &str) -> Option<u64> {
    u64::try_from(scaled(text, 3)?).ok()
}

/// The quantity times 10^`scale`, rounded up.
fn scaled(text: &str, scale: i32) -> Option<u128> {
    let (number, ten, two) =
        SUFFIXES.iter().find_map(|(suffix, ten, two)| Some((text.strip_suffix(suffix)?, *ten, *two)))?;
    let (number, exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = [whole, fraction].concat();
    // 20 digits and 2^50 stay within 128 bits; no real quantity has more
    if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<u128>().ok()?.checked_shl(two)?;
    let power = exponent.checked_add(ten)?.checked_add(scale)? - i32::try_from(fraction.len()).ok()?;
    let factor = 10u128.checked_pow(power.unsigned_abs())?;
    if power >= 0 { value.checked_mul(factor) } else { Some(value.div_ceil(factor)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_as_the_api_server_reads_them() {
        let cores =
            [("500m", 500), ("1", 1000), ("0.25", 250), ("1.0005", 1001), ("190400000n", 191), ("2e0", 2000)];
        for (text, expected) in cores {
            assert_eq!(millicores(text), Some(expected), "{text}");
        }
        let sizes = [
            ("24Mi", 25_165_824),
            ("1G", 1_000_000_000),
            ("123456", 123_456),
            ("1.5Ki", 1536),
            ("129M", 129_000_000),
        ];
        for (text, expected) in sizes {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in ["", "m", "abc", "-1", "1ee3", "1e999999999", "99999999999999999999999", "1 Gi"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
