//! Which values are no secrets, whatever they stand under.

use super::MARKER;
use super::keys::is_secret_key;

/// Nothing to hide: empty, a switch, a reference to the real value, or hidden already. What has
/// a marker in it was judged before, and judging the rest again could only differ.
pub(super) fn is_harmless(value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || is_switch(value)
        || is_reference(value)
        || is_masked(value)
        || value.contains(MARKER)
}

/// `yes`, `trust`, `none`: so `ALLOW_EMPTY_PASSWORD=yes` stays readable.
fn is_switch(value: &str) -> bool {
    is_one_of(value, SWITCHES)
}

/// Where the secret is, not what it is: `/run/secrets/x`, `${VAR}`, `arn:…`.
pub(super) fn is_reference(value: &str) -> bool {
    if value.len() > 1024 {
        return false;
    }
    is_variable(value)
        || REFERENCE_SCHEMES.iter().any(|scheme| value.starts_with(scheme))
        || is_path(value)
        || is_file_name(value)
}

/// `********`, `xxxx`, `<redacted>`, `<your token>`.
pub(super) fn is_masked(value: &str) -> bool {
    let repeated = |mask: char| value.len() >= 3 && value.chars().all(|c| c == mask);
    repeated('*')
        || repeated('x')
        || repeated('X')
        || repeated('.')
        || repeated('•')
        || (value.len() <= 64 && value.starts_with('<') && value.ends_with('>'))
        || is_placeholder(value)
        || is_one_of(value, &["[FILTERED]", "[HIDDEN]", "[MASKED]", "REDACTED", "(redacted)"])
}

/// `YOUR_API_KEY`, `your-password-here`
fn is_placeholder(value: &str) -> bool {
    value.get(..5).is_some_and(|start| {
        start.eq_ignore_ascii_case("your_") || start.eq_ignore_ascii_case("your-")
    }) && value.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-'))
}

/// What a program has drawn or a person has made up: no word, no name of an object, no measure,
/// no date. Asked where nothing but prose says that a secret comes.
pub(super) fn is_drawn(value: &str) -> bool {
    let has = |is: fn(char) -> bool| value.chars().any(is);
    let has_case = has(char::is_uppercase);
    let is_mixed = has_case && has(char::is_lowercase) && !is_word(value);
    let is_date = value.starts_with(|c: char| c.is_ascii_digit()) && value.contains([':', 'T'])
        || value.get(4..5) == Some("-") && value.bytes().take(4).all(|byte| byte.is_ascii_digit());
    let is_made_up = has(|c| c.is_ascii_digit() || "!#$%^*~".contains(c)) || is_mixed;
    value.len() >= 6
        && has(char::is_alphabetic)
        && is_made_up
        && (has_case || !could_be_a_name(value))
        && !is_date
        && !value.contains("://")
        && !value.starts_with("sha256:")
        && !is_harmless(value)
        && !is_state(value)
}

/// What programs say after `password:` or `token=` when they do not print the value.
pub(super) fn is_state(value: &str) -> bool {
    is_one_of(value.trim_end_matches(['.', ',', ';', ':', '!', '?']), STATES)
}

/// `must be at least 8 characters`: more words follow one that starts a sentence.
pub(super) fn is_sentence(value: &str) -> bool {
    value.len() <= 512
        && value.split_once(' ').is_some_and(|(first, rest)| {
            !rest.trim().is_empty() && (is_one_of(first, SENTENCE_STARTS) || is_state(first))
        })
}

pub(super) fn starts_sentence(word: &str) -> bool {
    is_one_of(word.trim_end_matches(['.', ',', ';', ':', '!', '?']), SENTENCE_STARTS)
}

/// Letters, as in prose: `can't`, `not-found`, `Permission`.
pub(super) fn is_word(value: &str) -> bool {
    let value = value.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    let begins_with_letter = value.chars().next().is_some_and(char::is_alphabetic);
    let letters = |c: char| c.is_alphabetic() || matches!(c, '\'' | '-' | '’');
    // `swordFish` is no word, `Permission` and `EOF` are.
    let mixed_case =
        value.chars().skip(1).any(char::is_uppercase) && value.chars().any(char::is_lowercase);
    begins_with_letter && value.chars().all(letters) && !mixed_case
}

/// Words with a few digits behind them, such as `paperless`, `my_app-2`, `Immich2024`: what a
/// person calls something, and not what a program has drawn.
pub(super) fn could_be_a_name(value: &str) -> bool {
    const MAX_BYTES: usize = 32;
    const MAX_DIGITS: usize = 4;
    let is_part = |part: &str| {
        let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
        part.len() - letters.len() <= MAX_DIGITS && (letters.is_empty() || is_word(letters))
    };
    value.len() <= MAX_BYTES
        && value.split(['-', '_', '.', ' ', '/']).all(|part| !part.is_empty() && is_part(part))
}

