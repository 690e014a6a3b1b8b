//! What `${…}` in a path stands for: found as compose finds it (`template` and `dotenv` of
//! compose-go 2.0 to 2.10), from the same sources, or not at all.

use std::collections::BTreeMap;

/// Expressions in expressions; a person has two.
const MAX_DEPTH: usize = 8;

/// The variables that one compose file sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    values: BTreeMap<String, String>,
    /// Why there may be others that are not known here.
    unknown: Option<String>,
}

/// A text with its variables put in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Substituted {
    pub(super) text: String,
    /// Those that are not set: each is nothing to compose.
    pub(super) unset: Vec<String>,
}

type Lookup<'a> = &'a dyn Fn(&str) -> Result<Option<String>, String>;

impl Scope {
    pub(super) fn new(values: BTreeMap<String, String>) -> Self {
        Self { values, unknown: None }
    }

    /// With the variables of env files, which set what is not set before.
    pub(super) fn with_files(&self, texts: &[Result<String, String>]) -> Self {
        let mut scope = self.clone();
        let mut found = BTreeMap::new();
        for text in texts {
            let read = text.clone().and_then(|text| self.read(&text, &mut found));
            if let Err(problem) = read {
                scope.unknown = Some(problem);
            }
        }
        // A name that two files set and a third place uses is another one to older versions.
        if texts.len() > 1 && texts.iter().flatten().any(|text| text.contains('$')) {
            scope.unknown = Some("another one beside it, and a \"$\"".to_owned());
        }
        for (name, value) in found {
            scope.values.entry(name).or_insert(value);
        }
        scope
    }

    /// A scope of which it is not certain which files it has.
    pub(super) fn uncertain(mut self, problem: &str) -> Self {
        self.unknown = Some(problem.to_owned());
        self
    }

    /// # Errors
    /// Why it cannot be known what compose makes of the text.
    pub(super) fn substitute(&self, text: &str) -> Result<Substituted, String> {
        let lookup = |name: &str| match (self.values.get(name), &self.unknown) {
            (Some(value), _) => Ok(Some(value.clone())),
            // Compose sets it itself when the call does not.
            (None, _) if name == "COMPOSE_PROJECT_NAME" => {
                Err(format!("{name} is only known with project_name"))
            }
            (None, Some(problem)) => {
                Err(format!("{name} is not known, for an env file has {problem}"))
            }
            (None, None) => Ok(None),
        };
        let mut unset = vec![];
        let text = substitute(text, &lookup, &mut unset, 0)?;
        Ok(Substituted { text, unset })
    }

    /// The statements of an env file.
    fn read(&self, text: &str, found: &mut BTreeMap<String, String>) -> Result<(), String> {
        let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
        loop {
            rest = rest.trim_start();
            if rest.is_empty() {
                return Ok(());
            }
            if rest.starts_with('#') {
                rest = rest.find('\n').and_then(|end| rest.get(end..)).unwrap_or_default();
                continue;
            }
            let (name, after, is_inherited) = name_of_statement(rest)?;
            if is_inherited {
                let value = self.values.get(name).or(found.get(name)).cloned();
                found.extend(value.map(|value| (name.to_owned(), value)));
                rest = after;
                continue;
            }
            let value = value_of_statement(after)?;
            let lookup =
                |name: &str| match (self.values.get(name).or(found.get(name)), &self.unknown) {
                    (None, Some(problem)) => Err(problem.clone()),
                    (value, _) => Ok(value.cloned()),
                };
            let text = match value.quote {
                Some('\'') => value.text,
                Some(_) => substitute(&unescaped(&value.text), &lookup, &mut vec![], 0)?,
                None => substitute(&value.text, &lookup, &mut vec![], 0)?,
            };
            found.insert(name.to_owned(), text);
            rest = value.rest;
        }
    }
}

/// As `template.Substitute`, for what can be read in one way only.
fn substitute(
    text: &str,
    lookup: Lookup<'_>,
    unset: &mut Vec<String>,
    depth: usize,
) -> Result<String, String> {
    if !text.contains('$') {
        return Ok(text.to_owned());
    }
    // These two letters fold to `s` and `k` there.
    if depth > MAX_DEPTH || text.contains(['\u{17f}', '\u{212a}']) {
        return Err("the expression is too odd".to_owned());
    }
    let mut known = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        known.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            known.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (inside, after) = braced(after)?;
            known.push_str(&expression(inside, lookup, unset, depth)?);
            rest = after;
        } else if let Ok((name, after)) = name_and_rest(after) {
            known.push_str(&value_or_nothing(name, lookup, unset)?);
            rest = after;
        } else {
            known.push('$');
            rest = after;
        }
    }
    known.push_str(rest);
    Ok(known)
}

