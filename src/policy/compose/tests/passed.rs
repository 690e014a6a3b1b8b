//! What projects need.

use serde_json::{Value, json};

use super::{project_of, vet};

#[track_caller]
fn passes(service: &Value) {
    assert_eq!(vet(&project_of(service)), [""; 0], "{service}");
}

#[test]
fn the_five_everyday_needs() {
    passes(
        &json!({"volumes": [{"type": "bind", "source": "/home/ann/shop", "target": "/app", "bind": {"create_host_path": true}}]}),
    );
    passes(
        &json!({"volumes": [{"type": "volume", "source": "data", "target": "/data", "volume": {}}]}),
    );
    passes(
        &json!({"ports": [{"mode": "ingress", "target": 80, "published": "8080", "protocol": "tcp"}]}),
    );
    // An env file is inlined when the model is resolved.
    passes(&json!({"environment": {"FROM_FILE": "a b=c 'd'", "EMPTY": "", "UNSET": null}}));
    passes(&json!({"extra_hosts": ["host.docker.internal=host-gateway"]}));
    passes(&json!({"extra_hosts": {"host.docker.internal": ["host-gateway"]}}));
}

#[test]
fn what_a_service_may_say() {
    for service in [
        json!({"image": "busybox:", "command": null, "entrypoint": ["a", "b"]}),
        json!({"image": "ghcr.io/a/b:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}),
        json!({"cap_add": ["NET_BIND_SERVICE", "CAP_SYS_PTRACE", "ipc_lock", "SYS_NICE"], "cap_drop": ["ALL"]}),
        json!({"security_opt": ["no-new-privileges:true", "no-new-privileges"]}),
        json!({"privileged": false, "use_api_socket": false, "oom_kill_disable": false, "devices": [], "gpus": []}),
        json!({"network_mode": "none"}),
        json!({"network_mode": "bridge", "pid": "service:db", "ipc": "service:db"}),
        json!({"network_mode": "service:db", "ipc": "shareable", "cgroup": "private"}),
        json!({"userns_mode": "", "uts": "", "pid": "", "runtime": "runc", "isolation": "default"}),
        json!({"volumes_from": ["db:ro"], "links": ["db:database"], "external_links": ["redis", "x:mysql"]}),
        json!({"logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3", "tag": "{{.Name}}"}}}),
        json!({"logging": {"driver": "none"}}),
        json!({"sysctls": {"net.core.somaxconn": "1024", "kernel.shmmax": "1", "fs.mqueue.msg_max": "1", "kernel.sem": "1"}}),
        json!({"tmpfs": ["/run", "/tmp:size=64m,mode=755"], "shm_size": "67108864", "pids_limit": 100}),
        json!({"volumes": [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1073741824", "mode": 448}}]}),
        json!({"volumes": [{"type": "volume", "target": "/anonymous", "volume": {}}]}),
        json!({"volumes": [{"type": "image", "source": "img", "target": "/i", "image": {"subpath": "x"}}]}),
        json!({"volumes": [{"type": "bind", "source": "/etc/localtime", "target": "/etc/localtime", "read_only": true}]}),
        json!({"secrets": [{"source": "token", "target": "/run/secrets/token", "uid": "1", "mode": "0440"}], "configs": [{"source": "app"}]}),
        json!({"deploy": {"replicas": 20, "resources": {"limits": {"cpus": 1.5, "memory": "1", "pids": 10}, "reservations": {"memory": "1"}}, "placement": {}}}),
        json!({"scale": 3, "stop_grace_period": "10m0s", "stop_signal": "SIGINT", "init": true, "oom_score_adj": 100}),
        json!({"ulimits": {"nofile": {"soft": 1, "hard": 2}, "nproc": 65535}}),
        json!({"networks": {"default": null, "back": {"aliases": ["x"], "ipv4_address": "10.0.0.2", "gw_priority": 1}}}),
        json!({"depends_on": {"db": {"condition": "service_healthy", "required": true, "restart": true}}}),
        json!({"healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "1m30s", "start_interval": "3s", "disable": false}}),
        json!({"post_start": [{"command": ["a"], "user": "root", "privileged": false, "environment": {"A": "1"}}]}),
        json!({"container_name": "shop-web", "hostname": "my_host", "domainname": "example.com"}),
        json!({"labels": {"traefik.http.routers.web.rule": "Host(`x`)", "com.example.a": "1"}}),
        json!({"blkio_config": {"weight": 300}, "group_add": ["22", "mail"], "x-mine": {"any": ["thing"]}}),
        json!({"develop": {"watch": [{"path": "/home/ann/shop/sub", "action": "sync", "target": "/x", "exec": {"command": null}, "ignore": ["n/"]}]}}),
    ] {
        passes(&service);
    }
}

#[test]
fn what_a_build_may_say() {
    for build in [
        json!({"context": "/home/ann/shop", "dockerfile": "Dockerfile"}),
        json!({"context": "/home/ann/shop/sub", "dockerfile": "../Dockerfile"}),
        json!({"context": "/home/ann/shop", "dockerfile_inline": "FROM busybox\nRUN echo $$HOME"}),
        json!({"context": "/home/ann/shop", "args": {"A": "1", "B": null}, "target": "dev", "labels": {"a": "b"}, "platforms": ["linux/amd64"], "tags": ["x:y"], "no_cache": true, "pull": true, "shm_size": "1", "extra_hosts": ["a=1.2.3.4"], "network": "none", "ulimits": {"nofile": 4}}),
        json!({"context": "/home/ann/shop", "cache_from": ["alpine:latest", "type=registry,ref=x", "type=local,src=/home/ann/shop/.cache"], "cache_to": ["type=inline"]}),
        json!({"context": "/home/ann/shop", "additional_contexts": {"a": "docker-image://x", "b": "service:db", "c": "/home/ann/shop/sub"}}),
        json!({"context": "/home/ann/shop", "secrets": [{"source": "token"}], "provenance": "mode=max", "sbom": "true"}),
        json!({"context": "/home/ann/shop", "privileged": false, "entitlements": [], "ssh": []}),
    ] {
        passes(&json!({"build": build}));
    }
}

#[test]
fn what_the_top_level_may_say() {
    let model = json!({
        "name": "shop",
        "version": "3.8",
        "x-anything": {"privileged": true},
        "services": {"a": {"image": "x"}},
        "networks": {
            "n": {"name": "shop_n", "driver": "bridge", "internal": true, "attachable": true, "enable_ipv6": true, "labels": {"a": "b"},
                "driver_opts": {"com.docker.network.bridge.enable_icc": "false", "com.docker.network.driver.mtu": "1450"},
                "ipam": {"driver": "default", "config": [{"subnet": "10.0.0.0/24", "gateway": "10.0.0.1", "ip_range": "10.0.0.0/25", "aux_addresses": {"h": "10.0.0.5"}}], "options": {"foo": "bar"}}},
            "e": {"name": "other_default", "external": true, "ipam": {}}
        },
        "volumes": {
            "v": {"name": "shop_v", "driver": "local", "labels": {"a": "b"}},
            "b": {"name": "shop_b", "driver_opts": {"type": "none", "o": "bind", "device": "/home/ann/shop/data"}},
            "t": {"name": "shop_t", "driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=100m,uid=1000"}},
            "e": {"name": "other", "external": true}
        },
        "secrets": {"f": {"name": "shop_f", "file": "/home/ann/shop/f"}, "v": {"name": "shop_v", "environment": "SHOP_TOKEN"}},
        "configs": {"c": {"name": "shop_c", "content": "a=$$b"}}
    });
    assert_eq!(vet(&model), [""; 0]);
    assert_eq!(vet(&json!({"name": "shop", "services": {}})), [""; 0]);
}
