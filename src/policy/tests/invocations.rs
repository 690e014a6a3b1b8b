use std::path::PathBuf;

use crate::command::{Effect, Hazard, Invocation};
use crate::policy::testing::{Machine, read_only, rules, standard, unrestricted, with};

fn create() -> Invocation {
    Invocation::docker(Effect::Change, ["container", "create"])
}

fn check(invocation: &Invocation) -> Vec<&'static str> {
    rules(standard().check(invocation, &Machine::ann()))
}

#[test]
fn an_everyday_create_passes() {
    let invocation = create()
        .option("--mount", "type=bind,source=/home/ann/shop,target=/app")
        .hazard(Hazard::HostPath { path: "/home/ann/shop".into(), read_only: false })
        .option("--mount", "type=volume,source=data,target=/data")
        .option("--publish", "0.0.0.0:80:80/tcp")
        .hazard(Hazard::PublicPort("0.0.0.0:80:80/tcp".into()))
        .hazard(Hazard::HostPath { path: "/home/ann/shop/app.env".into(), read_only: true })
        .option("--add-host", "host.docker.internal:host-gateway")
        .option("--network", "shop_default")
        .option("--cap-drop", "ALL")
        .option("--cap-add", "NET_BIND_SERVICE")
        .option("--security-opt", "no-new-privileges")
        .option("--log-driver", "local")
        .option("--tmpfs", "/run:size=64m")
        .operands(["nginx", "sh", "-c", "--privileged"]);
    assert_eq!(check(&invocation), [""; 0]);
}

#[test]
fn the_effect_decides_at_the_level_read_only() {
    let list = Invocation::docker(Effect::Read, ["container", "ls"]);
    assert_eq!(rules(read_only().check(&list, &Machine::ann())), [""; 0]);
    for effect in [Effect::Change, Effect::Destroy] {
        let stop = Invocation::docker(effect, ["container", "stop"]).operands(["web"]);
        assert_eq!(rules(read_only().check(&stop, &Machine::ann())), ["level.read_only"]);
    }
    let copy = Invocation::docker(Effect::Read, ["container", "cp"])
        .hazard(Hazard::HostPath { path: "/etc/passwd".into(), read_only: true });
    assert_eq!(rules(read_only().check(&copy, &Machine::ann())), ["file.outside_roots"]);
}

#[test]
fn options_are_judged_even_when_their_hazard_was_forgotten() {
    for (option, value, rule) in [
        ("--cap-add", "SYS_ADMIN", "container.capability"),
        ("--cap-add", "ALL", "container.capability"),
        ("--device", "/dev/vda", "container.device"),
        ("--device-cgroup-rule", "b *:* rwm", "container.device"),
        ("--gpus", "all", "container.gpus"),
        ("--security-opt", "seccomp=unconfined", "container.security_option"),
        ("--security-opt", "no-new-privileges=false", "container.security_option"),
        ("--log-driver", "syslog", "container.log_driver"),
        ("--network", "host", "container.host_network"),
        ("--network", "container:web", "container.other_container"),
        ("--pid", "host", "container.host_pid"),
        ("--pid", "container:web", "container.other_container"),
        ("--ipc", "host", "container.host_ipc"),
        ("--uts", "host", "container.host_uts"),
        ("--userns", "host", "container.host_userns"),
        ("--cgroupns", "host", "container.host_cgroup"),
        ("--cgroup-parent", "/", "container.host_cgroup"),
        ("--volumes-from", "web", "container.volumes_from"),
        ("--runtime", "crun", "container.runtime"),
        ("--annotation", "run.oci.x=y", "container.runtime"),
        ("--sysctl", "kernel.core_pattern=|/x", "container.sysctl"),
        ("--driver", "macvlan", "driver.plugin"),
        ("--opt", "device=/", "mount.outside_roots"),
        ("--opt", "o=username=u,password=p", "driver.option"),
        ("--storage-opt", "size=1g", "container.storage_option"),
        ("--oom-score-adj", "-1000", "container.priority"),
        ("--volume", "/:/h", "mount.outside_roots"),
        ("--mount", "type=bind,source=/,target=/h", "mount.outside_roots"),
        ("--tmpfs", "/run:mode=755,size=100g", "container.limit"),
        ("--mount", "type=tmpfs,target=/t,tmpfs-size=1073741825", "container.limit"),
        ("--mount", "type=bind,src=/etc,dst=/h,readonly", "mount.outside_roots"),
        ("--mount", "source=v,type=bind,source=/,target=/x", "mount.outside_roots"),
        ("--mount", "type=volume,target=/x,volume-opt=device=/", "mount.outside_roots"),
        ("--mount", "type=volume,target=/x,volume-opt=type=ext4", "driver.option"),
        ("--mount", "type=volume,target=/x,volume-driver=evil", "driver.plugin"),
        ("--mount", "type=npipe,source=x,target=/x", "mount.type"),
        (
            "--mount",
            "type=bind,source=/home/ann/shop,target=/x,bind-propagation=rshared",
            "mount.propagation",
        ),
        ("--mount", "\"type=bind,source=/\"", "invocation.unrecorded_hazard"),
    ] {
        let invocation = create().option(option, value).operands(["image"]);
        assert_eq!(check(&invocation), [rule], "{option}={value}");
        let unrestricted = unrestricted().check(&invocation, &Machine::ann());
        assert_eq!(rules(unrestricted), [""; 0], "{option}={value}");
    }
    assert_eq!(check(&create().flag("--privileged", true)), ["container.privileged"]);
    assert_eq!(check(&create().flag("--use-api-socket", true)), ["compose.use_api_socket"]);
    let exec = Invocation::docker(Effect::Change, ["container", "exec"]);
    assert_eq!(check(&exec.flag("--privileged", true)), ["container.privileged"]);
}

