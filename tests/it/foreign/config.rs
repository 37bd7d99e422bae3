//! The configuration of third-party servers: what is read, and what is refused with a reason.

use std::path::Path;

use belay::adapters::mcp::RESERVED;
use belay::config::{self, Argument, Config};

fn parse(text: &str) -> Result<Config, String> {
    let text = format!("policies: p\ncluster: {{ name: c }}\n{text}");
    config::parse("the test's", &text).map_err(|e| e.to_string())
}

#[test]
fn servers_and_reads_are_read() {
    let config = parse(
        "mcpPins: pins.json\n\
         mcpServers:\n  \
           grafana: { url: 'https://grafana.example/mcp', tokenFile: t, tools: [query_loki_logs], callsPerMinute: 30, deadlineSeconds: 20 }\n  \
           files: { command: /usr/bin/node, args: [index.js], env: { A: b }, envFiles: { KEY: key }, tools: [read_file] }\n\
         mcpReads:\n  \
           errorLogs: { tool: grafana__query_loki_logs, arguments: { logql: '{namespace=\"{namespace}\"} |= \"error\"', limit: 50, forward: false } }\n",
    )
    .unwrap();
    let grafana = &config.mcp_servers["grafana"];
    assert_eq!((grafana.calls_per_minute, grafana.deadline_seconds), (30, 20));
    let files = &config.mcp_servers["files"];
    assert_eq!((files.calls_per_minute, files.deadline_seconds), (60, 15));
    let read = config.mcp_reads.error_logs.as_ref().unwrap();
    assert_eq!(read.arguments["limit"], Argument::Number(50));
    assert_eq!(read.arguments["forward"], Argument::Flag(false));
}

#[test]
fn paths_are_relative_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("belay.yaml");
    let text = "policies: p\ncluster: { name: c }\nmcpPins: pins.json\nmcpServers:\n  \
                a: { url: 'https://a.example/mcp', tokenFile: t, tools: [x] }\n  \
                b: { command: /bin/b, envFiles: { KEY: key }, tools: [x] }\n";
    std::fs::write(&file, text).unwrap();
    let config = config::load(&file).unwrap();
    assert_eq!(config.mcp_pins, Some(folder.path().join("pins.json")));
    assert_eq!(config.mcp_servers["a"].token_file, Some(folder.path().join("t")));
    assert_eq!(config.mcp_servers["b"].env_files["KEY"], folder.path().join("key"));
    assert_eq!(config.mcp_servers["b"].command.as_deref(), Some(Path::new("/bin/b")));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let server = |keys: &str| format!("mcpPins: p.json\nmcpServers:\n  a: {{ {keys} }}\n");
    for (text, why) in [
        ("mcpServers:\n  a: { url: 'https://a', tools: [x] }\n".to_owned(), "`mcpServers` needs `mcpPins`"),
        (server("tools: [x]"), "needs `command` or `url`"),
        (server("command: /a, url: 'https://a', tools: [x]"), "has `command` and `url` both"),
        (server("command: npx, tools: [x]"), "`command` must be a full path"),
        (server("command: /a, tokenFile: t, tools: [x]"), "`tokenFile` goes with `url`"),
        (server("url: 'https://a', args: [x], tools: [x]"), "`args`, `env` and `envFiles` go with `command`"),
        (server("url: 'https://a', env: { A: b }, tools: [x]"), "go with `command`"),
        (
            server("command: /a, env: { A: b }, envFiles: { A: c }, tools: [x]"),
            "`env` and `envFiles` both set `A`",
        ),
        (server("command: /a, env: { 'A=B': c }, tools: [x]"), "no name of an environment variable"),
        (server("command: /a"), "tools"),
        (server("command: /a, tools: []"), "`tools` names no tool"),
        (server("command: /a, tools: ['a.b']"), "cannot be offered to a model"),
        (server(&format!("command: /a, tools: [{}]", "x".repeat(62))), "at most 64"),
        (server("command: /a, tools: [x], callsPerMinute: 0"), "`callsPerMinute` must be 1 to 600"),
        (server("command: /a, tools: [x], deadlineSeconds: 61"), "`deadlineSeconds` must be 1 to 60"),
        (server("command: /a, tools: [x], cwd: /"), "cwd"),
        (server("command: /a, tools: [x]") + "mcpReads: { logs: { tool: a__x } }\n", "logs"),
        (
            server("command: /a, tools: [x]") + "mcpReads: { metrics: { tool: b__x } }\n",
            "names no tool of a server",
        ),
        (
            server("command: /a, tools: [x]") + "mcpReads: { metrics: { tool: a__y } }\n",
            "not among the server's `tools`",
        ),
        (
            server("command: /a, tools: [x]")
                + "mcpReads: { metrics: { tool: a__x, arguments: { q: '{pod}' } } }\n",
            "argument `q` has `{pod}`",
        ),
    ] {
        let said = parse(&text).unwrap_err();
        assert!(said.contains(why), "{text}\n{said}");
    }
}

#[test]
fn names_of_our_own_are_kept_for_those_that_we_serve() {
    for name in ["kubernetes", "actions", "reads"] {
        assert!(RESERVED.contains(&name), "{name}");
    }
}
