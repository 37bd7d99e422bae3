//! Where a secret may travel: protected, or within this machine.

use std::net::IpAddr;

/// Whether what is sent there stays between the two: https, or plain http to this machine itself.
pub(super) fn is_private(scheme: &str, host: &str) -> bool {
    match scheme {
        "https" => true,
        "http" => loopback(host),
        _ => false,
    }
}

fn loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn plain_http_is_for_this_machine() {
        for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1"] {
            assert!(is_private("http", host), "{host}");
        }
        for host in ["10.0.0.1", "localhost.example", "127.0.0.1.example", "example", ""] {
            assert!(!is_private("http", host) && is_private("https", host), "{host}");
        }
        assert!(!is_private("ftp", "127.0.0.1") && !is_private("unix", "localhost"));
    }
}