#[test]
fn hazards_say_what_the_command_line_does_not() {
    let host_path = |path: &str| Hazard::HostPath { path: PathBuf::from(path), read_only: true };
    let option =
        |key: &str, value: &str| Hazard::DriverOption { key: key.into(), value: value.into() };
    for (hazard, rule) in [
        (host_path("/etc/passwd"), "file.outside_roots"),
        (host_path("/home/ann/shop/everything/etc/passwd"), "file.outside_roots"),
        (host_path("/home/ann/.ssh/id_ed25519"), "file.credentials"),
        (host_path("/dev/vda"), "file.special_file"),
        (Hazard::Privileged, "container.privileged"),
        (Hazard::HostNamespace { kind: "network", value: "host".into() }, "container.host_network"),
        // The host's own network under another name.
        (Hazard::HostNamespace { kind: "network", value: "h".into() }, "container.host_network"),
        (Hazard::Device("/dev/fuse".into()), "container.device"),
        (Hazard::Gpus("all".into()), "container.gpus"),
        (Hazard::Capability("CAP_BPF".into()), "container.capability"),
        (Hazard::SecurityOption("label=disable".into()), "container.security_option"),
        (Hazard::LogDriver("splunk".into()), "container.log_driver"),
        (Hazard::Driver("macvlan".into()), "driver.plugin"),
        (option("device", "/"), "mount.outside_roots"),
        (option("device", "/dev/vda"), "mount.special_file"),
        (option("device", "//nas/share"), "driver.option"),
        (option("device", ":/export"), "driver.option"),
        (option("type", "nfs"), "driver.option"),
        (option("o", "lowerdir=/etc,upperdir=/x"), "driver.option"),
        (option("o", "bind,rshared"), "driver.option"),
        (option("parent", "eth0"), "driver.option"),
    ] {
        assert_eq!(check(&create().hazard(hazard.clone())), [rule], "{hazard:?}");
    }
    for hazard in [
        option("type", "none"),
        option("o", "bind,ro"),
        option("device", "/home/ann/shop/data"),
        option("type", "tmpfs"),
        option("device", "tmpfs"),
        option("o", "size=100m,uid=1000"),
        option("com.docker.network.bridge.enable_icc", "false"),
        option("com.docker.network.driver.mtu", "1450"),
        Hazard::Driver("bridge".into()),
        Hazard::Driver("local".into()),
        Hazard::PublicPort("80".into()),
    ] {
        assert_eq!(check(&create().hazard(hazard.clone())), [""; 0], "{hazard:?}");
    }
}

#[test]
fn all_violations_come_at_once_and_each_once() {
    let path = || Hazard::HostPath { path: "/etc".into(), read_only: false };
    let invocation = create()
        .option("--mount", "type=bind,source=/etc,target=/host-etc")
        .hazard(path())
        .option("--cap-add", "SYS_ADMIN")
        .hazard(Hazard::Capability("SYS_ADMIN".into()))
        .flag("--privileged", true)
        .hazard(Hazard::Privileged);
    assert_eq!(
        check(&invocation),
        ["mount.outside_roots", "container.capability", "container.privileged"]
    );
    let refusal = standard().check(&invocation, &Machine::ann()).unwrap_err();
    assert_eq!(refusal.violations.len(), 3);
}

#[test]
fn an_existing_volume_that_is_a_folder_is_told_once() {
    let volume = create()
        .hazard(Hazard::HostPath { path: "/etc".into(), read_only: false })
        .hazard(Hazard::DriverOption { key: "device".into(), value: "/etc".into() })
        .hazard(Hazard::DriverOption { key: "o".into(), value: "bind".into() });
    let refusal = standard().check(&volume, &Machine::ann()).unwrap_err();
    assert_eq!(refusal.violations.len(), 1);
    assert_eq!(refusal.rules(), ["mount.outside_roots"]);
}

#[test]
fn what_leaves_or_enters_the_machine_unseen() {
    let push = Invocation::docker(Effect::Change, ["image", "push"]).operands(["shop/web"]);
    assert_eq!(check(&push), ["image.push"]);
    assert_eq!(rules(with(&["push"]).check(&push, &Machine::ann())), [""; 0]);
    let build =
        |context: &str| Invocation::docker(Effect::Change, ["buildx", "build"]).operands([context]);
    for context in ["https://u:p@example.com/x.git", "git@example.com:x", "example.com/x", "."] {
        assert_eq!(check(&build(context)), ["build.remote"], "{context}");
    }
    assert_eq!(check(&build("/home/ann/shop")), [""; 0]);
    assert_eq!(check(&build("-")), [""; 0]);
    for (option, value, rule) in [
        ("--ssh", "default", "build.host"),
        ("--allow", "network.host", "build.host"),
        ("--network", "host", "build.host"),
        ("--output", "type=local,dest=/x", "build.output"),
        ("--cache-to", "type=local,dest=/x", "build.output"),
    ] {
        assert_eq!(check(&build("-").option(option, value)), [rule], "{option}");
    }
}

#[test]
fn a_command_in_a_container_is_not_an_option() {
    let exec = Invocation::docker(Effect::Change, ["container", "exec"]).operands([
        "web",
        "docker",
        "run",
        "--privileged",
        "--network=host",
    ]);
    assert_eq!(check(&exec), [""; 0]);
}

#[test]
fn ports_are_counted() {
    let ports = |count: u16| create().each("--publish", (0..count).map(|i| format!("{i}:80")));
    assert_eq!(check(&ports(64)), [""; 0]);
    assert_eq!(check(&ports(65)), ["container.limit"]);
}
