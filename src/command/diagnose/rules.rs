//! The table from docker's words to a [`Code`].
//!
//! Order is part of it: the first rule that fits any line wins, so the more telling text stands
//! higher. Letter case never counts, because it moved in every release ("Invalid hostPort" until
//! 28, "invalid hostPort" in 29). A number in a comment is the docker version with that wording.

use super::{Failure, Program};
use crate::error::{Code, Repeat};
use regex_lite::{Regex, RegexBuilder};
use std::sync::LazyLock;

/// The rule that explains a failure, and the line of it that says so.
pub(super) fn find(failure: &Failure, lines: &[String]) -> Option<(&'static Rule, usize)> {
    COMPILED.iter().filter(|(rule, _)| (rule.when)(failure)).find_map(|(rule, regex)| {
        let at = lines.iter().position(|line| regex.is_match(line))?;
        Some((*rule, at))
    })
}

/// Texts of one meaning.
pub(super) struct Rule {
    pub(super) code: Code,
    /// The code's own answer, unless these texts say something else.
    pub(super) repeat: Repeat,
    pub(super) hint: Option<&'static str>,
    when: fn(&Failure) -> bool,
    texts: &'static [&'static str],
}

const fn rule(code: Code, texts: &'static [&'static str]) -> Rule {
    Rule { code, repeat: code.repeat(), hint: None, when: always, texts }
}

