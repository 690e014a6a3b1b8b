//! Which names hold a secret, judged by their words: `DB_PASS` does, `KEYBOARD` and `TOKEN_TTL`
//! do not.

/// Whether a value under this name is a secret: a variable, a label, an option, a JSON member.
///
/// ```
/// use docker_mcp_server::redact::is_secret_key;
///
/// assert!(is_secret_key("PGPASSWORD") && is_secret_key("clientSecret"));
/// assert!(!is_secret_key("POSTGRES_PASSWORD_FILE") && !is_secret_key("PRIMARY_KEY"));
/// ```
pub fn is_secret_key(key: &str) -> bool {
    // The shell's working directory; `Pwd=` in a connection string is a password.
    if key == "PWD" || key == "OLDPWD" {
        return false;
    }
    let words = words(key);
    let Some(last) = words.last() else { return false };
    if matches!(words.as_slice(), [.., a, b, c] if a == "docker" && b == "auth" && c == "config") {
        return true;
    }
    if ABOUT_A_SECRET.contains(&last.as_str()) {
        return false;
    }
    words.iter().enumerate().any(|(index, word)| {
        let before = index.checked_sub(1).and_then(|index| words.get(index)).map(String::as_str);
        let is_last = index + 1 == words.len();
        is_secret_word(word, before, is_last)
    })
}

fn is_secret_word(word: &str, before: Option<&str>, is_last: bool) -> bool {
    match word {
        "token" => !before.is_some_and(|before| NOT_SECRET_BEFORE_TOKEN.contains(&before)),
        // `MAX_TOKENS` counts, `API_TOKENS` holds.
        "tokens" => before.is_some_and(|before| SECRET_BEFORE_KEY.contains(&before)),
        "key" | "keys" => match before {
            Some(before) if SECRET_BEFORE_KEY.contains(&before) => true,
            Some(before) => is_last && !NOT_SECRET_BEFORE_KEY.contains(&before),
            None => false,
        },
        "pass" => is_last && !before.is_some_and(|before| NOT_SECRET_BEFORE_PASS.contains(&before)),
        _ => {
            SECRET_WORDS.contains(&word)
                || (is_last && SECRET_LAST_WORDS.contains(&word))
                || GLUED_WORDS.contains(&word)
                || GLUED_ENDINGS.iter().any(|ending| word.ends_with(ending))
        }
    }
}

/// `dbPassword2`, `DB-PASSWORD` and `db.password_2` are all `db`, `password`.
fn words(key: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before: Option<char> = None;
    let mut characters = key.chars().peekable();
    while let Some(character) = characters.next() {
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || characters.peek().is_some_and(|next| next.is_lowercase())
            });
        if starts_word || !character.is_alphanumeric() {
            keep(&mut words, &mut word);
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        before = Some(character);
    }
    keep(&mut words, &mut word);
    words
}

fn keep(words: &mut Vec<String>, word: &mut String) {
    word.truncate(word.trim_end_matches(|c: char| c.is_ascii_digit()).len());
    if !word.is_empty() {
        words.push(std::mem::take(word));
    }
}

/// A name that ends with one of these tells something about a secret.
#[rustfmt::skip]
const ABOUT_A_SECRET: &[&str] = &[
    "addr", "address", "age", "alg", "algo", "algorithm", "arn", "at", "attempts", "audience",
    "backend", "bits", "bytes", "callback", "chars", "check", "class", "column", "complexity",
    "cost", "count", "created", "curve", "date", "days", "description", "dir", "directory",
    "disabled", "domain", "driver", "enable", "enabled", "encoding", "endpoint", "env", "error",
    "errors", "exp", "expiration", "expire", "expires", "expiry", "field", "file", "filename",
    "files", "fingerprint", "flag", "folder", "form", "format", "generator", "hasher", "header",
    "headers", "helper", "helpers", "hint", "host", "hostname", "hours", "id", "ids", "in",
    "index", "input", "interval", "issuer", "keyring", "label", "leeway", "len", "length",
    "lifetime", "limit", "limits", "link", "location", "manager", "max", "mechanism", "message",
    "method", "methods", "min", "minutes", "mode", "mount", "name", "names", "needed", "page",
    "param", "parameter", "path", "paths", "pattern", "placeholder", "policy", "port", "prefix",
    "provider", "providers", "realm", "redirect", "ref", "regex", "region", "required", "reset",
    "role", "rotation", "rounds", "rules", "schema", "scope", "scopes", "seconds", "server",
    "service", "size", "sock", "socket", "source", "spec", "state", "status", "stdin", "store",
    "strategy", "strength", "subject", "suffix", "table", "target", "thumbprint", "time",
    "timeout", "timeouts", "title", "total", "ttl", "type", "types", "updated", "uri", "url",
    "urls", "usage", "user", "username", "users", "validation", "validator", "validators",
    "version", "zone",
];

