use std::path::Path;

use insta::assert_snapshot;

use super::{Inclusion, Reference, Source, scan};
use crate::error::Error;
use crate::policy::FileKind;
use crate::policy::testing::{Machine, standard, with_paths};

/// `line key value` of each reference, and `line rule subject` of what is denied.
fn scanned(text: &str) -> String {
    let scan = match scan(text) {
        Ok(scan) => scan,
        Err(error) => {
            return format!("line {} column {}: {}", error.line, error.column, error.problem);
        }
    };
    let shown = |it: &Reference| format!("{} {} {}", it.line, it.kind.key(), it.value);
    let inclusions = scan.inclusions.iter().map(|inclusion| {
        let Inclusion { paths, folders, env_files, is_certain } = inclusion;
        let all = [paths, folders, env_files].into_iter().flatten().map(shown);
        let all = all.collect::<Vec<_>>().join(", ");
        if *is_certain { all } else { format!("{all}, or another") }
    });
    let findings = scan
        .findings
        .iter()
        .map(|found| format!("{} {} {}", found.line, found.rule.name, found.subject));
    let references = scan.references.iter().map(shown);
    references.chain(inclusions).chain(findings).collect::<Vec<_>>().join("\n")
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
    5 env_file c.env
    10 extends.file base.yaml
    11 env_file one.env
    12 label_file l.env
    16 env_file two.env
    17 env_file three.env
    22 env_file four.env
    2 include a.yaml
    3 include b.yaml
    4 include c/c.yaml, 4 include d.yaml, 5 include.env_file c.env
    6 include e.yaml, 7 project_directory ./e
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
    3 env_file /etc
    3 env_file /etc/hosts
    9 env_file /etc/shadow
    9 label_file /etc/x
    10 env_file /etc/e
    12 env_file /etc/g
    13 env_file /etc/h
    3 include /etc/hosts, 3 project_directory /etc
    ");
}

