//! A command line of docker as what it does: what the policy judges of it, and what becomes of what
//! is there.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::erasing::{self, Erasing};
use super::grammar::{Client, Spoken};
use super::path::resolved;
use super::places::Project;
use super::shell::Call;
use super::word::Word;
use crate::command::{Effect, Invocation};
use crate::tools::foresight::{Deed, Extent, OfProject, Pruned};

/// What one command line of docker comes to.
#[derive(Debug, Default)]
pub(super) struct Task {
    /// For the policy.
    pub(super) invocations: Vec<Invocation>,
    pub(super) deeds: Vec<Deed>,
    /// What it does to objects that are not known before.
    pub(super) hidden: Vec<Hidden>,
    /// What is asked about whatever the state is.
    pub(super) alarms: Vec<String>,
    /// The tool that does the same within the rules.
    pub(super) tool: &'static str,
    /// Where compose reads its files.
    pub(super) folder: Option<PathBuf>,
    /// The compose file is there, so that a model that cannot be resolved is not docker's refusal.
    pub(super) has_file: bool,
}

/// Targets that the shell will know.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    pub(super) word: Word,
    /// The same with its targets, once they are known.
    pub(super) deed: Deed,
    /// Whether something would be gone for good.
    pub(super) destroys: bool,
}

/// What changes nothing. What ends in `ls`, `inspect` or `logs` neither.
const READS: &[&str] = &[
    "buildx du",
    "buildx version",
    "compose config",
    "compose events",
    "compose images",
    "compose port",
    "compose ps",
    "compose stats",
    "compose top",
    "compose version",
    "compose volumes",
    "compose wait",
    "container attach",
    "container diff",
    "container export",
    "container port",
    "container stats",
    "container top",
    "container wait",
    "context export",
    "context show",
    "image history",
    "image save",
    "node ps",
    "search",
    "service ps",
    "stack config",
    "stack ps",
    "stack services",
    "system df",
    "system events",
    "system info",
    "version",
];

/// What can be gone for good.
const DESTROYS: &[&str] = &[
    "builder prune",
    "compose down",
    "compose kill",
    "compose restart",
    "compose rm",
    "compose stop",
    "config rm",
    "container kill",
    "container prune",
    "container restart",
    "container rm",
    "container stop",
    "image prune",
    "image rm",
    "machine reset",
    "machine rm",
    "network prune",
    "network rm",
    "node rm",
    "plugin disable",
    "plugin rm",
    "pod kill",
    "pod prune",
    "pod rm",
    "secret rm",
    "service rm",
    "stack rm",
    "swarm leave",
    "system prune",
    "system reset",
    "volume prune",
    "volume rm",
];

/// What is asked about without a look: what it does cannot be seen, or is nothing of ours.
const ASKED: &[(&str, &str)] = &[
    ("config rm", "it removes a config of the swarm"),
    ("machine reset", "it removes all machines of podman with all that is in them"),
    ("machine rm", "it removes a machine with all containers and volumes in it"),
    ("node rm", "it takes a node out of the swarm"),
    ("plugin disable", "volumes and networks of this plugin stop working"),
    ("plugin enable", "a plugin runs as root on this machine"),
    ("plugin install", "a plugin runs as root on this machine"),
    ("plugin rm", "volumes and networks of this plugin stop working"),
    ("plugin upgrade", "a plugin runs as root on this machine"),
    ("pod rm", "it removes pods with their containers, which are not looked at"),
    ("secret rm", "it removes a secret of the swarm, which cannot be read back"),
    ("service rm", "it removes a service of the swarm"),
    ("stack deploy", "what a stack mounts and may do on this machine is not checked"),
    ("stack rm", "it removes services, networks, secrets and configs of a stack"),
    ("swarm leave", "services and secrets of the swarm are lost with its last manager"),
    ("system dial-stdio", "it speaks to the daemon past docker's commands"),
    ("system reset", "it removes all containers, images, volumes and networks"),
];