impl Rule {
    const fn repeat(mut self, repeat: Repeat) -> Self {
        self.repeat = repeat;
        self
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    const fn when(mut self, when: fn(&Failure) -> bool) -> Self {
        self.when = when;
        self
    }
}

fn always(_: &Failure) -> bool {
    true
}

fn compose(failure: &Failure) -> bool {
    failure.program == Program::Compose
}

fn reads_an_archive(failure: &Failure) -> bool {
    matches!(failure.command(), "load" | "import")
}

/// Without the plugin, docker reads `compose --file=x up` as options of its own, and the usage it
/// points to is its own too.
fn docker_answers_for_a_plugin(failure: &Failure) -> bool {
    (compose(failure) || failure.verb.starts_with("buildx"))
        && failure.stderr.contains("'docker --help'")
}

const CONNECTION_LOST: &str =
    "the connection broke off and the change may have happened; look before trying again";

static RULES: &[Rule] = &[
    // ---- What stands before docker did not get to it.
    rule(Code::PermissionDenied, &[r"^sudo: .*not allowed to set the following environment"]).hint(
        "the rule of sudo has to pass values on: the person writes SETENV: into it, as in `NOPASSWD: SETENV: /usr/bin/docker, /usr/bin/kill`",
    ),
    rule(
        Code::PermissionDenied,
        &[r"^sudo: (a password|a terminal|sorry)", r"is not (in the sudoers file|allowed to (run sudo|execute))"],
    )
    .hint("sudo asks nobody here: the person allows docker in a rule with NOPASSWD:"),
    rule(
        Code::DockerMissing,
        &[r"^sudo: \S*docker\S*: command not found", r"^\S*sh: (line )?\d+: \S*docker\S*: (command )?not found"],
    )
    .hint("docker is not on the PATH of the other side of --docker: name it there with its path"),
    rule(
        Code::DaemonNotAccessible,
        &[r": permission denied \((publickey|password|keyboard)", r"^host key verification failed"],
    )
    .repeat(Repeat::Never)
    .hint("ssh cannot log in without asking: the person tries the ssh command of --docker in a terminal once"),
    rule(
        Code::DaemonNotAccessible,
        &[
            r"^ssh: (connect to host|could not resolve hostname)",
            r"^kex_exchange_identification: ",
            r"^connection (closed|reset|timed out).* port \d+",
        ],
    )
    .repeat(Repeat::Reads)
    .hint("ssh does not reach the machine that --docker names"),
    // ---- The client did not get to the daemon, or lost it.
    rule(
        Code::PermissionDenied,
        &[
            r"permission denied while trying to connect to the docker daemon socket", // until 28
            r"permission denied while trying to connect to the docker api",           // 29
            r"dial unix \S+: connect: permission denied",
        ],
    ),
    rule(Code::PermissionDenied, &[r"authorization denied by plugin"])
        .hint("an authorization plugin of the daemon refuses it; only its operator can allow it"),
    rule(
        Code::DaemonNotAccessible,
        &[
            r"unable to resolve docker endpoint",
            r#"context "[^"]*" does not exist"#, // 20.10
            r"context not found",
            r"invalid bind address format",
        ],
    )
    .repeat(Repeat::Never)
    .hint("the docker context or DOCKER_HOST is wrong; list-contexts shows the contexts there are"),
    rule(
        Code::DaemonNotAccessible,
        &[
            r"request returned (404 )?not found for api route",
            r"^error response from daemon: <(!doctype|html)",
        ],
    )
    .repeat(Repeat::Never)
    .hint("what answers there is not a docker daemon; check DOCKER_HOST and the docker context"),
    rule(
        Code::UnsupportedVersion,
        &[
            r"client version [\d.]+ is too (new|old)",
            r"requires api version",
            r"is only supported on a docker daemon",
            r"invalid api version",
            r#"\bpage not found("\})?$"#,
        ],
    )
    .hint(
        "client and daemon are too far apart; update the older one, and unset DOCKER_API_VERSION",
    ),
    rule(
        Code::DaemonNotAccessible,
        &[
            r"cannot connect to the docker daemon", // until 28; 29 for a socket without a listener
            r"failed to connect to the docker api", // 29
            r"is the docker daemon running",
            r"error during connect: .*\bdial (tcp|unix)\b",
            r"errors pretty printing info", // `docker info` of 20.10, which says no more
            // Windows and Docker Desktop, from their issues.
            r"error during connect: .*(open //\./pipe/|docker daemon is not running)",
        ],
    ),
    rule(Code::DaemonNotAccessible, &[r"docker desktop is (manually )?paused"])
        .repeat(Repeat::Never)
        .hint("only the person can resume Docker Desktop"),
    rule(Code::DaemonNotAccessible, &[r"returned .*(server error|unavailable) for api route"])
        .repeat(Repeat::Reads)
        .hint("the daemon answers, but not as it should; Docker Desktop does so while it starts"),
    rule(Code::DaemonNotAccessible, &[r"error during connect: .*command \[ssh "])
        .repeat(Repeat::Reads)
        .hint("ssh to the docker host failed; the end of the message is ssh's own"),
    // The request may have reached the daemon: with a proxy that loses the answer, the container was
    // there although the client said `error during connect: Post …: EOF`.
    rule(
        Code::DaemonNotAccessible,
        &[
            r"error during connect: ",
            r#"(get|head|post|put|delete) "http://(%2f|docker\.example\.com)"#,
            r"(read|write) unix .*(connection reset|broken pipe|closed network connection)",
            r"error waiting for container: unexpected eof",
        ],
    )
    .repeat(Repeat::Reads)
    .hint(CONNECTION_LOST),
    rule(Code::InvalidConfiguration, &[r"^unexpected eof$", r"error processing tar file"])
        .when(reads_an_archive)
        .hint("the file is not a docker archive, or it is cut short"),
    // The daemon went away under `logs`, `events`, `wait` or in the middle of an answer.
    rule(Code::DaemonNotAccessible, &[r"^unexpected eof$"])
        .repeat(Repeat::Reads)
        .hint(CONNECTION_LOST),
    // ---- This docker cannot do it.
    rule(
        Code::DockerMissing,
        &[
            r"'compose' is not a docker command", // until 27
            r"unknown command: docker compose\b", // 28
        ],
    )
    .hint(
        "install docker's compose plugin; one that is broken or not executable counts as missing",
    ),
    rule(
        Code::DockerMissing,
        &[
            r"'buildx' is not a docker command",
            r"unknown command: docker buildx\b",
            r"buildx component is missing or broken",
        ],
    )
    .hint("install docker's buildx plugin; one that is broken or not executable counts as missing"),
    rule(Code::DockerMissing, &[r"unknown (shorthand )?flag: "])
        .when(docker_answers_for_a_plugin)
        .hint("the compose or buildx plugin is missing or broken; docker-info shows what there is"),
    rule(
        Code::UnsupportedVersion,
        &[r"unknown (shorthand )?flag: ", r"unsupported --progress value"],
    ),
    rule(
        Code::UnsupportedVersion,
        &[
            r"is not a docker command",
            r"unknown (docker )?command: ",
            r"^usage: ", // all that 20.10 and 26 answer to an unknown `docker container …`
        ],
    )
    .hint("this version has no such command; docker-info shows the versions"),
    // A crash of a client or plugin, whose text speaks of an "invalid memory address".
    rule(Code::DockerFailed, &[r"^panic: ", r"\bruntime error: ", r"sigsegv"]),
    // ---- Resources of the host. Above builds and commands, which also fail for lack of them.
    rule(Code::NoSpace, &[r"no space left on device", r"disk quota exceeded"]),
    rule(
        Code::ResourcesExhausted,
        &[
            r"could not find an available, non-overlapping", // until 26
            r"all predefined address pools have been fully subnetted", // 28
            r"no available ipv4 address",
        ],
    )
    .hint("remove networks that nobody uses, or give the network a subnet of its own"),
    rule(
        Code::ResourcesExhausted,
        &[
            r"cannot allocate memory",
            r"failed to reserve page summary memory", // the Go runtime of the client
            r"too many open files",
            r"resource temporarily unavailable",
        ],
    ),
    // ---- Builds. A wrong tag first: 28 says `failed to build: invalid tag`.
    rule(Code::InvalidConfiguration, &[r#"invalid tag ""#]),
    rule(
        Code::BuildFailed,
        &[
            r"failed to solve",
            r"failed to build",
            r"dockerfile parse error",
            r"returned a non-zero code: \d+", // the builder before BuildKit
            r"^(copy|add) failed: ",
            r"unable to prepare context",
            r"failed to read dockerfile",
            r#"target stage "[^"]*" could not be found"#,
            r"failed to reach build target",
            r"the dockerfile.* cannot be empty",
        ],
    ),
    // ---- Ports. Above conflicts, which say "already in use" as well.
    rule(
        Code::PortInUse,
        &[
            r"port is already allocated",    // by another container
            r"bind: address already in use", // by a process; until 26
            r"failed to bind host port .*address already in use", // 28
            r"ports are not available",      // Docker Desktop, from its issues
        ],
    )
    .hint("choose another host port"),
    rule(
        Code::InvalidConfiguration,
        &[r"bind: cannot assign requested address", r"host port .*cannot assign requested address"],
    )
    .hint("the host has no such address; leave the address out or use one of its own"),
    // ---- Health and dependencies. Above states, which say "exited" as well.
    rule(Code::Unhealthy, &[r"has no healthcheck configured"])
        .hint("give that service a healthcheck, or depend on it with condition service_started"),
    rule(Code::Unhealthy, &[r"^container \S+ exited \(0\)$"])
        .hint("it ended well, but `wait` is for services that stay up; deploy with wait=false"),
    rule(
        Code::Unhealthy,
        &[
            r"^container \S+ is unhealthy",
            r"dependency failed to start",
            r"application not healthy after",
            r"didn't complete successfully: exit",
            r"^container \S+ exited \(\d+\)",
            r"is missing dependency",
        ],
    )
    .hint("its log tells why: get-logs or compose-logs"),
    // ---- Compose files and projects.
    rule(Code::InvalidConfiguration, &[r"no configuration file provided"])
        .when(compose)
        .hint("give compose_yaml, or compose_file with its path"),
    rule(Code::InvalidConfiguration, &[r"no service selected"])
        .when(compose)
        .hint("the file has no services, or all of them belong to profiles that are not active"),
    rule(Code::InvalidConfiguration, &[r"no such service: "])
        .when(compose)
        .hint("compose-config shows the services of the file, compose-ps those that exist"),
    rule(Code::InvalidConfiguration, &[r"required variable \S+ is missing"])
        .when(compose)
        .hint("set the variable with `environment`"),
    rule(Code::InvalidConfiguration, &[r"invalid interpolation format"])
        .when(compose)
        .hint("write $$ for a plain $"),
    rule(
        Code::InvalidConfiguration,
        &[
            r"declared as external, but could not be found",
            r#"external (volume|network) "[^"]*" not found"#,
        ],
    )
    .when(compose)
    .hint("create it first, or do not declare it as external"),
    rule(Code::InvalidConfiguration, &[r"using the custom container name"])
        .when(compose)
        .hint("a service with a container_name cannot be scaled; remove the container_name"),
    rule(
        Code::InvalidConfiguration,
        &[
            r"^yaml: ",
            r"^failed to parse \S+\.ya?ml",
            r"^validating .+: ",
            r"additional propert(y|ies)",
            r"invalid compose project",
            r"empty compose file",
            r"dependency cycle detected",
            r"cannot extend service",
            r"error while interpolating",
            r"decoding failed due to",
            r"invalid project name",
            r"couldn't find env file",
            r"env file .+ not found",
            r"failed to read .*\.env\b",
            r"unsupported external secret",
            r"neither an image nor a build context",
            r"unsupported format",
            r"^open .+\.ya?ml: ", // missing or not readable
            r"^read .+: is a directory",
        ],
    )
    .when(compose),
    // ---- Registries: refused, absent, slow, out of reach.
    rule(Code::RateLimited, &[r"toomanyrequests", r"429 too many requests"]),
    rule(Code::RegistryDenied, &[r"error getting credentials"])
        .hint("the credential helper in docker's config.json fails, which 29 no longer ignores"),
    rule(
        Code::RegistryDenied,
        &[
            r"no basic auth credentials",
            r"pull access denied",
            r"requested access to the resource is denied",
            r"insufficient_scope",
            r"authentication required",
            r"(^|: )denied\b",
            r"(^|: )unauthorized\b",
            r"\b(401 unauthorized|403 forbidden)",
            r"interactive login from a non.tty",
        ],
    ),
    rule(
        Code::ImageNotFound,
        &[
            r"does not match the specified platform",
            r"no matching manifest for",
            r"no match for platform in manifest",
        ],
    )
    .hint("the image exists, but not for this platform"),
    rule(
        Code::ImageNotFound,
        &[
            r"manifest unknown",
            r"manifest for .+ not found",
            r"name unknown$",
            r"repository name not known",
            r"no such manifest",
            r#"failed to resolve reference "[^"]*": .*not found$"#, // the containerd image store
        ],
    )
    .hint("the registry does not have it; check the name and the tag"),
    rule(
        Code::ImageNotFound,
        &[
            r"no such image",
            r"reference does not exist",        // save
            r"an image does not exist locally", // push
        ],
    )
    .hint("list-images shows what is here; pull-image or build-image brings it"),
    rule(
        Code::Timeout,
        &[
            r"client\.timeout exceeded",
            r"i/o timeout",
            r"context deadline exceeded",
            r"tls handshake timeout",
            r"request canceled while waiting",
        ],
    )
    .repeat(Repeat::Reads),
    rule(
        Code::RegistryUnreachable,
        &[r"x509: ", r"\btls: ", r"server gave http response to https client"],
    )
    .repeat(Repeat::Never)
    .hint(
        "the daemon does not accept the registry's certificate or protocol; see its configuration",
    ),
    rule(Code::RegistryUnreachable, &[r"error parsing http \d+ response body", r": unknown: <"])
        .repeat(Repeat::Never)
        .hint("what answers there is not a registry; check the host and port in the image's name"),
    rule(
        Code::RegistryUnreachable,
        &[r"received unexpected http status: 5\d\d", r"unexpected status .*: 5\d\d"],
    )
    .hint("the registry has trouble; try again later"),
    rule(
        Code::RegistryUnreachable,
        &[
            r#"(get|head|post|put) "https?://[^"]+": "#,
            r"\bdial tcp\b",
            r"no such host",
            r"network is unreachable",
            r"connection reset by peer",
        ],
    )
    .hint("check the registry's name and the network (DNS, proxy) of the docker host"),
    // ---- Conflicts that say so. Above states, because of "image is used by stopped container".
    rule(Code::NameConflict, &[r"conflict\. the container name"]),
    rule(Code::ResourceInUse, &[r"conflict: unable to", r"conflict[.:] "]),
    rule(Code::CommandFailed, &[r"error gathering device information"])
        .hint("the host has no such device"),
    // ---- What was named does not exist.
    rule(Code::InvalidConfiguration, &[r"multiple ids found with provided prefix"])
        .hint("give more characters of the ID, or the name"),
    // Above "no such container": 20.10 says it of a missing path in a container that exists.
    rule(Code::ResourceNotFound, &[r"no such container:path", r"could not find the file"]),
    rule(Code::ContainerNotFound, &[r"no such container", r"could not get container for"])
        .hint("list-containers with all=true shows what exists"),
    rule(Code::ContainerNotFound, &[r"no container found", r"no containers for project"])
        .hint("compose-ps shows what exists, deploy-compose creates what does not"),
    rule(Code::ResourceNotFound, &[r"bind source path does not exist"])
        .hint("the path must exist on the docker host"),
    rule(Code::ResourceNotFound, &[r"no such volume"]).hint("list-volumes shows what exists"),
    rule(Code::ResourceNotFound, &[r"no such network", r"network .+ not found"])
        .hint("list-networks shows what exists"),
    rule(Code::ResourceNotFound, &[r"could not select device driver"])
        .hint("the docker host has no driver for that device, such as a GPU runtime"),
    rule(
        Code::ResourceNotFound,
        &[
            r"no such (object|service|node|secret|config|plugin)\b",
            r#"plugin "[^"]*" not found"#,
            r"no public port",
            r"unknown or invalid runtime name",
            r"unknown runtime specified", // 20.10
            r"invalid output path",
        ],
    ),
    // ---- What was named is in the wrong state.
    rule(Code::WrongState, &[r"not a swarm manager"]),
    rule(Code::WrongState, &[r#"service "[^"]*" is not running"#])
        .hint("compose says this of services that do not exist, too; compose-ps shows what runs"),
    rule(Code::WrongState, &[r"is not running", r"(to|in) a stopped container"])
        .hint("start-container starts it; get-logs tells why it stopped"),
    rule(Code::WrongState, &[r"is not paused", r"already paused"]),
    rule(Code::WrongState, &[r"is paused", r"paused container"]).hint("unpause-container first"),
    rule(
        Code::WrongState,
        &[
            r"is restarting, wait until",
            r"marked for removal",
            r"is dead or marked",
            r"removal of container .+ is already in progress",
            r"not connected to the network",
            r"does not support reading", // the log driver
        ],
    ),
    // ---- What was named is used, or exists already.
    rule(
        Code::ResourceInUse,
        &[r"container is running: stop", r"you cannot remove a running container"], // 20.10
    )
    .hint("stop-container first, or force"),
    rule(
        Code::ResourceInUse,
        &[
            r"is in use",
            r"in use by",
            r"has active endpoints",
            r"resource is still in use",
            r"device or resource busy",
            r"unable to (delete|remove repository)",
        ],
    ),
    rule(Code::ResourceInUse, &[r"pool overlaps"]).hint("choose another subnet"),
    rule(Code::ResourceInUse, &[r"\baddress already in use"]).hint("choose another address"),
    rule(Code::NameConflict, &[r"endpoint with name \S+ already exists"])
        .hint("the container is on that network already"),
    rule(
        Code::NameConflict,
        &[
            r"already exists",
            r"already in use",
            r"same name as its current name",
            r"not permitted on predefined",
        ],
    ),
    // ---- The command in the container did not start.
    rule(Code::CommandFailed, &[r"executable file not found"])
        .hint("the image has no such program; check command and entrypoint"),
    rule(Code::CommandFailed, &[r"exec format error"])
        .hint("the program is for another platform, or a script without its #! line"),
    rule(Code::CommandFailed, &[r"unable to find user"])
        .hint("the image has no such user; give a numeric user ID"),
    rule(Code::CommandFailed, &[r"unable to find group"])
        .hint("the image has no such group; give a numeric group ID"),
    rule(Code::CommandFailed, &[r"\bexec: .*permission denied"])
        .hint("that file of the image is a directory or not executable"),
    rule(Code::CommandFailed, &[r"chdir to cwd"]).hint("the image has no such working directory"),
    rule(Code::CommandFailed, &[r#"\bexec: "[^"]*": stat .*no such file or directory"#])
        .hint("there is no such file in the container; check the path of the program"),
    rule(
        Code::CommandFailed,
        &[r"oci runtime (create|exec) failed", r"unable to start container process"],
    ),
    // ---- A file on this side.
    rule(Code::ResourceNotFound, &[r"no such file or directory$"]),
    // ---- Everything that better arguments would cure: first what has a hint.
    rule(Code::InvalidConfiguration, &[r"minimum memory limit allowed is 6MB"])
        .hint("give at least 6m of memory"),
    rule(Code::InvalidConfiguration, &[r"memoryswap limit"])
        .hint("memory plus swap cannot be less than memory; change both together"),
    rule(Code::InvalidConfiguration, &[r"only \[a-zA-Z0-9\]\[a-zA-Z0-9_.-\] are allowed"])
        .hint("a name has two or more of a-z, A-Z, 0-9, _ . - and begins with a letter or digit"),
    rule(Code::InvalidConfiguration, &[r"invalid reference format"])
        .hint("an image is [registry/]name[:tag] in lower case"),
    rule(Code::InvalidConfiguration, &[r"includes invalid characters for a local volume name"])
        .hint("a host directory is given as an absolute path"),
    rule(Code::InvalidConfiguration, &[r"not a tty", r"not a terminal"])
        .hint("there is no terminal here; leave out interactive options"),
    rule(Code::InvalidConfiguration, &[r"invalid mount path: '[a-z]:[^']*' mount path must be"])
        .hint("compose takes one letter before a colon for a Windows drive, and docker takes no volume of one letter: give it a longer name"),
    rule(Code::InvalidConfiguration, &[r"mounts denied", r"is not shared from the host"])
        .hint("the path is not shared with Docker Desktop; the person can add it in its settings"),
    rule(
        Code::InvalidConfiguration,
        &[r"read-only file system", r"marked read-only", r"error while creating mount source path"],
    )
    .hint("that place is read-only; mount a volume there, or choose another path"),
    rule(Code::InvalidConfiguration, &[r"pre-defined network"]).hint("docker's own networks stay"),
    rule(
        Code::InvalidConfiguration,
        &[
            r"\binvalid\b",
            r"must be\b",
            r"cannot be\b",
            r"can only be\b",
            r"is not allowed",
            r"not whitelisted", // 20.10
            r"not a valid",
            r"not supported",
            r"supported only",
            r"copying between containers",
            r"requires (at least|at most|exactly) ",
            r"accepts no argument",
            r"you must provide",
            r"no command specified",
            r"conflicting options",
            r"bad format",
            r"(cannot|unable to|failed to|could not be|error) pars(e|ed|ing)\b",
            r"failed to execute template",
            r"syntax error in pattern", // a `reference` filter
            r"range of cpus",
            r"requested cpus",
            r"unknown (log opt|filter|capability|policy|option)",
            r"container id file found",
            r"netip\.parse",
            r"strconv\.",
        ],
    ),
];

static COMPILED: LazyLock<Vec<(&Rule, Regex)>> = LazyLock::new(|| {
    RULES
        .iter()
        .map(|rule| {
            let any = rule.texts.join("|");
            let regex = RegexBuilder::new(&any).case_insensitive(true).build();
            (rule, regex.expect("the texts of the table are valid patterns"))
        })
        .collect()
});
