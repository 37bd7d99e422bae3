//! What differs from line to line of one kind (numbers, ids, addresses) replaced by what it is, so that lines of one
//! kind look alike. One pass, and no allocation but the given buffer.

/// Hexadecimal digits from which on a word of them is an id: shorter ones are words too (`face`, `cafe`).
const HEX: usize = 8;
/// Letters and digits from which on a word of both is an id: `sha256` and `x86` are words, `7f4b9c2d1e` is none.
const ID: usize = 10;
/// Letters after a number that are its unit: `ms`, `MiB`, `GiB`.
const UNIT: usize = 3;

/// Appends the token, masked. Tokens hold no white space.
pub fn token(token: &str, out: &mut String) {
    let mut rest = token;
    while let Some(first) = rest.bytes().next() {
        if !first.is_ascii_alphanumeric() {
            // a colon may begin an IPv6 address, and nothing else that is masked
            if first == b':'
                && let Some(used) = ipv6(rest)
            {
                out.push_str("<ip>");
                rest = rest.get(used..).unwrap_or_default();
                continue;
            }
            let plain = rest.bytes().take_while(|b| !b.is_ascii_alphanumeric() && *b != b':').count().max(1);
            let plain = (plain..=rest.len()).find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
            out.push_str(rest.get(..plain).unwrap_or_default());
            rest = rest.get(plain..).unwrap_or_default();
            continue;
        }
        let mut used = [uuid(rest), ipv4(rest), ipv6(rest)].into_iter().zip(["<uuid>", "<ip>", "<ip>"]);
        let found = used.find_map(|(used, mask)| Some((used?, mask)));
        let used = if let Some((used, mask)) = found {
            out.push_str(mask);
            used
        } else {
            let run = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
            word(rest.get(..run).unwrap_or_default(), out);
            run
        };
        rest = rest.get(used..).unwrap_or_default();
    }
}

/// A run of letters and digits.
fn word(run: &str, out: &mut String) {
    let bytes = run.as_bytes();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    let leading = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    if digits == 0 {
        out.push_str(run);
    } else if digits == run.len() {
        // decimals are one number
        if out.ends_with("<num>.") {
            out.pop();
        } else {
            out.push_str("<num>");
        }
    } else if hex && run.len() >= HEX || run.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("0x")) {
        out.push_str("<hex>");
    } else if leading > 0 && run.len() - leading <= UNIT && leading + digits >= 2 && leading == digits {
        if out.ends_with("<num>.") {
            out.pop();
        } else {
            out.push_str("<num>");
        }
        out.push_str(run.get(leading..).unwrap_or_default());
    } else if run.len() >= ID {
        out.push_str("<id>");
    } else {
        out.push_str(run);
    }
}

/// How long the UUID is that the text begins with.
fn uuid(text: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(..36)?;
    let dash = |at: usize| [8, 13, 18, 23].contains(&at);
    let fits =
        bytes.iter().enumerate().all(|(at, b)| if dash(at) { *b == b'-' } else { b.is_ascii_hexdigit() });
    (fits && ends(text, 36)).then_some(36)
}

/// How long the IPv4 address is, with its port.
fn ipv4(text: &str) -> Option<usize> {
    let (mut at, bytes) = (0, text.as_bytes());
    let digits = |from: usize| bytes.iter().skip(from).take(4).take_while(|b| b.is_ascii_digit()).count();
    for part in 0..4 {
        let run = digits(at);
        if !(1..=3).contains(&run) {
            return None;
        }
        at += run;
        if part < 3 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    if !ends(text, at) {
        return None;
    }
    let port = bytes.iter().skip(at + 1).take(6).take_while(|b| b.is_ascii_digit()).count();
    let has_port = bytes.get(at) == Some(&b':') && (1..=5).contains(&port) && ends(text, at + 1 + port);
    Some(if has_port { at + 1 + port } else { at })
}

/// How long the IPv6 address is: at least five colons, or two of them side by side.
fn ipv6(text: &str) -> Option<usize> {
    // 8 groups of 4, and 7 colons
    const LONGEST: usize = 39;
    let part = |b: &u8| b.is_ascii_hexdigit() || *b == b':';
    let run = text.bytes().take(LONGEST + 1).take_while(|b| part(b)).count();
    let address = text.get(..run).filter(|_| run <= LONGEST)?;
    let colons = address.bytes().filter(|b| *b == b':').count();
    let fits = colons >= 5 || colons >= 2 && address.contains("::");
    // `std::fmt` and `a::b` are names
    let numbers = address.bytes().any(|b| b.is_ascii_digit());
    (fits && numbers && !address.ends_with("::") && ends(text, run) || address == "::1").then_some(run)
}

/// Whether no letter or digit follows.
fn ends(text: &str, at: usize) -> bool {
    !text.as_bytes().get(at).is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(text: &str) -> String {
        let mut out = String::new();
        token(text, &mut out);
        out
    }

    #[test]
    fn what_differs_is_masked() {
        for (token, expected) in [
            ("order", "order"),
            ("17", "<num>"),
            ("3.14", "<num>"),
            ("13ms", "<num>ms"),
            ("2.5GiB", "<num>GiB"),
            ("user=1234,", "user=<num>,"),
            ("10.0.0.7:5432", "<ip>"),
            ("(10.0.0.7)", "(<ip>)"),
            ("[::1]:8080", "[<ip>]:<num>"),
            ("fe80::1ff:fe23:4567:890a", "<ip>"),
            ("20:00:01", "<num>:<num>:<num>"),
            ("9b2c1a54-0b1e-4c1d-8b7e-0123456789ab", "<uuid>"),
            ("id=9b2c1a54-0b1e-4c1d-8b7e-0123456789ab.", "id=<uuid>."),
            ("deadbeef01", "<hex>"),
            ("0x1f", "<hex>"),
            ("checkout-7f4b9c2d1e-abcde", "checkout-<hex>-abcde"),
            ("A1B2C3D4E5XYZ", "<id>"),
            ("sha256", "sha256"),
            ("v1.2.3", "v1.<num>"),
            ("java.lang.NullPointerException:", "java.lang.NullPointerException:"),
            ("std::fmt", "std::fmt"),
            ("価格17🙂", "価格<num>🙂"),
            ("1.2.3.4.5", "<ip>.<num>"),
            ("", ""),
        ] {
            assert_eq!(masked(token), expected, "{token}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_token_is_masked_and_none_grows_without_bound(text in "\\PC{0,60}|[0-9a-f:.-]{0,60}") {
            let once = masked(&text);
            prop_assert!(once.len() <= text.len() * 6);
        }

        #[test]
        fn numbers_leave_no_trace(a in 0u32..100_000, b in 0u32..100_000) {
            prop_assert_eq!(masked(&format!("took={a}ms")), masked(&format!("took={b}ms")));
        }
    }
}