/// How much a command may do.
pub(super) fn effect(command: &str) -> Effect {
    let last = command.rsplit(' ').next().unwrap_or_default();
    if READS.contains(&command) || matches!(last, "ls" | "inspect" | "logs") {
        Effect::Read
    } else if DESTROYS.contains(&command) {
        Effect::Destroy
    } else {
        Effect::Change
    }
}

/// Whether containers may be gone after it.
pub(super) fn removes_containers(command: &str) -> bool {
    matches!(
        command,
        "compose down"
            | "compose rm"
            | "compose stop"
            | "compose kill"
            | "container kill"
            | "container prune"
            | "container rm"
            | "container stop"
            | "system prune"
    )
}

/// What it comes to; nothing for what changes nothing.
pub(super) fn task(spoken: &Spoken, call: &Call, compose: &Project) -> Option<Task> {
    let command = spoken.command;
    if effect(command) == Effect::Read || spoken.has("dry-run") {
        return None;
    }
    let mut task = Task { tool: tool(command), ..Task::default() };
    task.invocations.push(invocation(spoken, call, &[]));
    if let Some((_, why)) = ASKED.iter().find(|(asked, _)| *asked == command) {
        task.alarms.push((*why).to_owned());
        return Some(task);
    }
    if command.starts_with("compose ") {
        of_compose(spoken, call, compose, &mut task);
    } else {
        of_docker(spoken, call, &mut task);
    }
    Some(task)
}

fn of_docker(spoken: &Spoken, call: &Call, task: &mut Task) {
    let operands = spoken.operands.iter();
    match spoken.command {
        "container run" | "container create" => of_run(spoken, call, task),
        "container exec" => {
            let [container, command @ ..] = &spoken.operands[..] else { return };
            let erasing = erasing::of(command, call);
            task.alarms.extend(erasing.drops.clone());
            if let Some(name) = container.value() {
                let (container, erases) = (name.to_owned(), erasing.paths);
                task.deeds.push(Deed::Enter { container, erases });
            }
        }
        "container cp" => {
            for operand in operands {
                if let Some((name, _)) = operand.text.split_once(':')
                    && operand.known
                    && !name.is_empty()
                    && !name.contains('/')
                {
                    let (container, erases) = (name.to_owned(), vec![]);
                    task.deeds.push(Deed::Enter { container, erases });
                }
            }
        }
        "container rm" if !spoken.has("link") => {
            let (force, volumes) = (spoken.has("force"), spoken.has("volumes"));
            targets(spoken, task, true, |names| Deed::RemoveContainers { names, force, volumes });
        }
        "container stop" => targets(spoken, task, false, |names| Deed::EndContainers { names }),
        "container kill" => {
            if spoken.values("signal").all(is_fatal) {
                targets(spoken, task, false, |names| Deed::EndContainers { names });
            } else {
                targets(spoken, task, false, |names| Deed::ChangeContainers { names });
            }
        }
        "container start" | "container restart" | "container unpause" => {
            targets(spoken, task, false, |names| Deed::StartContainers { names });
        }
        "container pause" | "container update" | "container rename" | "container commit" => {
            let names = operands.take(1).filter_map(Word::value).map(str::to_owned).collect();
            task.deeds.push(Deed::ChangeContainers { names });
        }
        "container prune" => prune(spoken, task, |it| it.containers = true),
        "network prune" => prune(spoken, task, |it| it.networks = true),
        "image prune" => {
            let extent = if spoken.has("all") { Extent::All } else { Extent::Nameless };
            prune(spoken, task, |it| it.images = Some(extent));
        }
        "volume prune" => {
            let is_all = |filter: &Word| matches!(&*filter.text, "all=1" | "all=true" | "all");
            let all = spoken.has("all") || spoken.values("filter").any(is_all);
            let extent = if all { Extent::All } else { Extent::Nameless };
            prune(spoken, task, |it| it.volumes = Some(extent));
        }
        "system prune" => {
            let images = if spoken.has("all") { Extent::All } else { Extent::Nameless };
            let volumes = spoken.has("volumes").then_some(Extent::Nameless);
            prune(spoken, task, |it| {
                (it.containers, it.networks) = (true, true);
                (it.images, it.volumes) = (Some(images), volumes);
            });
        }
        "volume rm" => {
            targets(spoken, task, true, |names| Deed::RemoveVolumes { names, users_may_go: false });
        }
        "image rm" => {
            let force = spoken.has("force");
            targets(spoken, task, true, |names| Deed::RemoveImages { names, force });
        }
        "network rm" => targets(spoken, task, false, |names| Deed::RemoveNetworks { names }),
        "image tag" => {
            if let [Word { text: image, known: true, .. }, Word { text: tag, known: true, .. }] =
                &spoken.operands[..]
            {
                let arguments = arguments(json!({"image": image, "tag": tag}));
                task.deeds.push(Deed::Tool { name: "tag-image", arguments });
            }
        }
        "image build" if pushes(spoken) => {
            let tags = spoken.values("tag").map(|tag| tag.text.clone());
            let push = Invocation::docker(Effect::Change, ["image", "push"]).operands(tags);
            task.invocations.push(push);
        }
        "manifest push" | "plugin push" | "trust sign" | "buildx imagetools create" => {
            let names = operands.map(|word| word.text.clone());
            let push = Invocation::docker(Effect::Change, ["image", "push"]).operands(names);
            task.invocations.push(push);
        }
        _ => {}
    }
}

