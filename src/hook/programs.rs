//! Programs that run other programs: what they run, and with what.

use super::word::Word;

/// What a command line comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// Nothing else.
    Itself,
    /// These words are a command, with these variables.
    Command { words: Vec<Word>, assigned: Vec<(String, Word)>, place: Place },
    /// This is a script of a shell, with `$1` and what follows.
    Script { text: Word, positional: Vec<Word>, place: Place },
    /// What it reads from its standard input is a script of a shell.
    ScriptOnInput { place: Place },
    /// These words are a command, and what is read from the standard input follows them, or stands
    /// where this mark is.
    Fed { words: Vec<Word>, mark: Option<String> },
}

/// Where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Here,
    /// On another machine, or where another root folder is: docker's state is not ours.
    Elsewhere,
}

/// Programs that stand before a command: their options with a value, in letters and in words, and
/// how many words of their own come before the command.
const BEFORE: &[(&str, &str, &[&str], usize)] = &[
    (
        "sudo",
        "CDghpRrTtUu",
        &["user", "group", "host", "prompt", "chdir", "chroot", "close-from"],
        0,
    ),
    ("doas", "Cu", &[], 0),
    ("nohup", "", &[], 0),
    ("setsid", "", &[], 0),
    ("command", "", &[], 0),
    ("builtin", "", &[], 0),
    ("exec", "a", &[], 0),
    ("time", "fo", &["format", "output"], 0),
    ("timeout", "ks", &["kill-after", "signal"], 1),
    ("gtimeout", "ks", &["kill-after", "signal"], 1),
    ("nice", "n", &["adjustment"], 0),
    ("ionice", "cnpPu", &["class", "classdata"], 0),
    ("chrt", "TPD", &[], 1),
    ("taskset", "", &[], 1),
    ("stdbuf", "ioe", &["input", "output", "error"], 0),
    ("unbuffer", "", &[], 0),
    ("chronic", "", &[], 0),
    ("caffeinate", "tw", &[], 0),
    ("strace", "abeEIoOpPsSuX", &[], 0),
    ("ltrace", "aAbDeFlnopsSuwx", &[], 0),
    ("systemd-run", "pEMHuGd", &["unit", "property", "setenv", "slice", "uid", "gid"], 0),
    ("systemd-inhibit", "", &["what", "who", "why", "mode"], 0),
    ("setpriv", "", &[], 0),
    ("proxychains", "f", &[], 0),
    ("proxychains4", "f", &[], 0),
    ("torify", "", &[], 0),
    ("firejail", "", &[], 0),
    ("then", "", &[], 0),
    ("retry", "dt", &["times", "delay"], 0),
    ("busybox", "", &[], 0),
    ("direnv", "", &[], 2),
    ("dotenv", "fe", &["file"], 0),
    ("op", "", &["env-file"], 1),
    ("doppler", "pct", &["project", "config", "token"], 1),
    ("aws-vault", "", &["duration"], 2),
];

const SHELLS: &[&str] = &["sh", "bash", "zsh", "dash", "ksh", "ash", "mksh", "fish", "rbash"];

/// Where its first word is the name of a program; a path names it too.
pub(super) fn name(word: &Word) -> Option<&str> {
    let text = word.value()?;
    Some(text.rsplit('/').next().unwrap_or(text))
}

pub(super) fn runs(words: &[Word]) -> Runs {
    let Some((first, rest)) = words.split_first() else { return Runs::Itself };
    let Some(program) = name(first) else { return Runs::Itself };
    if let Some((.., letters, long, own)) = BEFORE.iter().find(|it| it.0 == program) {
        if program == "command" && rest.first().is_some_and(|it| is_any(it, &["-v", "-V"])) {
            return Runs::Itself;
        }
        return after_options(rest, letters, long, *own);
    }
    match program {
        "env" => of_env(rest),
        "eval" => Runs::Script { text: joined(rest), positional: vec![], place: Place::Here },
        "trap" => match rest {
            [text, ..] if !text.text.starts_with('-') => {
                Runs::Script { text: text.clone(), positional: vec![], place: Place::Here }
            }
            _ => Runs::Itself,
        },
        "su" | "runuser" | "script" | "newgrp" | "sg" => of_su(program, rest),
        "flock" => match option(rest, 'c', "command") {
            Some(text) => Runs::Script { text, positional: vec![], place: Place::Here },
            None => after_options(rest, "wE", &["timeout", "wait"], 1),
        },
        "watch" => {
            let at = operand(rest, "nq", &["interval", "equexit"]);
            let text = joined(rest.get(at..).unwrap_or_default());
            Runs::Script { text, positional: vec![], place: Place::Here }
        }
        "xargs" | "gxargs" => of_xargs(rest),
        "parallel" => of_parallel(rest),
        "find" | "fd" | "fdfind" => of_find(program, rest),
        "ssh" => of_ssh(rest),
        "chroot" => of_elsewhere(rest, "", &["userspec", "groups"], 1),
        "nsenter" => of_elsewhere(rest, "tSG", &["target", "setuid", "setgid"], 0),
        "unshare" => of_elsewhere(rest, "SGR", &["setuid", "setgid", "root", "wd"], 0),
        shell if SHELLS.contains(&shell) => of_shell(rest),
        _ => Runs::Itself,
    }
}

