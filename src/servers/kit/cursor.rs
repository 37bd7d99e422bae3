//! Where the next page begins: after which name, of which question. A cursor is checked as every argument is: it names
//! a place, and gives nobody the right to look there.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::scope::Trouble;
use crate::domain::canonical::Hash;
use crate::domain::target::is_dns_name;

/// The form of this text: a cursor of another version is none.
const VERSION: &str = "1";

/// Whoever goes on after this name, in the answer to a question made of these parts.
pub fn cursor(question: &[&str], after: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{VERSION}/{}/{after}", mark(question)))
}

/// The name after which the page begins.
pub fn after(cursor: &str, question: &[&str]) -> Result<String, Trouble> {
    let wrong = || {
        Trouble::Argument(
            "`cursor` is none that this question was answered with: leave it out to begin anew".to_owned(),
        )
    };
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let mut parts = text.splitn(3, '/');
    let (version, marked, name) = (parts.next(), parts.next(), parts.next());
    let name = name.filter(|name| is_dns_name(name));
    match (version == Some(VERSION) && marked == Some(&mark(question)), name) {
        (true, Some(name)) => Ok(name.to_owned()),
        (false, _) | (true, None) => Err(wrong()),
    }
}

/// Of another question, the same place would be a gap.
fn mark(question: &[&str]) -> String {
    let parts: Vec<&[u8]> = question.iter().map(|part| part.as_bytes()).collect();
    Hash::of_parts(&parts).short()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_question_only() {
        let question = ["shop", "services", "web"];
        let made = cursor(&question, "web-1.a");
        assert_eq!(after(&made, &question), Ok("web-1.a".to_owned()));
        for other in [vec!["shop", "services", ""], vec!["shops", "ervices", "web"], vec!["shop", "services"]]
        {
            assert!(after(&made, &other).is_err(), "{other:?}");
        }
        let forged = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let own = mark(&question);
        for wrong in [
            String::new(),
            "%%%".to_owned(),
            made.replace(char::is_alphanumeric, "A"),
            forged(&format!("2/{own}/web")),
            forged(&format!("1/{own}/../secrets")),
            forged(&format!("1/{own}/")),
            forged(&format!("1/{own}")),
            forged("1//web"),
        ] {
            let told = after(&wrong, &question).unwrap_err().to_string();
            assert!(told.contains("begin anew"), "{wrong}: {told}");
        }
    }
}