fn pushes(spoken: &Spoken) -> bool {
    let to_registry =
        |output: &Word| output.text.contains("type=registry") || output.text.contains("push=true");
    spoken.has("push") || spoken.values("output").any(to_registry)
}

/// A signal that ends most programs, or one that is not known.
fn is_fatal(signal: &Word) -> bool {
    let name = signal.text.trim_start_matches("SIG").to_uppercase();
    !matches!(
        &*name,
        "HUP" | "1" | "USR1" | "10" | "USR2" | "12" | "WINCH" | "28" | "CONT" | "18" | "0"
    )
}

/// Its operands as the objects of a deed; what is not known of them, as one for each.
fn targets(spoken: &Spoken, task: &mut Task, destroys: bool, deed: impl Fn(Vec<String>) -> Deed) {
    let known: Vec<String> =
        spoken.operands.iter().filter_map(Word::value).map(str::to_owned).collect();
    if !known.is_empty() {
        task.deeds.push(deed(known));
    }
    for word in spoken.operands.iter().filter(|word| !word.known) {
        task.hidden.push(Hidden { word: word.clone(), deed: deed(vec![]), destroys });
    }
    if spoken.has("all") && spoken.client == Client::Other {
        let word = Word::unknown("--all");
        task.hidden.push(Hidden { word, deed: deed(vec![]), destroys });
    }
}

fn prune(spoken: &Spoken, task: &mut Task, set: impl Fn(&mut Pruned)) {
    let filters = spoken.values("filter").filter_map(Word::value);
    let labels = filters.filter(|filter| filter.starts_with("label=")).map(str::to_owned);
    let mut pruned = Pruned { labels: labels.collect(), ..Pruned::default() };
    set(&mut pruned);
    task.deeds.push(Deed::Prune(pruned));
}

/// A mount of a new container.
struct Mount {
    /// A folder of this machine, or the name of a volume.
    source: String,
    target: String,
}

fn of_run(spoken: &Spoken, call: &Call, task: &mut Task) {
    let entrypoint = spoken.values("entrypoint").last().cloned();
    let behind_image = spoken.operands.get(1..).unwrap_or_default();
    let command: Vec<Word> = entrypoint.into_iter().chain(behind_image.iter().cloned()).collect();
    let Erasing { paths: erases, drops } = erasing::of(&command, call);
    task.alarms.extend(drops);
    let mounts = mounts(spoken, call);
    for mount in mounts.iter().filter(|mount| mount.source.starts_with('/')) {
        let whole = |path: &&String| {
            path.trim_end_matches(['/', '*']) == mount.target.trim_end_matches('/')
        };
        if let Some(path) = erases.iter().find(whole) {
            task.alarms
                .push(format!("it erases {path}, which is {} of this machine", mount.source));
        }
    }
    let volumes: Vec<(String, String)> = mounts
        .into_iter()
        .filter(|mount| !mount.source.contains('/') && !mount.source.is_empty())
        .map(|mount| (mount.source, mount.target))
        .collect();
    let networks: Vec<String> = spoken
        .values("network")
        .chain(spoken.values("net"))
        .filter_map(Word::value)
        .map(|text| text.strip_prefix("name=").unwrap_or(text))
        .map(|text| text.split(',').next().unwrap_or_default().to_owned())
        .filter(|name| !matches!(&**name, "" | "none" | "bridge" | "host" | "default"))
        .filter(|name| !name.contains(':'))
        .collect();
    if !volumes.is_empty() || !networks.is_empty() {
        task.deeds.push(Deed::Use { volumes, networks, erases });
    }
}