fn is_any(word: &Word, texts: &[&str]) -> bool {
    word.value().is_some_and(|text| texts.contains(&text))
}

/// The words with blanks between them: what `eval` and `ssh` make of theirs.
fn joined(words: &[Word]) -> Word {
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let known = words.iter().all(|word| word.known);
    Word { text, known, ..Word::default() }
}

/// The place of the first word that is no option, nor the value of one.
fn operand(words: &[Word], letters: &str, long: &[&str]) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        match text.strip_prefix("--") {
            Some("") => return at + 1,
            Some(name) => at += if long.contains(&name) { 2 } else { 1 },
            None => match text.strip_prefix(['-', '+']) {
                Some(given) if !given.is_empty() => {
                    let with_value = given.find(|letter| letters.contains(letter));
                    at += if with_value == Some(given.len() - 1) { 2 } else { 1 };
                }
                _ => return at,
            },
        }
    }
    at
}

/// `-c VALUE`, `-cVALUE` or `--command=VALUE`.
fn option(words: &[Word], letter: char, long: &str) -> Option<Word> {
    for (at, word) in words.iter().enumerate() {
        if let Some(name) = word.text.strip_prefix("--") {
            match name.split_once('=') {
                Some((name, value)) if name == long => {
                    return Some(word.after(word.text.len() - value.len()));
                }
                None if name == long => return words.get(at + 1).cloned(),
                _ => {}
            }
        } else if let Some(letters) = word.text.strip_prefix('-')
            && letters.ends_with(letter)
        {
            return words.get(at + 1).cloned();
        }
    }
    None
}

/// The variables before a command, and the command.
fn assignments(words: &[Word]) -> (Vec<(String, Word)>, Vec<Word>) {
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut assigned = vec![];
    for (at, word) in words.iter().enumerate() {
        match word.text.split_once('=') {
            Some((name, value)) if is_name(name) => {
                assigned.push((name.to_owned(), word.after(word.text.len() - value.len())));
            }
            _ => return (assigned, words.get(at..).unwrap_or_default().to_vec()),
        }
    }
    (assigned, vec![])
}

fn after_options(words: &[Word], letters: &str, long: &[&str], own: usize) -> Runs {
    let at = operand(words, letters, long) + own;
    let (assigned, mut words) = assignments(words.get(at..).unwrap_or_default());
    if words.first().is_some_and(|word| is_any(word, &["--"])) {
        words.remove(0);
    }
    Runs::Command { words, assigned, place: Place::Here }
}

fn of_elsewhere(words: &[Word], letters: &str, long: &[&str], own: usize) -> Runs {
    match after_options(words, letters, long, own) {
        Runs::Command { words, assigned, .. } => {
            Runs::Command { words, assigned, place: Place::Elsewhere }
        }
        other => other,
    }
}

fn of_env(words: &[Word]) -> Runs {
    if let Some(text) = option(words, 'S', "split-string") {
        return Runs::Script { text, positional: vec![], place: Place::Here };
    }
    after_options(words, "uCS", &["unset", "chdir"], 0)
}

fn of_su(program: &str, words: &[Word]) -> Runs {
    match option(words, 'c', "command") {
        Some(text) => Runs::Script { text, positional: vec![], place: Place::Here },
        None if program == "runuser" => after_options(words, "ugG", &["user", "group"], 0),
        None => Runs::Itself,
    }
}

fn of_shell(words: &[Word]) -> Runs {
    // `-c` may stand among other letters, and options with words of their own before it.
    let mut at = 0;
    let mut has_script = false;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" || text == "-" {
            at += 1;
            break;
        }
        if let Some(name) = text.strip_prefix("--") {
            at += if matches!(name, "rcfile" | "init-file") { 2 } else { 1 };
            has_script |= name == "command";
            continue;
        }
        let Some(letters) = text.strip_prefix(['-', '+']).filter(|it| !it.is_empty()) else {
            break;
        };
        has_script |= letters.contains('c');
        at += if letters.ends_with(['o', 'O']) { 2 } else { 1 };
    }
    let rest = words.get(at..).unwrap_or_default();
    match rest.split_first() {
        Some((text, arguments)) if has_script => {
            // The first one is the name of the script.
            let positional = arguments.get(1..).unwrap_or_default().to_vec();
            Runs::Script { text: text.clone(), positional, place: Place::Here }
        }
        None if !has_script => Runs::ScriptOnInput { place: Place::Here },
        // A file, which may be the standard input by another name.
        Some((file, _)) if is_any(file, &["/dev/stdin", "-"]) => {
            Runs::ScriptOnInput { place: Place::Here }
        }
        _ if words.iter().any(|word| is_any(word, &["-s"])) => {
            Runs::ScriptOnInput { place: Place::Here }
        }
        _ => Runs::Itself,
    }
}

