//! Redaction, both ways: what must go, and what an engineer on call needs and must stay.

use belay::domain::redact::safe;

/// Each with the part that must not be seen.
const GONE: [(&str, &str); 62] = [
    ("aws AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("creds ASIAIOSFODNN7EXAMPLE x", "ASIAIOSFODNN7EXAMPLE"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "wJalr"),
    ("it used q8Zx3LmN0pR5/V7wYbCdEf9GhJk+2sDuIoP4aS1F here", "q8Zx3"),
    ("the key wJa1rXUtnFEMI7K7MDENG9bPxRfiCY3XAMPLEKEY alone", "wJa1r"),
    ("gcp AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIza"),
    ("ya29.a0AfH6SMBx1234567890abcdef", "a0AfH6"),
    ("GOCSPX-abcdefghijklmnopqrst", "abcdefghij"),
    (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;x",
        "Eby8",
    ),
    ("https://x.blob.core.windows.net/c/b?sv=2020&sig=aB3dE%2FgH1jK4mN7pQ%3D%3D&se=1", "aB3dE"),
    ("client abc8Q~dEfGhIjKlMnOpQrStUvWxYz0123456789ab", "dEfGh"),
    ("dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "0123456789abcdef"),
    ("LTAI5tAbCdEfGhIjKlMnOp", "5tAbCd"),
    ("ghp_0123456789abcdefghijklmnopqrstuvwxyz", "0123456789"),
    ("github_pat_11AAAAAAA0aaaaaaaaaaaa_bbbb", "11AAAA"),
    ("glpat-abcdefghij0123456789", "abcdefghij"),
    ("npm_abcdefghij0123456789abcdefghij012345", "abcdefghij"),
    ("pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "AgEIc"),
    ("dckr_pat_abcdefghij0123456789ABCDEFG", "abcdefghij"),
    ("hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "abcdefghij"),
    ("xoxb-123456789012-123456789012-abcdefghijkl", "123456789012-abc"),
    ("xapp-1-A0123-456-abcdef", "A0123"),
    ("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", "T00000000"),
    ("sk-proj-abcdefghij0123456789", "abcdefghij"),
    ("sk_live_abcdefghij0123456789", "abcdefghij"),
    ("whsec_abcdefghij0123456789abcd", "abcdefghij"),
    ("glsa_abcdefghij0123456789_abcdef01", "abcdefghij"),
    ("hvs.CAESIabcdefghij0123456789", "CAESI"),
    ("SG.abcdefghij0123456789ab.abcdefghij0123456789abcdefghij", "abcdefghij"),
    ("NRAK-ABCDEFGHIJ0123456789ABCDEFG", "ABCDEFG"),
    ("AGE-SECRET-KEY-1ABCDEFGHIJ0123456789ABCDEFGHIJ0123456789ABCDEFGHIJ012345678", "ABCDEFG"),
    ("bot 123456789:AAabcdefghijklmnopqrstuvwxyz012345678", "AAabc"),
    ("dapi0123456789abcdef0123456789abcdef", "0123456789"),
    ("Authorization: Bearer abcdef.ghijkl", "abcdef"),
    ("authorization: basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_-1", "eyJzdWI"),
    ("Cookie: session=abc; other=def", "abc"),
    ("set-cookie: sid=s%3Aabcdef; Path=/", "abcdef"),
    ("postgres://app:hunter2@db:5432/shop", "hunter2"),
    ("amqps://u:p%40ss@rabbit/", "p%40ss"),
    ("mongodb+srv://u:pw1@cluster0.example/x", "pw1"),
    ("https://user:pw2@example.org/path", "pw2"),
    ("app:hunter3@tcp(db:3306)/shop", "hunter3"),
    ("Server=db;User Id=sa;Password=hunter4;", "hunter4"),
    ("host=db user=app password='two words' dbname=x", "two words"),
    ("PGPASSWORD=hunter5 psql", "hunter5"),
    ("export API_TOKEN=\"hunter 6\"", "hunter"),
    ("client-key-data: LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQo=", "LS0tLS1"),
    ("{\"encryptionKey\":\"hunter7\"}", "hunter7"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    ("-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQOY\n-----END PGP PRIVATE KEY BLOCK-----", "lQOY"),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza", "b3Blb"),
    ("mail jo.doe+x@mail.example.org", "jo.doe"),
    ("card 4111 1111 1111 1111 declined", "1111"),
    ("card=4111111111111111", "4111"),
    ("pan 5500-0000-0000-0004.", "5500"),
    ("amex 378282246310005", "378282"),
    ("amex 3782 822463 10005,", "822463"),
    ("call +49 30 1234567 now", "1234567"),
    ("tel +1 (415) 555-2671", "2671"),
    ("(415) 555-2671 called", "2671"),
    ("phone: 030/1234567", "1234567"),
];

/// What must be seen.
const KEPT: [&str; 52] = [
    "web-6f7d8c9b5d-x2x9q",
    "pod api-7f4b9d6c5b-abcde in shop/checkout-v2-5d9f8b7c6-zzzzz",
    "kube-prometheus-stack-kube-state-metrics-6d5f8c7b9-4x7zq",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "registry.example/shop/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "commit 59807616e1fa2540724bfbac14d7976d7e4a3860",
    "uid 3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "12345678-1234-1234-1234-123456789012",
    "UID 3F2504E0-4F89-11D3-9A0C-0305E82C3301",
    "traceparent 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "dd.trace_id=7277407061855694839",
    "x-request-id: 7f3c2a1b9d8e4f60",
    "2026-11-21T20:15:00.123456789Z",
    "2026-11-21 20:15:00,123 +0000",
    "1732220100 1732220100123 1732220100123456 1732220100123456789",
    "v1.33.1-gke.1234567 go1.22.4 1.2.3-rc.1+build.567",
    "10.244.3.17:8080 192.168.100.200 fe80::1ff:fe23:4567:890a",
    "node ip-10-0-123-45.eu-central-1.compute.internal",
    "arn:aws:eks:eu-central-1:123456789012:cluster/prod",
    "i-0abcd1234efgh5678 vol-049df61146c4d7901",
    "limit 268435456 bytes, used 260046848, 97 %",
    "resourceVersion 123456789012 generation 7 exit 137",
    "port 30000-32767 pid 4123456 0x7ffd5e8b9a10",
    "CustomerOrderServiceImplementationFactoryBean2",
    "org.springframework.beans.factory.UnsatisfiedDependencyException: Error creating bean",
    "at com.example.shop.CheckoutController$$EnhancerBySpringCGLIB$$8f2a1b3c.pay(<generated>)",
    "io.k8s.api.core.v1.PodSpec2TemplateGenerationV1Alpha1",
    "KubeDeploymentReplicasMismatch KubePodCrashLooping AlertmanagerClusterFailedToSendAlerts",
    "/usr/share/nginx/html/static/js/main.3f2a1b4c.chunk.js",
    "/var/lib/kubelet/pods/3f2504e0-4f89-11d3-9a0c-0305e82c3301/volumes/kubernetes.io~projected/kube-api-access-x2x9q",
    "/apis/apps/v1/namespaces/shop/deployments/web/scale?timeout=10s",
    "https://grafana.example/d/abc123/overview?orgId=1&from=1732220100123&to=1732223700123",
    "SELECT * FROM orders WHERE id = 1234567890123",
    "order 1234567890123456 shipped",
    "cart_items_total{namespace=\"shop\",pod=\"web-6f7d8c9b5d-x2x9q\"} 12",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "etag W/\"5f3-18c2a7b9d40\"",
    "took 12.345678901s, 1234567.890123 ops",
    "latency 0.000123456789 quantile 0.99",
    "phase 415-555 of 2671, 123-45-6789x",
    "ratio 3.14159265358979323846",
    "cgroup kubepods-burstable-pod3f2504e0_4f89_11d3_9a0c_0305e82c3301.slice",
    "container d containerd://9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "helm.sh/chart: kube-prometheus-stack-61.3.2 app.kubernetes.io/managed-by: Helm",
    "sh.helm.release.v1.checkout.v17",
    "arn:aws:iam::123456789012:role/shop-prod-Checkout-Worker-NodeInstanceRole",
    "JobCompletionIndexFailurePolicyOnExitCodes",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305-SHA256",
    "ghcr.io/prometheus-operator/prometheus-config-reloader:v0.74.0",
    "FailedScheduling 0/12 nodes: 4 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }",
];

#[test]
fn secrets_and_persons_are_not_seen() {
    let seen: Vec<_> = GONE
        .iter()
        .map(|(text, secret)| (safe(text, usize::MAX), secret))
        .filter(|(out, secret)| out.contains(**secret))
        .collect();
    assert!(seen.is_empty(), "{seen:#?}");
}

#[test]
fn what_an_engineer_needs_is_seen() {
    let lost: Vec<_> =
        KEPT.iter().map(|text| (text, safe(text, usize::MAX))).filter(|(text, out)| **text != *out).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn a_second_time_changes_nothing() {
    for text in GONE.iter().map(|(text, _)| *text).chain(KEPT) {
        let once = safe(text, usize::MAX);
        assert_eq!(safe(&once, usize::MAX), once, "{text}");
        let all = format!("{once} {text}\n{text}");
        let once = safe(&all, usize::MAX);
        assert_eq!(safe(&once, usize::MAX), once, "{all}");
    }
}

/// The thresholds are what they claim: nearly all random keys go.
#[test]
fn random_keys_go() {
    use base64::Engine as _;
    let mut state = 7u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    for (bytes, most) in [(18, 120), (24, 60), (30, 30), (48, 15)] {
        let mut missed = 0;
        for _ in 0..1000 {
            let key: Vec<u8> = std::iter::repeat_with(&mut random).flatten().take(bytes).collect();
            let text = base64::engine::general_purpose::STANDARD.encode(key);
            missed += usize::from(safe(&text, usize::MAX).contains(&text));
        }
        assert!(missed <= most, "{missed} of 1000 keys of {bytes} bytes were seen");
    }
}
