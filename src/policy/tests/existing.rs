use serde_json::{Value, json};

use crate::policy::testing::{Machine, rules, standard, unrestricted, with, with_paths};
use crate::policy::{FileKind, Policy};

/// As docker 20.10 and 28.5 both have them, and more.
const MASKED: [&str; 4] = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"];
const READ_ONLY: [&str; 5] =
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What `inspect` says of a plain container (docker 26.1, cgroup v1), and more.
fn container(more: &Value) -> Value {
    let mut document = json!({
        "Id": "0123456789ab", "Name": "/web",
        "HostConfig": {
            "Privileged": false, "NetworkMode": "shop_default", "PidMode": "", "IpcMode": "private",
            "UTSMode": "", "UsernsMode": "", "CgroupnsMode": "host", "CapAdd": null,
            "SecurityOpt": null, "MaskedPaths": MASKED, "ReadonlyPaths": READ_ONLY, "Devices": [], "DeviceCgroupRules": null, "DeviceRequests": null,
            "Runtime": "runc", "Binds": null
        },
        "Mounts": [
            {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "Destination": "/data", "RW": true},
            {"Type": "bind", "Source": "/home/ann/shop", "Destination": "/app", "RW": true}
        ]
    });
    for (key, value) in more.as_object().unwrap() {
        if key == "Mounts" {
            document["Mounts"] = value.clone();
        } else {
            document["HostConfig"][key] = value.clone();
        }
    }
    document
}

fn target(policy: &Policy, more: &Value) -> usize {
    let result = policy.target(&container(more), &Machine::ann());
    let count = result.as_ref().err().map_or(0, |refusal| refusal.violations.len());
    assert_eq!(rules(result), ["target.host_powerful"][..usize::from(count > 0)]);
    count
}

#[test]
fn a_container_that_controls_the_machine_is_not_entered() {
    assert_eq!(target(&standard(), &json!({})), 0);
    let powers = [
        json!({"Privileged": true}),
        json!({"NetworkMode": "host"}),
        json!({"PidMode": "host"}),
        json!({"IpcMode": "host"}),
        json!({"UTSMode": "host"}),
        json!({"UsernsMode": "host"}),
        json!({"CapAdd": ["CAP_SYS_ADMIN"]}),
        json!({"CapAdd": ["NET_ADMIN", "CHOWN"]}),
        json!({"SecurityOpt": ["seccomp=unconfined"]}),
        json!({"MaskedPaths": []}),
        json!({"MaskedPaths": ["/proc/acpi", "/sys/firmware"]}),
        json!({"ReadonlyPaths": []}),
        json!({"ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq"]}),
        json!({"Devices": [{"PathOnHost": "/dev/vda", "PathInContainer": "/dev/vda", "CgroupPermissions": "rwm"}]}),
        json!({"DeviceCgroupRules": ["b *:* rwm"]}),
        json!({"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}),
        json!({"Mounts": [{"Type": "bind", "Source": "/var/run/docker.sock", "Destination": "/s", "RW": false}]}),
        json!({"Mounts": [{"Type": "bind", "Source": "/", "Destination": "/h", "RW": true}]}),
        json!({"Mounts": [{"Type": "bind", "Source": "/home/ann/other", "Destination": "/h", "RW": true}]}),
    ];
    for power in &powers {
        assert_eq!(target(&standard(), power), 1, "{power}");
        assert_eq!(target(&unrestricted(), power), 0, "{power}");
    }
}

#[test]
fn what_the_operator_allows_may_be_entered() {
    assert_eq!(target(&with(&["privileged"]), &json!({"Privileged": true})), 0);
    assert_eq!(target(&with(&["cap:SYS_ADMIN"]), &json!({"CapAdd": ["CAP_SYS_ADMIN"]})), 0);
    let other = json!({"Mounts": [{"Type": "bind", "Source": "/home/ann/other", "Destination": "/h", "RW": false}]});
    assert_eq!(target(&with_paths(&["/home/ann/other:ro"]), &other), 0);
}

/// Made before 18.09, or by an engine that does not tell.
#[test]
fn system_paths_that_are_not_told_are_docker_s_own() {
    assert_eq!(target(&standard(), &json!({"MaskedPaths": null, "ReadonlyPaths": null})), 0);
}

fn again(policy: &Policy, more: &Value, volumes: &[Value]) -> usize {
    let result = policy.again(&[container(more)], volumes, &Machine::ann());
    let count = result.as_ref().err().map_or(0, |refusal| refusal.violations.len());
    assert_eq!(rules(result), ["target.host_powerful"][..usize::from(count > 0)]);
    count
}

#[test]
fn a_container_that_controls_the_machine_does_not_begin_anew_with_what_agents_write() {
    let bind =
        |source: &str| json!({"Type": "bind", "Source": source, "Destination": "/h", "RW": false});
    let volume = json!({"Type": "volume", "Name": "data", "Destination": "/d", "RW": true});
    let privileged = |mounts: Value| json!({"Privileged": true, "Mounts": mounts});
    let count = |more: &Value| again(&standard(), more, &[]);
    assert_eq!(count(&json!({})), 0, "it controls nothing");
    assert_eq!(count(&privileged(json!([]))), 0);
    for mounts in [
        json!([bind("/home/ann/shop")]),
        json!([bind("/home/ann/shop/sub")]),
        json!([bind("/home/ann/shop/good")]),
        json!([volume]),
    ] {
        assert_eq!(count(&privileged(mounts.clone())), 1, "{mounts}");
        assert_eq!(again(&unrestricted(), &privileged(mounts.clone()), &[]), 0);
        assert_eq!(again(&with(&["privileged"]), &privileged(mounts), &[]), 0);
    }
    // What holds the project holds its files; it is foreign besides.
    for mounts in [json!([bind("/home/ann")]), json!([bind("/")])] {
        assert_eq!(count(&privileged(mounts.clone())), 2, "{mounts}");
    }
    // Nobody can write there by way of this server.
    for mounts in
        [json!([bind("/etc")]), json!([bind("/run/docker.sock"), bind("/home/ann/other")])]
    {
        assert_eq!(count(&privileged(mounts.clone())), 0, "{mounts}");
    }
    let read_only = with_paths(&["/srv/ro:ro"]);
    assert_eq!(again(&read_only, &privileged(json!([bind("/srv/ro")])), &[]), 0);
    // A foreign folder is a reason beside the project, but not beside data.
    let other = bind("/home/ann/other");
    assert_eq!(count(&json!({"Mounts": [other, bind("/home/ann/shop")]})), 1);
    assert_eq!(count(&json!({"Mounts": [other, volume]})), 0);
    for power in ["/etc", "/run/docker.sock", "/home/ann/.ssh", "/home/bob"] {
        assert_eq!(count(&json!({"Mounts": [bind(power), volume]})), 1, "{power}");
    }
    // A volume can be a folder of the project.
    let device = json!({"Name": "data", "Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/home/ann/shop/data"}});
    assert_eq!(again(&standard(), &json!({"Mounts": [other, volume]}), &[device]), 1);
}

