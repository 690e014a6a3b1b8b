use std::path::Path;

use insta::assert_snapshot;

use super::{Source, scan};
use crate::policy::FileKind;
use crate::policy::testing::{Machine, standard, with_paths};

/// `line key value (folder)` of each reference, and `line rule subject` of what is denied.
fn scanned(text: &str) -> String {
    let scan = match scan(text) {
        Ok(scan) => scan,
        Err(error) => {
            return format!("line {} column {}: {}", error.line, error.column, error.problem);
        }
    };
    let references = scan.references.iter().map(|reference| {
        let folder = reference.folder.as_ref().map(|folder| format!(" in {folder}"));
        let key = reference.kind.key();
        format!("{} {key} {}{}", reference.line, reference.value, folder.unwrap_or_default())
    });
    let findings = scan
        .findings
        .iter()
        .map(|found| format!("{} {} {}", found.line, found.rule.name, found.subject));
    references.chain(findings).collect::<Vec<_>>().join("\n")
}

#[test]
fn references_in_every_form() {
    assert_snapshot!(scanned("\
include:
  - a.yaml
  - path: b.yaml
  - path: [c/c.yaml, d.yaml]
    env_file: [c.env]
  - path: e.yaml
    project_directory: ./e
services:
  web:
    extends: {file: base.yaml, service: web}
    env_file: one.env
    label_file: [l.env]
  db:
    extends: web
    env_file:
      - two.env
      - path: three.env
        required: false
        format: raw
    environment: {path: /x, file: /y}
    labels: {path: /z}
x-more: {env_file: four.env}
"), @"
    2 include a.yaml
    3 include b.yaml
    4 include c/c.yaml in c
    4 include d.yaml in c
    5 env_file c.env
    5 include.env_file c.env
    6 include e.yaml in ./e
    7 project_directory ./e
    10 extends.file base.yaml
    11 env_file one.env
    12 label_file l.env
    16 env_file two.env
    17 env_file three.env
    22 env_file four.env
    ");
}

#[test]
fn references_that_hide() {
    assert_snapshot!(scanned("\
x-files: &files [/etc/passwd, {path: /etc/group}]
x-one: &one {file: /etc/fstab, service: x}
x-two: &two {path: /etc/hosts, project_directory: /etc}
services:
  a: {env_file: *files}
  b: {extends: *one}
  c:
    extends: {<<: *one, service: y}
  d: {\"env\\u005ffile\": /etc/shadow, 'label_file': \"/\\x65tc/x\"}
  e: {? env_file : /etc/e}
  f: {env_file: {<<: [*two]}}
  g: {!!str env_file: !!str /etc/g}
  h: {env_file: !override [/etc/h]}
include: [*two, {<<: *two}]
"), @"
    1 env_file /etc/group
    1 env_file /etc/passwd
    2 extends.file /etc/fstab
    3 include /etc/hosts in /etc
    3 project_directory /etc
    3 env_file /etc
    3 env_file /etc/hosts
    9 env_file /etc/shadow
    9 label_file /etc/x
    10 env_file /etc/e
    12 env_file /etc/g
    13 env_file /etc/h
    ");
}

#[test]
fn what_may_not_be_a_path() {
    assert_snapshot!(scanned("\
services:
  a: {env_file: [$HOME/x, '${X:-/etc/passwd}', ~/x, '']}
  b: {extends: {file: 'https://example.com/x.yaml'}}
include: [git@example.com:x, oci://x/y, github.com/x/y.git, {path: a, project_directory: $X}]
"), @r#"
    2 compose.variable_path env_file $HOME/x
    2 compose.variable_path env_file "${X:-/etc/passwd}"
    2 compose.variable_path env_file "~/x"
    3 compose.remote_file extends.file https://example.com/x.yaml
    4 compose.variable_path include a
    4 compose.remote_file include git@example.com:x
    4 compose.remote_file include github.com/x/y.git
    4 compose.remote_file include oci://x/y
    4 compose.variable_path project_directory $X
    "#);
}

#[test]
fn what_readers_disagree_about() {
    let texts = [
        "a: !!binary aG9zdA==",
        "a: !custom x",
        "a: !<tag:yaml.org,2002:binary> x",
        "%TAG ! tag:yaml.org,2002:\n---\na: !binary x",
        "%YAML 1.1\n---\na: x",
        "a: 1\n---\nb: 2",
        "---\na: 1\n--- {b: 2}",
        "a: 1\n...\n",
        "a: 1 # \u{2028}env_file: /etc/passwd",
        "a: 1\n\u{feff}env_file: /etc/passwd",
        "a: 1\u{85}env_file: /etc/passwd",
        "a: \u{0}",
        "a: \u{1b}[0m",
        "? [a, b]\n: c",
        "? {a: b}\n: {env_file: x}",
        "x: &k env_file\n*k : /etc/passwd",
        // Go's reader takes the first one for the key env_file.
        "a: {?env_file: /etc/passwd}",
        "a: {?\"env_file\":/etc/passwd}",
        "env_file: |\n  link\n",
        "env_file: 'a\n\n  b'",
    ];
    assert_snapshot!(texts.map(scanned).join("\n"), @r#"
    1 compose.tag tag "tag:yaml.org,2002:binary"
    1 compose.tag tag "!custom"
    1 compose.tag tag "tag:yaml.org,2002:binary"
    1 compose.tag directive "%TAG"
    3 compose.tag tag "tag:yaml.org,2002:binary"
    1 compose.tag directive "%YAML"
    2 compose.documents a second document
    2 compose.documents a second document
    3 compose.documents a second document
    3 compose.documents a second document
    2 compose.documents the end of a document
    1 compose.character character U+2028
    2 compose.character character U+FEFF
    1 compose.character character U+0085
    1 compose.character character U+0000
    1 compose.character character U+001B
    1 compose.key a key that is an alias, a list or a map
    2 env_file x
    1 compose.key a key that is an alias, a list or a map
    2 compose.key a key that is an alias, a list or a map
    1 compose.key a text that begins with "?"
    1 compose.key a text that begins with "?"
    2 compose.variable_path env_file "link\n"
    1 compose.variable_path env_file "a\nb"
    "#);
    for fine in [
        "\u{feff}a: 1",
        "---\na: !reset null\nb: !override [1]\n",
        "# x\n---\na: é\n",
        "a: |\n  ---\n  %x\n  ...\n",
    ] {
        assert_eq!(scanned(fine), "", "{fine}");
    }
}

#[test]
fn size_and_depth() {
    assert_snapshot!(scanned(&"x".repeat(256 * 1024 + 1)), @"1 compose.too_large 262145 bytes, more than 262144");
    assert_snapshot!(scanned(&"[".repeat(100)), @"1 compose.too_large more than 64 levels");
    assert_snapshot!(scanned(&"a: ".repeat(2)), @"line 1 column 5: mapping values are not allowed in this context");
    let levels: Vec<String> = (0..70).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let deep = levels.concat();
    assert_snapshot!(scanned(&deep), @"65 compose.too_large more than 64 levels");
    assert_eq!(scanned(&format!("a: {}{}", "[".repeat(60), "]".repeat(60))), "");
}

#[test]
fn bombs_are_small_here() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..30 {
        let uses = vec![format!("*a{}", i - 1); 9].join(", ");
        text = format!("{text}a{i}: &a{i} [{uses}]\n");
    }
    text.push_str("services: {s: {env_file: *a29}}");
    assert_eq!(scanned(&text), "1 env_file x");
    // A loop.
    assert_eq!(scanned("a: &a {env_file: [*a, x]}"), "1 env_file x");
}

#[test]
fn what_is_watched_is_not_read() {
    assert_eq!(
        scanned(
            "services: {a: {develop: {watch: [{path: ./src, action: sync, include: ['*.go']}]}}}"
        ),
        ""
    );
    // But an anchor could make it something else.
    let carried =
        "services: {a: {develop: {watch: [&w {path: x, include: [/etc/passwd]}]}}}\n<<: *w";
    assert_eq!(scanned(carried), "1 include /etc/passwd");
    assert_eq!(scanned("services: {watch: {env_file: /etc/passwd}}"), "1 env_file /etc/passwd");
}

/// What a prescan of a text in the project says.
fn prescan(machine: &Machine, text: &str) -> String {
    let folder = Path::new("/home/ann/shop");
    let source = Source { name: "compose_yaml".into(), text: text.into(), path: None };
    let result = standard().prescan(vec![source], folder, machine);
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn files_of_the_project_may_be_read() {
    let mut machine = Machine::ann();
    machine.write(
        "/home/ann/shop/sub/base.yaml",
        "services: {a: {env_file: ../app.env, extends: {file: more.yaml, service: b}}}",
    );
    machine.write("/home/ann/shop/sub/more.yaml", "services: {b: {env_file: ./b.env}}");
    machine.write(
        "/home/ann/shop/inc.yaml",
        "include: [sub/base.yaml]\nservices: {c: {env_file: ../app.env}}",
    );
    let text = "\
include:
  - sub/base.yaml
  - {path: inc.yaml, project_directory: sub, env_file: app.env}
services:
  a: {env_file: [app.env, missing.env], extends: {file: ./sub/more.yaml, service: b}}";
    // `sub/base.yaml` of inc.yaml is `sub/sub/base.yaml`, for its folder is said to be `sub`.
    assert_eq!(prescan(&machine, text), "");
}

#[test]
fn files_elsewhere_are_refused_however_deep() {
    let mut machine = Machine::ann();
    machine.write("/home/ann/shop/sub/base.yaml", "services:\n  a:\n    env_file: ../../other/x.env\n    extends: {file: ../everything/etc/passwd}");
    machine.write("/home/ann/shop/inc.yaml", "include: [sub/base.yaml]");
    assert_snapshot!(prescan(&machine, "include: [inc.yaml]\nservices: {a: {label_file: /etc/passwd}}"), @"
    Error: DKR-014 refused_by_policy: file.outside_roots | Context: rule=file.outside_roots; violations=3
      1. label_file /etc/passwd [file.outside_roots at compose_yaml:2]
         why: /etc/passwd is outside the folders this server may read (/home/ann/shop).
         instead: use a file of the project.
         The user can allow it by starting the server with --allow-path /etc/passwd:ro.
      2. env_file /home/ann/other/x.env [file.outside_roots at /home/ann/shop/sub/base.yaml:3]
         why: /home/ann/other/x.env is outside the folders this server may read (/home/ann/shop).
         instead: use a file of the project.
         The user can allow it by starting the server with --allow-path /home/ann/other/x.env:ro.
      3. extends.file /home/ann/shop/everything/etc/passwd [file.outside_roots at /home/ann/shop/sub/base.yaml:4]
         why: /home/ann/shop/everything/etc/passwd leads to /etc/passwd; /etc/passwd is outside the folders this server may read (/home/ann/shop).
         instead: use a file of the project.
         The user can allow it by starting the server with --allow-path /etc/passwd:ro.
      You cannot change these settings; ask the user.
    hint: use a file of the project.
    ");
}

#[test]
fn the_env_file_beside_is_read_unasked() {
    let mut machine = Machine::ann();
    machine.add("/home/ann/shop/sub/.env", FileKind::Pipe);
    machine.write("/home/ann/shop/sub/base.yaml", "services: {}");
    assert_snapshot!(prescan(&machine, "include: [sub/base.yaml]"), @"
    Error: DKR-014 refused_by_policy: file.special_file | Context: rule=file.special_file; where=compose_yaml:1
      env_file /home/ann/shop/sub/.env
      why: it is a socket, a device or a pipe of the host.
      instead: use a regular file of the project.
      The user can allow it by starting the server with --allow-path /home/ann/shop/sub/.env:ro. You cannot change this setting; ask the user.
    hint: use a regular file of the project.
    ");
}

#[test]
fn files_that_include_each_other() {
    let mut machine = Machine::ann();
    machine.write("/home/ann/shop/a.yaml", "include: [b.yaml]");
    machine.write("/home/ann/shop/b.yaml", "include: [a.yaml]");
    assert_eq!(prescan(&machine, "include: [a.yaml]"), "");
    for i in 0..12 {
        machine.write(&format!("/home/ann/shop/{i}.yaml"), &format!("include: [{}.yaml]", i + 1));
    }
    assert!(prescan(&machine, "include: [0.yaml]").contains("compose.too_many_files"));
}

/// Where compose 2.26 and 2.40 look for the files of each.
#[test]
fn relative_paths_begin_where_compose_begins() {
    let machine = || {
        let mut machine = Machine::ann();
        machine.write("/home/ann/shop/sub/inc.yaml", "services: {a: {env_file: ../app.env}}");
        machine.write("/home/ann/shop/inc.yaml", "services: {a: {env_file: ../x.env}}");
        machine
    };
    let policy = standard();
    let judged = |machine: &Machine, directory: &str, path: Option<&str>, text: &str| {
        let path = path.map(Into::into);
        let source = Source { name: "x".into(), text: text.into(), path };
        let result = policy.prescan(vec![source], Path::new(directory), machine);
        result.err().map_or(String::new(), |error| error.message.clone())
    };
    // The folder of the file itself says nothing.
    let (shop, sub) = ("/home/ann/shop", "/home/ann/shop/sub");
    let up = "services: {a: {env_file: ../x.env}}";
    assert_eq!(judged(&machine(), sub, Some("/home/ann/shop/c.yaml"), up), "");
    let refused = judged(&machine(), shop, Some("/home/ann/shop/sub/c.yaml"), up);
    assert_eq!(refused, "file.outside_roots");
    let include = |more: &str| format!("include: [{{path: sub/inc.yaml{more}}}]");
    let judged_in_shop = |text: &str| judged(&machine(), shop, None, text);
    assert_eq!(judged_in_shop(&include("")), "");
    assert_eq!(judged_in_shop(&include(", project_directory: data")), "");
    assert_eq!(judged_in_shop(&include(", project_directory: .")), "file.outside_roots");
    // The parent of what is no folder is taken for it.
    for nowhere in ["nowhere", "app.env", "sub/nowhere"] {
        let text = include(&format!(", project_directory: {nowhere}"));
        assert!(judged_in_shop(&text).contains("compose.nested_path"), "{nowhere}");
    }
    // None at all is the folder of the file, and not that of whoever includes it.
    for nothing in ["''", "null", ""] {
        let text = format!("include: [{{path: ../inc.yaml, project_directory: {nothing}}}]");
        let said = judged(&machine(), sub, None, &text);
        assert!(said.contains("file.outside_roots"), "{nothing}: {said}");
    }
    // An included file resolves these in the folder of the process.
    for key in ["env_file: ../etc/passwd", "project_directory: data", "env_file: [../app.env]"] {
        let mut machine = machine();
        let text = format!("include: [{{path: inc.yaml, {key}}}]");
        machine.write("/home/ann/shop/sub/nested.yaml", &text);
        let said = judged(&machine, shop, None, "include: [sub/nested.yaml]");
        assert_eq!(said, "compose.nested_path", "{key}");
        let text = text.replace("inc.yaml", "sub/inc.yaml").replace("../", "");
        assert!(!judged(&machine, shop, None, &text).contains("nested_path"), "{key}");
    }
}

#[test]
fn text_that_is_no_yaml_is_an_ordinary_error() {
    assert_snapshot!(prescan(&Machine::ann(), "services:\n  a: [\n"), @"Error: DKR-004 invalid_configuration: compose_yaml: line 3, column 1: while parsing a node, did not find expected node content | Context: parameter=compose_file; file=compose_yaml; line=3");
}

#[test]
fn the_compose_file_itself_is_a_file() {
    let machine = Machine::ann();
    let folder = Path::new("/home/ann/other");
    let source = || Source {
        name: "x".into(),
        text: "services: {}".into(),
        path: Some("/home/ann/other/compose.yaml".into()),
    };
    let error = standard().prescan(vec![source()], folder, &machine).unwrap_err();
    assert_eq!(error.message, "file.outside_roots");
    let allowed = with_paths(&["/home/ann/other:ro"]);
    assert!(allowed.prescan(vec![source()], folder, &machine).is_ok());
}
