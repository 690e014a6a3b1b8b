//! What compose itself printed.

use insta::assert_snapshot;
use serde_json::Value;

use super::vet;

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_everyday_project_passes_with_either_compose() {
    let old = include_str!("../../../../fixtures/policy/everyday-2.26.1.json");
    let new = include_str!("../../../../fixtures/policy/everyday-2.40.3.json");
    assert_eq!(vet(&read(old)), [""; 0]);
    assert_eq!(vet(&read(new)), [""; 0]);
}

#[test]
fn everything_that_compose_2_26_can_say() {
    let model = include_str!("../../../../fixtures/policy/everything-2.26.1.json");
    assert_snapshot!(vet(&read(model)).join("\n"), @"
    driver.plugin at networks.n1.driver
    driver.network_option at networks.n1.driver_opts.parent
    container.host_network at networks.n2.name
    build.host at services.db.build.entitlements
    file.outside_roots at services.db.build.cache_from
    build.output at services.db.build.cache_to
    build.host at services.db.build.network
    build.host at services.db.build.privileged
    container.runtime at services.web.annotations
    container.device at services.web.blkio_config.weight_device
    container.device at services.web.blkio_config.device_read_bps
    container.capability at services.web.cap_add[0]
    container.capability at services.web.cap_add[1]
    container.host_cgroup at services.web.cgroup_parent
    container.host_cgroup at services.web.cgroup
    container.priority at services.web.cpu_rt_period
    container.priority at services.web.cpu_rt_runtime
    container.gpus at services.web.deploy.resources.reservations.devices
    container.device at services.web.device_cgroup_rules
    container.device at services.web.devices[0]
    container.device at services.web.devices[1]
    container.log_driver at services.web.logging.driver
    container.log_option at services.web.logging.options.syslog-address
    driver.network_option at services.web.networks.n1.driver_opts.x
    container.priority at services.web.oom_kill_disable
    container.host_pid at services.web.pid
    container.privileged at services.web.privileged
    container.security_option at services.web.security_opt[1]
    container.storage_option at services.web.storage_opt
    container.host_userns at services.web.userns_mode
    container.host_uts at services.web.uts
    mount.docker_socket at services.web.volumes[7]
    container.volumes_from at services.web.volumes_from[1]
    ");
}

#[test]
fn what_compose_2_40_has_added() {
    let model = include_str!("../../../../fixtures/policy/everything-2.40.3.json");
    assert_snapshot!(vet(&read(model)).join("\n"), @"
    container.credential_spec at services.a.credential_spec
    container.gpus at services.a.deploy.resources.reservations.devices
    container.gpus at services.a.gpus
    compose.models at services.a.models
    compose.use_api_socket at services.a.use_api_socket
    mount.type at services.a.volumes[1]
    mount.type at services.a.volumes[3]
    container.privileged at services.a.post_start[0].privileged
    compose.provider at services.b.provider
    build.remote at services.c.build.additional_contexts.g
    build.remote at services.c.build.context
    container.host_network at services.e.network_mode
    ");
}
