//! Foreign text on its way out: no control and no invisible character, bounded, and in both forms
//! the same.
#![no_main]

use std::sync::{Arc, LazyLock};

use docker_mcp_server::command::text::{clean, cut_line, head, human_bytes, tail};
use docker_mcp_server::error::{Code, Error};
use docker_mcp_server::redact::Redactor;
use docker_mcp_server::server::render::{ANSWER_MAX, Renderer};
use docker_mcp_server::tools::reply::{Answer, Text};
use docker_mcp_server_fuzz as fuzz;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::{Map, Value};

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "\u{1b}", "\u{1b}[", "\u{1b}]0;", "\u{7}", "\u{1b}\\", "\u{9b}", "\u{9d}", "\u{9c}", "\r", "\n", "\r\n", "\t", "\0",
    "\u{8}", "m", "31", ";", "?25h", "K", "\u{200b}", "\u{200d}", "\u{202e}", "\u{2066}", "\u{feff}", "\u{fe0f}",
    "\u{e0041}", "\u{e0100}", "👩", "❤", "1", "#", "\u{20e3}", "ü", "🦀", "\u{85}", "\u{2028}", "a", " ", "word",
    "--- output ", "--- end of output ", "password=", "name", "hunter2secret", "\"", "\\", "[REDACTED]", "cut",
];

static RENDERER: LazyLock<Renderer> =
    LazyLock::new(|| Renderer::new(Arc::new(Redactor::new(true))));

fuzz_target!(|bytes: &[u8]| -> Corpus { try_all(bytes).map_or(Corpus::Reject, |()| Corpus::Keep) });

fn try_all(bytes: &[u8]) -> Result<()> {
    let mut bytes = Unstructured::new(bytes);
    let times = *bytes.choose(&[1, 1, 1, 1, 1, 100, 3_000])?;
    let limit = bytes.int_in_range(0..=64)?;
    let foreign = fuzz::text(&mut bytes, WORDS)?.repeat(times);
    let mut value = fuzz::json(&mut bytes, WORDS)?;
    cleaned(&foreign);
    cut(&foreign, limit);
    if times > 1 {
        value = vec![value; times.min(500)].into();
    }
    answers(&foreign, value);
    Ok(())
}

fn cleaned(foreign: &str) {
    let clean_text = clean(foreign).text;
    is_visible(&clean_text);
    assert_eq!(clean(&clean_text).text, clean_text, "{foreign:?}");
}

fn is_visible(text: &str) {
    let invisible = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            || matches!(c, '\u{e0000}'..='\u{e0fff}')
    };
    assert!(!text.contains(invisible), "{text:?}");
}

fn cut(text: &str, limit: usize) {
    let (head, tail) = (head(text, limit), tail(text, limit));
    assert!(head.len() <= limit && text.starts_with(head));
    assert!(tail.len() <= limit && text.ends_with(tail));
    let line = cut_line(text, limit);
    assert!(line.len() <= limit + 32);
    assert!(human_bytes(text.len() as u64).len() < 12);
}

fn answers(foreign: &str, value: Value) {
    let text = Text { output: foreign.to_owned(), account: "1 line".to_owned() };
    let rendered = RENDERER.render(Ok(Answer::Text(text)));
    is_visible(&rendered.text);
    assert!(rendered.text.len() <= ANSWER_MAX);
    // Nothing but the last lines stands outside of the fence.
    if let Some(fence) =
        rendered.text.lines().next().and_then(|line| line.strip_prefix("--- output "))
    {
        let end = format!("--- end of output {fence}");
        assert_eq!(rendered.text.lines().filter(|line| *line == end).count(), 1);
    }
    let error = Error::new(Code::Internal, foreign).with("container", foreign).hint(foreign);
    let rendered = RENDERER.render(Err(error));
    is_visible(&rendered.text);
    assert!(rendered.text.len() <= ANSWER_MAX);
    let answer = Map::from_iter([("list".to_owned(), value), ("text".to_owned(), foreign.into())]);
    let rendered = RENDERER.render(Ok(Answer::Structured(answer.into())));
    assert!(rendered.text.len() <= ANSWER_MAX);
    let structured = rendered.structured.expect("it is structured");
    fuzz::texts(&structured).into_iter().for_each(is_visible);
    assert_eq!(rendered.text, structured.to_string());
}
