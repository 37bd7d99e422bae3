//! The metrics server and the alerts server as the configuration has them: which key they need, the file with
//! rotations, and the real binary over stdio.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use belay::app::own::{Kind, Own, Sources};
use belay::config;
use belay::ports::clock::{SharedClock, SystemClock};
use belay::ports::inventory::Inventory;
use belay::ports::reads::Listing;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::Empty;

const ROTATIONS: &str = "
teams:
- name: shop
  namespaces: [shop]
  timeZone: Europe/Berlin
  layers:
  - { name: primary, members: [Ada, Bob], start: 2026-01-05, handoff: { day: monday, time: '09:00' } }
  overrides:
  - { layer: primary, member: Kim, from: 2026-04-03T09:00, until: 2026-04-04T09:00+02:00 }
";

/// Why the alerts server with this file cannot be built, if it cannot.
fn with_rotations(text: &str) -> Option<String> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("rotations.yaml"), text).unwrap();
    fs::write(dir.path().join("belay.yaml"), "policies: p\ncluster: { name: c }\nonCall: rotations.yaml\n")
        .unwrap();
    let config = config::load(&dir.path().join("belay.yaml")).unwrap();
    built(&config, Kind::Alerts).err()
}

fn built(config: &config::Config, kind: Kind) -> Result<(), String> {
    let (listing, clock): (Arc<dyn Listing>, SharedClock) = (Arc::new(Empty), Arc::new(SystemClock));
    let (inventory, site): (Arc<dyn Inventory>, _) = (Arc::new(Empty), config.site(None).unwrap());
    let sources =
        Sources { config, site, listing: &listing, inventory: &inventory, clock: &clock, recorded: None };
    Own::build(kind, &sources).map(drop).map_err(|e| e.to_string())
}

#[test]
fn each_server_names_the_key_that_it_lacks() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let least = "policies: p\ncluster: { name: c }\n";
    let with =
        |more: &str, kind| built(&config::parse("belay.yaml", &format!("{least}{more}")).unwrap(), kind);
    assert!(with("", Kind::Metrics).unwrap_err().contains("lacks `prometheus`"));
    assert!(with("", Kind::Alerts).unwrap_err().contains("lacks `alertmanager`"));
    let prometheus = "prometheus: { url: 'http://127.0.0.1:9' }\n";
    with(prometheus, Kind::Metrics).unwrap();
    with(prometheus, Kind::Alerts).unwrap();
    with("alertmanager: { url: 'http://127.0.0.1:9' }\n", Kind::Alerts).unwrap();
}

#[test]
fn rotations_that_cannot_be_meant_are_refused_at_start() {
    assert_eq!(with_rotations(ROTATIONS), None);
    for (from, to, said) in [
        ("Europe/Berlin", "Europe/Nowhere", "`Europe/Nowhere` is no time zone"),
        ("'09:00'", "'9 am'", "`9 am`"),
        ("2026-01-05", "yesterday", "`yesterday`"),
        ("day: monday", "day: mondays", "mondays"),
        ("2026-04-03T09:00", "soon", "`soon` is no time"),
        ("2026-04-03T09:00", "2026-05-03T09:00", "ends before it begins"),
        ("[Ada, Bob]", "[]", "0 members"),
        ("layer: primary", "layer: second", "a layer that there is not"),
        ("name: shop", "nam: shop", "nam"),
    ] {
        let text = ROTATIONS.replacen(from, to, 1);
        assert_ne!(text, ROTATIONS, "{from}");
        let why = with_rotations(&text).unwrap_or_else(|| panic!("{to} is taken"));
        assert!(why.contains(said), "{said}: {why}");
    }
}

#[tokio::test]
async fn the_binary_serves_both_over_stdio() {
    let dir = tempfile::tempdir().unwrap();
    let text = "policies: p\ncluster: { name: c, url: 'http://127.0.0.1:9' }\nprometheus: { url: 'http://127.0.0.1:9' }\n";
    fs::write(dir.path().join("belay.yaml"), text).unwrap();
    for (server, count) in [("metrics", 4), ("alerts", 6)] {
        assert_eq!(listed(server, &dir.path().join("belay.yaml")).await, count, "{server}");
    }
}

/// How many tools it lists.
async fn listed(server: &str, config: &Path) -> usize {
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_belay"))
        .args(["mcp", "serve", server, "--config"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(stdout).lines();
    let client = json!({"name": "test", "version": "1"});
    for message in [
        json!({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":client}}),
        json!({"jsonrpc":"2.0","method":"notifications/initialized"}),
        json!({"jsonrpc":"2.0","id":2,"method":"tools/list"}),
    ] {
        stdin.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }
    loop {
        let line = lines.next_line().await.unwrap().unwrap();
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["id"] == 2 {
            return message["result"]["tools"].as_array().unwrap().len();
        }
    }
}
