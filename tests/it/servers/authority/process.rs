//! The program itself: `belay mcp serve … --listen` in front of the simulated cluster, and what it refuses.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use crate::sim::Served;

use super::*;

struct Program {
    _child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    seen: Vec<String>,
}

impl Program {
    fn start(server: &str, config: &Path, listen: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_belay"))
            .args(["mcp", "serve", server, "--listen", listen, "-c"])
            .arg(config)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { _child: child, lines, seen: Vec::new() }
    }

    /// The first line that holds this; all that came before is kept.
    async fn says(&mut self, what: &str) -> String {
        let read = async {
            loop {
                let Some(line) = self.lines.next_line().await.unwrap() else {
                    panic!("it ended without `{what}`: {:#?}", self.seen);
                };
                self.seen.push(line.clone());
                if line.contains(what) {
                    return line;
                }
            }
        };
        tokio::time::timeout(SOON, read).await.unwrap()
    }
}

fn write(folder: &Path, api: &str, mcp: &str) -> std::path::PathBuf {
    write_tokens(folder);
    let path = folder.join("belay.yaml");
    let text = format!("policies: policies\ncluster:\n  name: eu-1\n  url: {api}\n{mcp}");
    std::fs::write(&path, text).unwrap();
    path
}

const MCP: &str = "mcp: { environment: production, tokens: tokens.yaml }\n";

#[tokio::test]
async fn it_serves_all_servers_behind_one_door_and_writes_every_call_down() {
    let (served, folder) = (Served::shop().await, tempfile::tempdir().unwrap());
    let tokens = TOKENS.replace("logs:production", "kubernetes:production");
    let config = write(folder.path(), &served.url, MCP);
    let hash = belay::domain::canonical::Hash::of(CAROL.as_bytes()).to_string();
    std::fs::write(folder.path().join("tokens.yaml"), tokens.replace("HASH", &hash)).unwrap();
    for server in ["all", "kubernetes"] {
        let mut program = Program::start(server, &config, "127.0.0.1:0");
        let ready = program.says("listen=").await;
        let address = ready.split_once("listen=").unwrap().1.trim().to_owned();
        assert!(program.seen.iter().any(|line| line.contains("/mcp/kubernetes")), "{:?}", program.seen);
        let client = Client::new();
        let ask = |token: &str, namespace: &str| {
            let params = json!({
                "name": "list_deployments", "arguments": { "namespace": namespace }, "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                },
            });
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            let request = client.post(format!("http://{address}/mcp/kubernetes")).bearer_auth(token);
            let request = request.header("content-type", "application/json").timeout(SOON);
            let request = request.header("accept", "application/json, text/event-stream");
            let request = request.header("mcp-protocol-version", "2026-07-28");
            let request = request.header("mcp-method", "tools/call").header("mcp-name", "list_deployments");
            request.body(body.to_string()).send()
        };
        let answer = ask(BOB, "shop").await.unwrap().text().await.unwrap();
        assert!(answer.contains("all 5 deployments in namespace `shop`"), "{answer}");
        let line = program.says("a call of a server").await;
        for part in [
            "belay::audit",
            "caller=token:bob",
            "server=\"kubernetes\"",
            "namespace=\"shop\"",
            "outcome=\"answered\"",
        ] {
            assert!(line.contains(part), "{part}: {line}");
        }
        let answer = ask(BOB, "kube-system").await.unwrap().text().await.unwrap();
        assert!(answer.contains("not among those that you may see: `shop`"), "{answer}");
        assert!(program.says("a call of a server").await.contains("outcome=\"denied\""));
        assert_eq!(ask(CAROL, "shop").await.unwrap().status(), StatusCode::FORBIDDEN);
        let turned = program.says("turned away").await;
        assert!(!turned.contains("long enough"), "{turned}");
    }
    served.stop().await;
}

#[tokio::test]
async fn what_would_be_open_to_anybody_is_refused_at_the_start() {
    let (served, folder) = (Served::shop().await, tempfile::tempdir().unwrap());
    for (mcp, server, listen, said) in [
        ("", "kubernetes", "0.0.0.0:0", "only on a loopback address"),
        (MCP, "kubernetes", "0.0.0.0:0", "`mcp.publicUrl`"),
        ("log: { filter: warn }\n", "kubernetes", "127.0.0.1:0", "leaves out the audit"),
        (MCP, "actions", "127.0.0.1:0", "--limits"),
    ] {
        let config = write(folder.path(), &served.url, mcp);
        Program::start(server, &config, listen).says(said).await;
    }
    // beyond this machine it says what is missing
    let mcp =
        "mcp: { environment: production, tokens: tokens.yaml, publicUrl: 'https://belay.example.com' }\n";
    let config = write(folder.path(), &served.url, mcp);
    Program::start("kubernetes", &config, "0.0.0.0:0").says("speaks no TLS").await;
    let config = write(folder.path(), &served.url, "");
    Program::start("all", &config, "127.0.0.1:0").says("no tokens are asked for").await;
    served.stop().await;
}
