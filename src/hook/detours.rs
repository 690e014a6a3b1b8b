//! Ways to docker that do not lead over its command line, as far as a line shows them.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::programs::name;
use super::shell::{Call, Input};
use super::word::Word;

/// Programs that run a text of another language.
const INTERPRETERS: &[&str] = &[
    "python",
    "python2",
    "python3",
    "ipython",
    "node",
    "nodejs",
    "deno",
    "bun",
    "perl",
    "ruby",
    "php",
    "lua",
    "pwsh",
    "powershell",
    "osascript",
    "uv",
    "uvx",
    "go",
    "awk",
    "expect",
];

/// What a text in which docker is named could do.
static DANGER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\b(rm|rmi|remove|prune|kill|down|delete|destroy|reset|privileged|purge|stop|restart|drop)\b|--privileged|docker\.sock|/:/|\bDELETE\b|\bPOST\b|-v\b",
    )
    .ok()
});

static DOCKER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)docker|podman|nerdctl|containerd").ok());

/// Folders in which docker keeps what it has.
const STORES: &[&str] = &[
    "/var/lib/docker",
    "/var/lib/containerd",
    "/var/lib/containers",
    "/run/docker.sock",
    "/var/run/docker.sock",
];

/// Whether a text could do harm by docker.
pub(super) fn is_dangerous(text: &str) -> bool {
    let has = |pattern: &Option<Regex>| pattern.as_ref().is_some_and(|it| it.is_match(text));
    has(&DOCKER) && has(&DANGER)
}

/// What is to be asked about this call, which is none of docker.
pub(super) fn of(call: &Call) -> Option<String> {
    let (first, rest) = call.words.split_first()?;
    let program = name(first)?;
    let has = |texts: &[&str]| rest.iter().any(|word| texts.contains(&word.text.as_str()));
    let names = |part: &str| rest.iter().any(|word| word.text.contains(part));
    match program {
        "curl" | "wget" | "http" | "https" | "xh" | "httpie" => of_client(program, rest),
        "socat" | "nc" | "ncat" | "netcat" | "websocat" if names_daemon(rest) => Some(
            "it speaks to docker's daemon past docker's commands, so what it does is not seen".into(),
        ),
        "nsenter" if has(&["-t", "--target"]) || names("-t1") || names("--target=") => {
            Some("it enters the namespaces of another process, where all rules of docker are left behind".into())
        }
        "rm" | "mv" | "shred" | "truncate" | "dd" | "chown" | "chmod" | "unlink" | "rsync"
        | "find" | "wipefs"
            if touches_store(program, rest) =>
        {
            Some("it changes the files in which docker keeps containers, images and volumes".into())
        }
        "systemctl" | "service" | "rc-service" | "launchctl" | "initctl"
            if has(&["stop", "restart", "kill", "disable", "mask", "bootout", "unload"])
                && (names("docker") || names("containerd") || names("podman")) =>
        {
            Some("it stops docker itself, and with it the containers of everybody on this machine".into())
        }
        "pkill" | "killall" | "kill" if names("dockerd") || names("containerd") || has(&["docker"]) => {
            Some("it ends docker itself".into())
        }
        "apt" | "apt-get" | "dnf" | "yum" | "brew" | "snap" | "pacman" | "apk" | "zypper"
            if has(&["remove", "purge", "uninstall", "autoremove", "-R", "-Rns", "del", "erase"])
                && (names("docker") || names("containerd")) =>
        {
            Some("it takes docker off this machine".into())
        }
        "colima" | "minikube" | "kind" | "k3d" | "limactl" | "orb" | "docker-machine" | "multipass" | "vagrant"
            if has(&["delete", "rm", "destroy", "reset", "purge"]) =>
        {
            Some(format!("{program} removes a machine with all containers and volumes in it"))
        }
        "ctr" | "crictl" | "buildctl" | "skopeo"
            if has(&["rm", "rmi", "delete", "del", "kill", "prune", "remove", "rmp", "stop", "stopp"]) =>
        {
            Some(format!("{program} removes things past docker"))
        }
        "dockerd" if !has(&["--version", "-v", "--help", "--validate"]) => {
            Some("it starts another daemon of docker".into())
        }
        "ddev" | "lando" | "supabase" | "sail-reset" | "localstack" | "tilt" | "skaffold" | "devspace" | "garden"
            if has(&["delete", "destroy", "poweroff", "reset", "clean"]) || has(&["--remove-data", "--no-backup"]) =>
        {
            Some(format!("{program} removes containers and their data, which are not looked at"))
        }
        program if is_interpreter(program) => of_interpreter(rest, &call.input),
        _ => None,
    }
}

fn is_interpreter(program: &str) -> bool {
    let bare = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    INTERPRETERS.contains(&program) || INTERPRETERS.contains(&bare)
}

/// A text behind `-c` or `-e`, or on the standard input.
fn of_interpreter(rest: &[Word], input: &Input) -> Option<String> {
    let fed = match input {
        Input::Text(text) => text.as_str(),
        _ => "",
    };
    let texts = rest.iter().map(|word| word.text.as_str()).filter(|text| text.len() > 8);
    let is_bad = |text: &str| is_dangerous(text);
    if texts.chain([fed]).any(is_bad) {
        return Some(
            "a program in another language uses docker in it, and what it does is not seen".into(),
        );
    }
    None
}

fn names_daemon(words: &[Word]) -> bool {
    words.iter().any(|word| {
        let text = word.text.as_str();
        text.contains("docker.sock")
            || text.contains("podman.sock")
            || text.contains("docker_engine")
            || [":2375", ":2376"].iter().any(|port| text.contains(port))
    })
}

/// A request to the daemon that is not only a question.
fn of_client(program: &str, words: &[Word]) -> Option<String> {
    if !names_daemon(words) {
        return None;
    }
    let mut is_question = true;
    for (at, word) in words.iter().enumerate() {
        let text = word.text.as_str();
        let next = words.get(at + 1).map_or("", |word| word.text.as_str());
        let method = match text {
            "-X" | "--request" | "--method" => Some(next),
            _ => text
                .strip_prefix("-X")
                .or(text.strip_prefix("--request="))
                .or(text.strip_prefix("--method=")),
        };
        is_question &= method.is_none_or(|method| matches!(method, "GET" | "HEAD"));
        let sends =
            ["-d", "--data", "--json", "-F", "--form", "-T", "--upload", "--post", "--body"];
        let is_data =
            |option: &&str| text == *option || (option.len() > 2 && text.starts_with(*option));
        is_question &= !sends.iter().any(is_data);
        is_question &= !(program.starts_with("http") && matches!(text, "POST" | "DELETE" | "PUT"));
    }
    (!is_question).then(|| {
        "it sends a request to docker's daemon past docker's commands, so neither rules nor plans reach it".into()
    })
}

fn touches_store(program: &str, words: &[Word]) -> bool {
    let is_store = |word: &&Word| {
        let text = word.text.trim_end_matches(['/', '*']).trim_start_matches("of=");
        STORES.iter().any(|store| {
            text == *store || text.strip_prefix(*store).is_some_and(|rest| rest.starts_with('/'))
        }) || matches!(text, "/var/lib") && program == "rm"
    };
    let deletes = |word: &Word| matches!(&*word.text, "-delete" | "-exec" | "--delete");
    if matches!(program, "find" | "rsync") && !words.iter().any(deletes) {
        return false;
    }
    words.iter().any(|word| is_store(&word))
}
