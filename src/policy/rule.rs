//! Every rule in one table: its name, why it is, what to do instead, and the operator's switch.
//!
//! Names are part of the interface: they are in answers, in the audit log and in the documents.

use super::allow::Allow;

/// One rule. A violation quotes these words, so the same refusal always reads the same.
#[derive(Debug)]
pub struct Rule {
    pub name: &'static str,
    pub why: &'static str,
    pub instead: &'static str,
    pub switch: Switch,
}

/// How the operator can allow what a rule denies.
#[derive(Debug)]
pub enum Switch {
    Allow(Allow),
    /// `--allow-path PATH[:ro]`, written out for each violation.
    Path,
    /// Words that follow "The user can allow it by …".
    By(&'static str),
}

/// There is no exception for this one alone.
const UNRESTRICTED: Switch = Switch::By("starting the server with --policy unrestricted");

macro_rules! rules {
    ($($rule:ident $name:literal, $why:literal, $instead:literal, $switch:expr;)*) => {
        $(pub(super) static $rule: Rule = Rule {
            name: $name, why: $why, instead: $instead, switch: $switch,
        };)*

        /// Every rule, in the order of the table.
        pub static ALL: &[&Rule] = &[$(&$rule),*];
    };
}

rules! {
    READ_ONLY "level.read_only",
        "this server was started read-only.",
        "use the tools that only read.",
        Switch::By("starting the server with --policy standard");
    PROTECTED "object.protected",
        "the user has protected it from being removed.",
        "leave it alone, or ask the user to remove it.",
        Switch::By("taking the protection away (--protect, or the label docker-mcp-server.protect)");
    NOT_OURS "object.not_ours",
        "this server was started to change only what it has created itself.",
        "create a new one with another name.",
        Switch::By("starting the server without --only-ours");
    UNRECORDED "invocation.unrecorded_hazard",
        "the command has a dangerous option that no rule has seen. This is a bug of this server.",
        "leave the option out.",
        UNRESTRICTED;

    MOUNT_OUTSIDE "mount.outside_roots",
        "it is outside the folders this server may mount.",
        "mount a folder of the project, or use a named volume.",
        Switch::Path;
    MOUNT_READ_ONLY "mount.read_only_root",
        "the user allows this folder for reading only.",
        "mount it read-only.",
        Switch::Path;
    MOUNT_SYSTEM "mount.system_path",
        "it belongs to the operating system.",
        "mount a folder of the project, or copy what you need into the image.",
        Switch::Path;
    MOUNT_CREDENTIALS "mount.credentials",
        "paths of this name hold keys, passwords or tokens.",
        "give the container its own secret: an environment variable, or a compose secret.",
        Switch::Path;
    MOUNT_SPECIAL "mount.special_file",
        "it is a socket, a device or a pipe of the host.",
        "mount a regular file or a folder of the project.",
        Switch::Path;
    MOUNT_UNREADABLE "mount.unreadable",
        "this server cannot follow it to where it leads.",
        "use an existing absolute path in the project.",
        UNRESTRICTED;
    DOCKER_SOCKET "mount.docker_socket",
        "whoever holds the docker socket is root on this machine, also through a read-only mount.",
        "let this server do what the container would do with docker.",
        Switch::Allow(Allow::DockerSocket);
    PROPAGATION "mount.propagation",
        "mounts made in the container would appear on the host.",
        "leave the propagation out.",
        UNRESTRICTED;
    MOUNT_TYPE "mount.type",
        "mounts of this type are not checked.",
        "use a bind, volume or tmpfs mount.",
        UNRESTRICTED;

    FILE_OUTSIDE "file.outside_roots",
        "it is outside the folders this server may read.",
        "use a file of the project.",
        Switch::Path;
    FILE_READ_ONLY "file.read_only_root",
        "the user allows this folder for reading only.",
        "write to another folder of the project.",
        Switch::Path;
    FILE_SYSTEM "file.system_path",
        "it belongs to the operating system.",
        "use a file of the project.",
        Switch::Path;
    FILE_CREDENTIALS "file.credentials",
        "files of this name hold keys, passwords or tokens.",
        "use a file of the project that holds only what this needs.",
        Switch::Path;
    FILE_RUNS "file.runs_by_itself",
        "programs of this machine run or obey files of this name by themselves.",
        "write it to another place, and let the user move it.",
        Switch::Path;
    FILE_SPECIAL "file.special_file",
        "it is a socket, a device or a pipe of the host.",
        "use a regular file of the project.",
        Switch::Path;
    FILE_UNREADABLE "file.unreadable",
        "this server cannot follow it to where it leads.",
        "use an existing absolute path in the project.",
        UNRESTRICTED;

    PRIVILEGED "container.privileged",
        "a privileged container is root on this machine.",
        "leave it out, and add the one capability that is needed with cap_add.",
        Switch::Allow(Allow::Privileged);
    CAPABILITY "container.capability",
        "this capability reaches beyond the container.",
        "leave it out; docker's own set, IPC_LOCK, SYS_NICE and SYS_PTRACE may be added.",
        Switch::Allow(Allow::Capability(String::new()));
    DEVICE "container.device",
        "a device node gives direct access to hardware, disks included.",
        "leave it out.",
        Switch::Allow(Allow::Devices);
    GPUS "container.gpus",
        "GPUs are shared with the whole machine, and their driver is part of its kernel.",
        "run it on the processor.",
        Switch::Allow(Allow::Gpus);
    HOST_NETWORK "container.host_network",
        "services that listen on localhost only would be open to the container.",
        "publish ports; the container reaches this machine as host.docker.internal with extra_hosts host.docker.internal:host-gateway.",
        Switch::Allow(Allow::HostNetwork);
    HOST_PID "container.host_pid",
        "the container would see every process of this machine, with its environment.",
        "leave it out; inspect-container with include: [\"top\"] shows the processes of a container, container-stats what they use.",
        Switch::Allow(Allow::HostPid);
    HOST_IPC "container.host_ipc",
        "the container would share memory with every process of this machine.",
        "raise shm_size.",
        Switch::Allow(Allow::HostIpc);
    HOST_UTS "container.host_uts",
        "the container would share the name of this machine.",
        "set a hostname.",
        Switch::Allow(Allow::HostUts);
    HOST_USERNS "container.host_userns",
        "root in the container would be root of this machine.",
        "leave it out.",
        Switch::Allow(Allow::HostUserns);
    HOST_CGROUP "container.host_cgroup",
        "the container would leave docker's control group, and its limits.",
        "leave it out.",
        Switch::Allow(Allow::HostCgroup);
    OTHER_CONTAINER "container.other_container",
        "it would share a namespace, and so the rights, of a container outside the project.",
        "put both on one network, or in one compose project (service:NAME).",
        Switch::Allow(Allow::OtherContainers);
    VOLUMES_FROM "container.volumes_from",
        "it would inherit every mount of another container, the docker socket included.",
        "name the volumes that are needed.",
        Switch::Allow(Allow::VolumesFrom);
    SECURITY_OPTION "container.security_option",
        "it takes away protection between the container and this machine.",
        "leave it out; no-new-privileges is always allowed.",
        Switch::Allow(Allow::SecurityOpt);
    RUNTIME "container.runtime",
        "another runtime, or an annotation for it, replaces what isolates the container.",
        "leave it out.",
        Switch::Allow(Allow::Runtime);
    SYSCTL "container.sysctl",
        "this kernel parameter is not the container's own.",
        "leave it out; net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* may be set.",
        Switch::Allow(Allow::Sysctls);
    LOG_DRIVER "container.log_driver",
        "this driver can send the logs to any address.",
        "use json-file, local, journald or none.",
        Switch::Allow(Allow::LogDriver);
    LOG_OPTION "container.log_option",
        "only options that keep the logs on this machine are allowed.",
        "use max-size, max-file, compress, mode, tag, labels or env.",
        Switch::Allow(Allow::LogDriver);
    PRIORITY "container.priority",
        "it would starve or outlive the processes of this machine.",
        "leave it out, and set cpus and memory limits.",
        UNRESTRICTED;
    LIMIT "container.limit",
        "one call may not take so much of this machine.",
        "use less.",
        UNRESTRICTED;
    STORAGE "container.storage_option",
        "it steers the storage driver of this machine.",
        "leave it out.",
        UNRESTRICTED;
    CREDENTIAL_SPEC "container.credential_spec",
        "it reads files or the registry of this machine.",
        "leave it out.",
        UNRESTRICTED;
    LABEL "container.label",
        "labels of this name belong to docker and compose, which act on them.",
        "use a label of your own.",
        UNRESTRICTED;
    NAME "container.name",
        "docker reads some texts in this place as something else.",
        "use letters, digits, \"_\", \".\" and \"-\".",
        UNRESTRICTED;

    DRIVER "driver.plugin",
        "drivers other than docker's own reach outside docker's networks and volumes.",
        "use the driver bridge for a network and local for a volume.",
        Switch::Allow(Allow::Drivers);
    DRIVER_OPTION "driver.option",
        "options of a driver can mount disks, folders and network shares of this machine.",
        "use a volume without options, or a bind mount of a folder of the project.",
        Switch::Allow(Allow::DriverOpts);
    NETWORK_OPTION "driver.network_option",
        "options of a network driver can take over bridges, addresses and interfaces of this machine.",
        "leave it out; the MTU, icc, masquerading and host_binding_ipv4 of a bridge may be set.",
        Switch::Allow(Allow::DriverOpts);

    SUBNET "network.public_addresses",
        "this machine would send what goes to these addresses into the network.",
        "use a private range (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fd00::/8), or none.",
        Switch::Allow(Allow::DriverOpts);

    PUSH "image.push",
        "what is pushed leaves this machine.",
        "ask the user to push it.",
        Switch::Allow(Allow::Push);
    REMOTE_BUILD "build.remote",
        "it is fetched from another machine and run before anybody can look at it.",
        "clone it into the project and build it from there.",
        Switch::Allow(Allow::RemoteBuild);
    BUILD_HOST "build.host",
        "the build would use the network, the ssh agent or the rights of this machine.",
        "leave it out.",
        Switch::Allow(Allow::BuildHost);
    BUILD_OUTPUT "build.output",
        "the build would write outside docker's image store.",
        "leave it out; a cache in a registry or inline is allowed.",
        UNRESTRICTED;

    UNKNOWN_KEY "compose.unknown_key",
        "only keys that this server knows are deployed: a new one may give away this machine.",
        "leave the key out.",
        UNRESTRICTED;
    SHAPE "compose.unexpected_value",
        "the value is not of the kind that this server can check.",
        "write it as the compose specification says.",
        UNRESTRICTED;
    VARIABLE "compose.variable",
        "compose would put another value in its place when it deploys.",
        "write \"$$\" for a dollar.",
        UNRESTRICTED;
    UNRESOLVED "compose.unresolved",
        "compose has left a reference to another file in the project.",
        "write out what the reference stands for.",
        UNRESTRICTED;
    PROJECT_NAME "compose.project_name",
        "the file names another project than the call.",
        "leave `name` out of the file, or give the same name.",
        UNRESTRICTED;
    API_SOCKET "compose.use_api_socket",
        "it gives the container the docker socket and the user's registry passwords.",
        "let this server do what the container would do with docker.",
        Switch::Allow(Allow::DockerSocket);
    PROVIDER "compose.provider",
        "a provider is a program that compose runs on this machine.",
        "use an image.",
        Switch::Allow(Allow::Provider);
    MODELS "compose.models",
        "models start a plugin on this machine.",
        "use an image that serves the model.",
        Switch::Allow(Allow::Models);
    EXTERNAL "compose.external",
        "external secrets and configs belong to a swarm.",
        "use a file of the project.",
        UNRESTRICTED;
    UNDEFINED "compose.undefined",
        "the project does not define it, so it was not checked.",
        "define it at the top level of the file.",
        UNRESTRICTED;
    CLIENT_VARIABLE "compose.client_variable",
        "this variable belongs to the docker client of this server, not to the project.",
        "give the secret a variable of another name.",
        UNRESTRICTED;

    TEXT_SIZE "compose.too_large",
        "a compose file of this size or depth cannot be checked.",
        "use at most 256 KiB, 64 levels and 100,000 values, each alias counted as what it stands for.",
        UNRESTRICTED;
    TEXT_CHARACTER "compose.character",
        "a byte order mark within a text is part of a word to one YAML reader, and nothing to another.",
        "take it out; it may only be the first character.",
        UNRESTRICTED;
    TAG "compose.tag",
        "this tag hides a value from a check.",
        "write the value itself.",
        UNRESTRICTED;
    VARIABLE_PATH "compose.variable_path",
        "it cannot be known which file compose would read.",
        "set the variable in `environment`, or write the path itself on one line, without \"~\".",
        UNRESTRICTED;
    NESTED_PATH "compose.nested_path",
        "compose resolves paths from another folder where project_directory is no folder, and where an included file includes another one with project_directory or env_file.",
        "name a folder that is there, and only in the outermost compose file; the .env beside an included file is read unasked.",
        UNRESTRICTED;
    REMOTE_FILE "compose.remote_file",
        "it would be fetched from another machine and run before anybody can look at it.",
        "copy the file into the project.",
        UNRESTRICTED;
    FILES "compose.too_many_files",
        "so much cannot be checked before compose reads it.",
        "use fewer or smaller files.",
        UNRESTRICTED;

    TARGET "target.host_powerful",
        "what runs in it can control this machine.",
        "look at it with inspect-container, get-logs and container-stats, or ask the user.",
        UNRESTRICTED;
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_the_texts_are_sentences() {
        let names: BTreeSet<_> = ALL.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), ALL.len());
        for rule in ALL {
            let (area, name) = rule.name.split_once('.').unwrap();
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(area.chars().all(is_plain) && name.chars().all(is_plain), "{}", rule.name);
            assert!(rule.why.ends_with('.') && rule.instead.ends_with('.'), "{}", rule.name);
            // An agent that is refused here must not be sent to its shell.
            assert!(!rule.instead.to_lowercase().contains("bash"), "{}", rule.name);
        }
    }

    #[test]
    fn every_exception_opens_a_rule() {
        for (name, allow, _) in &super::super::allow::KNOWN {
            let opens =
                |rule: &&&Rule| matches!(&rule.switch, Switch::Allow(named) if named == allow);
            assert!(ALL.iter().any(|rule| opens(&rule)), "{name}");
        }
    }
}
