//! What a program that is started in a container erases there, as far as its command line shows.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::programs::name;
use super::shell::{self, Call, Standing};
use super::word::Word;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Erasing {
    /// Absolute paths, whose end may be `*`.
    pub(super) paths: Vec<String>,
    /// What it does to a database.
    pub(super) drops: Option<String>,
}

/// Words that empty a database, in its own language or as a program.
static DROPS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(drop\s+(database|schema|table|tablespace|keyspace|collection)\b|truncate\s+(table\s+)?\w|delete\s+from\s+\S+\s*(;|$)|flushall\b|flushdb\b|dropDatabase\s*\(|deleteMany\s*\(\s*(\{\s*\})?\s*\)|\.drop\s*\(\s*\))",
    )
    .ok()
});

const DROPPERS: &[&str] = &["dropdb", "pg_dropcluster", "mysqladmin drop"];

pub(super) fn of(command: &[Word], call: &Call) -> Erasing {
    let mut erasing = Erasing::default();
    if command.is_empty() {
        return erasing;
    }
    let quoted: Vec<String> =
        command.iter().map(|word| crate::command::invocation::quote(&word.text)).collect();
    let reading = shell::read(&quoted.join(" "), &Standing::default());
    for inner in &reading.calls {
        of_call(&inner.words, &mut erasing);
    }
    let input = match &call.input {
        shell::Input::Text(text) => text.as_str(),
        _ => "",
    };
    let texts = command.iter().map(|word| word.text.as_str()).chain([input]);
    for text in texts {
        let found = DROPS.as_ref().and_then(|drops| drops.find(text));
        if let (Some(found), None) = (found, &erasing.drops) {
            erasing.drops =
                Some(format!("it empties a database or a part of it: `{}`", found.as_str().trim()));
        }
    }
    erasing
}

fn of_call(words: &[Word], erasing: &mut Erasing) {
    let Some((first, rest)) = words.split_first() else { return };
    let Some(program) = name(first) else { return };
    let absolute = |word: &&Word| word.text.starts_with('/');
    let operands = || rest.iter().filter(absolute).map(|word| word.text.clone());
    let has = |texts: &[&str]| rest.iter().any(|word| texts.contains(&word.text.as_str()));
    match program {
        "rm" | "shred" | "unlink" | "rmdir" | "truncate" | "wipefs" => {
            erasing.paths.extend(operands());
        }
        "find" if has(&["-delete"]) || rest.iter().any(|word| word.text.ends_with("rm")) => {
            erasing.paths.extend(operands().take(1));
        }
        "mv" => erasing.paths.extend(operands().take(operands().count().saturating_sub(1))),
        "dd" => {
            let target = rest.iter().find_map(|word| word.text.strip_prefix("of="));
            erasing.paths.extend(target.filter(|path| path.starts_with('/')).map(str::to_owned));
        }
        "mkfs" => erasing.paths.extend(operands()),
        _ => {
            let line = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            if DROPPERS.iter().any(|dropper| line.contains(dropper)) {
                erasing.drops = Some(format!("it drops a database: `{line}`"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasing(line: &str) -> Erasing {
        let words = shell_words::split(line).unwrap().into_iter().map(Word::known);
        of(&words.collect::<Vec<_>>(), &Call::default())
    }

    #[test]
    fn what_is_erased_is_seen_through_shells() {
        for (line, paths) in [
            ("rm -rf /data/x", &["/data/x"][..]),
            ("sh -c 'cd / && rm -rf /data/*'", &["/data/*"]),
            ("find /data -name x -delete", &["/data"]),
            ("find /data -name x", &[]),
            ("ls /data", &[]),
            ("dd if=/dev/zero of=/data/x", &["/data/x"]),
        ] {
            assert_eq!(erasing(line).paths, paths, "{line}");
        }
    }

    #[test]
    fn a_database_that_is_emptied_is_seen() {
        for (line, drops) in [
            ("psql -U x -c 'DROP DATABASE shop'", true),
            ("psql -c 'select 1'", false),
            ("psql -c 'delete from users where id = 1'", false),
            ("psql -c 'DELETE FROM users;'", true),
            ("redis-cli FLUSHALL", true),
            ("dropdb shop", true),
            ("mongosh --eval 'db.dropDatabase()'", true),
            ("npm run drop-table-tests", false),
        ] {
            assert_eq!(erasing(line).drops.is_some(), drops, "{line}");
        }
    }
}