fn of_ssh(words: &[Word]) -> Runs {
    let at = operand(words, "BbcDEeFIiJLlmOoPpQRSWw", &[]);
    match words.get(at + 1..) {
        Some([]) | None => Runs::ScriptOnInput { place: Place::Elsewhere },
        Some(command) => {
            Runs::Script { text: joined(command), positional: vec![], place: Place::Elsewhere }
        }
    }
}

fn of_xargs(words: &[Word]) -> Runs {
    let long =
        ["arg-file", "delimiter", "max-lines", "max-args", "max-procs", "max-chars", "replace"];
    let at = operand(words, "aEdILnPs", &long);
    let (options, command) = words.split_at(at.min(words.len()));
    let mut mark = None;
    for (i, word) in options.iter().enumerate() {
        if let Some(value) = word.text.strip_prefix("--replace=").or(word.text.strip_prefix("-i")) {
            mark = Some(if value.is_empty() { "{}" } else { value }.to_owned());
        } else if let Some(value) = word.text.strip_prefix("-I") {
            let next = options.get(i + 1).map_or("{}", |word| word.text.as_str());
            mark = Some(if value.is_empty() { next } else { value }.to_owned());
        }
    }
    Runs::Fed { words: command.to_vec(), mark }
}

fn of_parallel(words: &[Word]) -> Runs {
    let at = operand(words, "jaNLns", &["jobs", "arg-file", "delay", "joblog", "results"]);
    let command = words.get(at..).unwrap_or_default();
    let end = command.iter().position(|word| word.text.starts_with(":::"));
    let (command, given) = command.split_at(end.unwrap_or(command.len()));
    match given {
        [] => Runs::Fed { words: command.to_vec(), mark: Some("{}".to_owned()) },
        [_, given @ ..] => {
            let mut words = command.to_vec();
            words.extend(given.iter().cloned());
            Runs::Command { words, assigned: vec![], place: Place::Here }
        }
    }
}

fn of_find(program: &str, words: &[Word]) -> Runs {
    let exec: &[&str] = if program == "find" {
        &["-exec", "-execdir", "-ok", "-okdir"]
    } else {
        &["-x", "-X", "--exec", "--exec-batch"]
    };
    let Some(at) = words.iter().position(|word| is_any(word, exec)) else { return Runs::Itself };
    let command = words.get(at + 1..).unwrap_or_default();
    let end = command.iter().position(|word| is_any(word, &[";", "+"]));
    let command = command.get(..end.unwrap_or(command.len())).unwrap_or_default();
    let filled = |word: &Word| {
        if word.text.contains("{}") { Word::unknown(word.text.clone()) } else { word.clone() }
    };
    Runs::Command {
        words: command.iter().map(filled).collect(),
        assigned: vec![],
        place: Place::Here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Word> {
        shell_words::split(line).unwrap().into_iter().map(Word::known).collect()
    }

    fn command(line: &str) -> String {
        let told = |words: &[Word]| {
            words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
        };
        match runs(&words(line)) {
            Runs::Itself => "itself".to_owned(),
            Runs::Command { words, place, .. } => format!("{place:?}: {}", told(&words)),
            Runs::Script { text, place, .. } => format!("{place:?} script: {}", text.text),
            Runs::ScriptOnInput { place } => format!("{place:?} input"),
            Runs::Fed { words, mark } => format!("fed {mark:?}: {}", told(&words)),
        }
    }

    #[test]
    fn what_stands_before_a_command_is_left_out() {
        for (line, expected) in [
            ("sudo -nu root docker ps", "Here: docker ps"),
            ("sudo -E A=b -- docker ps", "Here: docker ps"),
            ("/usr/bin/env -i A=b docker ps", "Here: docker ps"),
            ("env -S 'docker ps'", "Here script: docker ps"),
            ("timeout -k 5 30s docker ps", "Here: docker ps"),
            ("nice -n 5 docker ps", "Here: docker ps"),
            ("command -v docker", "itself"),
            ("command docker ps", "Here: docker ps"),
            ("bash -euo pipefail -c 'docker ps'", "Here script: docker ps"),
            ("bash -lc 'docker ps'", "Here script: docker ps"),
            ("sh script.sh", "itself"),
            ("bash", "Here input"),
            ("bash -s -- x", "Here input"),
            ("eval docker ps", "Here script: docker ps"),
            ("xargs -r -n1 docker rm", "fed None: docker rm"),
            ("xargs -I{} docker rm {}", "fed Some(\"{}\"): docker rm {}"),
            ("xargs -I % docker rm %", "fed Some(\"%\"): docker rm %"),
            ("find . -name x -exec docker rm {} +", "Here: docker rm {}"),
            ("ssh -p 22 ann@build docker ps", "Elsewhere script: docker ps"),
            ("nsenter -t 1 -m docker ps", "Elsewhere: docker ps"),
            ("su - ann -c 'docker ps'", "Here script: docker ps"),
            ("watch -n 2 docker ps", "Here script: docker ps"),
            ("docker ps", "itself"),
        ] {
            assert_eq!(command(line), expected, "{line}");
        }
    }
}