/// `NAME`, or `NAME` with an operator and a word.
fn expression(
    text: &str,
    lookup: Lookup<'_>,
    unset: &mut Vec<String>,
    depth: usize,
) -> Result<String, String> {
    let (name, rest) = name_and_rest(text)?;
    if rest.is_empty() {
        return value_or_nothing(name, lookup, unset);
    }
    let (must_have_text, rest) = match rest.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let value = lookup(name)?;
    let value = value.filter(|value| !must_have_text || !value.is_empty());
    let mut word = |word: &str| substitute(word, lookup, unset, depth + 1);
    match (rest.split_at_checked(1), value) {
        (Some(("-" | "?", _)), Some(value)) => Ok(value),
        (Some(("-", default)), None) => word(default),
        (Some(("?", _)), None) => Err(format!("{name} must be set, and is not")),
        (Some(("+", other)), Some(_)) => word(other),
        (Some(("+", _)), None) => Ok(String::new()),
        _ => Err("the expression is none of compose's".to_owned()),
    }
}

fn value_or_nothing(
    name: &str,
    lookup: Lookup<'_>,
    unset: &mut Vec<String>,
) -> Result<String, String> {
    let value = lookup(name)?;
    if value.is_none() && !unset.iter().any(|it| it == name) {
        unset.push(name.to_owned());
    }
    Ok(value.unwrap_or_default())
}

fn name_and_rest(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some((name, rest)) if name.starts_with(|c: char| !c.is_ascii_digit()) => Ok((name, rest)),
        _ => Err("\"$\" without a name".to_owned()),
    }
}

/// Up to the brace that closes, and what follows it.
fn braced(text: &str) -> Result<(&str, &str), String> {
    let mut depth = 1;
    let mut before = None;
    for (at, c) in text.char_indices() {
        match c {
            '{' if before != Some('$') => return Err("a brace without \"$\"".to_owned()),
            '\n' => return Err("an expression of two lines".to_owned()),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let after = text.get(at + 1..).unwrap_or_default();
            return Ok((text.get(..at).unwrap_or_default(), after));
        }
        // Of two dollars the second begins nothing.
        before = if c == '$' && before == Some('$') { None } else { Some(c) };
    }
    Err("a brace that is not closed".to_owned())
}

/// Blanks that are no line's end, to compose-go.
fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// The name, what stands behind its `=`, and whether there is none.
fn name_of_statement(text: &str) -> Result<(&str, &str, bool), String> {
    let text = match text.strip_prefix("export") {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_whitespace()) => {
            rest.trim_start_matches(is_blank)
        }
        _ => text,
    };
    let is_odd =
        |c: &char| !c.is_alphanumeric() && !is_blank(*c) && !['_', '.', '-', '[', ']'].contains(c);
    let end = text.char_indices().find(|(_, c)| is_odd(c));
    let (at, end) = match end {
        Some((at, end @ ('=' | ':' | '\n'))) => (at, end),
        Some(_) => return Err("a line that is no NAME=value".to_owned()),
        // Compose makes it the value of no name.
        None => return Ok(("", "", true)),
    };
    let name = text.get(..at).unwrap_or_default().trim_end();
    if name.contains(' ') {
        return Err("a name with a space".to_owned());
    }
    let rest = text.get(at + 1..).unwrap_or_default().trim_start_matches(is_blank);
    Ok((name, rest, end == '\n'))
}

struct Value<'a> {
    text: String,
    quote: Option<char>,
    rest: &'a str,
}

fn value_of_statement(text: &str) -> Result<Value<'_>, String> {
    let Some(quote) = text.chars().next().filter(|c| ['"', '\''].contains(c)) else {
        let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
        let value = line.split_once(" #").map_or(line, |(value, _)| value);
        return Ok(Value { text: value.trim_end().to_owned(), quote: None, rest });
    };
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '\\' && !is_escaped {
            is_escaped = true;
        } else if c == quote && !is_escaped {
            let rest = text.get(at + 1..).unwrap_or_default();
            return Ok(Value { text: value, quote: Some(quote), rest });
        } else {
            if is_escaped && c != quote {
                value.push('\\');
            }
            is_escaped = false;
            value.push(c);
        }
    }
    Err("a quote that is not closed".to_owned())
}