/// `-v` and `--mount`, as far as they are known.
fn mounts(spoken: &Spoken, call: &Call) -> Vec<Mount> {
    let mut mounts = vec![];
    for word in spoken.values("volume") {
        let text = volume(word, call);
        let mut fields = text.split(':');
        if let (Some(source), Some(target)) = (fields.next(), fields.next()) {
            mounts.push(Mount { source: source.to_owned(), target: target.to_owned() });
        }
    }
    for word in spoken.values("mount") {
        let text = mount(word, call);
        let field = |names: &[&str]| {
            let mut fields = text.split(',').filter_map(|field| field.split_once('='));
            fields.find(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned())
        };
        let source = field(&["source", "src"]).unwrap_or_default();
        let target = field(&["target", "destination", "dst"]).unwrap_or_default();
        mounts.push(Mount { source, target });
    }
    mounts
}

/// The value of `-v` with an absolute source.
fn volume(word: &Word, call: &Call) -> String {
    let Some((source, rest)) = word.text.split_once(':') else { return word.text.clone() };
    if source.starts_with('.') || source.contains('/') {
        let path = resolved(source, call.folder.as_deref());
        if let Some(path) = path {
            return format!("{}:{rest}", path.display());
        }
    }
    word.text.clone()
}

/// The value of `--mount` with an absolute source.
fn mount(word: &Word, call: &Call) -> String {
    let absolute = |field: &str| match field.split_once('=') {
        Some((name @ ("source" | "src"), path)) if path.starts_with('.') => {
            let path = resolved(path, call.folder.as_deref());
            path.map_or_else(|| field.to_owned(), |path| format!("{name}={}", path.display()))
        }
        _ => field.to_owned(),
    };
    word.text.split(',').map(absolute).collect::<Vec<_>>().join(",")
}

/// Options by which the client reads and writes as its user, who has a shell anyway.
const OF_THE_CLIENT: &[&str] = &[
    "build-context",
    "cache-from",
    "cache-to",
    "cidfile",
    "env-file",
    "file",
    "iidfile",
    "label-file",
    "metadata-file",
    "output",
    "secret",
];

/// The command line for the policy: its effect, and each option as one word. What is not known of
/// it is left out, unless it looks bad already.
fn invocation(spoken: &Spoken, call: &Call, without: &[&str]) -> Invocation {
    let words: Vec<&'static str> = spoken.command.split(' ').collect();
    let effect = effect(spoken.command);
    let mut invocation = match words[..] {
        [one] => Invocation::docker(effect, [one]),
        [one, two] => Invocation::docker(effect, [one, two]),
        [one, two, three, ..] => Invocation::docker(effect, [one, two, three]),
        [] => Invocation::docker(effect, ["docker"]),
    };
    for flag in &spoken.flags {
        let name = flag.name.as_str();
        if without.contains(&name) || OF_THE_CLIENT.contains(&name) {
            continue;
        }
        let option = format!("--{name}");
        match &flag.value {
            None => invocation = invocation.flag(&option, true),
            Some(value) => {
                let text = match name {
                    "volume" => volume(value, call),
                    "mount" => mount(value, call),
                    _ => value.text.clone(),
                };
                let is_clear = value.known || looks_bad(&text);
                if is_clear && !(name == "volume" && is_harmless_volume(&text)) {
                    invocation = invocation.option(&option, text);
                }
            }
        }
    }
    let operands = spoken.operands.iter().filter_map(Word::value);
    match spoken.command {
        "image build" => {
            let context = |text: &str| match resolved(text, call.folder.as_deref()) {
                Some(path) if !is_remote(text) && text != "-" => path.display().to_string(),
                _ if !is_remote(text) => "-".to_owned(),
                _ => text.to_owned(),
            };
            invocation.operands(operands.map(context))
        }
        "image push" => invocation.operands(operands),
        _ => invocation,
    }
}

