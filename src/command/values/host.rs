//! What reaches from a container into this machine. Here only the form is checked; whether it may
//! be is the policy's affair.

use super::sent::{ascii, checked_text};

checked_text! {
    /// A container's network: a name, `bridge`, `none`, `host`, or `container:NAME` for the network
    /// of another container.
    NetworkMode = "network", { "type": "string" }, network_mode
}

checked_text! {
    /// A device: `/dev/x[:/dev/y][:rwm]`, or a CDI name (`vendor.com/class=name`).
    DeviceSpec = "device", 1024,
    r"^(/dev/[\w./-]+(:/[\w./-]+)?(:[rwm]{1,3})?|[A-Za-z0-9][\w.-]*/[\w-]+=[\w.:-]+)$",
    "use \"/dev/x\", \"/dev/x:/dev/y:rw\" or a CDI name such as \"nvidia.com/gpu=all\"",
    and |text| {
        if text.split(['/', ':']).any(|part| part == "..") {
            return Err("write it without \"..\"".to_owned());
        }
        Ok(())
    }
}

checked_text! {
    /// GPUs: `all`, a number, or `device=0,1`.
    GpuRequest = "gpus", { "type": ["string", "integer"] }, gpu_request
}

checked_text! {
    /// A security option: `no-new-privileges`, `apparmor=PROFILE`, `seccomp=unconfined` …
    SecurityOption = "security option", { "type": "string" }, security_option
}

impl NetworkMode {
    /// `host`: the network of this machine itself.
    pub fn is_host(&self) -> bool {
        self.as_str() == "host"
    }

    /// The container whose network it shares.
    pub fn container(&self) -> Option<&str> {
        self.as_str().strip_prefix("container:")
    }

    /// A network that other ones can be added to, and on which ports can be published.
    pub fn is_a_network(&self) -> bool {
        !self.is_host() && self.as_str() != "none" && self.container().is_none()
    }
}

impl GpuRequest {
    /// The value of `--gpus`, which docker reads as CSV.
    pub fn argument(&self) -> String {
        if self.as_str().contains(',') { format!("\"{self}\"") } else { self.to_string() }
    }
}

impl SecurityOption {
    /// The file of a seccomp profile, which the docker client reads on this machine.
    pub fn seccomp_file(&self) -> Option<&str> {
        let profile = self.as_str().strip_prefix("seccomp")?.strip_prefix(['=', ':'])?;
        (!["unconfined", "builtin"].contains(&profile)).then_some(profile)
    }

    /// It takes rights away and gives none.
    pub fn is_harmless(&self) -> bool {
        matches!(
            self.as_str(),
            "no-new-privileges"
                | "no-new-privileges:true"
                | "no-new-privileges=true"
                | "seccomp=builtin"
        )
    }
}

fn network_mode(text: &str) -> Result<String, String> {
    let name = text.strip_prefix("container:").unwrap_or(text);
    // A name never holds a colon, so `service:x` of compose is refused as well.
    if ascii(r"^[A-Za-z0-9][\w.-]{0,127}$").is_match(name) {
        return Ok(text.to_owned());
    }
    Err("use the name of a network, \"bridge\", \"none\", \"host\" or \"container:NAME\""
        .to_owned())
}

fn security_option(text: &str) -> Result<String, String> {
    let (name, value) = text.split_once(['=', ':']).map_or((text, None), |(n, v)| (n, Some(v)));
    let is_name = ascii("^[a-z][a-z-]*$").is_match(name);
    if is_name && value != Some("") && text.len() <= 4096 && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err("use a name with or without a value: \"no-new-privileges\", \"apparmor=my-profile\""
        .to_owned())
}

fn gpu_request(text: &str) -> Result<String, String> {
    if ascii(r"^(all|[1-9][0-9]{0,2}|device=[\w.:-]+(,[\w.:-]+)*)$").is_match(text) {
        return Ok(text.to_owned());
    }
    Err("use \"all\", a number, or \"device=0,1\"".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::command::values::sent::testing::{accepted, refusals};

    #[test]
    fn networks() {
        for name in ["bridge", "shop_default", "host", "none", "container:web"] {
            let _ok: NetworkMode = accepted(&json!(name));
        }
        let mode = |text: &str| text.parse::<NetworkMode>().unwrap();
        assert_eq!(mode("container:web").container(), Some("web"));
        assert!(mode("bridge").is_a_network() && !mode("none").is_a_network());
        insta::assert_snapshot!(
            refusals::<NetworkMode>(&json!(["name=host", "container:", "container:a/b", "--x", ""])),
            @r#"
        network "name=host" is not allowed: use the name of a network, "bridge", "none", "host" or "container:NAME"
        network "container:" is not allowed: use the name of a network, "bridge", "none", "host" or "container:NAME"
        network "container:a/b" is not allowed: use the name of a network, "bridge", "none", "host" or "container:NAME"
        network "--x" is not allowed: use the name of a network, "bridge", "none", "host" or "container:NAME"
        network "" is not allowed: use the name of a network, "bridge", "none", "host" or "container:NAME"
        "#
        );
    }

    #[test]
    fn devices_and_gpus() {
        for device in ["/dev/fuse", "/dev/a:/dev/b:rwm", "/dev/snd:r", "nvidia.com/gpu=all"] {
            let _ok: DeviceSpec = accepted(&json!(device));
        }
        insta::assert_snapshot!(refusals::<DeviceSpec>(&json!(["/etc", "/dev/../etc", "/dev/x:rx"])), @r#"
        device "/etc" is not allowed: use "/dev/x", "/dev/x:/dev/y:rw" or a CDI name such as "nvidia.com/gpu=all"
        device "/dev/../etc" is not allowed: write it without ".."
        device "/dev/x:rx" is not allowed: use "/dev/x", "/dev/x:/dev/y:rw" or a CDI name such as "nvidia.com/gpu=all"
        "#);
        assert_eq!(accepted::<GpuRequest>(&json!(2)).argument(), "2");
        assert_eq!(accepted::<GpuRequest>(&json!("device=0,1")).argument(), "\"device=0,1\"");
        insta::assert_snapshot!(refusals::<GpuRequest>(&json!(["0", "all,driver=x"])), @r#"
        gpus "0" is not allowed: use "all", a number, or "device=0,1"
        gpus "all,driver=x" is not allowed: use "all", a number, or "device=0,1"
        "#);
    }

    #[test]
    fn security_options() {
        let option = |text: &str| text.parse::<SecurityOption>().unwrap();
        assert_eq!(option("seccomp=./profile.json").seccomp_file(), Some("./profile.json"));
        assert_eq!(option("seccomp=unconfined").seccomp_file(), None);
        assert!(option("no-new-privileges").is_harmless());
        assert!(!option("no-new-privileges:false").is_harmless());
        assert!("apparmor=\n".parse::<SecurityOption>().is_err());
    }
}