/// `12`, `3ms`, `99.5%`: a measure, not a secret.
pub(super) fn is_small_number(value: &str) -> bool {
    let unit_start = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(unit_start);
    (1..=5).contains(&number.len())
        && number.starts_with(|c: char| c.is_ascii_digit())
        && matches!(unit, "" | "ms" | "us" | "µs" | "s" | "m" | "h" | "d" | "%" | "kB" | "MB")
}

/// Values that are too common to be replaced wherever they occur.
pub(super) fn is_trivial(value: &str) -> bool {
    let digits_only = value.chars().all(|c| c.is_ascii_digit());
    let mut characters = value.chars();
    let first = characters.next();
    (digits_only && value.len() < 12)
        || characters.all(|c| Some(c) == first)
        || is_harmless(value)
        || is_state(value)
        || is_one_of(value, TRIVIAL)
        || MARKER.contains(value)
}

fn is_one_of(value: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(value))
}

/// References and what joins them, nothing else: `${USER}:${PASSWORD}`.
fn is_variable(value: &str) -> bool {
    if CODE.iter().any(|code| value.starts_with(code)) || is_member(value) {
        return true;
    }
    let mut rest = value;
    let mut has_reference = false;
    while let Some(first) = rest.chars().next() {
        // `$dir/private/key.pem`
        if has_reference && rest.starts_with('/') && is_path(rest) {
            return true;
        }
        let joins = matches!(first, ':' | '/' | '@' | '-' | '_' | '.' | ',' | ' ');
        let length = match reference(rest) {
            Some(length) => {
                has_reference = true;
                length
            }
            None if has_reference && joins => first.len_utf8(),
            None => return false,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    has_reference
}

/// How long the reference is with which this begins.
fn reference(text: &str) -> Option<usize> {
    if let Some(length) = bracketed(text) {
        let inside = text.get(..length)?.strip_prefix("${").and_then(|it| it.strip_suffix('}'));
        return inside.is_none_or(|inside| !spells_out(inside)).then_some(length);
    }
    // Cut off, or in pieces.
    if text.starts_with("{{") || text.starts_with("$(") {
        return Some(text.len());
    }
    if let Some(rest) = text.strip_prefix('$') {
        // `$$X` is how a compose file writes `$X`.
        if rest.starts_with("$(") || rest.starts_with("${") {
            return reference(rest).map(|length| length + 1);
        }
        let bare = rest.strip_prefix('$').unwrap_or(rest);
        let name = bare.get(..identifier(bare))?;
        let constant =
            name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let number = name.starts_with(|c: char| c.is_ascii_digit()) && name.len() > 2;
        let folder = bare.get(name.len()..)?.starts_with('/');
        let is_named = !name.is_empty() && !number && (constant || folder || is_secret_key(name));
        return is_named.then_some(text.len() - bare.len() + name.len());
    }
    if let Some(rest) = text.strip_prefix('%') {
        // `%TOKEN%` of Windows, `%s` and `%-8q` of a format.
        let name = identifier(rest);
        if name > 0 && rest.get(name..)?.starts_with('%') && rest.get(name + 1..)?.is_empty() {
            return Some(text.len());
        }
        let flags = rest.bytes().take_while(|byte| b"0123456789.$+-#@".contains(byte)).count();
        let verb = rest.get(flags..)?;
        let is_verb = verb.starts_with(|c: char| c.is_ascii_alphabetic()) && identifier(verb) == 1;
        return is_verb.then_some(flags + 2);
    }
    // `:password` and `@password` of SQL
    let name = text.strip_prefix([':', '@'])?;
    (identifier(name) == name.len() && is_secret_key(name)).then_some(text.len())
}

fn identifier(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// The default of `${X:-default}` is a value; the message of `${X:?message}` is none.
fn spells_out(inside: &str) -> bool {
    let operator = inside.get(identifier(inside)..).unwrap_or_default().trim_start_matches(':');
    operator.strip_prefix(['-', '=', '+']).is_some_and(|value| !is_harmless(value))
}

/// How long the reference in brackets is with which this begins.
pub(super) fn bracketed(text: &str) -> Option<usize> {
    const WITH_END: [(&str, &str); 4] = [("${{", "}}"), ("{{", "}}"), ("<%", "%>"), ("%(", ")s")];
    const NESTED: [(&str, u8, u8); 4] =
        [("${", b'{', b'}'), ("$(", b'(', b')'), ("#{", b'{', b'}'), ("%{", b'{', b'}')];
    if let Some((_, end)) = WITH_END.iter().find(|(begin, _)| text.starts_with(begin)) {
        return text.find(end).map(|at| at + end.len());
    }
    if let Some((_, open, close)) = NESTED.iter().find(|(begin, ..)| text.starts_with(begin)) {
        let mut depth = 0_usize;
        return text
            .bytes()
            .skip(1)
            .position(|byte| {
                depth += usize::from(byte == *open);
                depth -= usize::from(byte == *close);
                depth == 0
            })
            .map(|at| at + 2);
    }
    // `{}`, `{0}`, `{db.password}` of a format, `<your password>`
    let (end, belongs): (char, fn(char) -> bool) = match text.chars().next()? {
        '{' => ('}', |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '?' | '!')),
        '<' => ('>', |c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ' ' | '\'')),
        _ => return None,
    };
    let (name, _) = text.get(1..)?.split_once(end)?;
    let mixed = name.contains(|c: char| c.is_ascii_digit()) && name.contains(char::is_alphabetic);
    (!mixed && name.len() <= 64 && name.chars().all(belongs)).then_some(name.len() + 2)
}

/// `self.password`, `.Values.db.password`: where a program or a template has it from.
fn is_member(value: &str) -> bool {
    let mut parts = value.trim_start_matches('.').split('.');
    let last = parts.next_back().unwrap_or_default();
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    let mut before = parts.peekable();
    (before.peek().is_some() || value.starts_with('.'))
        && before.all(is_name)
        && is_name(last)
        && is_secret_key(last)
}

/// Absolute or relative, and not what a random string that begins with `/` looks like.
fn is_path(value: &str) -> bool {
    let path_bytes =
        |path: &str| path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-@:~ \\".contains(&b));
    if !path_bytes(value) {
        return false;
    }
    let windows = value.as_bytes().get(1..3).is_some_and(|drive| drive == b":\\" || drive == b":/")
        && value.starts_with(|c: char| c.is_ascii_alphabetic());
    if windows || ["./", "../", "~/"].iter().any(|start| value.starts_with(start)) {
        return true;
    }
    let Some(path) = value.strip_prefix('/') else { return false };
    let top = path.split('/').next().unwrap_or_default();
    path.is_empty()
        || TOP_DIRECTORIES.contains(&top)
        || is_file_name(path)
        || !path.chars().any(|c| c.is_ascii_uppercase())
            && path.split('/').all(|part| part.len() <= 24)
            && path.contains(|c: char| c.is_ascii_lowercase())
}

fn is_file_name(value: &str) -> bool {
    value.rsplit_once('.').is_some_and(|(stem, ending)| {
        !stem.is_empty()
            && FILE_ENDINGS.contains(&ending)
            && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b))
    })
}

