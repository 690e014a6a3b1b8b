//! The docker command as the operator gave it: docker itself, or words that lead to it, as another
//! user (`sudo -n docker`) or on another machine (`ssh build docker`).
//!
//! Only what is seen in the words counts: `sudo` is another user of this machine, `ssh` another
//! machine, whatever it is called; one word, or one that is called docker, is docker itself; of
//! everything else nothing is known.

use std::path::Path;

use crate::command::invocation::{Secret, quote};
use crate::command::{Effect, Invocation, Program};
use crate::error::{Code, Error};

/// Options of sudo that take a value. (`--user=…` has it in the same word.)
const SUDO_VALUES: &str = "CDghpRrTtUu";
/// Options of ssh that take a value.
const SSH_VALUES: &str = "BbcDEeFIiJLlmOoPpQRSWw";
/// Buildx asks git about the context of a build, and git obeys the folder that it lies in; as
/// another user that must not happen either.
const OF_BUILDS: [&str; 2] = ["BUILDX_GIT_INFO", "BUILDX_GIT_CHECK_DIRTY"];

/// The words before docker's own.
#[derive(Clone, Debug)]
pub(super) struct Prefix {
    words: Vec<String>,
    way: Way,
}

/// What stands between this server and docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    /// Another user of this machine. The command is at this place of the words.
    Sudo(usize),
    /// Another machine, whose name is at this place of the words.
    Ssh(usize),
    /// Neither the environment nor signals are certain to arrive.
    Other,
}

/// What docker is started with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// Goes before what docker itself reads from its standard input.
    pub(super) values: Vec<u8>,
    /// Standard input stays open as long as we want docker to run.
    pub(super) held: bool,
}

impl Prefix {
    pub(super) fn new(words: Vec<String>) -> Self {
        let first = words.first().map(String::as_str).unwrap_or_default();
        let name = Path::new(first).file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let way = match name {
            _ if words.len() < 2 || name.starts_with("docker") => Way::Direct,
            "sudo" => {
                let command = operand(&words, SUDO_VALUES);
                let is_variable = |word: &&String| word.contains('=');
                let variables = command.and_then(|at| words.get(at..)).unwrap_or_default();
                let variables = variables.iter().take_while(is_variable).count();
                command.map_or(Way::Other, |at| Way::Sudo(at + variables))
            }
            "ssh" => operand(&words, SSH_VALUES)
                .filter(|at| at + 1 < words.len())
                .map_or(Way::Other, Way::Ssh),
            _ => Way::Other,
        };
        Self { words, way }
    }

    /// The words as they may be shown.
    pub(super) fn shown(&self) -> String {
        self.words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
    }

    /// The machine that docker runs on, when it is not this one.
    pub(super) fn host(&self) -> Option<&str> {
        match self.way {
            Way::Ssh(at) => self.words.get(at).map(String::as_str),
            _ => None,
        }
    }

    /// The words of ssh before the name of the machine.
    pub(super) fn ssh(&self) -> Option<&[String]> {
        match self.way {
            Way::Ssh(at) => self.words.get(..at),
            _ => None,
        }
    }

    /// Whether something stands before docker, so that a command that only reads files of this
    /// machine is run without it.
    pub(super) fn leads_away(&self) -> bool {
        self.way != Way::Direct
    }

    /// Whether docker may go on although the program that we have started has ended.
    pub(super) fn may_outlive_us(&self, invocation: &Invocation) -> bool {
        match self.way {
            _ if self.is_here(invocation) => false,
            Way::Direct | Way::Sudo(_) => false,
            // The end of its input is all that it sees.
            Way::Ssh(_) => invocation.fed().is_some(),
            Way::Other => true,
        }
    }

    /// The user that docker is run as, as far as the words say so.
    pub(super) fn user(&self) -> Option<&str> {
        match self.way {
            Way::Sudo(at) => {
                let options = self.words.get(1..at).unwrap_or_default();
                let named = options.iter().find_map(|word| word.strip_prefix("--user="));
                let after = options.iter().skip_while(|word| *word != "-u").nth(1);
                Some(named.or(after.map(String::as_str)).unwrap_or("root"))
            }
            Way::Ssh(_) => self.host()?.rsplit_once('@').map(|(user, _)| user),
            Way::Direct | Way::Other => None,
        }
    }

    /// A command that is run where docker is, as the user that docker is run as.
    pub(super) fn beside(&self, command: &[&str], options: &[String]) -> Option<Vec<String>> {
        let before = match self.way {
            Way::Sudo(at) => self.words.get(..at)?.to_vec(),
            Way::Ssh(at) => {
                let host = self.words.get(at).into_iter();
                self.words.get(..at)?.iter().chain(options).chain(host).cloned().collect()
            }
            Way::Direct | Way::Other => return None,
        };
        Some(before.into_iter().chain(command.iter().map(|word| (*word).to_owned())).collect())
    }

