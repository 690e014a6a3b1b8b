//! What a shell knows while it runs a line: its variables, functions and folder, and what it makes
//! of a word with them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use brush_parser::ParserOptions;
use brush_parser::ast::FunctionBody;
use brush_parser::word::{
    self as shell_word, BraceExpressionMember, BraceExpressionOrText, Parameter, ParameterExpr,
    SpecialParameter, TildeExpr, WordPiece,
};

use super::path::resolved;
use super::word::{Word, Words};

/// Braces make at most so many words of one.
const BRACES: usize = 200;

#[derive(Clone, Default)]
pub(super) struct Scope {
    variables: BTreeMap<String, Vec<Word>>,
    pub(super) functions: BTreeMap<String, Rc<FunctionBody>>,
    /// `alias d=docker`, and words that stand for the operator's docker command.
    pub(super) aliases: BTreeMap<String, String>,
    /// `$1`, `$2` …
    pub(super) positional: Vec<Word>,
    /// Nothing where it is not known.
    pub(super) folder: Option<PathBuf>,
    pub(super) home: Option<PathBuf>,
    /// In something that may not happen, or not only once.
    pub(super) in_branch: bool,
}

impl Scope {
    /// What is assigned in a branch is known afterwards only when it is what it was.
    pub(super) fn assign(&mut self, name: &str, values: Vec<Word>) {
        let is_other = self.variables.get(name).is_some_and(|before| *before != values);
        let values = if self.in_branch && is_other {
            vec![Word::unknown(format!("${name}"))]
        } else {
            values
        };
        self.variables.insert(name.to_owned(), values);
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// The first value of a variable that the line has set.
    pub(super) fn variable(&self, name: &str) -> Option<&Word> {
        self.variables.get(name)?.first()
    }

    /// A path as this folder has it; nothing when the folder is not known.
    pub(super) fn resolve(&self, path: &str) -> Option<PathBuf> {
        resolved(path, self.folder.as_deref())
    }

    /// The words that the shell makes of one as it is written.
    pub(super) fn expand(&self, written: &str) -> Vec<Word> {
        let mut forms = vec![written.to_owned()];
        if written.contains('{')
            && let Ok(Some(parts)) = shell_word::parse_brace_expansions(written, &options())
        {
            forms = braces(&parts);
        }
        forms.iter().flat_map(|form| self.expand_one(form)).collect()
    }

    /// The same where no word is split: the value of an assignment, a text behind `<<<`.
    pub(super) fn expand_whole(&self, written: &str) -> Word {
        let Ok(pieces) = shell_word::parse(written, &options()) else {
            return Word::unknown(written);
        };
        let mut words = Words::default();
        words.text("");
        for piece in pieces {
            self.piece(&piece.piece, true, &mut words);
        }
        let word = words.finish().into_iter().next().unwrap_or_default();
        let many = !word.known;
        Word { many, ..word }
    }

    fn expand_one(&self, written: &str) -> Vec<Word> {
        let Ok(pieces) = shell_word::parse(written, &options()) else {
            return vec![Word::unknown(written)];
        };
        let mut words = Words::default();
        for piece in pieces {
            self.piece(&piece.piece, false, &mut words);
        }
        words.finish()
    }

    fn piece(&self, piece: &WordPiece, quoted: bool, words: &mut Words) {
        match piece {
            WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => words.text(text),
            WordPiece::AnsiCQuotedText(text) => words.text(&ansi_c(text)),
            WordPiece::EscapeSequence(text) => words.text(&unescaped(text, quoted)),
            WordPiece::DoubleQuotedSequence(pieces)
            | WordPiece::GettextDoubleQuotedSequence(pieces) => {
                // `"$@"` of nothing is no word, `""` is one.
                let all = |piece: &WordPiece| is_all(piece) && self.positional.is_empty();
                if !pieces.iter().any(|it| all(&it.piece)) {
                    words.text("");
                }
                for piece in pieces {
                    self.piece(&piece.piece, true, words);
                }
            }
            WordPiece::TildeExpansion(tilde) => match (tilde, &self.home, &self.folder) {
                (TildeExpr::Home, Some(folder), _) | (TildeExpr::WorkingDir, _, Some(folder)) => {
                    words.text(&folder.to_string_lossy());
                }
                _ => words.part(&Word { many: false, ..Word::unknown("~") }, true),
            },
            WordPiece::ParameterExpansion(expression) => self.parameter(expression, quoted, words),
            WordPiece::CommandSubstitution(commands)
            | WordPiece::BackquotedCommandSubstitution(commands) => match self.printed(commands) {
                Some(text) if quoted => words.text(&text),
                Some(text) => words.split(&text),
                None => words.part(&Word::output(commands.trim()), quoted),
            },
            WordPiece::ArithmeticExpression(expression) => {
                let shown = Word::unknown(format!("$(({}))", expression.value));
                words.part(&Word { many: false, ..shown }, true);
            }
        }
    }

    fn parameter(&self, expression: &ParameterExpr, quoted: bool, words: &mut Words) {
        match expression {
            ParameterExpr::Parameter { parameter, indirect: false }
            | ParameterExpr::IndicateErrorIfNullOrUnset { parameter, indirect: false, .. } => {
                self.values(parameter, quoted, words);
            }
            ParameterExpr::UseDefaultValues {
                parameter, indirect: false, default_value, ..
            }
            | ParameterExpr::AssignDefaultValues {
                parameter,
                indirect: false,
                default_value,
                ..
            } => match (self.known(parameter), default_value) {
                (true, _) => self.values(parameter, quoted, words),
                // What the caller's own environment has is not seen; it is seldom there.
                (false, Some(default)) => {
                    let value = self.expand_whole(default);
                    self.push(&value, quoted, words);
                }
                (false, None) => {}
            },
            other => {
                let name = match other {
                    ParameterExpr::RemoveSmallestSuffixPattern { parameter, .. }
                    | ParameterExpr::RemoveLargestSuffixPattern { parameter, .. }
                    | ParameterExpr::RemoveSmallestPrefixPattern { parameter, .. }
                    | ParameterExpr::RemoveLargestPrefixPattern { parameter, .. } => {
                        parameter.to_string()
                    }
                    _ => "$…".to_owned(),
                };
                words.part(&Word::unknown(name), quoted);
            }
        }
    }

    fn known(&self, parameter: &Parameter) -> bool {
        match parameter {
            Parameter::Named(name) => self.named(name).is_some(),
            Parameter::Positional(place) => self.place(*place).is_some(),
            _ => true,
        }
    }

    fn named(&self, name: &str) -> Option<Vec<Word>> {
        if let Some(values) = self.variables.get(name) {
            return Some(values.clone());
        }
        let path = match name {
            "PWD" => self.folder.as_ref()?,
            "HOME" => self.home.as_ref()?,
            _ => return None,
        };
        Some(vec![Word::known(path.to_string_lossy())])
    }

    fn place(&self, place: u32) -> Option<&Word> {
        self.positional.get(usize::try_from(place).ok()?.checked_sub(1)?)
    }

    fn values(&self, parameter: &Parameter, quoted: bool, words: &mut Words) {
        let unknown = || Word::unknown(parameter.to_string().replace(['{', '}'], ""));
        match parameter {
            Parameter::Named(name) => match self.named(name) {
                Some(values) => {
                    if let Some(value) = values.first() {
                        self.push(value, quoted, words);
                    }
                }
                None => words.part(&unknown(), quoted),
            },
            Parameter::Positional(place) => match self.place(*place) {
                Some(value) => self.push(value, quoted, words),
                None => words.part(&unknown(), quoted),
            },
            Parameter::NamedWithAllIndices { name, .. } => match self.variables.get(name) {
                Some(values) => self.push_all(values, quoted, words),
                None => words.part(&Word { many: true, ..unknown() }, false),
            },
            Parameter::NamedWithIndex { name, index } => {
                let at: Option<usize> = index.parse().ok();
                match at.and_then(|at| self.variables.get(name)?.get(at)) {
                    Some(value) => self.push(value, quoted, words),
                    None => words.part(&unknown(), quoted),
                }
            }
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                self.push_all(&self.positional, quoted, words);
            }
            Parameter::Special(_) => words.part(&Word { many: false, ..unknown() }, true),
        }
    }

