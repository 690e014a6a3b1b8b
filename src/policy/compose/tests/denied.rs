//! What reaches beyond the project; each row of the catalogue of escapes that compose can express.

use serde_json::{Value, json};

use super::{project_of, vet, vet_with};
use crate::policy::testing::{unrestricted, with};

/// Refused with exactly this, unless the operator names the exception.
#[track_caller]
pub(super) fn denied(service: &Value, expected: &str, exception: &str) {
    let model = project_of(service);
    assert_eq!(vet(&model), [expected], "{service}");
    assert_eq!(vet_with(&unrestricted(), &model), [""; 0]);
    if !exception.is_empty() {
        assert_eq!(vet_with(&with(&[exception]), &model), [""; 0], "{service}");
    }
}

fn bind(source: &str) -> Value {
    json!({"volumes": [{"type": "bind", "source": source, "target": "/x", "read_only": true, "bind": {"create_host_path": true}}]})
}

#[test]
fn folders_of_the_host() {
    for source in [
        "/",
        "//",
        "/./",
        "/home/ann/shop/..",
        "/home/ann/shop/everything",
        "/etc",
        "/root",
        "/home",
        "/proc",
        "/sys",
        "/dev",
        "/home/ann/shop-secrets",
        "/home/ann/other",
    ] {
        denied(&bind(source), "mount.outside_roots at services.a.volumes[0]", "");
    }
    for source in ["/home/ann/.ssh", "/home/ann/shop/.npmrc"] {
        denied(&bind(source), "mount.credentials at services.a.volumes[0]", "");
    }
    for source in [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run",
        "/var/run",
        "/home/ann/shop/daemon",
    ] {
        denied(&bind(source), "mount.docker_socket at services.a.volumes[0]", "docker-socket");
    }
    denied(&bind("/dev/vda"), "mount.special_file at services.a.volumes[0]", "");
    denied(&bind("relative"), "mount.unreadable at services.a.volumes[0]", "");
}

#[test]
fn mounts_of_other_kinds() {
    let volume = |value: Value| json!({"volumes": [value]});
    denied(
        &volume(json!({"type": "npipe", "source": "x", "target": "/x"})),
        "mount.type at services.a.volumes[0]",
        "",
    );
    denied(
        &volume(json!({"type": "cluster", "source": "x", "target": "/x"})),
        "mount.type at services.a.volumes[0]",
        "",
    );
    denied(
        &volume(json!({"source": "/etc", "target": "/x"})),
        "mount.type at services.a.volumes[0]",
        "",
    );
    denied(
        &volume(json!({"type": "volume", "source": "/etc", "target": "/x"})),
        "compose.undefined at services.a.volumes[0]",
        "",
    );
    denied(
        &volume(
            json!({"type": "bind", "source": "/home/ann/shop", "target": "/x", "bind": {"propagation": "rshared"}}),
        ),
        "mount.propagation at services.a.volumes[0].bind.propagation",
        "",
    );
    denied(&volume(json!("/etc:/x")), "compose.unexpected_value at services.a.volumes[0]", "");
}