#[rustfmt::skip]
const SWITCHES: &[&str] = &[
    "-1", "0", "1", "basic", "bearer", "cram-md5", "digest", "disable", "disabled", "enable",
    "enabled", "f", "false", "ident", "ldap", "login", "md5", "n", "nil", "no", "none", "null",
    "oauth", "oauth2", "off", "oidc", "on", "optional", "peer", "plain", "reject", "required",
    "saml", "scram-sha-256", "scram-sha-512", "t", "true", "trust", "undefined", "y", "yes",
];

#[rustfmt::skip]
const STATES: &[&str] = &[
    "absent", "accepted", "active", "changed", "created", "decoded", "deleted", "denied", "empty",
    "eof", "error", "exists", "expired", "failed", "failure", "forbidden", "found", "generated",
    "hidden", "identifier", "ignored", "inactive", "incorrect", "invalid", "issued", "loaded",
    "malformed", "mandatory", "masked", "mismatch", "missing", "none", "ok", "okay", "present",
    "provided", "punc", "redacted", "refreshed", "refused", "rejected", "removed", "required",
    "revoked", "rotated", "set", "skipped", "string", "success", "supplied", "unauthorized",
    "unavailable", "unchanged", "unknown", "unset", "unspecified", "updated", "valid", "verified",
    "write", "wrong",
];

#[rustfmt::skip]
const SENTENCE_STARTS: &[&str] = &[
    "a", "already", "an", "and", "are", "argument", "at", "been", "but", "by", "can", "can't",
    "cannot", "could", "do", "does", "doesn't", "don't", "enter", "flag", "for", "from", "has",
    "have", "if", "in", "instead", "is", "isn't", "it", "may", "might", "must", "need", "needs",
    "no", "not", "of", "on", "only", "option", "or", "parameter", "please", "should", "that",
    "the", "this", "to", "too", "use", "using", "value", "via", "was", "were", "when", "will",
    "with", "without", "would", "you", "your",
];