    fn push_all(&self, values: &[Word], quoted: bool, words: &mut Words) {
        for (i, value) in values.iter().enumerate() {
            if i > 0 {
                words.end();
            }
            self.push(value, quoted, words);
        }
    }

    #[expect(clippy::unused_self, reason = "it reads like its neighbours")]
    fn push(&self, value: &Word, quoted: bool, words: &mut Words) {
        match (value.known, quoted) {
            (true, true) => words.text(&value.text),
            (true, false) => words.split(&value.text),
            (false, _) => words.part(value, quoted),
        }
    }

    /// What a substitution prints that needs no program to be run.
    fn printed(&self, commands: &str) -> Option<String> {
        let words: Vec<&str> = commands.split_whitespace().collect();
        let plain = |word: &&&str| word.chars().all(|c| c.is_alphanumeric() || "-_./:".contains(c));
        if words.iter().filter(plain).count() != words.len() {
            return match words[..] {
                ["basename", "$PWD" | "\"$PWD\"" | "\"$(pwd)\"" | "$(pwd)"] => {
                    Some(self.folder.as_ref()?.file_name()?.to_str()?.to_owned())
                }
                _ => None,
            };
        }
        match words[..] {
            ["pwd"] | ["pwd", "-P" | "-L"] => {
                self.folder.as_ref().map(|folder| folder.to_string_lossy().into_owned())
            }
            ["which" | "echo", word] | ["command", "-v", word] | ["type", "-p", word] => {
                Some(word.to_owned())
            }
            ["realpath" | "readlink", path] | ["readlink", "-f", path] => {
                self.resolve(path).map(|path| path.to_string_lossy().into_owned())
            }
            _ => None,
        }
    }
}