/// The escapes of double quotes. `\$` becomes `$$`, which is a dollar afterwards.
fn unescaped(text: &str) -> String {
    let mut known = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        known.push_str(before);
        let mut others = after.chars();
        let plain = match others.next() {
            Some('a') => Some("\u{7}"),
            Some('b') => Some("\u{8}"),
            Some('f') => Some("\u{c}"),
            Some('n') => Some("\n"),
            Some('r') => Some("\r"),
            Some('t') => Some("\t"),
            Some('v') => Some("\u{b}"),
            Some('$') => Some("$$"),
            Some('"') => Some("\""),
            Some('\\') => Some("\\"),
            _ => None,
        };
        let octal = after.strip_prefix('0').and_then(|digits| digits.get(..3)).filter(|digits| {
            digits.chars().all(|c| c.is_digit(8)) && u8::from_str_radix(digits, 8).is_ok()
        });
        if let Some(plain) = plain {
            known.push_str(plain);
            rest = others.as_str();
        } else if let Some(digits) = octal {
            known.extend(u8::from_str_radix(digits, 8).map(char::from));
            rest = after.get(4..).unwrap_or_default();
        } else {
            known.push('\\');
            rest = after;
        }
    }
    known.push_str(rest);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(env_file: &str) -> Scope {
        let given = [("A", "a"), ("EMPTY", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        Scope::new(BTreeMap::from(given)).with_files(&[Ok(env_file.to_owned())])
    }

    /// Each was seen to be so in `docker compose config` of 2.26 and 2.40.
    #[test]
    fn expressions_are_compose_s() {
        let scope = scope("");
        for (text, known) in [
            ("x/$A.env", "x/a.env"),
            ("${A}b", "ab"),
            ("$$A/${NONE:-.}/x", "$A/./x"),
            ("${EMPTY:-d}${EMPTY-d}", "d"),
            ("${A:+b}${EMPTY:+c}${EMPTY+e}${NONE+f}", "be"),
            ("${NONE:-${A:-x}/y}-z}", "a/y-z}"),
            ("${NONE-x:-y}", "x:-y"),
            ("${A:?must}${EMPTY?must}", "a"),
            ("${NONE:-$$x}", "$x"),
            ("[$NONE]", "[]"),
            ("a$1$", "a$1$"),
        ] {
            assert_eq!(scope.substitute(text).map(|it| it.text).as_deref(), Ok(known), "{text}");
        }
        assert_eq!(scope.substitute("$NONE/${NONE}/$A").unwrap().unset, ["NONE"]);
        for odd in
            ["${", "${A", "${}", "${A!x}", "${NONE:-{}}", "${NONE:?m}", "${A:-a\nb}", "$A\u{17f}"]
        {
            assert!(scope.substitute(odd).is_err(), "{odd}");
        }
        let deep = format!("{}x{}", "${NONE:-".repeat(50), "}".repeat(50));
        assert!(scope.substitute(&deep).is_err());
        assert!(scope.substitute("$COMPOSE_PROJECT_NAME").is_err());
    }

    /// Each was seen to be so in compose-go.
    #[test]
    fn env_files_are_compose_s() {
        let text = "\u{feff}# c\nB=1 # no\nC = \"two $A \\\"q\\\" \\$A\\t\\n\\101 \\0101\"\nexport D='$A # \\'x'\nE: yaml\nF=a#b\nG=${B}${A:-z}\nH=\nA=other\nB=2\nI=\"x\" J=y\nEMPTY\nNONE\nK=\"a\nb\"\n";
        let scope = scope(text);
        let value = |name: &str| scope.values.get(name).map(String::as_str);
        for (name, known) in [
            ("A", Some("a")),
            ("B", Some("2")),
            ("C", Some("two a \"q\" $A\t\n\\101 A")),
            ("D", Some("$A # 'x")),
            ("E", Some("yaml")),
            ("F", Some("a#b")),
            ("G", Some("1a")),
            ("H", Some("")),
            ("I", Some("x")),
            ("J", Some("y")),
            ("K", Some("a\nb")),
            ("NONE", None),
        ] {
            assert_eq!(value(name), known, "{name}");
        }
        assert_eq!(scope.unknown, None);
        for broken in ["A B=1\n", "x\ty\"=1\n", "B=\"x\n", "B=${A\n", "!\n"] {
            let scope = self::scope(broken);
            assert!(scope.substitute("$A").is_ok() && scope.substitute("$B").is_err(), "{broken}");
        }
    }
}