/// A volume of docker, or one field; the rule for `-v` is made for what docker itself tells.
fn is_harmless_volume(text: &str) -> bool {
    match text.split_once(':') {
        None => true,
        Some((source, rest)) => {
            !source.contains('/') && !rest.contains(':') && !source.contains('$')
        }
    }
}

/// Of a value that is not known whole.
fn looks_bad(text: &str) -> bool {
    let is_system = |place: &&str| text.contains(&format!("{place}:")) || text.ends_with(*place);
    text.contains("docker.sock")
        || ["/etc", "/root", "/proc", "/var/lib/docker"].iter().any(is_system)
}

/// What docker takes for the address of a build context.
fn is_remote(context: &str) -> bool {
    const BEGINNINGS: [&str; 6] =
        ["http://", "https://", "git://", "ssh://", "git@", "github.com/"];
    BEGINNINGS.iter().any(|begin| context.starts_with(begin))
        || context.starts_with("oci-layout://")
        || context.starts_with("docker-image://")
}

fn of_compose(spoken: &Spoken, call: &Call, compose: &Project, task: &mut Task) {
    task.folder.clone_from(&compose.folder);
    task.has_file = compose.has_file;
    let Some(project) = compose.name.clone() else {
        if effect(spoken.command) == Effect::Destroy {
            task.alarms.push("which compose project it is about is not known before".to_owned());
        }
        return;
    };
    let services = |words: &[Word]| -> Vec<String> {
        words.iter().filter_map(Word::value).map(str::to_owned).collect()
    };
    let all = services(&spoken.operands);
    let of_project = |services: Vec<String>, deed: OfProject| Deed::OfProject {
        project: project.clone(),
        services,
        deed,
    };
    match spoken.command {
        "compose down" => {
            let images = spoken.values("rmi").last().map_or("none", |word| word.text.as_str());
            let arguments = arguments(json!({
                "project_name": project,
                "remove_volumes": spoken.has("volumes"),
                "remove_images": if matches!(images, "all" | "local") { images } else { "none" },
                "remove_orphans": spoken.has("remove-orphans"),
            }));
            task.deeds.push(Deed::Tool { name: "compose-down", arguments });
        }
        "compose rm" => {
            let (force, volumes) = (spoken.has("stop"), spoken.has("volumes"));
            task.deeds.push(of_project(all, OfProject::Remove { force, volumes }));
        }
        "compose stop" => task.deeds.push(of_project(all, OfProject::End)),
        "compose kill" => {
            let fatal = spoken.values("signal").all(is_fatal);
            let deed = if fatal { OfProject::End } else { OfProject::Change };
            task.deeds.push(of_project(all, deed));
        }
        "compose start" | "compose restart" | "compose unpause" => {
            task.deeds.push(of_project(all, OfProject::Start));
        }
        "compose pause" => task.deeds.push(of_project(all, OfProject::Change)),
        "compose exec" | "compose run" | "compose cp" => {
            let (service, command) = match &spoken.operands[..] {
                [service, command @ ..] if spoken.command != "compose cp" => (service, command),
                operands => {
                    for operand in operands {
                        let name = operand.text.split_once(':').map(|(name, _)| name.to_owned());
                        let deed =
                            |name| of_project(vec![name], OfProject::Enter { erases: vec![] });
                        task.deeds.extend(name.map(deed));
                    }
                    return;
                }
            };
            let Some(service) = service.value().map(str::to_owned) else { return };
            let Erasing { paths: erases, drops } = erasing::of(command, call);
            task.alarms.extend(drops);
            if spoken.command == "compose exec" || !erases.is_empty() {
                task.deeds.push(of_project(vec![service.clone()], OfProject::Enter { erases }));
            }
            if spoken.command == "compose run" {
                of_run(spoken, call, task);
                let mut arguments = source(compose, call);
                arguments.insert("project_name".to_owned(), project.into());
                arguments.insert("service".to_owned(), service.into());
                arguments.insert("no_deps".to_owned(), spoken.has("no-deps").into());
                task.deeds.push(Deed::Tool { name: "compose-run", arguments });
            }
        }
        "compose up" | "compose create" | "compose scale" | "compose watch" => {
            let mut arguments = source(compose, call);
            arguments.insert("project_name".to_owned(), project.clone().into());
            let named: Vec<String> =
                all.iter().filter(|name| !name.contains('=')).cloned().collect();
            arguments.insert("services".to_owned(), named.into());
            let profiles: Vec<&str> = spoken.global("profile").filter_map(Word::value).collect();
            arguments.insert("profiles".to_owned(), profiles.into());
            for (argument, flag) in [
                ("build", "build"),
                ("force_recreate", "force-recreate"),
                ("remove_orphans", "remove-orphans"),
            ] {
                arguments.insert(argument.to_owned(), spoken.has(flag).into());
            }
            task.deeds.push(Deed::Tool { name: "deploy-compose", arguments });
            if spoken.has("renew-anon-volumes") {
                let deed = OfProject::Remove { force: true, volumes: true };
                task.deeds.push(of_project(all, deed));
            }
        }
        "compose build" => {
            let mut arguments = source(compose, call);
            arguments.insert("project_name".to_owned(), project.into());
            arguments.insert("services".to_owned(), all.into());
            task.deeds.push(Deed::Tool { name: "compose-build", arguments });
        }
        "compose publish" => {
            let push = Invocation::docker(Effect::Change, ["image", "push"]).operands(all);
            task.invocations.push(push);
        }
        _ => {}
    }
}