    /// What ends processes of the user that docker runs as.
    pub(super) fn kill(&self) -> Option<Vec<String>> {
        matches!(self.way, Way::Sudo(_)).then(|| self.beside(&["kill"], &[])).flatten()
    }

    fn is_here(&self, invocation: &Invocation) -> bool {
        self.leads_away() && invocation.reads_only_here()
    }

    /// What is started for this invocation. `options` are given to ssh. `compose` is the plugin, if
    /// it is known: without docker before it, which starts it twice, it needs half the time.
    ///
    /// # Errors
    /// DKR-004 for values that cannot be given to docker this way.
    pub(super) fn line(
        &self,
        invocation: &Invocation,
        options: &[String],
        compose: Option<&Path>,
    ) -> Result<Line, Error> {
        let mut own = invocation.argv();
        let is_docker_alone = self.words.len() == 1 || self.is_here(invocation);
        if let Some(plugin) = compose.and_then(Path::to_str)
            && invocation.program() == Program::Compose
            && is_docker_alone
        {
            if let Some(compose) = own.first_mut() {
                plugin.clone_into(compose);
            }
            return Ok(Line::of(own));
        }
        if self.is_here(invocation) {
            return Ok(Line::of(["docker".to_owned()].into_iter().chain(own)));
        }
        let words = self.words.iter().cloned();
        match self.way {
            Way::Direct => Ok(Line::of(words.chain(own))),
            Way::Sudo(_) => {
                let builds = builds(invocation);
                let of_builds = OF_BUILDS.iter().copied().filter(|_| builds);
                let names = invocation.env().keys().map(String::as_str).chain(of_builds);
                let names = names.collect::<Vec<_>>().join(",");
                let kept = (!names.is_empty()).then(|| format!("--preserve-env={names}"));
                let program = words.clone().take(1);
                Ok(Line::of(program.chain(kept).chain(words.skip(1)).chain(own)))
            }
            Way::Ssh(at) => {
                if let Some(name) = invocation.env().keys().find(|name| !is_plain(name)) {
                    return Err(self.cannot_pass(name));
                }
                let docker = self.words.get(at + 1..).unwrap_or_default().join(" ");
                let own = own.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
                let script = script(&format!("{docker} {own}"), invocation);
                let before = words.clone().take(at).chain(options.iter().cloned());
                let command = ["sh".to_owned(), "-c".to_owned(), quote(&script)];
                let mut line = Line::of(before.chain(words.skip(at).take(1)).chain(command));
                line.values =
                    invocation.env().values().map(Secret::expose).collect::<String>().into();
                line.held = invocation.fed().is_none();
                Ok(line)
            }
            Way::Other if invocation.env().is_empty() => Ok(Line::of(words.chain(own))),
            Way::Other => {
                let names: Vec<_> = invocation.env().keys().map(String::as_str).collect();
                Err(self.cannot_pass(&names.join(", ")))
            }
        }
    }

    fn cannot_pass(&self, names: &str) -> Error {
        let message = format!("values cannot be passed through `{}`: {names}", self.shown());
        Error::new(Code::InvalidConfiguration, message)
            .hint("use values of one line, or an env_file")
    }
}

impl Line {
    fn of(words: impl IntoIterator<Item = String>) -> Self {
        let mut words = words.into_iter();
        let program = words.next().unwrap_or_else(|| "docker".to_owned());
        Self { program, arguments: words.collect(), values: vec![], held: false }
    }
}

/// The place of the first word that is no option, nor the value of one.
fn operand(words: &[String], with_values: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        let word = words.get(at)?;
        let letters = match word.strip_prefix('-') {
            Some("-") => return Some(at + 1).filter(|at| *at < words.len()),
            Some(letters) if !letters.is_empty() => letters,
            _ => return Some(at),
        };
        // `-p 22` and `-np 22` take the next word; `-p22` has its value.
        let with_value = letters.find(|letter| with_values.contains(letter));
        let takes_next = !letters.starts_with('-') && with_value == Some(letters.len() - 1);
        at += if takes_next { 2 } else { 1 };
    }
}