#[test]
fn rights_of_the_host() {
    denied(
        &json!({"privileged": true}),
        "container.privileged at services.a.privileged",
        "privileged",
    );
    denied(
        &json!({"privileged": "true"}),
        "container.privileged at services.a.privileged",
        "privileged",
    );
    for capability in [
        "SYS_ADMIN",
        "SYS_MODULE",
        "DAC_READ_SEARCH",
        "SYS_RAWIO",
        "BPF",
        "SYSLOG",
        "NET_ADMIN",
        "CAP_SYS_ADMIN",
        "sys_admin",
    ] {
        let name = capability.to_uppercase().replace("CAP_", "");
        denied(
            &json!({"cap_add": [capability]}),
            "container.capability at services.a.cap_add[0]",
            &format!("cap:{name}"),
        );
    }
    denied(
        &json!({"cap_add": ["ALL"]}),
        "container.capability at services.a.cap_add[0]",
        "cap:ALL",
    );
    denied(
        &json!({"devices": [{"source": "/dev/sda", "target": "/dev/x", "permissions": "rwm"}]}),
        "container.device at services.a.devices[0]",
        "devices",
    );
    denied(
        &json!({"devices": ["/dev/sda"]}),
        "container.device at services.a.devices[0]",
        "devices",
    );
    denied(
        &json!({"device_cgroup_rules": ["b *:* rwm"]}),
        "container.device at services.a.device_cgroup_rules",
        "devices",
    );
    denied(
        &json!({"blkio_config": {"weight_device": [{"Path": "/dev/sda", "Weight": 4}]}}),
        "container.device at services.a.blkio_config.weight_device",
        "devices",
    );
    denied(&json!({"gpus": [{"count": -1}]}), "container.gpus at services.a.gpus", "gpus");
    denied(
        &json!({"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}}),
        "container.gpus at services.a.deploy.resources.reservations.devices",
        "gpus",
    );
    for option in [
        "seccomp=unconfined",
        "seccomp:./x.json",
        "apparmor=unconfined",
        "systempaths=unconfined",
        "label=disable",
        "no-new-privileges:false",
    ] {
        denied(
            &json!({"security_opt": [option]}),
            "container.security_option at services.a.security_opt[0]",
            "security-opt",
        );
    }
    denied(&json!({"runtime": "crun"}), "container.runtime at services.a.runtime", "runtime");
    denied(
        &json!({"annotations": {"run.oci.x": "y"}}),
        "container.runtime at services.a.annotations",
        "runtime",
    );
    denied(&json!({"isolation": "hyperv"}), "container.runtime at services.a.isolation", "runtime");
    denied(
        &json!({"sysctls": {"kernel.core_pattern": "|/x"}}),
        "container.sysctl at services.a.sysctls.kernel.core_pattern",
        "sysctls",
    );
    denied(
        &json!({"storage_opt": {"size": "1G"}}),
        "container.storage_option at services.a.storage_opt",
        "",
    );
    denied(
        &json!({"credential_spec": {"file": "x"}}),
        "container.credential_spec at services.a.credential_spec",
        "",
    );
    denied(
        &json!({"post_start": [{"command": ["x"], "privileged": true}]}),
        "container.privileged at services.a.post_start[0].privileged",
        "privileged",
    );
    denied(
        &json!({"pre_stop": [{"command": ["x"], "privileged": true}]}),
        "container.privileged at services.a.pre_stop[0].privileged",
        "privileged",
    );
}

#[test]
fn namespaces_of_the_host_and_of_others() {
    for (key, rule, exception) in [
        ("network_mode", "container.host_network", "host-network"),
        ("pid", "container.host_pid", "host-pid"),
        ("ipc", "container.host_ipc", "host-ipc"),
        ("uts", "container.host_uts", "host-uts"),
        ("userns_mode", "container.host_userns", "host-userns"),
        ("cgroup", "container.host_cgroup", "host-cgroup"),
    ] {
        denied(&json!({key: "host"}), &format!("{rule} at services.a.{key}"), exception);
    }
    denied(
        &json!({"cgroup_parent": "/"}),
        "container.host_cgroup at services.a.cgroup_parent",
        "host-cgroup",
    );
    for key in ["network_mode", "pid", "ipc"] {
        let place = format!("services.a.{key}");
        denied(
            &json!({key: "container:web"}),
            &format!("container.other_container at {place}"),
            "other-containers",
        );
        denied(&json!({key: "service:nobody"}), &format!("compose.undefined at {place}"), "");
    }
    denied(
        &json!({"volumes_from": ["container:web"]}),
        "container.volumes_from at services.a.volumes_from[0]",
        "volumes-from",
    );
    denied(
        &json!({"volumes_from": ["web"]}),
        "compose.undefined at services.a.volumes_from[0]",
        "",
    );
    denied(&json!({"network_mode": "a/../b"}), "container.name at services.a.network_mode", "");
}

#[test]
fn programs_of_the_host() {
    denied(
        &json!({"provider": {"type": "/x/y"}}),
        "compose.provider at services.a.provider",
        "provider",
    );
    denied(
        &json!({"use_api_socket": true}),
        "compose.use_api_socket at services.a.use_api_socket",
        "docker-socket",
    );
    denied(&json!({"models": {"m": null}}), "compose.models at services.a.models", "models");
    let model = json!({"services": {}, "models": {"m": {"model": "ai/x"}}});
    assert_eq!(vet(&model), ["compose.models at models"]);
}
