//! Places of a machine that are dangerous wherever the roots are: what belongs to the system, what
//! holds credentials, and the sockets of container engines.

use std::ffi::OsStr;
use std::path::{Component, Path};

/// A path that belongs to the operating system, and how deep the folder lies that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SystemPath {
    pub(super) folder: &'static str,
    /// Components of that folder: a root this deep names it.
    pub(super) depth: usize,
}

impl SystemPath {
    pub(super) fn why(&self) -> &'static str {
        match self.folder {
            "/" => "is this whole machine.",
            "/var/lib/docker" | "/var/lib/containerd" => {
                "holds the data of every image, container and volume."
            }
            "/root" => "is the home of the administrator.",
            _ => "belongs to the operating system.",
        }
    }
}

/// Denied with all that is below.
const SYSTEM: [&str; 21] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/private/etc",
    "/private/var",
    "/System",
    "/Library",
];

/// Folders in system folders in which people have projects; only what is below them counts as one.
const OF_PEOPLE: [&str; 6] =
    ["/root", "/usr/src", "/usr/local/src", "/var/www", "/var/tmp", "/private/var/folders"];

/// The system folder that a path is, or is in.
pub(super) fn system_path(path: &Path) -> Option<SystemPath> {
    if path == Path::new("/") {
        return Some(SystemPath { folder: "/", depth: 1 });
    }
    let is_of_people = |folder: &&&str| path.starts_with(folder) && path != Path::new(folder);
    let (of_people, system) =
        (deepest(&OF_PEOPLE, is_of_people), deepest(&SYSTEM, |folder| path.starts_with(folder)));
    let system = system?;
    // `/root/shop` is a project, but `/var/lib/docker` stays what it is.
    if of_people.is_some_and(|folder| folder.depth >= system.depth) {
        return None;
    }
    Some(system)
}

fn deepest(
    folders: &'static [&'static str],
    is_one: impl Fn(&&&'static str) -> bool,
) -> Option<SystemPath> {
    let depth = |folder: &str| Path::new(folder).components().count();
    let found = folders.iter().filter(is_one).max_by_key(|folder| depth(folder))?;
    Some(SystemPath { folder: found, depth: depth(found) })
}

/// Names that hold keys, passwords or tokens wherever they are: the list of docker/mcp-gateway
/// (`docker_binds.go`) with additions.
const CREDENTIALS: [&str; 28] = [
    ".ssh",
    ".aws",
    ".azure",
    ".gcloud",
    ".gnupg",
    ".kube",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".boto",
    ".s3cfg",
    ".vault-token",
    ".git-credentials",
    ".password-store",
    ".terraform.d",
    ".terraformrc",
    ".oci",
    ".minikube",
    ".mozilla",
    ".thunderbird",
    ".claude",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
];

/// Names that hold credentials in a home folder; in a project they hold its own settings
/// (`.docker/nginx.conf`, `.config/dotnet-tools.json`).
const CREDENTIALS_OF_A_HOME: [&str; 5] = [".config", ".docker", ".local", ".cargo", ".gem"];

/// The name in a path that holds credentials.
pub(super) fn credential<'a>(path: &'a Path, home: Option<&Path>) -> Option<&'a str> {
    let depth = credential_depth(path, home)?;
    path.components().nth(depth - 1).and_then(name_of)
}

/// How many components a root must have to name the credential itself.
pub(super) fn credential_depth(path: &Path, home: Option<&Path>) -> Option<usize> {
    let mut parent = std::path::PathBuf::new();
    for (i, component) in path.components().enumerate() {
        let name = name_of(component).unwrap_or_default().to_ascii_lowercase();
        let is_in_a_home = is_home(&parent) || home.is_some_and(|home| home == parent);
        let is_credential = CREDENTIALS.contains(&name.as_str())
            || (is_in_a_home && CREDENTIALS_OF_A_HOME.contains(&name.as_str()))
            // The registry passwords of docker, also in a project.
            || (name == "config.json" && parent.ends_with(".docker"));
        if is_credential {
            return Some(i + 1);
        }
        parent.push(component);
    }
    None
}