/// Anywhere in a name.
#[rustfmt::skip]
const SECRET_WORDS: &[&str] = &[
    "apikey", "apikeys", "bearer", "credential", "credentials", "creds", "jwt", "masterauth",
    "passcode", "passphrase", "passwd", "password", "passwords", "privatekey", "pwd",
    "requirepass", "salt", "secret", "secrets",
];

/// At the end of a name.
const SECRET_LAST_WORDS: &[&str] =
    &["auth", "authorization", "cookie", "cookies", "pat", "psk", "pw", "sas"];

/// Before `key` these make it a secret, wherever it stands: `PRIVATE_KEY_PEM`, `API_KEY_PROD`.
#[rustfmt::skip]
const SECRET_BEFORE_KEY: &[&str] = &[
    "access", "account", "admin", "api", "app", "auth", "bot", "client", "consumer", "decryption",
    "deploy", "encryption", "hmac", "license", "master", "private", "refresh", "root", "secret",
    "server", "service", "session", "signing", "ssh", "webhook", "write",
];

/// Before a last `key` these make it an ordinary name. `GPG_KEY` in the official python and php
/// images is the fingerprint of a public key.
#[rustfmt::skip]
const NOT_SECRET_BEFORE_KEY: &[&str] = &[
    "all", "apt", "arrow", "authorized", "cache", "candidate", "composite", "config", "count",
    "ctrl", "dedup", "deduplication", "dict", "duplicate", "enter", "env", "escape", "event",
    "evicted", "expired", "export", "extra", "fetch", "field", "foreign", "function", "gpg",
    "group", "grouping", "hash", "host", "hot", "i18n", "idempotency", "idx", "import",
    "index", "invalid", "json", "known", "label", "list", "lookup", "map", "max", "message",
    "metric", "min", "missing", "natural", "num", "object", "option", "order", "pagination",
    "partition", "partitioning", "pgp", "press", "primary", "pub", "public", "publishable",
    "range", "receive", "record", "recv", "redis", "registry", "repo", "required", "routing",
    "row", "s", "search", "send", "setting", "shard", "sharding", "shift", "shortcut", "site",
    "sort", "tab", "tag", "topic", "total", "translation", "trusted", "unique", "unknown",
    "unused",
];

/// Pages and vocabularies have tokens too.
#[rustfmt::skip]
const NOT_SECRET_BEFORE_TOKEN: &[&str] = &[
    "bos", "cls", "continuation", "end", "eos", "first", "last", "mask", "next", "pad", "page",
    "prev", "previous", "sep", "special", "start", "stop", "sync", "unexpected", "unk",
];

#[rustfmt::skip]
const NOT_SECRET_BEFORE_PASS: &[&str] = &[
    "all", "band", "first", "high", "low", "multi", "one", "render", "second", "single", "test",
    "tests", "third", "two",
];

#[rustfmt::skip]
const GLUED_WORDS: &[&str] = &[
    "adminpass", "dbpass", "dbpw", "ftppass", "keypass", "mailpass", "mysqlpass", "passin",
    "passout", "pgpass", "postgrespass", "redispass", "rootpass", "rootpw", "smtppass", "sshpass",
    "storepass", "userpass",
];

#[rustfmt::skip]
const GLUED_ENDINGS: &[&str] = &[
    "accesskey", "apikey", "authkey", "credentials", "encryptionkey", "masterkey", "passphrase",
    "passwd", "password", "passwords", "privatekey", "pwd", "secret", "secretkey", "secrets",
    "signingkey", "token",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        for (key, expected) in [
            ("dbPassword2", "db password"),
            ("DB-PASSWORD", "db password"),
            ("spring.datasource.password", "spring datasource password"),
            ("APIKey", "api key"),
            ("MySQLPassword", "my sql password"),
            ("PGPass", "pg pass"),
            ("DB_PASSWORD_1", "db password"),
            ("__", ""),
            ("Ñandú_KEY", "ñandú key"),
        ] {
            assert_eq!(words(key).join(" "), expected, "{key}");
        }
    }
}