/// Where compose reads the project from.
fn source(compose: &Project, call: &Call) -> Map<String, Value> {
    let mut arguments = Map::new();
    match (&compose.text, &compose.files[..]) {
        (Some(text), _) => {
            arguments.insert("compose_yaml".to_owned(), text.clone().into());
        }
        (None, []) => {}
        (None, files) => {
            let files: Vec<String> =
                files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
            arguments.insert("compose_file".to_owned(), files.into());
        }
    }
    let variables: Map<String, Value> = call
        .variables
        .iter()
        .filter(|(name, value)| value.known && !name.starts_with("COMPOSE_"))
        .filter(|(name, _)| !name.starts_with("DOCKER_"))
        .map(|(name, value)| (name.clone(), value.text.clone().into()))
        .collect();
    if !variables.is_empty() {
        arguments.insert("environment".to_owned(), variables.into());
    }
    arguments
}

fn arguments(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The tool of this server that does it within the rules.
fn tool(command: &str) -> &'static str {
    match command {
        "container run" => "run-container or create-container",
        "container create" => "create-container",
        "container exec" => "exec-container",
        "container cp" => "copy-files",
        "container rm" => "remove-container",
        "container stop" => "stop-container",
        "container kill" => "kill-container",
        "container start" => "start-container",
        "container restart" => "restart-container",
        "container update" => "update-container",
        "volume rm" => "remove-volume",
        "volume create" => "create-volume",
        "image rm" => "remove-image",
        "image build" => "build-image",
        "image push" => "push-image",
        "image pull" => "pull-image",
        "network rm" => "remove-network",
        "network create" => "create-network",
        "container prune" | "image prune" | "volume prune" | "network prune" | "system prune"
        | "builder prune" => "prune",
        "compose down" | "compose rm" => "compose-down",
        "compose stop" | "compose kill" => "compose-stop",
        "compose up" | "compose create" | "compose scale" | "compose watch" => "deploy-compose",
        "compose run" => "compose-run",
        "compose exec" => "compose-exec",
        "compose build" => "compose-build",
        "compose restart" => "compose-restart",
        "compose start" => "compose-start",
        _ => "",
    }
}
