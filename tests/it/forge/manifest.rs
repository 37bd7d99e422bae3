//! A manifest is changed in exactly the wanted values, and every other byte stays; what is not plain is refused.

use belay::domain::action::pull_request::{Step, Wanted};
use belay::domain::ids::Cluster;
use belay::domain::target::{Kind, Named};
use belay::servers::actions::manifest::{Edited, edit};
use proptest::prelude::*;
use serde_json::{Value, json};

fn web(kind: Kind) -> Named {
    Named { cluster: Cluster::new("eu-1"), kind, namespace: "shop".into(), name: "web".into() }
}

fn wanted(path: &str, held: Value, to: Value) -> Wanted {
    let missing = match path {
        "/spec/replicas" | "/spec/minReplicas" => Some(json!(1)),
        "/spec/paused" | "/spec/suspend" => Some(json!(false)),
        _ => None,
    };
    let steps = path.split('/').skip(1).map(|part| match part.strip_prefix('@') {
        Some(name) => Step::Item(name.to_owned()),
        None => Step::Key(part.to_owned()),
    });
    let steps = steps.collect();
    Wanted { path: path.replace('@', ""), steps, held, missing, to }
}

fn replicas(held: u32, to: u32) -> Wanted {
    wanted("/spec/replicas", held.into(), to.into())
}

fn image(held: &str, to: &str) -> Wanted {
    wanted("/spec/template/spec/containers/@web/image", held.into(), to.into())
}

fn edited(text: &str, wanted: &[Wanted]) -> Result<Edited, String> {
    edit("apps/web.yaml", text, &web(Kind::Deployment), wanted)
}

