//! Programs with options that carry a password without naming it: `mysql -pX`, `curl -u user:X`.

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
