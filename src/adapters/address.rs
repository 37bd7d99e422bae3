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

/// Whether a host is this machine, or a Service within the cluster by its full name (`vllm.models.svc`,
/// `vllm.models.svc.cluster.local`). A private address or a short name says nothing about who listens there.
pub(super) fn is_local_host(host: &str) -> bool {
    if loopback(host) {
        return true;
    }
    let name = host.strip_suffix(".svc.cluster.local").or_else(|| host.strip_suffix(".svc"));
    let label = |label: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    name.is_some_and(|name| name.split('.').count() >= 2 && name.split('.').all(label))
}

#[cfg(test)]
mod tests {
    use super::{is_local_host, is_private};

    #[test]
    fn local_is_this_machine_or_a_service_by_its_full_name() {
        for host in ["localhost", "127.0.0.1", "[::1]", "vllm.models.svc", "a.vllm.models.svc.cluster.local"]
        {
            assert!(is_local_host(host), "{host}");
        }
        for host in [
            "10.0.0.1",
            "192.168.1.5",
            "vllm",
            "vllm.models",
            "models.svc",
            ".models.svc",
            "svc",
            ".svc",
            "vllm.models.svc.example.com",
            "vllm.models.svc.cluster.local.example",
            "vllm.models.svc.",
            "api.openai.com",
            "localhost.example",
            "0.0.0.0",
            "[::ffff:10.0.0.1]",
            "",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }

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
