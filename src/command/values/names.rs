//! Names of docker's objects. None of them can hold a `/`, begin with `-` or carry a control
//! character, so none is an option, another object's URL path or a second line.

use super::sent::checked_text;

const NAME: &str = "use letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit";

checked_text! {
    /// An existing container, by name or by ID (or the beginning of an ID).
    ContainerRef = "container name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME,
    and |text| match text.strip_prefix('/') {
        // `docker inspect` shows names this way.
        Some(name) if !name.is_empty() && !name.contains('/') => {
            Err("leave out the leading \"/\"".to_owned())
        }
        _ => Ok(()),
    }
}

checked_text! {
    /// A name for a new container. Docker asks for two characters at least.
    ContainerName = "container name", 128, r"^[A-Za-z0-9][\w.-]+$",
    "use at least two letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit"
}

checked_text! {
    /// A volume. Docker asks for two characters at least; a path is not a volume.
    VolumeName = "volume name", 128, r"^[A-Za-z0-9][\w.-]+$",
    "use at least two letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit"
}

checked_text! {
    /// A network by name or ID. `container:x` and `name=host` are not names; `host` is one, and
    /// left to the policy.
    NetworkName = "network name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A compose project. Compose knows no longest length; 128 is ours, as for other names.
    ProjectName = "project name", 128, r"^[a-z0-9][a-z0-9_-]*$",
    "use lower-case letters, digits, \"_\" and \"-\", beginning with a letter or digit"
}

checked_text! {
    /// A service of a compose file.
    ServiceName = "service name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A host name after RFC 1123: labels of 1–63 characters, 253 in all.
    HostName = "host name", 253,
    r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    "use letters, digits and \"-\" in parts of at most 63 characters, joined by \".\""
}

checked_text! {
    /// The key of a label that is to be set. The keys of docker and compose are theirs: a
    /// `com.docker.compose.project` of our own would join somebody's project, and `compose down`
    /// there would remove the container. `[`, `]` and `@` serve traefik and caddy.
    LabelKey = "label", 255, r"^[A-Za-z0-9][\w./@\[\]-]*$",
    "use letters, digits, \"_\", \".\", \"/\" and \"-\", beginning with a letter or digit",
    and not_reserved_for_docker
}

checked_text! {
    /// The name of an environment variable or a build argument.
    EnvName = "environment variable", 255, r"^[A-Za-z_][\w.-]*$",
    "use letters, digits, \"_\", \".\" and \"-\", beginning with a letter or \"_\""
}

checked_text! {
    /// The name of a driver's own option (`max-size`, `syslog-address`, `com.docker.network.…`).
    OptionName = "option", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A log driver of docker's own. Plugins (`owner/driver`) are not offered.
    LogDriver = "log driver", 64, r"^[a-z][a-z0-9-]*$",
    "use a driver such as \"json-file\", \"local\", \"journald\" or \"none\""
}

checked_text! {
    /// The value of a `--filter`: 1–512 characters on one line. Docker reads some of them as
    /// regular expressions and answers a broken one with an empty list; see
    /// [`literal`](Self::literal).
    FilterValue = "filter value", { "type": "string" }, |text| match text {
        "" => Err("it is empty".to_owned()),
        _ if text.chars().any(char::is_control) => Err("use one line of text".to_owned()),
        _ if text.len() > 512 => Err("use at most 512 characters".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

impl EnvName {
    /// Variables that steer the docker client, its plugins and helpers, or the loader: with
    /// `LD_PRELOAD` in the client's environment an image's environment ran code on the host. These
    /// never travel through the environment of our own child process.
    pub fn is_reserved(&self) -> bool {
        const PREFIXES: [&str; 19] = [
            "LD_",
            "DYLD_",
            "DOCKER_",
            "COMPOSE_",
            "BUILDKIT_",
            "BUILDX_",
            "GO", // GODEBUG, GOTRACEBACK, GOCOVERDIR …: docker is written in Go
            "SSL_",
            "XDG_",
            "TMP",
            "SSH_",
            "LC_",
            "OTEL_",
            "GIT_", // GIT_SSH_COMMAND: compose and buildx run git
            "GCONV_",
            "GLIBC_",
            "PYTHON", // credential helpers are often scripts
            "NODE_",
            "PERL5",
        ];
        const NAMES: [&str; 17] = [
            "PATH",
            "HOME",
            "LANG",
            "LANGUAGE",
            "TERM",
            "NO_COLOR",
            "PWD",
            "USER",
            "LOGNAME",
            "SHELL",
            "ENV",
            "BASH_ENV",
            "PATHEXT",
            "SYSTEMROOT",
            "USERPROFILE",
            "APPDATA",
            "TEMP",
        ];
        // Windows and the proxies (`http_proxy`) do not care about case.
        let name = self.0.to_ascii_uppercase();
        // GOOGLE_API_KEY is not Go's, and reserved names are seen in the process list.
        let by_prefix =
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with("GOOGLE_");
        by_prefix || name.ends_with("_PROXY") || NAMES.contains(&name.as_str())
    }
}

impl LogDriver {
    /// The logs stay on this machine. The other drivers send them to any address.
    pub fn is_local(&self) -> bool {
        ["json-file", "local", "journald", "none"].contains(&self.as_str())
    }
}

impl FilterValue {
    /// The value for a filter that docker reads as a regular expression, so that it means itself.
    pub fn literal(&self) -> String {
        regex::escape(&self.0)
    }
}

fn not_reserved_for_docker(key: &str) -> Result<(), String> {
    const RESERVED: [&str; 3] = ["com.docker.", "io.docker.", "org.dockerproject."];
    let key = key.to_ascii_lowercase();
    match RESERVED.iter().find(|prefix| key.starts_with(*prefix)) {
        Some(prefix) => Err(format!("labels that begin with \"{prefix}\" belong to docker")),
        None => Ok(()),
    }
}