#[test]
fn what_may_not_be_a_path() {
    let text = "\
services:
  a: {env_file: [~/x, '', \"a\\nb\", '${X:?must be set}', '${', '/dev/null']}
  b: {extends: {file: 'https://example.com/x.yaml'}}
include: [git@example.com:x, oci://x/y, github.com/x/y.git, {project_directory: data}]
";
    assert_snapshot!(rules_and_subjects(&Machine::ann(), text), @r#"
    compose.variable_path env_file "${": a brace that is not closed at x:2
    compose.variable_path env_file "${X:?must be set}": X must be set, and is not at x:2
    compose.variable_path env_file "a\nb" at x:2
    compose.variable_path env_file "~/x" at x:2
    compose.remote_file extends.file https://example.com/x.yaml at x:3
    compose.unexpected_value an include without a path at x
    compose.remote_file include git@example.com:x at x:4
    compose.remote_file include github.com/x/y.git at x:4
    compose.remote_file include oci://x/y at x:4
    "#);
}

fn rules_and_subjects(machine: &Machine, text: &str) -> String {
    let source = Source { name: "x".into(), text: text.into(), path: None };
    let folder = Path::new("/home/ann/shop");
    let variables = [("GIVEN".to_owned(), "app".to_owned())].into();
    let result = standard().prescan(vec![source], folder, &[], variables, machine);
    let refusal = result.err().and_then(|unscanned| unscanned.refusal);
    let violations = refusal.into_iter().flat_map(|refusal| refusal.violations);
    let lines = violations.map(|it| format!("{} {} at {}", it.rule, it.subject, it.location));
    lines.collect::<Vec<_>>().join("\n")
}

/// The path that compose would read is judged, whatever its variables make of it.
#[test]
fn variables_are_put_in_before_a_path_is_judged() {
    let mut machine = Machine::ann();
    machine.write("/home/ann/shop/.env", "OUT=/etc\nIN=sub\n");
    machine.write("/home/ann/shop/sub/.env", "DEEP=/etc\nIN=/etc\n");
    machine.write("/home/ann/shop/own.env", "DEEP=data\n");
    machine.write("/home/ann/shop/sub/inc.yaml", "services: {a: {env_file: '${DEEP}/x.env'}}");
    let text = "\
services:
  a: {env_file: ['${GIVEN}.env', '${IN}/a.env', '${NONE:-.}/b.env', '$$x']}
  b: {extends: {file: '${IN}/inc.yaml', service: a}}
include: [{path: '$IN/inc.yaml', env_file: '${X:-own}.env', project_directory: '${EMPTY:-}'}]
";
    // What is extended sees the variables of who extends it, so DEEP is nothing there.
    assert_snapshot!(rules_and_subjects(&machine, text), @r#"file.outside_roots env_file "${DEEP}/x.env", which without DEEP is /x.env at /home/ann/shop/sub/inc.yaml:1"#);
    let text = "\
services:
  a: {env_file: ['${OUT}/passwd', '$NONE/passwd', '${OUT:+/etc/group}']}
  b: {extends: {file: '${OUT}/x.yaml', service: a}, label_file: '${NONE:-/etc/hosts}'}
include: [$IN/inc.yaml, {path: sub/inc.yaml, project_directory: $OUT, env_file: $OUT/passwd}]
";
    assert_snapshot!(rules_and_subjects(&machine, text), @r#"
    file.outside_roots env_file $NONE/passwd, which without NONE is /passwd at x:2
    file.outside_roots env_file "${OUT:+/etc/group}", which is /etc/group at x:2
    file.outside_roots env_file "${OUT}/passwd", which is /etc/passwd at x:2
    file.outside_roots extends.file "${OUT}/x.yaml", which is /etc/x.yaml at x:3
    file.outside_roots label_file "${NONE:-/etc/hosts}", which is /etc/hosts at x:3
    file.outside_roots env_file $OUT/passwd, which is /etc/passwd at x:4
    file.outside_roots project_directory $OUT, which is /etc at x:4
    file.outside_roots include.env_file $OUT/passwd, which is /etc/passwd at x:4
    compose.variable_path env_file "${DEEP}/x.env": DEEP is not known, for an env file has no text (/etc/passwd: no such file) at /home/ann/shop/sub/inc.yaml:1
    file.outside_roots env_file "${DEEP}/x.env", which is /etc/x.env at /home/ann/shop/sub/inc.yaml:1
    "#);
    // A file that is not to be understood says nothing for sure.
    machine.write("/home/ann/shop/.env", "A='x\nIN=sub\n");
    assert_snapshot!(rules_and_subjects(&machine, "env_file: [$GIVEN, $IN]"), @r#"compose.variable_path env_file $IN: IN is not known, for an env file has a quote that is not closed at x:1"#);
}

#[test]
fn a_link_to_nothing_is_a_file_that_is_missing() {
    let mut machine = Machine::ann();
    machine.link("/home/ann/shop/.env", "/home/ann/other/.env");
    machine.link("/home/ann/shop/b.env", "/home/ann/other/b.env");
    let source = Source { name: "x".into(), text: "env_file: b.env".into(), path: None };
    let folder = Path::new("/home/ann/shop");
    let prescanned =
        standard().prescan(vec![source], folder, &[], <_>::default(), &machine).unwrap();
    assert_snapshot!(prescanned.notes.join("\n"), @r#"
    /home/ann/shop/.env is a link to /home/ann/other/.env, which is not there: compose takes it for a file that is missing
    /home/ann/shop/b.env is a link to /home/ann/other/b.env, which is not there: compose takes it for a file that is missing
    "#);
}

#[test]
fn ports_are_counted_before_compose_makes_an_object_of_each() {
    let said = |text: &str| rules_and_subjects(&Machine::ann(), text);
    assert_eq!(said("a: {ports: ['8000-8999:8000-8999', {published: 1-900, target: 80}]}"), "");
    assert_snapshot!(said("a: {ports: ['1-65535:1-65535']}\nb: {expose: ['1-${N:-65535}/udp']}"), @r#"
    container.limit 65535 ports in all, more than 2000 at x:1
    container.limit 65535 ports in all, more than 2000 at x:2
    "#);
}

/// Each was seen to mean the same to go-yaml.
#[test]
fn forms_of_which_compose_takes_each() {
    let texts = [
        "a:\n  b: [\n    x\n  ]\n  env_file: e",
        "a:\n  b: [x,\n]\n  env_file: e",
        "a:\n  b: {x: y\n}\n  env_file: e",
        "a:\n  b: \"one\ntwo\"\n  env_file: e",
        "a:\n  b:\tx\n  env_file:\te",
        "a:\n  b: [\tx,\ty\t]\n  env_file: e",
        "%YAML 1.1\n---\nenv_file: e\n...\n",
        "%TAG !e! tag:yaml.org,2002:\n---\nenv_file: !e!str e",
        "a: 1\n---\nenv_file: e",
        "--- {env_file: e}",
        "x: &a [e]\n---\nenv_file: *a",
        "a: !custom {env_file: e}",
        "? {a: b}\n: {env_file: e}",
        "x: &k env_file\n*k : e",
        "x: &k env_file\n? *k\n: e",
        "a: {?env_file: e}",
        "a: {?\"env_file\" : e}",
        "\u{feff}env_file: e",
        "a: 1\r\nenv_file: e\r\n",
        "a: 1\renv_file: e",
        "a: 1\u{85}env_file: e",
        "a: 1 # \u{2028}env_file: e",
        "a: |\n  ---\n  %x\n  ...\nenv_file: e",
        // These only to go-yaml, not to libyaml.
        "a: \"it\\'s\"\nenv_file: \"\\'e\"",
        "a: [x:, y]\nb: {c:}\nenv_file: [e:]",
        "a:\n# c\n\t# c\n  env_file: e",
        "env_file: |-\n  e",
    ];
    assert_snapshot!(texts.map(scanned).join("\n"), @r#"
    5 env_file e
    4 env_file e
    4 env_file e
    4 env_file e
    3 env_file e
    3 env_file e
    3 env_file e
    3 env_file e
    3 env_file e
    1 env_file e
    1 env_file e
    1 env_file e
    2 env_file e
    2 env_file e
    3 env_file e
    1 env_file e
    1 env_file e
    1 env_file e
    2 env_file e
    2 env_file e
    2 env_file e
    2 env_file e
    5 env_file e
    2 env_file 'e
    3 env_file e:
    4 env_file e
    1 env_file e
    "#);
}

#[test]
fn texts_that_can_hide_a_key() {
    let texts = [
        "a: !!binary aG9zdA==",
        "!!binary ZW52X2ZpbGU=: e",
        "a: !<tag:yaml.org,2002:binary> x",
        "%TAG ! tag:yaml.org,2002:\n---\na: !binary x",
        "a: 1\n\u{feff}env_file: /etc/passwd",
        "a: \u{0}",
        "a: \u{1b}[0m",
        "a: [!!str, b]",
        "a: \"\\",
        "a:\n\tb: c",
    ];
    assert_snapshot!(texts.map(scanned).join("\n"), @r#"
    1 compose.tag tag "tag:yaml.org,2002:binary"
    1 compose.tag tag "tag:yaml.org,2002:binary"
    1 compose.tag tag "tag:yaml.org,2002:binary"
    3 compose.tag tag "tag:yaml.org,2002:binary"
    2 compose.character character U+FEFF
    line 1 column 1: control characters are not allowed
    line 1 column 1: control characters are not allowed
    line 1 column 1: a tag ends with a comma
    line 2 column 1: found unexpected end of stream
    line 2 column 1: found character that cannot start any token
    "#);
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

/// Compose would expand them: of this one it made 1.4 GB.
#[test]
fn aliases_are_counted_as_what_they_stand_for() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..30 {
        let uses = vec![format!("*a{}", i - 1); 9].join(", ");
        text = format!("{text}a{i}: &a{i} [{uses}]\n");
    }
    assert!(scanned(&text).contains("compose.too_large"), "{}", scanned(&text));
    // One long list, used often, and one long text.
    let list = |count: usize| vec!["x"; count].join(",");
    let uses = |count: usize| vec!["*a"; count].join(",");
    assert_eq!(scanned(&format!("a: &a [{}]\nb: [{}]", list(300), uses(300))), "");
    assert_snapshot!(scanned(&format!("a: &a [{}]\nb: [{}]", list(400), uses(300))), @"2 compose.too_large more than 100000 values or 4194304 bytes, each alias as what it stands for");
    assert_snapshot!(scanned(&format!("a: &a {}\nb: [{}]", list(25_000), uses(100))), @"2 compose.too_large more than 100000 values or 4194304 bytes, each alias as what it stands for");
    // A loop.
    assert_eq!(scanned("a: &a {env_file: [*a, x]}"), "1 env_file x");
}

/// Compose copies the service for each that extends it: 5,000 uses of one made 6 GB.
#[test]
fn what_is_extended_is_counted_for_each_that_extends_it() {
    let said = |services: usize| {
        let base = "x,".repeat(1000);
        let uses: String = (0..services)
            .map(|i| format!("  s{i}: {{extends: {}}}\n", ["base", "{service: s0}"][i.min(1)]))
            .collect();
        rules_and_subjects(
            &Machine::ann(),
            &format!("services:\n  base: {{image: x, command: [{base}]}}\n{uses}"),
        )
    };
    assert_eq!(said(90), "");
    assert_snapshot!(said(110), @"compose.too_large more than 100000 values in all files at x:1");
    assert_eq!(rules_and_subjects(&Machine::ann(), "services: {a: {extends: a}}"), "");
}

#[test]
fn what_is_extended_of_another_file_is_counted_for_each_use_and_the_file_once() {
    let said = |services: usize, file: &str| {
        let mut machine = Machine::ann();
        let base = format!("services:\n  base: {{image: x, command: [{}]}}\n", "x,".repeat(1000));
        let middle = format!("services:\n  mid: {{extends: {{file: {file}, service: base}}}}\n");
        machine.write("/home/ann/shop/base.yaml", &base);
        machine.write("/home/ann/shop/middle.yaml", &middle);
        let uses: String = (0..services)
            .map(|i| format!("  s{i}: {{extends: {{file: middle.yaml, service: mid}}}}\n"))
            .collect();
        prescan(&machine, &format!("services:\n{uses}"))
    };
    assert_eq!(said(90, "base.yaml"), "");
    assert!(said(110, "base.yaml").contains("more than 100000 values in all files"));
    assert_eq!(said(110, "absent.yaml"), "");

    // A file that extends itself by its name is one file: its ports are counted once.
    let mut machine = Machine::ann();
    let text = "services:\n  a: {image: x, ports: ['1-1500:1-1500']}\n  b: {extends: {file: compose.yaml, service: a}}\n";
    machine.write("/home/ann/shop/compose.yaml", text);
    let path = Some("/home/ann/shop/compose.yaml".into());
    let source = Source { name: "compose.yaml".into(), text: text.into(), path };
    let folder = Path::new("/home/ann/shop");
    let result = standard().prescan(vec![source], folder, &[], <_>::default(), &machine);
    assert!(result.is_ok(), "{result:?}");
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
    let result = standard().prescan(vec![source], folder, &[], <_>::default(), machine);
    result.err().map(|unscanned| Error::from(unscanned).to_string()).unwrap_or_default()
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
      2. env_file /home/ann/other/x.env [file.outside_roots at /home/ann/shop/sub/base.yaml:3]
         why: /home/ann/other/x.env is outside the folders this server may read (/home/ann/shop).
         instead: use a file of the project.
      3. extends.file /home/ann/shop/everything/etc/passwd [file.outside_roots at /home/ann/shop/sub/base.yaml:4]
         why: /home/ann/shop/everything/etc/passwd leads to /etc/passwd; /etc/passwd is outside the folders this server may read (/home/ann/shop).
         instead: use a file of the project.
      The user can allow it by starting the server with --allow-path /etc/passwd:ro and --allow-path /home/ann/other/x.env:ro. You cannot change these settings; ask the user.
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
    for i in 0..25 {
        machine.write(&format!("/home/ann/shop/{i}.yaml"), &format!("include: [{}.yaml]", i + 1));
    }
    assert!(prescan(&machine, "include: [0.yaml]").contains("compose.too_many_files"));
    let many: Vec<String> = (0..200).map(|i| format!("many/{i}.yaml")).collect();
    for file in &many {
        machine.write(&format!("/home/ann/shop/{file}"), "services: {}");
    }
    assert_eq!(prescan(&machine, &format!("include: [{}]", many.join(","))), "");
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
        let result =
            policy.prescan(vec![source], Path::new(directory), &[], <_>::default(), machine);
        result.err().map_or(String::new(), |unscanned| Error::from(unscanned).message.clone())
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
    assert_snapshot!(prescan(&Machine::ann(), "services:\n  a: [\n"), @"Error: DKR-004 invalid_configuration: compose_yaml: line 3, column 1: did not find expected node content | Context: parameter=compose_file; file=compose_yaml; line=3");
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
    let error =
        standard().prescan(vec![source()], folder, &[], <_>::default(), &machine).unwrap_err();
    assert_eq!(Error::from(error).message, "file.outside_roots");
    let allowed = with_paths(&["/home/ann/other:ro"]);
    assert!(allowed.prescan(vec![source()], folder, &[], <_>::default(), &machine).is_ok());
}
