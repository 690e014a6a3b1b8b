//! What goes beyond a project in amount or in form, and all that is not known.

use serde_json::{Value, json};

use super::denied::denied;
use super::vet;
use crate::policy::Violation;
use crate::policy::testing::{Machine, standard};

#[test]
fn what_leaves_the_machine() {
    for driver in
        ["syslog", "splunk", "fluentd", "gelf", "awslogs", "gcplogs", "etwlogs", "owner/plugin"]
    {
        denied(
            &json!({"logging": {"driver": driver}}),
            "container.log_driver at services.a.logging.driver",
            "log-driver",
        );
    }
    denied(
        &json!({"logging": {"options": {"syslog-address": "tcp://x"}}}),
        "container.log_option at services.a.logging.options.syslog-address",
        "log-driver",
    );
}

#[test]
fn builds_with_the_rights_of_the_host() {
    let build =
        |key: &str, value: Value| json!({"build": {"context": "/home/ann/shop", key: value}});
    let at = |rule: &str, key: &str| format!("{rule} at services.a.build.{key}");
    for (key, value) in [
        ("ssh", json!(["default"])),
        ("entitlements", json!(["security.insecure"])),
        ("privileged", json!(true)),
        ("network", json!("host")),
        ("network", json!("container:x")),
        ("provenance", json!("builder-id=x")),
        ("sbom", json!("generator=evil/image")),
    ] {
        denied(&build(key, value), &at("build.host", key), "build-host");
    }
    denied(&build("cache_to", json!(["type=local,dest=/x"])), &at("build.output", "cache_to"), "");
    denied(
        &build("cache_to", json!(["type=registry,ref=evil/x"])),
        &at("image.push", "cache_to"),
        "push",
    );
    denied(
        &build("cache_from", json!(["type=local,src=/etc"])),
        &at("file.outside_roots", "cache_from"),
        "",
    );
    for unclear in [
        "type=local,src=/etc, src=/home/ann/shop",
        "type=local,src=/etc,src=/home/ann/shop",
        "type=local,src=/etc,SRC=/home/ann/shop",
        "type=local,\"src=/home/ann/shop\"",
        "type=inline, type=local,src=/etc",
    ] {
        denied(&build("cache_from", json!([unclear])), &at("build.output", "cache_from"), "");
    }
    for unclear in ["type=local,dest=/x, type=inline", "type=local,dest=/x,type=inline"] {
        denied(&build("cache_to", json!([unclear])), &at("build.output", "cache_to"), "");
    }
    denied(&build("dockerfile", json!("/etc/shadow")), &at("file.outside_roots", "dockerfile"), "");
    denied(&build("dockerfile", json!("../../x")), &at("file.outside_roots", "dockerfile"), "");
    denied(
        &build("additional_contexts", json!({"x": "/etc"})),
        &at("file.outside_roots", "additional_contexts.x"),
        "",
    );
    denied(
        &build("additional_contexts", json!({"x": "https://example.com/x.git"})),
        &at("build.remote", "additional_contexts.x"),
        "remote-build",
    );
    denied(
        &build("secrets", json!([{"source": "nobody"}])),
        &at("compose.undefined", "secrets[0]"),
        "",
    );
    denied(&json!({"build": {"context": "/etc"}}), &at("file.outside_roots", "context"), "");
    denied(
        &json!({"build": {"context": "https://u:secret@example.com/x.git#main"}}),
        &at("build.remote", "context"),
        "remote-build",
    );
    denied(
        &json!({"build": {"dockerfile_inline": "FROM x"}}),
        &at("compose.unexpected_value", "context"),
        "",
    );
    denied(&json!({"build": "/etc"}), "compose.unexpected_value at services.a.build", "");
}