fn is_plain(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn builds(invocation: &Invocation) -> bool {
    let of_compose = invocation.program() == Program::Compose
        && invocation.effect() > Effect::Read
        && matches!(invocation.verb(), "up" | "run" | "create");
    of_compose || invocation.verb() == "build"
}

/// What the shell on the other machine is to do. It starts `command`, gives it its input, and ends
/// it when ours ends before it does: without a terminal, ssh tells a command nothing else of its
/// end. Values come first in the input, where no process list shows them; docker's own input goes
/// through a pipe, because what ssh gives to a command can be a socket, which `/dev/stdin` cannot
/// open. It is text, which a variable of a shell can hold.
fn script(command: &str, invocation: &Invocation) -> String {
    let mut script = "exec 3<&0; ".to_owned();
    for (name, value) in invocation.env() {
        let bytes = value.expose().len();
        script.push_str(&format!(
            "{name}=$(dd bs=1 count={bytes} <&3 2>/dev/null; echo .); export {name}=\"${{{name}%.}}\"; "
        ));
    }
    match (invocation.fed(), invocation.stdin_bytes()) {
        (Some(_), _) => return script + &format!("{{ {command}; }} <&3 3<&-"),
        (None, Some(bytes)) => {
            // All of it first: whoever waits for the end must not read any.
            script.push_str(&format!(
                "_input=$(head -c {} <&3; echo .); printf %s \"${{_input%.}}\" | {{ {command}; }} 3<&- & ",
                bytes.len()
            ));
        }
        (None, None) => script.push_str(&format!("{{ {command}; }} </dev/null 3<&- & ")),
    }
    // Whoever waits for the end of our input ends the whole group, and itself last.
    script
        + "_docker=$!; { trap '' TERM; read -r _input; kill 0; sleep 2; kill -9 0; } <&3 >/dev/null 2>&1 & _watch=$!; exec 3<&-; wait $_docker; _status=$?; exec 2>/dev/null; kill -9 $_watch; exit $_status"
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn prefix(words: &str) -> Prefix {
        Prefix::new(shell_words::split(words).unwrap())
    }

    fn shown(words: &str, invocation: &Invocation) -> String {
        let line = prefix(words).line(invocation, &["-oX=1".to_owned()], None).unwrap();
        shell_words::join([line.program].iter().chain(&line.arguments))
    }

    fn stop() -> Invocation {
        Invocation::docker(Effect::Destroy, ["container", "stop"]).operands(["web"])
    }

    #[test]
    fn what_stands_before_docker_is_known_by_its_name() {
        for (words, way) in [
            ("docker", Way::Direct),
            ("/opt/docker --context prod", Way::Direct),
            ("/opt/anything", Way::Direct),
            ("sudo -n docker", Way::Sudo(2)),
            ("/usr/bin/sudo -nu root docker", Way::Sudo(3)),
            ("sudo -n --user=root -- A=b docker", Way::Sudo(5)),
            ("ssh build docker", Way::Ssh(1)),
            ("ssh -p22 -i key -4 -l ann build docker", Way::Ssh(7)),
            ("ssh build", Way::Other),
            ("lima nerdctl", Way::Other),
        ] {
            assert_eq!(prefix(words).way, way, "{words}");
        }
        assert_eq!(prefix("ssh -p 22 ann@build docker").host(), Some("ann@build"));
        assert_eq!(prefix("sudo -n docker").host(), None);
        assert_eq!(prefix("sudo -n docker").user(), Some("root"));
        assert_eq!(prefix("sudo -n -u ann docker").user(), Some("ann"));
        assert_eq!(prefix("ssh ann@build docker").user(), Some("ann"));
    }

    #[test]
    fn what_is_started() {
        assert_snapshot!(shown("docker --context prod", &stop()), @"docker --context prod container stop -- web");
        assert_snapshot!(shown("sudo -n docker", &stop()), @"sudo -n docker container stop -- web");
        let build = Invocation::docker(Effect::Change, ["image", "build"]).client_env("TOKEN", "x");
        assert_snapshot!(shown("sudo -n docker", &build), @"sudo '--preserve-env=TOKEN,BUILDX_GIT_INFO,BUILDX_GIT_CHECK_DIRTY' -n docker image build");
        assert_snapshot!(shown("sudo -n docker", &stop().only_here()), @"docker container stop -- web");
        assert_eq!(prefix("sudo -n docker").kill().unwrap(), ["sudo", "-n", "kill"]);
        assert!(prefix("lima nerdctl").line(&build, &[], None).is_err());
    }

    #[test]
    fn values_go_over_ssh_as_input_and_never_as_words() {
        let invocation = stop().client_env("TOKEN", "hunter2\n").stdin(*b"abc");
        let line = prefix("ssh build docker").line(&invocation, &[], None).unwrap();
        assert_eq!(line.values, b"hunter2\n");
        assert!(line.held);
        assert!(!format!("{:?}", line.arguments).contains("hunter2"));
    }
}
