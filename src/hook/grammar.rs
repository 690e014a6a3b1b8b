//! Docker's own command line: which program is meant, its command, flags and operands.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::programs::name;
use super::word::Word;

/// Docker's clients, as far as their command lines are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Docker,
    /// `docker-compose`, of which the command line is that of `docker compose`.
    Compose,
    /// Podman, nerdctl: another engine, of which nothing is known here.
    Other,
}

/// A command line of docker as docker reads it.
#[derive(Clone, Debug)]
pub struct Spoken {
    pub client: Client,
    /// Its words as docker has them first: `container rm` for `rm`.
    pub command: &'static str,
    /// Those of docker, and of compose before its command.
    pub global: Vec<Flag>,
    pub flags: Vec<Flag>,
    pub operands: Vec<Word>,
}

/// One flag, by its long name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    pub name: String,
    /// Nothing for a switch.
    pub value: Option<Word>,
}

/// Why a command line is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unspoken {
    /// It asks for help or a version, or names no command.
    Nothing,
    /// A command that is not in the table: a plugin.
    Unknown(String),
    /// Its command is not known before.
    Hidden,
}

static TABLE: &str = include_str!("grammar.txt");

struct Grammar {
    commands: BTreeMap<&'static str, Vec<Known>>,
    aliases: BTreeMap<&'static str, &'static str>,
}

#[derive(Clone, Copy)]
struct Known {
    long: &'static str,
    short: Option<char>,
    takes_value: bool,
}

static GRAMMAR: LazyLock<Grammar> = LazyLock::new(|| {
    let (mut commands, mut aliases) = (BTreeMap::new(), BTreeMap::new());
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        if let Some((other, command)) = line.split_once(" > ") {
            aliases.insert(other, command);
        } else if let Some((command, flags)) = line.split_once(':') {
            commands.insert(command, flags.split_whitespace().map(flag).collect());
        }
    }
    Grammar { commands, aliases }
});

/// `-f/force`, `filter=`
fn flag(text: &'static str) -> Known {
    let (text, takes_value) = text.strip_suffix('=').map_or((text, false), |text| (text, true));
    let (short, long) = match text.split_once('/') {
        Some((short, long)) => (short.chars().nth(1), long),
        None => (None, text),
    };
    Known { long, short, takes_value }
}

/// Behind the first operand of these everything belongs to the container.
const ENDS_AT_OPERAND: &[&str] = &[
    "container run",
    "container create",
    "container exec",
    "container top",
    "compose run",
    "compose exec",
    "compose top",
];

/// Which client the first word names. `own` is the operator's docker command.
pub fn client(word: &Word, own: &str) -> Option<Client> {
    let Some(program) = name(word) else {
        // `$DOCKER rm`, `"$COMPOSE" down`: what else should it be.
        let shown = word.text.to_uppercase();
        return match () {
            () if shown.contains("COMPOSE") => Some(Client::Compose),
            () if shown.contains("DOCKER") => Some(Client::Docker),
            () => None,
        };
    };
    match program {
        "docker" | "docker.exe" | "com.docker.cli" => Some(Client::Docker),
        "docker-compose" | "docker-compose-v1" | "podman-compose" => Some(Client::Compose),
        "podman" | "nerdctl" | "lima" | "finch" | "podman-remote" => Some(Client::Other),
        program if program == own && !own.is_empty() => Some(Client::Docker),
        _ => None,
    }
}

