//! Options that carry a password without naming it: `mysql -pX`, `curl -u user:X`.

use std::ops::Range;

use super::scan::Scanner;
use super::values::is_harmless;

/// So far an option is looked for behind the name of its program.
pub(super) const MAX_ARGUMENTS: usize = 48;

/// A program, and the option after which it takes a password.
pub(super) struct Program {
    /// The beginning of its name; `mysql` is `mysqldump` and `mysqladmin` too.
    pub(super) name: &'static str,
    option: &'static str,
    writes: Writes,
    /// `user:password`: the secret begins after this.
    after: Option<char>,
}

/// How the value follows the option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// `-pX`; `-p X` means something else.
    Attached,
    /// `-p X` or `-pX`.
    Either,
    /// `--user X`, where `-X` would be other options.
    Apart,
}

const fn program(name: &'static str, option: &'static str, writes: Writes) -> Program {
    Program { name, option, writes, after: None }
}

const fn with_user(name: &'static str, option: &'static str, writes: Writes) -> Program {
    Program { name, option, writes, after: Some(':') }
}

pub(super) const PROGRAMS: &[Program] = &[
    program("mysql", "-p", Writes::Attached),
    program("mariadb", "-p", Writes::Attached),
    program("sshpass", "-p", Writes::Either),
    program("login", "-p", Writes::Either),
    program("redis-cli", "-a", Writes::Apart),
    program("valkey-cli", "-a", Writes::Apart),
    program("mongo", "-p", Writes::Either),
    program("ldap", "-w", Writes::Either),
    program("openssl", "-k", Writes::Apart),
    program("sqlcmd", "-P", Writes::Either),
    with_user("curl", "-u", Writes::Either),
    with_user("curl", "--user", Writes::Apart),
    with_user("curl", "-U", Writes::Either),
    with_user("curl", "--proxy-user", Writes::Apart),
    Program { name: "smbclient", option: "-U", writes: Writes::Either, after: Some('%') },
];

/// The secrets among the arguments of a program: which argument, and from which byte of it.
pub(super) fn secret_arguments(name: &str, arguments: &[&str]) -> Vec<(usize, usize)> {
    let mut secrets = Vec::new();
    for program in PROGRAMS.iter().filter(|program| name.starts_with(program.name)) {
        let mut value_follows = false;
        for (index, argument) in arguments.iter().enumerate() {
            let value_at = if std::mem::take(&mut value_follows) {
                Some(0)
            } else if *argument == program.option {
                value_follows = program.writes != Writes::Attached;
                None
            } else if program.writes == Writes::Apart {
                argument
                    .strip_prefix(program.option)
                    .filter(|value| value.starts_with('='))
                    .map(|_| program.option.len() + 1)
            } else {
                argument.strip_prefix(program.option).map(|_| program.option.len())
            };
            let secret_at = value_at.and_then(|at| {
                let value = argument.get(at..)?;
                let skipped = match program.after {
                    Some(separator) => value.find(separator)? + 1,
                    None => 0,
                };
                let secret = value.get(skipped..)?;
                // `-u 1000:1000` is a user of a container.
                let numbers = program.after.is_some()
                    && value.chars().all(|c| c.is_ascii_digit() || Some(c) == program.after);
                let shown = is_harmless(secret) || numbers || (at == 0 && value.starts_with('-'));
                (!shown).then_some(at + skipped)
            });
            secrets.extend(secret_at.map(|at| (index, at)));
        }
    }
    secrets
}

impl Scanner<'_> {
    /// A program's name was found: reads its arguments, up to the end of the command.
    pub(super) fn command(&mut self, word: Range<usize>, program: &Program) {
        const MAX_BYTES: usize = 2048;
        let name_end = self.run(word.end, |byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !self.starts_with(word.start, program.name) || !self.begins_argument(word.start) {
            return;
        }
        let mut arguments = Vec::new();
        let mut at = name_end;
        while arguments.len() < MAX_ARGUMENTS && at < word.end + MAX_BYTES {
            let start = self.run(at, |byte| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b','));
            if start == at {
                break;
            }
            // The quote before an argument is the one that ends it: `-u "bob:a b"`.
            let end = match self.byte_before(start) {
                Some(quote @ (b'"' | b'\'')) if self.byte(start) != Some(b'-') => {
                    self.run(start, |byte| byte != quote && byte != b'\n')
                }
                _ => self.run(start, |byte| {
                    !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b'`')
                }),
            };
            let argument = self.slice(start..end);
            let ends_command = argument.is_empty()
                || matches!(argument, "|" | "||" | "&&" | "&" | ">" | ">>" | "<")
                || argument.ends_with(';');
            if ends_command {
                break;
            }
            arguments.push((start..end, argument.trim_end_matches(',')));
            at = end;
        }
        let name = self.slice(word.start..name_end);
        let texts: Vec<&str> = arguments.iter().map(|(_, text)| *text).collect();
        for (index, from) in secret_arguments(name, &texts) {
            if let Some((span, text)) = arguments.get(index) {
                // Other options stand between, so they are not decided by this.
                self.mask_ahead(span.start + from..span.start + text.len());
            }
        }
    }

    fn begins_argument(&self, at: usize) -> bool {
        self.byte_before(at).is_none_or(|byte| {
            byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'/' | b'(' | b'`' | b';')
        })
    }
}
