//! Patterns of names: `pg*`.

use std::fmt;
use std::str::FromStr;

/// A name in which `*` stands for any text and `?` for one character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    pub fn matches(&self, name: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let name: Vec<char> = name.chars().collect();
        let (mut p, mut n) = (0, 0);
        // Where to go on when what follows the last `*` does not fit.
        let mut retry: Option<(usize, usize)> = None;
        while let Some(&c) = name.get(n) {
            match pattern.get(p) {
                Some('*') => {
                    retry = Some((p, n));
                    p += 1;
                }
                Some(&expected) if expected == '?' || expected == c => {
                    p += 1;
                    n += 1;
                }
                _ => {
                    let Some((star, taken)) = retry else { return false };
                    retry = Some((star, taken + 1));
                    p = star + 1;
                    n = taken + 1;
                }
            }
        }
        pattern.iter().skip(p).all(|&c| c == '*')
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Names of images have registries, paths and tags.
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "_.-*?:/".contains(c);
        if text.is_empty() || text.contains("..") || !text.chars().all(is_of_names) {
            return Err(format!(
                "{text:?} is no pattern of names: use letters, digits, \"_\", \".\", \"-\", \":\", \"/\", and \"*\" or \"?\" for anything"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks() {
        let matches = |pattern: &str, name| pattern.parse::<Pattern>().unwrap().matches(name);
        for (pattern, name) in [
            ("pg", "pg"),
            ("pg*", "pg"),
            ("pg*", "pgdata"),
            ("*data", "pg-data"),
            ("*a*b*", "xxaxxbxx"),
            ("*aab", "aaab"),
            ("p?", "pg"),
            ("*", "anything"),
            ("reg.test:5000/shop/*:1", "reg.test:5000/shop/app:1"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("pg", "pgx"), ("pg", "xpg"), ("p?", "p"), ("*b", "ba"), ("a*b*c", "acb"), ("?", "")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!("".parse::<Pattern>().is_err());
        assert!("../x".parse::<Pattern>().is_err());
    }
}