/// Reads the words of a client, its own name the first of them.
///
/// # Errors
/// When there is nothing in it that could do anything, or it cannot be known.
pub fn read(client: Client, words: &[Word]) -> Result<Spoken, Unspoken> {
    let grammar = &*GRAMMAR;
    let mut words = words.get(1..).unwrap_or_default();
    if client == Client::Other && words.first().and_then(Word::value) == Some("nerdctl") {
        words = words.get(1..).unwrap_or_default();
    }
    let mut line = Line { words, at: 0 };
    let mut command = if client == Client::Compose { "compose" } else { "docker" };
    let mut global = vec![];
    let mut is_help = false;
    // Down to the command that has no commands of its own.
    while command == "docker" || has_commands(grammar, command) {
        let known = grammar.commands.get(command).map_or(&[][..], Vec::as_slice);
        while let Some(flags) = line.flags(&[known]) {
            is_help |= flags.iter().any(|flag| flag.name == "help" || flag.name == "version");
            global.extend(flags);
        }
        let Some(word) = line.words.get(line.at) else { break };
        let Some(text) = word.value() else { return Err(Unspoken::Hidden) };
        let longer = match command {
            "docker" => text.to_owned(),
            command => format!("{command} {text}"),
        };
        let found = grammar.aliases.get(longer.as_str()).copied();
        let found =
            found.or_else(|| grammar.commands.get_key_value(longer.as_str()).map(|it| *it.0));
        match found {
            Some(found) => {
                command = found;
                line.at += 1;
            }
            None if text == "help" => return Err(Unspoken::Nothing),
            None => return Err(Unspoken::Unknown(longer)),
        }
    }
    if is_help || command == "docker" || has_commands(grammar, command) {
        return Err(Unspoken::Nothing);
    }
    let known = grammar.commands.get(command).map_or(&[][..], Vec::as_slice);
    let outer = grammar.commands.get("compose").map_or(&[][..], Vec::as_slice);
    let outer = if command.starts_with("compose ") { outer } else { &[] };
    let (mut flags, mut operands) = (vec![], vec![]);
    while line.at < line.words.len() {
        if let Some(more) = line.flags(&[known, outer]) {
            flags.extend(more);
            continue;
        }
        let Some(word) = line.words.get(line.at) else { break };
        line.at += 1;
        if word.value() == Some("--") {
            operands.extend(line.words.get(line.at..).unwrap_or_default().iter().cloned());
            break;
        }
        operands.push(word.clone());
        if ENDS_AT_OPERAND.contains(&command) {
            operands.extend(line.words.get(line.at..).unwrap_or_default().iter().cloned());
            break;
        }
    }
    if flags.iter().any(|flag| flag.name == "help") {
        return Err(Unspoken::Nothing);
    }
    Ok(Spoken { client, command, global, flags, operands })
}

fn has_commands(grammar: &Grammar, command: &str) -> bool {
    // `inspect` of buildx's history has one beside what it does itself.
    if command == "buildx history inspect" {
        return false;
    }
    let is_below =
        |longer: &&str| longer.strip_prefix(command).is_some_and(|rest| rest.starts_with(' '));
    grammar.commands.keys().any(is_below)
}

struct Line<'a> {
    words: &'a [Word],
    at: usize,
}

impl Line<'_> {
    /// The flags of the word that comes next; nothing when it has none.
    fn flags(&mut self, known: &[&[Known]]) -> Option<Vec<Flag>> {
        let word = self.words.get(self.at)?;
        let text = word.text.as_str();
        if text == "--" || text == "-" || !text.starts_with('-') {
            return None;
        }
        self.at += 1;
        let find = |is_it: &dyn Fn(&Known) -> bool| {
            known.iter().flat_map(|flags| flags.iter()).find(|flag| is_it(flag)).copied()
        };
        if let Some(long) = text.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(word.after(text.len() - value.len()))),
                None => (long, None),
            };
            let takes_value = find(&|flag| flag.long == name).is_some_and(|flag| flag.takes_value);
            let value = if takes_value && value.is_none() { self.next() } else { value };
            return Some(vec![Flag { name: name.to_owned(), value }]);
        }
        let mut flags = vec![];
        for (at, letter) in text.char_indices().skip(1) {
            let flag = find(&|flag| flag.short == Some(letter));
            let name = flag.map_or_else(|| letter.to_string(), |flag| flag.long.to_owned());
            let rest = text.get(at + letter.len_utf8()..).unwrap_or_default();
            if flag.is_some_and(|flag| flag.takes_value) {
                let value = match rest {
                    "" => self.next(),
                    rest => {
                        let equals = usize::from(rest.starts_with('='));
                        Some(word.after(text.len() - rest.len() + equals))
                    }
                };
                flags.push(Flag { name, value });
                return Some(flags);
            }
            if let Some(value) = rest.strip_prefix('=') {
                flags.push(Flag { name, value: Some(word.after(text.len() - value.len())) });
                return Some(flags);
            }
            flags.push(Flag { name, value: None });
        }
        Some(flags)
    }

    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }
}

impl Spoken {
    /// Whether a switch is on.
    pub fn has(&self, name: &str) -> bool {
        let last = self.flags.iter().rfind(|flag| flag.name == name);
        last.is_some_and(|flag| {
            let value = flag.value.as_ref().map_or("true", |value| value.text.as_str());
            !matches!(value, "false" | "0" | "f" | "F" | "FALSE" | "False")
        })
    }

