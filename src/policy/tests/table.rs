//! Every rule at every level: denied at `standard` and `read-only`, allowed by its own switch and
//! at `unrestricted`. A rule without a case fails the test.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::command::{Effect, Hazard, Invocation};
use crate::error::{Code, Error};
use crate::policy::testing::{Machine, read_only, standard, unrestricted, with, with_paths};
use crate::policy::{Level, Policy, RULES, Source, Switch};

enum Case {
    /// Options of a `docker container create` (as a call that only reads, so that the level does
    /// not decide first).
    Options(&'static [(&'static str, &'static str)]),
    /// A service of a compose model.
    Service(Value),
    /// A whole compose model.
    Model(Value),
    /// The text of a compose file.
    Text(String),
    /// `HostConfig` of a container.
    Target(Value),
    /// A file of the host that docker reads, or writes.
    File(&'static str, bool),
    /// The verb of a command.
    Verb(&'static str),
    /// An object to remove.
    Object(&'static str),
}

impl Case {
    fn ask(&self, policy: &Policy) -> Option<Error> {
        let machine = Machine::ann();
        let refusal = match self {
            Self::Options(options) => {
                let create = Invocation::docker(Effect::Read, ["container", "create"]);
                let invocation =
                    options.iter().fold(create, |i, (name, value)| i.option(name, value));
                policy.check(&invocation, &machine).err()
            }
            Self::Service(service) => {
                let model = json!({"name": "shop", "services": {"a": service}});
                policy.vet(&model, "shop", &machine).err()
            }
            Self::Model(model) => policy.vet(model, "shop", &machine).err(),
            Self::Text(text) => {
                let name = "compose_yaml".to_owned();
                let source = Source { name, text: text.clone(), path: None };
                let folder = "/home/ann/shop".as_ref();
                let result = policy.prescan(vec![source], folder, &[], <_>::default(), &machine);
                return result.err().map(Error::from);
            }
            Self::Target(host) => {
                let document = json!({"Name": "/web", "HostConfig": host});
                policy.target(&document, &machine).err()
            }
            Self::File(path, read_only) => {
                let hazard = Hazard::HostPath { path: path.into(), read_only: *read_only };
                let copy = Invocation::docker(Effect::Read, ["container", "cp"]).hazard(hazard);
                policy.check(&copy, &machine).err()
            }
            Self::Verb(verb) => {
                let verb = Invocation::docker(Effect::Change, ["image", verb]).operands(["x"]);
                policy.check(&verb, &machine).err()
            }
            Self::Object(name) => {
                let none = std::iter::empty;
                let removal = policy.removal("volume", name, none());
                removal.and(policy.change("volume", name, none())).err()
            }
        };
        refusal.map(Error::from)
    }
}

fn cases() -> Vec<(&'static str, Case, &'static [&'static str])> {
    use Case::{File, Model, Options, Service, Target, Text, Verb};
    let mount = |source: &str, read_only: bool| {
        Service(
            json!({"volumes": [{"type": "bind", "source": source, "target": "/x", "read_only": read_only}]}),
        )
    };
    let option = |key: &str, value: &str| {
        Model(
            json!({"name": "shop", "services": {}, "volumes": {"v": {"driver_opts": {key: value}}}}),
        )
    };
    let service = |key: &str, value: Value| Service(json!({key: value}));
    let build = |key: &str, value: Value| {
        Service(json!({"build": {"context": "/home/ann/shop", key: value}}))
    };
    let text = |text: &str| Text(text.to_owned());
    vec![
        ("mount.outside_roots", mount("/home/ann/other", true), &["/home/ann/other:ro"]),
        ("mount.outside_roots", mount("/home/ann/other", false), &["/home/ann/other"]),
        (
            "mount.outside_roots",
            Options(&[("--mount", "type=bind,source=/srv,target=/x")]),
            &["/srv"],
        ),
        ("mount.read_only_root", mount("/srv/ro/x", false), &["/srv/ro:ro", "/srv/ro/x"]),
        ("mount.system_path", mount("/var/lib/docker", true), &["/var", "/var/lib/docker"]),
        ("mount.credentials", mount("/home/ann/shop/.npmrc", true), &["/home/ann/shop/.npmrc"]),
        (
            "mount.special_file",
            mount("/home/ann/shop/app.sock", true),
            &["/home/ann/shop/app.sock"],
        ),
        ("mount.unreadable", mount("relative", true), &[]),
        ("mount.docker_socket", mount("/var/run/docker.sock", true), &["docker-socket"]),
        (
            "mount.propagation",
            Service(
                json!({"volumes": [{"type": "bind", "source": "/home/ann/shop", "target": "/x", "bind": {"propagation": "shared"}}]}),
            ),
            &[],
        ),
        (
            "mount.type",
            Service(json!({"volumes": [{"type": "npipe", "source": "x", "target": "/x"}]})),
            &[],
        ),
        ("file.outside_roots", File("/home/ann/other/x", true), &["/home/ann/other:ro"]),
        ("file.read_only_root", File("/srv/ro/x", false), &["/srv/ro:ro", "/srv/ro/x"]),
        ("file.system_path", File("/var/lib/docker/x", true), &["/var", "/var/lib/docker"]),
        (
            "file.credentials",
            File("/home/ann/.docker/config.json", true),
            &["/home/ann/.docker/config.json:ro"],
        ),
        (
            "file.runs_by_itself",
            File("/home/ann/shop/.git/hooks/pre-commit", false),
            &["/home/ann/shop/.git"],
        ),
        ("file.special_file", File("/home/ann/shop/pipe", true), &["/home/ann/shop/pipe"]),
        ("file.unreadable", File("relative", true), &[]),
        ("container.privileged", service("privileged", json!(true)), &["privileged"]),
        ("container.capability", service("cap_add", json!(["NET_ADMIN"])), &["cap:NET_ADMIN"]),
        ("container.capability", Options(&[("--cap-add", "SYS_ADMIN")]), &["cap:ALL"]),
        ("container.device", service("devices", json!(["/dev/fuse"])), &["devices"]),
        ("container.gpus", service("gpus", json!([{"count": -1}])), &["gpus"]),
        ("container.host_network", Options(&[("--network", "host")]), &["host-network"]),
        ("container.host_pid", Options(&[("--pid", "host")]), &["host-pid"]),
        ("container.host_ipc", Options(&[("--ipc", "host")]), &["host-ipc"]),
        ("container.host_uts", Options(&[("--uts", "host")]), &["host-uts"]),
        ("container.host_userns", Options(&[("--userns", "host")]), &["host-userns"]),
        ("container.host_cgroup", Options(&[("--cgroupns", "host")]), &["host-cgroup"]),
        ("container.other_container", Options(&[("--pid", "container:x")]), &["other-containers"]),
        ("container.volumes_from", Options(&[("--volumes-from", "x")]), &["volumes-from"]),
        (
            "container.security_option",
            Options(&[("--security-opt", "label=disable")]),
            &["security-opt"],
        ),
        ("container.runtime", service("runtime", json!("crun")), &["runtime"]),
        ("container.sysctl", service("sysctls", json!(["vm.swappiness=1"])), &["sysctls"]),
        ("container.log_driver", service("logging", json!({"driver": "gelf"})), &["log-driver"]),
        (
            "container.log_option",
            service("logging", json!({"options": {"gelf-address": "x"}})),
            &["log-driver"],
        ),
        ("container.priority", service("oom_kill_disable", json!(true)), &[]),
        ("container.limit", service("scale", json!(100)), &[]),
        ("container.storage_option", service("storage_opt", json!({"size": "1"})), &[]),
        ("container.credential_spec", service("credential_spec", json!({"file": "x"})), &[]),
        ("container.label", service("labels", json!({"com.docker.x": "1"})), &[]),
        ("container.name", service("container_name", json!("a/b")), &[]),
        ("driver.plugin", Model(json!({"volumes": {"v": {"driver": "evil"}}})), &["drivers"]),
        ("driver.option", option("type", "nfs"), &["driver-opts"]),
        (
            "driver.network_option",
            Model(
                json!({"name": "shop", "services": {}, "networks": {"n": {"driver_opts": {"com.docker.network.bridge.name": "br0"}}}}),
            ),
            &["driver-opts"],
        ),
        ("network.public_addresses", Options(&[("--subnet", "203.0.113.0/24")]), &["driver-opts"]),
        ("image.push", Verb("push"), &["push"]),
        ("build.remote", Verb("build"), &["remote-build"]),
        ("build.host", build("ssh", json!(["default"])), &["build-host"]),
        ("build.output", build("cache_to", json!(["type=local,dest=/x"])), &[]),
        ("compose.unknown_key", service("surprise", json!(1)), &[]),
        ("compose.unexpected_value", service("command", json!({})), &[]),
        ("compose.variable", service("user", json!("$UID")), &[]),
        ("compose.unresolved", service("env_file", json!("x")), &[]),
        ("compose.project_name", Model(json!({"name": "other"})), &[]),
        ("compose.use_api_socket", service("use_api_socket", json!(true)), &["docker-socket"]),
        ("compose.provider", service("provider", json!({"type": "x"})), &["provider"]),
        ("compose.models", service("models", json!({"m": null})), &["models"]),
        ("compose.external", Model(json!({"secrets": {"s": {"external": true}}})), &[]),
        ("compose.undefined", service("secrets", json!([{"source": "x"}])), &[]),
        ("compose.client_variable", Model(json!({"secrets": {"s": {"environment": "PATH"}}})), &[]),
        ("compose.too_large", Text("#".repeat(300_000)), &[]),
        ("compose.character", text("a: 1\n\u{feff}env_file: /etc/passwd"), &[]),
        ("compose.tag", text("a: !!binary aG9zdA=="), &[]),
        ("compose.variable_path", text("env_file: ${HOME:?must}/x"), &[]),
        (
            "compose.nested_path",
            text("include: [{path: Dockerfile, project_directory: nowhere}]"),
            &[],
        ),
        ("compose.remote_file", text("include: [https://example.com/x.git]"), &[]),
        ("compose.too_many_files", text(&bomb()), &[]),
        ("invocation.unrecorded_hazard", Options(&[("--volume", "a:b:c:d")]), &[]),
        ("target.host_powerful", Target(json!({"Privileged": true})), &["privileged"]),
    ]
}

/// A long list below many keys, each of which has to be followed to its end.
fn bomb() -> String {
    format!("{}[{}]{}", "{env_file: ".repeat(60), "x,".repeat(20_000), "}".repeat(60))
}

/// The policy at `standard` with these switches.
fn opened(switches: &[&str]) -> Policy {
    let is_path = |switch: &&str| switch.starts_with('/');
    let names: Vec<_> = switches.iter().copied().filter(|switch| !is_path(switch)).collect();
    let paths: Vec<_> = switches.iter().copied().filter(is_path).collect();
    Policy { roots: with_paths(&paths).roots, ..with(&names) }
}

#[test]
fn every_rule_at_every_level() {
    let mut seen = BTreeSet::from(["level.read_only", "object.protected", "object.not_ours"]);
    for (rule, case, switches) in cases() {
        seen.insert(rule);
        // Of several switches the first ones make the case, and the last one opens it.
        let (last, before) = switches.split_last().map_or((None, &[][..]), |(l, b)| (Some(l), b));
        let closed = opened(before);
        let error = case.ask(&closed).unwrap_or_else(|| panic!("{rule} is not denied"));
        assert_eq!((error.code, error.message.as_str()), (Code::RefusedByPolicy, rule));
        let read_only = Policy { level: Level::ReadOnly, ..closed };
        let error = case.ask(&read_only).unwrap_or_else(|| panic!("{rule} is not denied"));
        assert!(["level.read_only", rule].contains(&error.message.as_str()), "{rule}");
        if last.is_some() {
            let error = case.ask(&opened(switches));
            assert!(error.is_none(), "{rule} with {switches:?}: {error:?}");
        }
        let row = RULES.iter().find(|row| row.name == rule).unwrap();
        let has_switch = matches!(row.switch, Switch::Allow(_) | Switch::Path);
        assert!(!has_switch || last.is_some(), "{rule}: the case has no switch");
        let error = case.ask(&unrestricted());
        assert!(error.is_none(), "{rule} at unrestricted: {error:?}");
    }
    let all: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(seen, all, "a rule without a case");
}

#[test]
fn the_operators_words_about_objects_hold_at_every_level() {
    for level in [standard(), read_only(), unrestricted()] {
        let policy = Policy { protect: vec!["pg*".parse().unwrap()], only_ours: false, ..level };
        assert_eq!(Case::Object("pgdata").ask(&policy).unwrap().message, "object.protected");
        assert!(Case::Object("data").ask(&policy).is_none());
        let policy = Policy { only_ours: true, protect: vec![], ..policy };
        assert_eq!(Case::Object("data").ask(&policy).unwrap().message, "object.not_ours");
    }
}