fn is_all(piece: &WordPiece) -> bool {
    use SpecialParameter::AllPositionalParameters;
    let WordPiece::ParameterExpansion(ParameterExpr::Parameter { parameter, .. }) = piece else {
        return false;
    };
    matches!(parameter, Parameter::Special(AllPositionalParameters { .. }))
}

pub(super) fn options() -> ParserOptions {
    // `~` also behind a colon or an equals sign is the shell's own in assignments alone.
    ParserOptions::default()
}

fn braces(parts: &[BraceExpressionOrText]) -> Vec<String> {
    let mut forms = vec![String::new()];
    for part in parts {
        let choices = match part {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => members.iter().flat_map(member).collect(),
        };
        let mut longer = vec![];
        for form in &forms {
            longer.extend(choices.iter().map(|choice| format!("{form}{choice}")));
        }
        longer.truncate(BRACES);
        forms = longer;
    }
    forms
}

fn member(member: &BraceExpressionMember) -> Vec<String> {
    match member {
        BraceExpressionMember::Child(parts) => braces(parts),
        BraceExpressionMember::NumberSequence { start, end, increment } => {
            let step = increment.unsigned_abs().max(1);
            let count = usize::try_from(start.abs_diff(*end) / step).unwrap_or(BRACES).min(BRACES);
            let step = i64::try_from(step).unwrap_or(1);
            let step = if start <= end { step } else { -step };
            let numbers = std::iter::successors(Some(*start), |number| number.checked_add(step));
            numbers.take(count + 1).map(|number| number.to_string()).collect()
        }
        BraceExpressionMember::CharSequence { start, end, .. } => {
            let (low, high) = if start <= end { (*start, *end) } else { (*end, *start) };
            (low..=high).take(BRACES).map(String::from).collect()
        }
    }
}

/// `\x` outside of quotes is x; within double quotes only some have their backslash taken.
fn unescaped(text: &str, quoted: bool) -> String {
    let Some(rest) = text.strip_prefix('\\') else { return text.to_owned() };
    match rest.chars().next() {
        Some('\n') => rest.get(1..).unwrap_or_default().to_owned(),
        Some(first) if !quoted || "$`\"\\".contains(first) => rest.to_owned(),
        _ => text.to_owned(),
    }
}

/// The escapes of `$'…'`.
fn ansi_c(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let mut chars = after.chars().skip(1);
        let Some(letter) = chars.next() else { break };
        let tail = after.get(1 + letter.len_utf8()..).unwrap_or_default();
        let (digits, radix, most) = match letter {
            'x' => (tail, 16, 2),
            'u' => (tail, 16, 4),
            'U' => (tail, 16, 8),
            '0'..='7' => (after.get(1..).unwrap_or_default(), 8, 3),
            _ => ("", 10, 0),
        };
        let length = digits.chars().take(most).take_while(|c| c.is_digit(radix)).count();
        let number = digits.get(..length).and_then(|it| u32::from_str_radix(it, radix).ok());
        if let Some(c) = number.and_then(char::from_u32) {
            out.push(c);
            rest = digits.get(length..).unwrap_or_default();
            continue;
        }
        match letter {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'e' | 'E' => out.push('\x1b'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            '\\' | '\'' | '"' | '?' => out.push(letter),
            other => {
                out.push('\\');
                out.push(other);
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}