/// Names of what the programs of a person run or obey by themselves: at a commit, at the change of
/// a folder, when an editor opens one, when a shell or an agent begins. What has to be called, like
/// a makefile, is not among them: that is so for all code, and it replaces no other file unasked.
const RUN_BY_THEMSELVES: [&str; 62] = [
    // Hooks and settings of version control.
    ".git",
    ".gitconfig",
    ".githooks",
    ".hg",
    ".hgrc",
    ".husky",
    ".jj",
    ".lefthook.yml",
    ".overcommit.yml",
    ".pre-commit-config.yaml",
    "lefthook.yml",
    // Environments by folder.
    ".autoenv",
    ".direnv",
    ".envrc",
    ".mise.toml",
    "mise.toml",
    // Editors.
    ".devcontainer",
    ".devcontainer.json",
    ".dir-locals.el",
    ".emacs",
    ".emacs.d",
    ".exrc",
    ".fleet",
    ".idea",
    ".nvim.lua",
    ".nvimrc",
    ".vim",
    ".vimrc",
    ".vs",
    ".vscode",
    ".zed",
    // Agents and their servers.
    ".claude.json",
    ".codex",
    ".continue",
    ".cursor",
    ".gemini",
    ".mcp.json",
    ".roo",
    ".windsurf",
    // Shells, terminals and debuggers.
    ".bash_aliases",
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".cshrc",
    ".gdbinit",
    ".kshrc",
    ".lldbinit",
    ".login",
    ".profile",
    ".screenrc",
    ".tcshrc",
    ".tmux.conf",
    ".xinitrc",
    ".xprofile",
    ".zlogin",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    // What package managers and interpreters load before anything else.
    ".cargo",
    ".yarnrc.yml",
    "sitecustomize.py",
];

/// Whether a part of this path is such a name.
pub(super) fn runs_by_itself(path: &Path) -> bool {
    let runs = |component: Component<'_>| {
        // The disks of macOS and Windows make no difference between large and small letters.
        let name = name_of(component).unwrap_or_default().to_ascii_lowercase();
        RUN_BY_THEMSELVES.contains(&name.as_str())
    };
    path.components().any(runs)
}

/// A folder that is somebody's home or holds homes, by where it lies.
pub(super) fn is_home(path: &Path) -> bool {
    let components: Vec<_> = path.components().collect();
    match components[..] {
        [Component::RootDir, Component::Normal(first)] => {
            first == "root" || first == "home" || first == "Users"
        }
        [Component::RootDir, Component::Normal(first), Component::Normal(_)] => {
            first == "home" || first == "Users"
        }
        _ => false,
    }
}

/// The socket of an engine, or a folder whose purpose is to hold one.
pub(super) fn is_docker_socket(path: &Path) -> bool {
    const SOCKETS: [&str; 9] = [
        "docker.sock",
        "docker.raw.sock",
        "docker-cli.sock",
        "containerd.sock",
        "containerd-shim.sock",
        "podman.sock",
        "crio.sock",
        "buildkitd.sock",
        "cri-dockerd.sock",
    ];
    const FOLDERS: [&str; 8] = [
        "/run",
        "/var/run",
        "/run/docker",
        "/run/containerd",
        "/run/podman",
        "/var/run/docker",
        "/var/run/containerd",
        "/var/run/podman",
    ];
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    SOCKETS.contains(&name) || FOLDERS.iter().any(|folder| path == Path::new(folder))
}

/// What every container may read: which time it is.
pub(super) fn is_harmless(path: &Path) -> bool {
    let zones = ["/usr/share/zoneinfo", "/var/db/timezone/zoneinfo"];
    let files = ["/etc/localtime", "/etc/timezone"];
    zones.iter().any(|folder| path.starts_with(folder))
        || files.iter().any(|file| path == Path::new(file))
}

/// The component of a path, as text.
fn name_of(component: Component<'_>) -> Option<&str> {
    match component {
        Component::Normal(name) => OsStr::to_str(name),
        _ => None,
    }
}