    /// The values of a flag, in their order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Word> {
        self.flags.iter().filter(move |flag| flag.name == name).filter_map(|it| it.value.as_ref())
    }

    /// Those of docker and of compose before its command.
    pub fn global<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Word> {
        let named = move |flag: &&Flag| flag.name == name;
        self.global.iter().filter(named).filter_map(|flag| flag.value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Word> {
        shell_words::split(line).unwrap().into_iter().map(Word::known).collect()
    }

    fn told(line: &str) -> String {
        let words = words(line);
        let client = client(&words[0], "").unwrap();
        match read(client, &words) {
            Err(problem) => format!("{problem:?}"),
            Ok(spoken) => {
                let flag = |flag: &Flag| match &flag.value {
                    Some(value) => format!("{}={}", flag.name, value.text),
                    None => flag.name.clone(),
                };
                let global: Vec<String> = spoken.global.iter().map(flag).collect();
                let flags: Vec<String> = spoken.flags.iter().map(flag).collect();
                let operands: Vec<&str> =
                    spoken.operands.iter().map(|word| word.text.as_str()).collect();
                format!("{} {global:?} {flags:?} {operands:?}", spoken.command)
            }
        }
    }

    #[test]
    fn lines_are_read_as_docker_reads_them() {
        for (line, expected) in [
            ("docker rm -fv web db", r#"container rm [] ["force", "volumes"] ["web", "db"]"#),
            ("docker rm web -f", r#"container rm [] ["force"] ["web"]"#),
            ("docker rm -- -f", r#"container rm [] [] ["-f"]"#),
            ("docker rm --force=false web", r#"container rm [] ["force=false"] ["web"]"#),
            ("docker container remove web", r#"container rm [] [] ["web"]"#),
            ("docker -H tcp://x -D rm web", r#"container rm ["host=tcp://x", "debug"] [] ["web"]"#),
            ("docker --context=prod ps", r#"container ls ["context=prod"] [] []"#),
            (
                "docker run -itv/:/h -eA=b --name x --rm img -v y",
                r#"container run [] ["interactive", "tty", "volume=/:/h", "env=A=b", "name=x", "rm"] ["img", "-v", "y"]"#,
            ),
            ("docker run -v=/:/h img", r#"container run [] ["volume=/:/h"] ["img"]"#),
            (
                "docker exec -it web rm -rf x",
                r#"container exec [] ["interactive", "tty"] ["web", "rm", "-rf", "x"]"#,
            ),
            (
                "docker compose -f a.yml -p x down -v",
                r#"compose down ["file=a.yml", "project-name=x"] ["volumes"] []"#,
            ),
            (
                "docker-compose -f a.yml down -v --rmi all",
                r#"compose down ["file=a.yml"] ["volumes", "rmi=all"] []"#,
            ),
            (
                "docker compose run --rm -v /:/h web sh",
                r#"compose run [] ["rm", "volume=/:/h"] ["web", "sh"]"#,
            ),
            ("docker buildx build --push .", r#"image build [] ["push"] ["."]"#),
            ("docker build -t a:1 -f D .", r#"image build [] ["tag=a:1", "file=D"] ["."]"#),
            (
                "docker system prune -af --volumes",
                r#"system prune [] ["all", "force", "volumes"] []"#,
            ),
            ("docker stop -t 5 web", r#"container stop [] ["time=5"] ["web"]"#),
            ("podman rm -fa", r#"container rm [] ["force", "all"] []"#),
            ("docker --version", "Nothing"),
            ("docker rm --help", "Nothing"),
            ("docker", "Nothing"),
            ("docker container", "Nothing"),
            ("docker compose", "Nothing"),
            ("docker scout cves x", r#"Unknown("scout")"#),
            ("docker compose frobnicate", r#"Unknown("compose frobnicate")"#),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn every_alias_names_a_command() {
        for (alias, command) in &GRAMMAR.aliases {
            assert!(GRAMMAR.commands.contains_key(command), "{alias} > {command}");
            assert!(!GRAMMAR.commands.contains_key(alias), "{alias} is a command itself");
        }
        assert!(GRAMMAR.commands.len() > 150);
    }
}