#[test]
fn who_shares_the_namespaces_of_a_powerful_container_has_its_power() {
    let own = container(&json!({"PidMode": "container:1"}));
    let other = container(&json!({"Privileged": true, "Mounts": []}));
    let said = standard().again(&[own, other], &[], &Machine::ann()).unwrap_err();
    insta::assert_snapshot!(crate::error::Error::from(said), @"
    Error: DKR-014 refused_by_policy: target.host_powerful | Context: rule=target.host_powerful; where=HostConfig.Privileged
      container web: privileged
      why: it would run what is in /home/ann/shop, where an agent can write; what runs in it can control this machine: a privileged container is root on this machine.
      instead: let the user start it, or look at it with inspect-container and get-logs.
      The user can allow it by starting the server with --allow privileged. You cannot change this setting; ask the user.
    hint: let the user start it, or look at it with inspect-container and get-logs.
    ");
}

#[test]
fn what_compose_makes_of_a_shared_network_is_no_power() {
    assert_eq!(target(&standard(), &json!({"NetworkMode": "container:0123456789ab"})), 0);
}

#[test]
fn a_mount_as_docker_desktop_shows_it() {
    let mounts = |source| json!({"Mounts": [{"Type": "bind", "Source": source, "Destination": "/h", "RW": true}]});
    assert_eq!(target(&standard(), &mounts("/host_mnt/home/ann/shop")), 0);
    assert_eq!(target(&standard(), &mounts("/host_mnt/etc")), 1);
    let mut machine = Machine::ann();
    machine.add("/host_mnt", FileKind::Folder);
    let document = container(&mounts("/host_mnt/home/ann/shop"));
    assert!(standard().target(&document, &machine).is_err());
}

#[test]
fn all_reasons_are_told() {
    let error = standard()
        .target(&container(&json!({"Privileged": true, "PidMode": "host"})), &Machine::ann());
    insta::assert_snapshot!(crate::error::Error::from(error.unwrap_err()), @"
    Error: DKR-014 refused_by_policy: target.host_powerful | Context: rule=target.host_powerful; violations=2
      1. container web: privileged [target.host_powerful at HostConfig.Privileged]
         why: what runs in it can control this machine: a privileged container is root on this machine.
         instead: look at it with inspect-container, get-logs and container-stats, or ask the user.
      2. container web: pid host [target.host_powerful at HostConfig.PidMode]
         why: what runs in it can control this machine: the container would see every process of this machine, with its environment.
         instead: look at it with inspect-container, get-logs and container-stats, or ask the user.
      The user can allow it by starting the server with --allow privileged and --allow host-pid. You cannot change these settings; ask the user.
    hint: look at it with inspect-container, get-logs and container-stats, or ask the user.
    ");
}

#[test]
fn a_volume_can_be_a_folder_of_the_host() {
    let volume = |driver: &str, options: Value| {
        let document = json!({"Name": "data", "Driver": driver, "Options": options});
        rules(standard().volume(&document, &Machine::ann()))
    };
    assert_eq!(volume("local", json!(null)), [""; 0]);
    assert_eq!(
        volume("local", json!({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"})),
        [""; 0]
    );
    let bind = |device: &str| json!({"type": "none", "o": "bind", "device": device});
    assert_eq!(volume("local", bind("/home/ann/shop/data")), [""; 0]);
    assert_eq!(volume("local", bind("/")), ["mount.outside_roots"]);
    assert_eq!(volume("local", bind("/home/ann/shop/everything")), ["mount.outside_roots"]);
    assert_eq!(
        volume("local", json!({"type": "ext4", "device": "/dev/vda"})),
        ["driver.option", "mount.special_file"]
    );
    assert_eq!(
        volume("local", json!({"type": "nfs", "o": "addr=10.0.0.1,rw", "device": ":/x"})),
        ["driver.option"]
    );
    assert_eq!(volume("rexray/ebs", json!({})), ["driver.plugin"]);
}

#[test]
fn a_network_can_be_the_hosts_own() {
    let network = |driver: &str| {
        let document = json!({"Name": "n", "Driver": driver});
        rules(standard().network(&document, &Machine::ann()))
    };
    for driver in ["bridge", "null", "overlay"] {
        assert_eq!(network(driver), [""; 0]);
    }
    assert_eq!(network("host"), ["container.host_network"]);
    assert_eq!(network("macvlan"), ["driver.plugin"]);
}

#[test]
fn protected_and_foreign_objects() {
    let policy =
        Policy { protect: vec!["pg*".parse().unwrap()], only_ours: true, ..unrestricted() };
    let removal = |name: &str, labels: &[(&str, &str)]| {
        rules(policy.removal("volume", name, labels.iter().copied()))
    };
    let change =
        |labels: &[(&str, &str)]| rules(policy.change("container", "web", labels.iter().copied()));
    assert_eq!(removal("data", &[]), [""; 0]);
    assert_eq!(removal("pgdata", &[]), ["object.protected"]);
    let policy_of_app = Policy { protect: vec!["r:5/app".parse().unwrap()], ..unrestricted() };
    for (kind, name, protected) in [
        ("image", "r:5/app:1", true),
        ("image", "r:5/app@sha256:ab", true),
        ("image", "r:5/app", true),
        ("image", "r:5/apps:1", false),
        ("image", "r:5", false),
        ("volume", "r:5/app:1", false),
    ] {
        let refused = policy_of_app.removal(kind, name, std::iter::empty()).is_err();
        assert_eq!(refused, protected, "{kind} {name}");
    }
    assert_eq!(removal("data", &[("docker-mcp-server.protect", "false")]), [""; 0]);
    assert_eq!(removal("data", &[("docker-mcp-server.protect", "true")]), ["object.protected"]);
    assert_eq!(change(&[("docker-mcp-server.request", "01ab")]), [""; 0]);
    assert_eq!(change(&[("com.docker.compose.project.config_files", "-")]), [""; 0]);
    assert_eq!(change(&[]), ["object.not_ours"]);
    let by_hand = ("com.docker.compose.project.config_files", "/home/ann/shop/compose.yaml");
    assert_eq!(change(&[by_hand]), ["object.not_ours"]);
    // An image is ours under the names that it was built for; others inherit its label.
    let built = ("docker-mcp-server.built", "app:1 app:latest");
    let image = |kind: &str, name: &str| rules(policy.change(kind, name, std::iter::once(built)));
    assert_eq!(image("image", "app:latest"), [""; 0]);
    assert_eq!(image("image", "app:2"), ["object.not_ours"]);
    assert_eq!(image("container", "app:1"), ["object.not_ours"]);
    assert_eq!(rules(standard().change("container", "web", std::iter::empty())), [""; 0]);
}
