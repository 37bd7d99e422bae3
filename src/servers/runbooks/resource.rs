//! Runbooks as resources. An address names a runbook by the name that the listing gave it, and no file: whatever is not
//! the name of a runbook that was read is not there.

use std::sync::Arc;

use crate::domain::redact;
use crate::domain::runbook::Runbook;
use crate::domain::target::is_dns_label;

/// How a runbook is addressed by whoever may see a namespace.
pub const TEMPLATE: &str = "runbook://namespaces/{namespace}/runbooks/{+name}";
/// How it is addressed by whoever may see everything.
pub const EVERYWHERE: &str = "runbook://files/{+name}";

/// A runbook is read whole, up to what is read of any log.
const TEXT: usize = 64 * 1024;
/// Two hexadecimal digits.
const HEX: u32 = 16;

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The namespace that it is read for; `None`: for all.
    pub namespace: Option<String>,
    /// The runbook.
    pub name: String,
}

impl Address {
    /// The address of a runbook.
    pub fn uri(namespace: Option<&str>, name: &str) -> String {
        let name = escaped(name);
        match namespace {
            Some(namespace) => format!("runbook://namespaces/{namespace}/runbooks/{name}"),
            None => format!("runbook://files/{name}"),
        }
    }

    /// What it names; `None`: nothing.
    pub fn parse(uri: &str) -> Option<Self> {
        if let Some(name) = uri.strip_prefix("runbook://files/") {
            return Some(Self { namespace: None, name: unescaped(name)? });
        }
        let (namespace, name) = uri.strip_prefix("runbook://namespaces/")?.split_once("/runbooks/")?;
        let namespace = is_dns_label(namespace).then(|| namespace.to_owned())?;
        Some(Self { namespace: Some(namespace), name: unescaped(name)? })
    }

    /// The runbook among these, if it may be read under this address.
    pub fn find<'a>(&self, books: &'a [Arc<Runbook>]) -> Option<&'a Arc<Runbook>> {
        let seen =
            |book: &Runbook| self.namespace.as_ref().is_none_or(|namespace| !book.is_elsewhere(namespace));
        books.iter().find(|book| book.name == self.name && seen(book))
    }
}

/// A runbook for reading, cleaned; what stands in it is data.
pub fn shown(book: &Runbook) -> String {
    redact::safe(&book.text, TEXT)
}

/// Everything but what is plain in a path, as percent signs have it.
fn escaped(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~/".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |b: Option<u8>| char::from(b?).to_digit(HEX);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * HEX + low).ok()?);
    }
    String::from_utf8(bytes).ok().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn book(name: &str, services: &[&str]) -> Arc<Runbook> {
        let services = services.iter().map(|s| (*s).to_owned()).collect();
        Arc::new(Runbook { name: name.to_owned(), services, ..Runbook::default() })
    }

    #[test]
    fn nothing_but_a_runbook_can_be_addressed() {
        let books = [book("team/web.md", &[]), book("pay.md", &["pay/api"])];
        let found = |uri: &str| Address::parse(uri).and_then(|a| a.find(&books).map(|b| b.name.clone()));
        assert_eq!(found("runbook://files/team/web.md").as_deref(), Some("team/web.md"));
        assert_eq!(found("runbook://namespaces/pay/runbooks/pay.md").as_deref(), Some("pay.md"));
        for uri in [
            "runbook://namespaces/shop/runbooks/pay.md",
            "runbook://files/../belay.yaml",
            "runbook://files/team/../pay.md",
            "runbook://files/./pay.md",
            "runbook://files//pay.md",
            "runbook://files/%2e%2e/secrets/token",
            "runbook://files//etc/passwd",
            "runbook://files/pay.md%00",
            "runbook://files/%",
            "runbook://files/%zz",
            "runbook://files/",
            "runbook://namespaces/../runbooks/pay.md",
            "runbook://namespaces//runbooks/pay.md",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(found(uri), None, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn an_address_leads_back_to_its_name_and_nowhere_else(name in "\\PC{1,40}", other in "\\PC{0,40}") {
            for namespace in [None, Some("shop")] {
                let uri = Address::uri(namespace, &name);
                prop_assert!(uri.is_ascii());
                let read = Address::parse(&uri);
                let whole = Address { namespace: namespace.map(str::to_owned), name: name.clone() };
                prop_assert_eq!(read, Some(whole));
            }
            let books = [book(&name, &[])];
            let address = Address::parse(&format!("runbook://files/{other}"));
            if let Some(found) = address.as_ref().and_then(|address| address.find(&books)) {
                prop_assert_eq!(&found.name, &name);
            }
        }
    }
}
