//! Each sign by lines as the programs write them, and by lines that only look alike.

use super::*;

fn words(line: &str) -> Vec<&'static str> {
    signs_of(line).into_iter().map(|(sign, _)| sign.word.name()).collect()
}

#[track_caller]
fn check(word: &str, lines: &[&str]) {
    for line in lines {
        assert!(words(line).contains(&word), "{word}: {:?} in: {line}", words(line));
    }
}

#[test]
fn bad_configuration() {
    check(
        "BadConfig",
        &[
            "nginx: [emerg] unknown directive \"lisen\" in /etc/nginx/conf.d/default.conf:3",
            "2026/11/21 20:00:00 [emerg] 1#1: host not found in upstream \"api\" in /etc/nginx/nginx.conf:12",
            "APPLICATION FAILED TO START",
            "Caused by: java.lang.IllegalArgumentException: Could not resolve placeholder 'db.url' in value \"${db.url}\"",
            "2026-11-21T20:00:00Z FATAL failed to load config: open settings",
            r#"{"level":"fatal","msg":"error parsing configuration","error":"yaml: line 7: did not find expected key"}"#,
            "time=2026-11-21T20:00:00Z level=ERROR msg=\"cannot load configuration\"",
            "required key DATABASE_URL missing value",
            "error: unexpected argument '--prot' found",
            "flag provided but not defined: -prot",
            "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.",
            "KeyError: 'DATABASE_URL'",
            "ts=2026-11-21T20:00:00Z caller=main.go:500 level=error msg=\"Error loading config (--config.file=/etc/p.yml)\"",
            "2026-11-21 20:00:00.000 UTC [1] FATAL:  configuration file \"/etc/postgresql.conf\" contains errors",
            "*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***",
        ],
    );
}

#[test]
fn why_it_ended() {
    check(
        "CrashLoop",
        &[
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "thread 'main' panicked at src/main.rs:4:5:",
            "thread 'main' (1) panicked at src/main.rs:4:5:",
            "Traceback (most recent call last):",
            "Exception in thread \"main\" java.lang.NullPointerException",
            "2026/11/21 20:00:00 listen tcp :8080: bind: address already in use",
            "Error: listen EADDRINUSE: address already in use :::3000",
            "OSError: [Errno 98] Address already in use",
            "nginx: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            "open /etc/app/tls.crt: no such file or directory",
            "FileNotFoundError: [Errno 2] No such file or directory: '/data/model.bin'",
            "exec /app/server: exec format error",
            "/app: error while loading shared libraries: libssl.so.1.1: cannot open shared object file",
            "mkdir /data/queue: permission denied",
            "PermissionError: [Errno 13] Permission denied: '/var/run/app.pid'",
        ],
    );
    check(
        "MemoryLimitTooLow",
        &[
            "java.lang.OutOfMemoryError: Java heap space",
            "2026-11-21 20:00:00.000 ERROR 1 --- [main] com.shop.web.Orders : java.lang.OutOfMemoryError: Metaspace",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            "fatal error: runtime: out of memory",
            "memory allocation of 8589934592 bytes failed",
        ],
    );
}

#[test]
fn what_it_stands_on() {
    check(
        "DnsFailure",
        &[
            "dial tcp: lookup db.shop.svc.cluster.local on 10.96.0.10:53: no such host",
            "Error: getaddrinfo ENOTFOUND db.shop",
            "java.net.UnknownHostException: db.shop",
            "psql: error: could not translate host name \"db\" to address: Name or service not known",
        ],
    );
    check(
        "DependencyDown",
        &[
            "dial tcp 10.0.3.7:5432: connect: connection refused",
            r#"{"level":"error","msg":"query","error":"dial tcp 10.0.3.7:5432: i/o timeout"}"#,
            "Error: connect ECONNREFUSED 10.0.3.7:6379",
            "connection to server at \"db\" (10.0.3.7), port 5432 failed: Connection refused",
            "org.postgresql.util.PSQLException: Connection to db:5432 refused. Check that the hostname and port are correct",
            "2026/11/21 20:00:00 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream",
            "rpc error: code = Unavailable desc = connection error",
        ],
    );
    assert_eq!(words("dial tcp 127.0.0.1:8080: connect: connection refused"), [""; 0]);
    check(
        "ConnectionPoolExhausted",
        &[
            "HikariPool-1 - Connection is not available, request timed out after 30000ms.",
            "sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out",
            "FATAL:  sorry, too many clients already",
            "pool timed out while waiting for an open connection",
        ],
    );
    check(
        "CertificateExpiring",
        &[
            "x509: certificate has expired or is not yet valid: current time 2026-11-21T20:00:00Z is after 2026-11-20",
            "ssl.SSLCertVerificationError: certificate verify failed: certificate has expired (_ssl.c:1007)",
        ],
    );
}