const WEB: &str = "# kept by the shop team
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
---
apiVersion: apps/v1
kind: Deployment   # the one that counts
metadata:
  name: \"web\"
  labels: {app: web, tier:   \"front\"}

spec:
  # two are not enough on Mondays
  replicas:   3   # see the runbook
  template:
    spec:
      containers:
      - name: sidecar
        image: 'side:1'
      - image: \"web:2\"
        name: web
        resources: {limits: {memory: 1024Mi, cpu: \"500m\"}}
        args:
          - |
            replicas: 3
...
---
kind: Deployment
apiVersion: apps/v1
metadata: {name: api, namespace: shop}
spec: {replicas: 3}
";

#[test]
fn one_value_changes_and_every_other_byte_stays() {
    let Edited { text, changes, patch } = edited(WEB, &[replicas(3, 5)]).unwrap();
    assert_eq!(text, WEB.replace("  replicas:   3   # see", "  replicas:   5   # see"));
    assert_eq!(changes[0].from.as_deref(), Some("3"));
    insta::assert_snapshot!(patch, @r"
    --- a/apps/web.yaml
    +++ b/apps/web.yaml
    @@ -14 +14 @@
    -  replicas:   3   # see the runbook
    +  replicas:   5   # see the runbook
    ");
    // quotes stay as they are, items go by their name, and several fields are one change
    let memory =
        wanted("/spec/template/spec/containers/@web/resources/limits/memory", "1Gi".into(), "1536Mi".into());
    let cpu = "/spec/template/spec/containers/@web/resources/limits/cpu";
    let memory = Wanted { path: memory.path.replace("/web/", "/1/"), ..memory };
    let cpu = wanted(cpu, "500m".into(), "750m".into());
    let Edited { text, .. } = edited(WEB, &[memory, cpu, image("web:2", "web:1")]).unwrap();
    let expected =
        WEB.replace("1024Mi", "1536Mi").replace("\"500m\"", "\"750m\"").replace("\"web:2\"", "\"web:1\"");
    assert_eq!(text, expected);
}

#[test]
fn what_would_be_read_as_something_else_is_quoted() {
    let text = WEB.replace("\"500m\"", "500m");
    let cpu = |to: &str| {
        let path = "/spec/template/spec/containers/@web/resources/limits/cpu";
        edited(&text, &[wanted(path, "500m".into(), to.into())])
    };
    assert!(cpu("2").unwrap().text.contains("cpu: \"2\"}}"));
    assert!(cpu("750m").unwrap().text.contains("cpu: 750m}}"));
    for hostile in ["a: b", "a\nb", "", "\"", "'", "x #y", "{x", "&a", "*a", "é"] {
        let out = cpu(hostile);
        let held = out.as_ref().map(|edited| edited.text.as_str()).unwrap_or_default();
        assert!(out.is_err() || held.contains(&format!("\"{hostile}\"")), "{hostile:?}: {out:?}");
    }
}

#[test]
fn a_missing_field_is_added_right_below_its_section() {
    let paused = wanted("/spec/paused", false.into(), true.into());
    let out = edited(WEB, std::slice::from_ref(&paused)).unwrap();
    assert_eq!(out.text, WEB.replace("spec:\n  # two", "spec:\n  paused: true\n  # two"));
    assert_eq!(out.changes[0].from, None);
    assert!(out.patch.ends_with("@@ -12,0 +13 @@\n+  paused: true\n"), "{}", out.patch);
    let windows = WEB.replace('\n', "\r\n");
    let out = edited(&windows, &[paused]).unwrap();
    assert_eq!(out.text, windows.replace("spec:\r\n  # two", "spec:\r\n  paused: true\r\n  # two"));
    // what is missing there and set in the cluster is set by somebody else
    let none = WEB.replace("  replicas:   3   # see the runbook\n", "");
    let why = edited(&none, &[replicas(3, 5)]).unwrap_err();
    assert!(why.contains("it is set elsewhere"), "{why}");
    assert!(edited(&none, &[replicas(1, 2)]).unwrap().text.contains("spec:\n  replicas: 2\n"));
    let flow = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {}}\n";
    assert!(edited(flow, &[replicas(1, 2)]).unwrap_err().contains("is not plain"));
}

#[test]
fn what_is_not_plain_yaml_is_for_people() {
    let change = |from: &str, to: &str| {
        assert!(WEB.contains(from), "{from}");
        edited(&WEB.replace(from, to), &[replicas(3, 5)])
    };
    for (from, to, why) in [
        ("replicas:   3", "replicas: {{ .Values.replicas }}", "it is a template"),
        ("image: 'side:1'", "image: '{{ side }}'", "it is a template"),
        ("replicas:   3", "replicas: &r 3", "anchors, aliases or tags"),
        ("replicas:   3", "replicas: !!int 3", "anchors, aliases or tags"),
        ("spec:\n  # two", "spec: &spec\n  # two", "anchors, aliases or tags"),
        ("  # two are", "  <<: {x: 1}\n  # two are", "anchors, aliases or tags"),
        ("  # two are", "  replicas: 3\n  # two are", "stands there twice"),
        ("replicas:   3", "replicas: 4", "is 4 in it and 3 in the cluster"),
        ("replicas:   3", "replicas: '3'", "is \"3\" in it and 3 in the cluster"),
        ("replicas:   3", "replicas: 0x3", "they differ already"),
        ("replicas:   3", "replicas: [3]", "no single value"),
        ("replicas:   3", "replicas: |\n    3", "they differ already"),
        ("name: \"web\"", "name: other", "no document of it is Deployment `web`"),
        ("name: \"web\"", "name: \"web\"\n  namespace: stage", "no document of it"),
        ("apps/v1\nkind: Deployment ", "argoproj.io/v1\nkind: Deployment ", "no document of it"),
        (
            "metadata: {name: api, namespace: shop}",
            "metadata: {name: web, namespace: shop}",
            "2 documents of it",
        ),
        ("kind: Service", "kind: [", "it is no YAML"),
    ] {
        let refused = change(from, to).unwrap_err();
        assert!(refused.contains(why), "{to}: {refused}");
    }
    let big = format!("{WEB}# {}\n", "x".repeat(1 << 20));
    assert!(edited(&big, &[replicas(3, 5)]).unwrap_err().contains("more than belay edits"));
    let deep = format!("x: {}1{}\n---\n{WEB}", "[".repeat(200), "]".repeat(200));
    assert!(edited(&deep, &[replicas(3, 5)]).is_err());
    let long = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}";
    let long = long.replace("{replicas: 3}", &format!("{{replicas: 3, x: {}}}", "y".repeat(9_000)));
    assert!(edited(&long, &[replicas(3, 5)]).unwrap_err().contains("longer than a person can read"));
}

/// A manifest that somebody could have written, with a mark where the value stands.
fn manifests() -> impl Strategy<Value = (String, u32)> {
    let comment = prop_oneof![Just(""), Just("   # replicas: 9"), Just(" # é\u{301} \u{1F600}")];
    let name = prop_oneof![Just("web"), Just("'web'"), Just("\"web\"")];
    let newline = prop_oneof![Just("\n"), Just("\r\n")];
    let other = prop_oneof![
        Just("  strategy: {type: RollingUpdate}"),
        Just("  minReadySeconds: 3"),
        Just("  # replicas: 3"),
        Just("  note: 'replicas: 3'"),
        Just("  text: |\n    replicas: 3\n\n    x"),
        Just("  \"quoted key\" : \"\u{00fc}: 3\""),
        Just("\n"),
    ];
    let others = prop::collection::vec(other, 0..4);
    let before = prop::bool::ANY;
    (comment, name, newline, others.clone(), others, (before, 0u32..400, 1usize..5)).prop_map(
        |(comment, name, newline, above, below, (first, held, gap))| {
            let mut seen = std::collections::BTreeSet::new();
            let mut fresh = |lines: Vec<&str>| -> String {
                let once = lines.into_iter().filter(|line| seen.insert((*line).to_owned()));
                once.flat_map(|line| [line.to_owned(), "\n".to_owned()]).collect()
            };
            let (above, below) = (fresh(above), fresh(below));
            let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {replicas: '3'}\n";
            let (front, back) = if first { (format!("{other}---\n"), String::new()) } else { (String::new(), format!("---\n{other}")) };
            let gap = " ".repeat(gap);
            let text = format!(
                "{front}apiVersion: apps/v1\nkind: Deployment\nmetadata:\n    name: {name}\nspec:\n{above}  replicas:{gap}{held}{comment}\n{below}{back}"
            );
            (text.replace('\n', newline), held)
        },
    )
}

proptest! {
    #[test]
    fn there_and_back_is_the_same_file((text, held) in manifests(), to in 0u32..100_000) {
        prop_assume!(held != to);
        let there = edited(&text, &[replicas(held, to)]).unwrap();
        // one place differs, and it is the value
        let same = text.bytes().zip(there.text.bytes()).take_while(|(a, b)| a == b).count();
        let tail = text.bytes().rev().zip(there.text.bytes().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(text.len() - same.min(text.len()) <= tail + held.to_string().len());
        prop_assert!(there.patch.lines().filter(|line| line.starts_with("@@")).count() == 1);
        let back = edited(&there.text, &[replicas(to, held)]).unwrap();
        prop_assert_eq!(back.text, text);
    }

    #[test]
    fn no_text_breaks_the_editor(text in "[ -~\n]{0,200}") {
        let _ = edited(&text, &[replicas(3, 5)]);
        let _ = edited(&format!("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 3\n  x: {text}"), &[replicas(3, 5)]);
    }
}
