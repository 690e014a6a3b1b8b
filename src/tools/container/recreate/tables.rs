//! Settings that are one option each.

use serde_json::Value;

use super::carry::Carry;
use crate::command::Hazard;

/// Parameters that replace a setting, where docker keeps it, and the option that sets it again.
/// A setting that no parameter replaces has none.
const NUMBERS: &[(&[&str], &str, &str)] = &[
    (&["memory", "resources"], "/HostConfig/Memory", "--memory"),
    (&["memory", "resources"], "/HostConfig/MemorySwap", "--memory-swap"),
    (&["resources"], "/HostConfig/MemoryReservation", "--memory-reservation"),
    (&["resources"], "/HostConfig/CpuShares", "--cpu-shares"),
    (&["cpus", "resources"], "/HostConfig/CpuPeriod", "--cpu-period"),
    (&["cpus", "resources"], "/HostConfig/CpuQuota", "--cpu-quota"),
    (&[], "/HostConfig/CpuRealtimePeriod", "--cpu-rt-period"),
    (&[], "/HostConfig/CpuRealtimeRuntime", "--cpu-rt-runtime"),
    (&[], "/HostConfig/BlkioWeight", "--blkio-weight"),
    (&[], "/HostConfig/OomScoreAdj", "--oom-score-adj"),
    (&["shm_size"], "/HostConfig/ShmSize", "--shm-size"),
    (&["pids_limit"], "/HostConfig/PidsLimit", "--pids-limit"),
    (&["stop_timeout_seconds"], "/Config/StopTimeout", "--stop-timeout"),
];

const TEXTS: &[(&[&str], &str, &str)] = &[
    (&[], "/Config/Domainname", "--domainname"),
    (&[], "/Config/MacAddress", "--mac-address"),
    (&["user"], "/Config/User", "--user"),
    (&["working_dir"], "/Config/WorkingDir", "--workdir"),
    (&["stop_signal"], "/Config/StopSignal", "--stop-signal"),
    (&[], "/HostConfig/CgroupParent", "--cgroup-parent"),
    (&[], "/HostConfig/CpusetCpus", "--cpuset-cpus"),
    (&[], "/HostConfig/CpusetMems", "--cpuset-mems"),
    (&[], "/HostConfig/VolumeDriver", "--volume-driver"),
    (&[], "/HostConfig/Runtime", "--runtime"),
    (&[], "/HostConfig/IpcMode", "--ipc"),
    (&[], "/HostConfig/PidMode", "--pid"),
    (&[], "/HostConfig/UTSMode", "--uts"),
    (&[], "/HostConfig/UsernsMode", "--userns"),
];

const LISTS: &[(&[&str], &str, &str)] = &[
    (&["cap_add"], "/HostConfig/CapAdd", "--cap-add"),
    (&["cap_drop"], "/HostConfig/CapDrop", "--cap-drop"),
    (&["dns"], "/HostConfig/Dns", "--dns"),
    (&["security_opt"], "/HostConfig/SecurityOpt", "--security-opt"),
    (&[], "/HostConfig/DnsOptions", "--dns-option"),
    (&[], "/HostConfig/DnsSearch", "--dns-search"),
    (&[], "/HostConfig/GroupAdd", "--group-add"),
    (&[], "/HostConfig/DeviceCgroupRules", "--device-cgroup-rule"),
];

const FLAGS: &[(&[&str], &str, &str)] = &[
    (&[], "/Config/Tty", "--tty"),
    (&[], "/Config/OpenStdin", "--interactive"),
    (&["init"], "/HostConfig/Init", "--init"),
    (&["read_only"], "/HostConfig/ReadonlyRootfs", "--read-only"),
    (&["privileged"], "/HostConfig/Privileged", "--privileged"),
    (&["ports"], "/HostConfig/PublishAllPorts", "--publish-all"),
    (&[], "/HostConfig/OomKillDisable", "--oom-kill-disable"),
];

/// For these docker's command line has no option that says the same.
const WITHOUT_OPTION: &[(&[&str], &str)] = &[
    (&[], "/HostConfig/Links"),
    (&[], "/HostConfig/VolumesFrom"),
    (&[], "/HostConfig/BlkioWeightDevice"),
    (&[], "/HostConfig/BlkioDeviceReadBps"),
    (&[], "/HostConfig/BlkioDeviceWriteBps"),
    (&[], "/HostConfig/BlkioDeviceReadIOps"),
    (&[], "/HostConfig/BlkioDeviceWriteIOps"),
    (&["gpus"], "/HostConfig/DeviceRequests"),
];

impl Carry<'_> {
    pub(super) fn single_options(&mut self) {
        for (parameters, pointer, option) in NUMBERS {
            let value = self.own(parameters, pointer).and_then(Value::as_i64).unwrap_or_default();
            if value != 0 && (value > 0 || *option != "--pids-limit") {
                self.option(option, value.to_string());
            }
        }
        for (parameters, pointer, option) in TEXTS {
            let Some(value) = self.own(parameters, pointer).and_then(Value::as_str) else {
                continue;
            };
            if matches!(*option, "--ipc" | "--pid" | "--uts" | "--userns")
                && (value == "host" || value.starts_with("container:"))
            {
                let (kind, value) = (option.trim_start_matches('-'), value.to_owned());
                self.hazard(Hazard::HostNamespace { kind, value });
            }
            self.option(option, value.to_owned());
        }
        for (parameters, pointer, option) in LISTS {
            for value in self.texts(parameters, pointer) {
                self.listed(option, value);
            }
        }
        for (parameters, pointer, option) in FLAGS {
            if self.own(parameters, pointer) == Some(&Value::Bool(true)) {
                if *option == "--privileged" {
                    self.hazard(Hazard::Privileged);
                }
                self.carried.flags.push(option);
            }
        }
        for (parameters, pointer) in WITHOUT_OPTION {
            if self.own(parameters, pointer).is_some() {
                self.cannot.push(pointer.trim_start_matches('/').replace('/', "."));
            }
        }
    }

    fn listed(&mut self, option: &str, value: String) {
        match option {
            "--cap-add" => self.hazard(Hazard::Capability(value.clone())),
            // The content of a profile, of which the command line wants the file.
            "--security-opt" if value.contains('{') => {
                self.cannot.push("the seccomp profile".to_owned());
                return;
            }
            "--security-opt" if !value.starts_with("no-new-privileges") => {
                self.hazard(Hazard::SecurityOption(value.clone()));
            }
            "--device-cgroup-rule" => self.hazard(Hazard::Device(value.clone())),
            _ => {}
        }
        self.option(option, value);
    }
}
