//! A build context that is sent as an archive, because docker runs on another machine. What the
//! client would leave out by `.dockerignore` is left out here.

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use regex_lite::Regex;

use crate::command::feed::Feed;
use crate::error::{Code, Error};
use crate::tools::archive::{self, Kept};

/// The name of a Dockerfile that is not in the context.
pub(super) const DOCKERFILE: &str = ".docker-mcp.Dockerfile";

/// A context on its way.
pub(super) struct Sending {
    pub(super) feed: Feed,
    written: tokio::task::JoinHandle<io::Result<()>>,
}

impl Sending {
    /// Begins to send a folder, with the text of a Dockerfile that is not in it.
    ///
    /// # Errors
    /// DKR-004 for a `.dockerignore` that cannot be read, DKR-024 without a pipe.
    pub(super) fn begin(
        context: PathBuf,
        in_context: Option<&str>,
        dockerfile: Option<String>,
    ) -> Result<Self, Error> {
        let ignored = Ignored::of(&context, in_context.unwrap_or("Dockerfile"))?;
        let (reader, writer) =
            io::pipe().map_err(|error| Error::new(Code::ResourcesExhausted, error.to_string()))?;
        let always = [in_context.unwrap_or("Dockerfile").to_owned()];
        let written = tokio::task::spawn_blocking(move || {
            let kept = |name: &[u8]| ignored.judge(&String::from_utf8_lossy(name), &always);
            let further: Vec<_> = dockerfile.iter().map(|it| (DOCKERFILE, it.as_str())).collect();
            let out = BufWriter::with_capacity(1 << 16, writer);
            archive::write_some(&context, ".".as_ref(), &kept, &further, out)
        });
        Ok(Self { feed: Feed::new(reader), written })
    }

    /// Why it broke off, when that was not docker's doing.
    pub(super) async fn problem(self) -> Option<Error> {
        drop(self.feed);
        match self.written.await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                let message = format!("the context cannot be read: {error}");
                Some(Error::invalid("context", message))
            }
            _ => None,
        }
    }
}

/// The patterns of a `.dockerignore`, of which the last that fits decides.
struct Ignored(Vec<(Regex, bool)>);

impl Ignored {
    fn of(context: &Path, dockerfile: &str) -> Result<Self, Error> {
        let own = context.join(format!("{dockerfile}.dockerignore"));
        let file = if own.is_file() { own } else { context.join(".dockerignore") };
        if !file.exists() {
            return Ok(Self(vec![]));
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|error| Error::invalid("context", format!("{}: {error}", file.display())))?;
        Self::read(&text).ok_or_else(|| {
            let message = format!("{} has a pattern that cannot be read", file.display());
            Error::invalid("context", message)
        })
    }

    fn read(text: &str) -> Option<Self> {
        let lines = text.trim_start_matches('\u{feff}').lines();
        let lines = lines.filter(|line| !line.starts_with('#')).map(str::trim);
        let patterns = lines.filter_map(|line| {
            let (line, takes_back) = match line.strip_prefix('!') {
                Some(line) => (line.trim(), true),
                None => (line, false),
            };
            let mut parts = vec![];
            for part in line.split('/') {
                match part {
                    "" | "." => {}
                    ".." => drop(parts.pop()),
                    part => parts.push(part),
                }
            }
            let pattern = Some(parts.join("/")).filter(|it| !it.is_empty())?;
            Some(Regex::new(&expression(&pattern)).ok().map(|pattern| (pattern, takes_back)))
        });
        patterns.collect::<Option<_>>().map(Self)
    }

    /// What becomes of a name of the archive, `./a/b`.
    fn judge(&self, name: &str, always: &[String]) -> Kept {
        let name = name.strip_prefix("./").unwrap_or(name);
        if name == "." || name.is_empty() || always.iter().any(|it| it == name) {
            return Kept::Whole;
        }
        let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
        let above: Vec<&str> = ends.filter_map(|end| name.get(..end)).collect();
        let is_ignored = self.0.iter().fold(false, |ignored, (pattern, takes_back)| {
            let decides = *takes_back == ignored && above.iter().any(|it| pattern.is_match(it));
            if decides { !takes_back } else { ignored }
        });
        let may_hold_some = self.0.iter().any(|(_, takes_back)| *takes_back)
            || always.iter().any(|it| it.starts_with(&format!("{name}/")));
        match (is_ignored, may_hold_some) {
            (false, _) => Kept::Whole,
            (true, true) => Kept::Inside,
            (true, false) => Kept::Nothing,
        }
    }
}

/// The pattern as docker's own matcher reads it.
fn expression(pattern: &str) -> String {
    let mut expression = "^".to_owned();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (length, part) = match first {
            '*' if rest.starts_with("**/") => (3, "(?:.*/)?".to_owned()),
            '*' if rest.starts_with("**") => (2, ".*".to_owned()),
            '*' => (1, "[^/]*".to_owned()),
            '?' => (1, "[^/]".to_owned()),
            '[' | ']' | '^' | '-' => (1, first.to_string()),
            '\\' => {
                let escaped = rest.chars().nth(1).map(String::from).unwrap_or_default();
                (1 + escaped.len(), regex_lite::escape(&escaped))
            }
            other => (other.len_utf8(), regex_lite::escape(&other.to_string())),
        };
        expression.push_str(&part);
        rest = rest.get(length..).unwrap_or_default();
    }
    expression + "$"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerignore_leaves_out_what_docker_leaves_out() {
        let text = "# secrets\n.env\n**/*.pem\n/build/\nlogs\n!logs/keep.txt\n*/tmp?\nDockerfile\n";
        let ignored = Ignored::read(text).unwrap();
        let always = ["Dockerfile".to_owned()];
        let judge = |name: &str| ignored.judge(name, &always);
        for (name, kept) in [
            (".", Kept::Whole),
            ("./.env", Kept::Inside),
            ("./sub/.env", Kept::Whole),
            ("./a.pem", Kept::Inside),
            ("./a/b/c.pem", Kept::Inside),
            ("./build", Kept::Inside),
            ("./build/x/y", Kept::Inside),
            ("./rebuild", Kept::Whole),
            ("./logs", Kept::Inside),
            ("./logs/keep.txt", Kept::Whole),
            ("./logs/other.txt", Kept::Inside),
            ("./a/tmp1", Kept::Inside),
            ("./a/tmp12", Kept::Whole),
            ("./Dockerfile", Kept::Whole),
            ("./src/main.rs", Kept::Whole),
        ] {
            assert_eq!(judge(name), kept, "{name}");
        }
        let everything = Ignored::read("node_modules").unwrap();
        assert_eq!(everything.judge("./node_modules", &always), Kept::Nothing);
        let all = Ignored::read("*\n!src\n").unwrap();
        assert_eq!(all.judge("./src/a", &always), Kept::Whole);
        assert_eq!(all.judge("./other", &always), Kept::Inside);
    }
}