#[test]
fn models_and_gpus() {
    check(
        "ModelServerDown",
        &[
            "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above).",
            "time=2026-11-21T20:00:00.000Z level=ERROR source=sched.go:455 msg=\"error\" error=\"llama runner process has terminated: exit status 2\"",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        ],
    );
    check(
        "GpuLost",
        &[
            "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.",
            "RuntimeError: CUDA error: uncorrectable ECC error encountered",
            "Failed to initialize NVML: Unknown Error",
        ],
    );
}

#[test]
fn damage_and_intrusion() {
    check(
        "DataCorruption",
        &[
            "2026-11-21 20:00:00.000 UTC [77] ERROR:  invalid page in block 7 of relation base/16384/16397",
            "2026-11-21 20:00:00.000 UTC [1] PANIC:  could not locate a valid checkpoint record",
            "2026-11-21T20:00:00.000000Z 0 [ERROR] [MY-011906] [InnoDB] Database page corruption on disk or a failed file read",
            "sqlite3.DatabaseError: database disk image is malformed",
            "IO error: Corruption: block checksum mismatch: stored = 1, computed = 2",
            "org.apache.lucene.index.CorruptIndexException: checksum failed (hardware problem?)",
            "1:M 21 Nov 2026 20:00:00.000 # Bad file format reading the append only file: make a backup",
            r#"{"s":"E","msg":"read checksum error for 4096B block at offset 8192"}"#,
        ],
    );
    check(
        "SecuritySignal",
        &[
            "[2026-11-21 20:00:00.000]  net      new job from pool.example:3333 diff 120001 algo rx/0",
            "* POOL #1      pool.example:3333 algo auto",
            "/srv/uploads/x.bin: Win.Test.EICAR_HDB-1 FOUND",
            "1:M 21 Nov 2026 20:00:00.000 # Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Redis.",
        ],
    );
}

/// What a stranger can have logged by asking for it, and what is no trouble.
#[test]
fn what_only_looks_alike() {
    for line in [
        r#"10.0.0.9 - - [21/Nov/2026:20:00:00 +0000] "GET /?q=invalid%20page%20in%20block%207 HTTP/1.1" 200 5"#,
        r#"10.0.0.9 - - [21/Nov/2026:20:00:00 +0000] "GET /?q=database disk image is malformed HTTP/1.1" 404 5"#,
        r#"{"level":"info","msg":"request","path":"/?q=PANIC: could not locate a valid checkpoint record"}"#,
        r#"{"level":"warn","msg":"login failed","user":"Accepted password for root from 1.2.3.4"}"#,
        "user asked: what does `invalid page in block 7 of relation` mean?",
        "search for stratum",
        "loaded configuration from /etc/app/config.yml",
        "listening on :8080",
        "retrying: connection reset by peer",
        "panic button pressed by user 7",
        "GET /panic: 200",
        "0 of 4 connections are taken",
        "certificate expires in 80 days",
        "a line",
        "",
    ] {
        assert_eq!(words(line), [""; 0], "{line}");
    }
}

#[test]
fn every_sign_has_words_of_its_own() {
    let signs: Vec<&Sign> = TABLE.iter().flat_map(|signs| signs.iter()).collect();
    let said: BTreeSet<&str> = signs.iter().map(|sign| sign.says).collect();
    assert_eq!(said.len(), signs.len());
    assert!(signs.iter().all(|sign| sign.least > 0 && !sign.patterns.is_empty()));
    assert!(COMPILED.set.len() < 250, "a bounded table");
}