#[rustfmt::skip]
const REFERENCE_SCHEMES: &[&str] = &[
    "@Microsoft.KeyVault(", "arn:", "ENC[", "env:", "file:", "keyring:", "op://", "ref+",
    "secretref:", "secretsmanager:", "ssm:", "vault:",
];

/// Programs that read the value from elsewhere.
#[rustfmt::skip]
const CODE: &[&str] = &[
    "$ENV{", "$_ENV[", "$_SERVER[", "$env:", "$this->", "cat /", "config(", "env(", "env[",
    "ENV[", "getenv(", "import.meta.env", "os.environ", "os.Getenv", "os.getenv", "process.env",
    "secrets.", "std::env", "System.getenv",
];

#[rustfmt::skip]
const TOP_DIRECTORIES: &[&str] = &[
    "app", "bin", "certs", "config", "data", "dev", "etc", "home", "Library", "mnt", "opt",
    "private", "proc", "root", "run", "secrets", "srv", "ssl", "tls", "tmp", "Users", "usr", "var",
    "vault", "Volumes", "workspace",
];

#[rustfmt::skip]
const FILE_ENDINGS: &[&str] = &[
    "asc", "cer", "conf", "crt", "env", "gpg", "jks", "json", "key", "p12", "pem", "pfx",
    "properties", "pub", "toml", "txt", "yaml", "yml",
];

#[rustfmt::skip]
const TRIVIAL: &[&str] = &[
    "admin123", "administrator", "anonymous", "changeit", "changeme", "container", "database",
    "development", "elasticsearch", "example.com", "guest123", "keycloak", "localhost",
    "memcached", "minioadmin", "nextcloud", "password", "password1", "password123", "phpmyadmin",
    "postgres", "postgresql", "production", "rabbitmq", "redacted", "username", "wordpress",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_no_secrets() {
        for value in [
            "/run/secrets/db",
            "/app",
            "/",
            "./key.pem",
            "server.key",
            r"C:\keys\server.pem",
            "${DB_PASSWORD}",
            "${DB_PASSWORD:-}",
            "${DB_PASSWORD:?must be set}",
            "$DB_PASSWORD",
            "%TOKEN%",
            "{{ vault_token }}",
            "$(cat /run/secrets/token)",
            "arn:aws:secretsmanager:eu:1:secret:x",
            "op://vault/item/field",
            "${DB_PASSWORD?it is not-set}",
            "${A}-${B:-${C}}",
            "$USER:$PASSWORD",
            "$$DB_PASSWORD",
            "$${DB_PASSWORD}",
            "$db_password",
            "$1",
            "${{ secrets.TOKEN }}",
            "{{ .Values.db.password | quote }}",
            "$(cat $(dirname $0)/token)",
            "#{ENV['TOKEN']}",
            "<%= token %>",
            "%(password)s",
            "%s",
            "%-8q",
            "{}",
            "{0}",
            "{db.password!r}",
            ":password",
            "self.password",
            ".Values.db.password",
            "<your password>",
            "YOUR_API_KEY",
        ] {
            assert!(is_harmless(value), "{value}");
        }
    }

    #[test]
    fn what_only_looks_like_a_reference_is_a_secret() {
        for value in [
            "${DB_PASSWORD:-hunter2pw}",
            "/aB3dEf9hIjKlMnOpQrStUv",
            "/dJk3+ab/cd==",
            "$ecret9",
            "$2y$10$abcdefghijk",
            "pa.ss/word",
            "<hunter2",
            "${PREFIX}hunter2pw",
            "{{ x }}hunter2pw",
            "%shunter2",
            "$12345678",
            "{hunter2}",
            "hunter.2.pw",
        ] {
            assert!(!is_harmless(value), "{value}");
        }
    }

    #[test]
    fn common_values_are_not_searched_for() {
        for value in ["password", "localhost", "12345678", "aaaaaaaa", "REDACTED", "/run/secrets/x"]
        {
            assert!(is_trivial(value), "{value}");
        }
        assert!(!is_trivial("hunter2secret") && !is_trivial("123456789012"));
    }

    #[test]
    fn what_a_person_calls_something_is_told_from_what_was_drawn() {
        for value in ["paperless", "my_app-2", "Immich2024", "shop.internal", "NEXTCLOUD"] {
            assert!(could_be_a_name(value), "{value}");
        }
        for value in [
            "kestrel41moth",
            "Zq8vN2plTk41",
            "swordFish",
            "correct!horse",
            "20261128",
            "-dash-",
            "8e557245-73e2-4286-969a-ff57fe326336",
        ] {
            assert!(!could_be_a_name(value), "{value}");
        }
    }
}