#[test]
fn amounts() {
    let at = |key: &str| format!("container.limit at services.a.{key}");
    denied(&json!({"scale": 21}), &at("scale"), "");
    denied(&json!({"deploy": {"replicas": 1000}}), &at("deploy.replicas"), "");
    denied(&json!({"pids_limit": -1}), &at("pids_limit"), "");
    denied(&json!({"stop_grace_period": "10m1s"}), &at("stop_grace_period"), "");
    denied(&json!({"stop_grace_period": "soon"}), &at("stop_grace_period"), "");
    denied(&json!({"tmpfs": ["/t:size=100g"]}), &at("tmpfs[0]"), "");
    denied(
        &json!({"volumes": [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1073741825"}}]}),
        &at("volumes[0].tmpfs.size"),
        "",
    );
    let port = json!({"target": 80, "published": "80"});
    denied(&json!({"ports": vec![port; 65]}), &at("ports"), "");
    denied(&json!({"ports": [{"target": 80, "published": "1-65535"}]}), &at("ports"), "");
    for (key, value) in [
        ("oom_kill_disable", json!(true)),
        ("cpu_rt_runtime", json!(400)),
        ("cpu_rt_period", json!(1)),
        ("oom_score_adj", json!(-1)),
    ] {
        denied(&json!({key: value}), &format!("container.priority at services.a.{key}"), "");
    }
}

#[test]
fn names_and_labels() {
    denied(
        &json!({"container_name": "../volumes/x"}),
        "container.name at services.a.container_name",
        "",
    );
    denied(&json!({"image": "../containers/web"}), "container.name at services.a.image", "");
    denied(&json!({"hostname": "a b"}), "container.name at services.a.hostname", "");
    denied(
        &json!({"external_links": ["a/b"]}),
        "container.name at services.a.external_links[0]",
        "",
    );
    denied(
        &json!({"labels": {"com.docker.compose.project": "other"}}),
        "container.label at services.a.labels.com.docker.compose.project",
        "",
    );
    denied(
        &json!({"deploy": {"labels": ["com.docker.x=y"]}}),
        "container.label at services.a.deploy.labels",
        "",
    );
}

#[test]
fn what_is_not_known_or_not_resolved() {
    for key in ["surprise", "Privileged", "privileged ", "env-file", "build_args", "log_driver"] {
        let place = crate::policy::refusal::Place::service("a").key(key);
        denied(
            &json!({key: true}),
            &format!("compose.unknown_key at services.a.{}", place.last()),
            "",
        );
    }
    denied(
        &json!({"healthcheck": {"tests": []}}),
        "compose.unknown_key at services.a.healthcheck.tests",
        "",
    );
    for (key, value) in [
        ("env_file", json!(["/etc/passwd"])),
        ("label_file", json!("x")),
        ("extends", json!({"file": "x"})),
    ] {
        denied(&json!({key: value}), &format!("compose.unresolved at services.a.{key}"), "");
    }
    denied(
        &json!({"secrets": [{"source": "nobody"}]}),
        "compose.undefined at services.a.secrets[0]",
        "",
    );
    denied(
        &json!({"configs": [{"source": "nobody"}]}),
        "compose.undefined at services.a.configs[0]",
        "",
    );
    denied(
        &json!({"networks": {"nobody": null}}),
        "compose.undefined at services.a.networks.nobody",
        "",
    );
    denied(
        &json!({"environment": {"A": {"b": 1}}}),
        "compose.unexpected_value at services.a.environment.A",
        "",
    );
    denied(&json!({"command": {"a": 1}}), "compose.unexpected_value at services.a.command", "");
    denied(&json!({"command": ["echo $HOME"]}), "compose.variable at services.a.command[0]", "");
}

/// Its name begins like that of an extension, and compose reads it like any service.
#[test]
fn a_variable_in_a_service_with_an_x() {
    let source = "/home/ann/shop/${X:-../../../etc}";
    let service = json!({
        "environment": {"x-a": "$HOME"},
        "volumes": [{"type": "bind", "source": source, "target": "/x", "read_only": true}],
    });
    let expected = [
        "compose.variable at services.x-web.environment.x-a",
        "compose.variable at services.x-web.volumes[0].source",
    ];
    let found = vet(&json!({"name": "shop", "services": {"x-web": service}}));
    assert_eq!(&found[..2], expected);
}

#[test]
fn the_top_level() {
    let top = |key: &str, value: Value| vet(&json!({"name": "shop", "services": {}, key: value}));
    let volume = |value: Value| top("volumes", json!({"v": value}));
    assert_eq!(volume(json!({"driver": "evil/plugin"})), ["driver.plugin at volumes.v.driver"]);
    assert_eq!(
        volume(json!({"driver_opts": {"type": "none", "o": "bind", "device": "/"}})),
        ["mount.outside_roots at volumes.v.driver_opts.device"]
    );
    assert_eq!(
        volume(json!({"driver_opts": {"type": "ext4", "device": "/dev/vda"}})),
        [
            "driver.option at volumes.v.driver_opts.type",
            "mount.special_file at volumes.v.driver_opts.device"
        ]
    );
    assert_eq!(
        volume(json!({"driver_opts": {"type": "overlay", "o": "lowerdir=/etc,upperdir=/x"}})),
        ["driver.option at volumes.v.driver_opts.type", "driver.option at volumes.v.driver_opts.o"]
    );
    assert_eq!(
        volume(json!({"driver_opts": {"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/x"}}))
            .len(),
        3
    );
    assert_eq!(volume(json!({"name": "../containers/x"})), ["container.name at volumes.v.name"]);
    let network = |value: Value| top("networks", json!({"n": value}));
    for driver in ["macvlan", "ipvlan", "overlay", "evil/plugin"] {
        assert_eq!(network(json!({"driver": driver})), ["driver.plugin at networks.n.driver"]);
    }
    assert_eq!(network(json!({"driver": "host"})), ["container.host_network at networks.n.driver"]);
    assert_eq!(
        network(json!({"name": "host", "external": true})),
        ["container.host_network at networks.n.name"]
    );
    assert_eq!(
        network(json!({"driver_opts": {"parent": "eth0"}})),
        ["driver.network_option at networks.n.driver_opts.parent"]
    );
    assert_eq!(
        network(json!({"ipam": {"driver": "evil"}})),
        ["driver.plugin at networks.n.ipam.driver"]
    );
    for section in ["secrets", "configs"] {
        let content = |value: Value| top(section, json!({"c": value}));
        assert_eq!(
            content(json!({"file": "/etc/passwd"})),
            [format!("mount.outside_roots at {section}.c.file")]
        );
        assert_eq!(
            content(json!({"external": true})),
            [format!("compose.external at {section}.c.external")]
        );
        assert_eq!(
            content(json!({"driver": "x"})),
            [format!("compose.external at {section}.c.driver")]
        );
        for name in ["DOCKER_HOST", "PATH", "HOME", "HTTPS_PROXY", "SSH_AUTH_SOCK", "a b"] {
            assert_eq!(
                content(json!({"environment": name})),
                [format!("compose.client_variable at {section}.c.environment")],
                "{name}"
            );
        }
    }
    assert_eq!(top("include", json!(["x"])), ["compose.unresolved at include"]);
    assert_eq!(top("surprise", json!({})), ["compose.unknown_key at surprise"]);
    assert_eq!(top("name", json!("other")), ["compose.project_name at name"]);
    assert_eq!(vet(&json!([])), ["compose.unexpected_value at "]);
    assert_eq!(vet(&json!({"services": []})), ["compose.unexpected_value at services"]);
    assert_eq!(vet(&json!({"services": {"a": "x"}})), ["compose.unexpected_value at services.a"]);
}

#[test]
fn all_services_together() {
    let vetted = |services: usize, replicas: Value| {
        let service = json!({"image": "a", "deploy": {"replicas": replicas}});
        let services = (0..services).map(|i| (format!("s{i}"), service.clone()));
        let services: serde_json::Map<String, Value> = services.collect();
        standard().vet(&json!({"name": "shop", "services": services}), "shop", &Machine::ann())
    };
    assert!(vetted(40, json!(5)).is_ok());
    let violation = vetted(40, json!(20)).unwrap_err().violations.remove(0);
    let Violation { rule, subject, location, .. } = violation;
    assert_eq!((rule, location.as_str()), ("container.limit", "services"));
    assert_eq!(subject, "800 containers, services times replicas, more than 200");
}
