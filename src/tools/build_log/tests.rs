use insta::assert_snapshot;

use super::explain::{EXPLANATION_BYTES, line_of_instruction};
use super::*;
use crate::command::{Program, diagnose};

fn heard(stdout: &str, stderr: &str) -> BuildLog {
    let mut log = BuildLog::default();
    // As the runner cuts lines.
    let lines = |text: &str| -> Vec<String> {
        let lines = text.split(['\n', '\r']).filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    };
    for line in lines(stdout) {
        log.hear(Line::Stdout(&line));
    }
    for line in lines(stderr) {
        log.hear(Line::Stderr(&line));
    }
    log
}

fn explained(log: &BuildLog, dockerfile: Option<&Dockerfile<'_>>) -> String {
    let error = diagnose::diagnose(Program::Docker, "build", Some(1), "", &log.words());
    let text = log.explain(error.command("docker buildx build -- /shop"), dockerfile).to_string();
    assert!(text.len() <= EXPLANATION_BYTES, "{} bytes", text.len());
    // Times are not the same in every recording.
    let times = regex_lite::Regex::new(r"slowest=.*").unwrap();
    let lines = regex_lite::Regex::new(r"(line \d+\n *)+").unwrap();
    lines.replace_all(&times.replace_all(&text, "slowest=…"), "line …\n  ").into_owned()
}

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../../../fixtures/builds/", $name))
    };
}

#[test]
fn the_three_dialects_explain_the_same_failure() {
    assert_snapshot!(explained(&heard("", recorded!("buildx-0.29-failed.rawjson")), None), @r#"
    Error: DKR-021 build_failed: failed to build: failed to solve: process did not complete successfully: exit code: 7 | Context: step=[build 2/2]; run=RUN for i in $(seq 50); do echo "line $i"; done; echo world >&2; printf '10%%\r100%%\r#3 ERROR: forged\n'; exit 7; dockerfile=Dockerfile:8; exit_code=7; steps=3 executed, 2 cached of 6; slowest=…
    command: docker buildx build -- /shop
    stderr:
      line …
      world
      line …
      #3 ERROR: forged
    "#);
    for stderr in [
        recorded!("buildx-0.13-failed.rawjson"),
        recorded!("buildx-0.13-failed.plain"),
        recorded!("buildx-0.29-failed.plain"),
    ] {
        let other = explained(&heard("", stderr), None);
        for part in [
            "step=[build 2/2]; run=RUN for i",
            "dockerfile=Dockerfile:8; exit_code=7; steps=",
            "\nstderr:\n  line …\n",
        ] {
            assert!(other.contains(part), "{part} is not in {other}");
        }
    }
    let stdout = recorded!("classic-20.10-failed.stdout");
    let log = heard(stdout, recorded!("classic-20.10-failed.stderr"));
    let text = "# comment\nFROM docker-mcp-test:1 AS base\nRUN echo one\nRUN sleep 0.5\n\nFROM base AS build\nCOPY present.txt /x/\nRUN for i \\\n  exit 7\nFROM base\n";
    assert_snapshot!(explained(&log, Some(&Dockerfile { name: "Dockerfile", text })), @r#"
    Error: DKR-021 build_failed: The command returned a non-zero code: 7 | Context: step=[6/8]; run=RUN for i in $(seq 50); do echo "line $i"; done; echo world >&2; printf '10%%\r100%%\r#3 ERROR: forged\n'; exit 7; dockerfile=Dockerfile:8; exit_code=7; steps=2 executed, 3 cached of 8
    command: docker buildx build -- /shop
    stderr:
      line …
      10%
      100%
      #3 ERROR: forged
    "#);
}

#[test]
fn a_built_image_is_known_with_what_was_done() {
    for name in [recorded!("buildx-0.13-built.rawjson"), recorded!("buildx-0.29-built.rawjson")] {
        let log = heard("", name);
        assert_eq!(log.counts(), Counts { steps: 4, cached: 4, executed: 0 });
        assert_eq!(log.images().count(), 1);
        assert!(log.failed().is_none());
    }
    let log = heard(recorded!("classic-20.10-built.stdout"), "");
    assert_eq!(log.counts(), Counts { steps: 5, cached: 5, executed: 0 });
    assert_eq!(log.images().collect::<Vec<_>>(), ["ad93706d8350"]);
}

#[test]
fn progress_counts_steps_and_never_goes_back() {
    let (progress, told) = Progress::channel();
    let mut log = BuildLog::default();
    let (mut messages, mut last) = (vec![], 0);
    for line in recorded!("buildx-0.13-failed.rawjson").lines() {
        log.hear(Line::Stderr(line));
        log.tell(&progress);
        let step = told.borrow().clone();
        if let Some((done, _)) = step.done {
            assert!(done >= last);
            last = done;
        }
        if messages.last() != Some(&step.message) {
            messages.push(step.message);
        }
    }
    assert_snapshot!(messages.join("\n"), @r#"

    3/6 RUN sleep 0.5
    4/6 COPY present.txt /x/
    5/6 RUN for i in $(seq 50); do echo "line $i"; done; echo world >&2; printf '10%%\r100%%\r#3 ERROR: forged\n'; exit 7
    "#);
}

#[test]
fn a_step_cannot_speak_for_another_one() {
    let log = heard(
        "",
        "#5 [1/2] RUN a\n#5 DONE 0.1s\n#6 [2/2] RUN b\n#6 0.1 x\r#5 ERROR: forged\r{\n#6 ERROR: exit code: 3\n------\nERROR: failed to solve: exit code: 3\n",
    );
    assert_eq!(log.failed(), Some("[2/2] RUN b"));
    assert_eq!(log.words(), "------\nERROR: failed to solve: exit code: 3");
}

#[test]
fn a_base_image_that_comes_down_is_told_in_bytes() {
    let (progress, told) = Progress::channel();
    let mut log = BuildLog::default();
    let json = r#"{"vertexes":[{"digest":"v","name":"[1/2] FROM node:22","started":"2026-11-24T12:00:00Z"},{"digest":"w","name":"[2/2] RUN x"}],"statuses":[{"id":"sha256:a","vertex":"v","current":12000000,"total":40000000},{"id":"sha256:b","vertex":"v","current":0,"total":8000000}]}"#;
    log.hear(Line::Stderr(json));
    log.tell(&progress);
    assert_eq!(told.borrow().message, "1/2 FROM node:22 (12 MB of 48 MB)");
}

#[test]
fn instructions_are_counted_as_the_old_builder_does() {
    let text = "# syntax\nARG A\n\nFROM x\nRUN a \\\n # not this\n  b\nRUN c\n";
    assert_eq!(
        [1, 2, 3, 4, 5].map(|number| line_of_instruction(text, number)),
        [Some(2), Some(4), Some(5), Some(8), None]
    );
}
