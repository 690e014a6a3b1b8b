//! The events of a YAML text, as compose's reader sees them.
//!
//! Compose reads with go-yaml, which descends from libyaml as libyaml-safer does. On three hundred
//! thousand mutated files the two gave the same nodes, but for [three forms](mended) that only
//! go-yaml takes.

use std::borrow::Cow;
use std::ops::ControlFlow;

use libyaml_safer::{Error, EventData, Parser};

use super::ScanError;

/// Forms to mend in one text; each is another reading of it.
const MENDED_MAX: usize = 100;

/// Stands for a colon that libyaml would not take. It is of no script, and of no file name.
const COLON: char = '\u{e000}';

/// Gives each event with its line, counted from 1, to the first that is no YAML.
///
/// # Errors
/// For text that is no YAML.
pub(super) fn read(
    text: &str,
    visit: &mut dyn FnMut(EventData, usize) -> ControlFlow<()>,
) -> Result<(), ScanError> {
    let (text, has_colons) = mended(text)?;
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input(&mut input);
    loop {
        let mut event = parser.parse().map_err(|error| no_yaml(&error))?;
        if let EventData::Scalar { value, .. } = &mut event.data
            && has_colons
        {
            *value = value.replace(COLON, ":");
        }
        let is_last = matches!(event.data, EventData::StreamEnd);
        let line = usize::try_from(event.start_mark.line).unwrap_or(usize::MAX);
        if visit(event.data, line.saturating_add(1)).is_break() || is_last {
            return Ok(());
        }
    }
}

/// A text that means to libyaml what the given one means to go-yaml: `\'` in double quotes is `'`,
/// `[a:, b]` has a colon at the end of a word, and a comment may be indented by a tab. True when
/// there are colons to put back.
fn mended(text: &str) -> Result<(Cow<'_, str>, bool), ScanError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut text = Cow::Borrowed(text);
    if !text.ends_with('\n') {
        // A block that the end of the text cuts off makes libyaml-safer panic.
        text.to_mut().push('\n');
    }
    let may_mark = !text.contains(COLON);
    let mut has_colons = false;
    for _ in 0..MENDED_MAX {
        // It has assertions that a text can reach: `[!x, y]`.
        let parsed = std::panic::catch_unwind(|| parse(&text));
        let Ok(parsed) = parsed else { return Err(unreadable()) };
        let Err(error) = parsed else { break };
        let at = error.problem_mark().and_then(|mark| usize::try_from(mark.index).ok());
        let Some((at, rest)) = at.and_then(|at| Some((at, text.get(at..)?))) else { break };
        match error.problem() {
            "found unexpected ':'" if may_mark && rest.starts_with(':') => {
                text.to_mut().replace_range(at..=at, COLON.encode_utf8(&mut [0; 4]));
                has_colons = true;
            }
            "found unknown escape character" if rest.starts_with("\\'") => {
                text.to_mut().remove(at);
            }
            "found character that cannot start any token"
                if rest.starts_with('\t')
                    && rest.trim_start_matches(['\t', ' ']).starts_with('#') =>
            {
                text.to_mut().replace_range(at..=at, " ");
            }
            _ => break,
        }
    }
    Ok((text, has_colons))
}

fn parse(text: &str) -> Result<(), Error> {
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input(&mut input);
    while !matches!(parser.parse()?.data, EventData::StreamEnd) {}
    Ok(())
}

fn no_yaml(error: &Error) -> ScanError {
    let counted = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).saturating_add(1);
    let (line, column) =
        error.problem_mark().map_or((1, 1), |mark| (counted(mark.line), counted(mark.column)));
    ScanError { line, column, problem: error.problem().to_owned() }
}

fn unreadable() -> ScanError {
    ScanError { line: 1, column: 1, problem: "a tag ends with a comma".to_owned() }
}
