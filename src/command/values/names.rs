//! Names of docker's objects. None of them can hold a `/`, begin with `-` or carry a control
//! character, so none is an option, another object's URL path or a second line.

use super::sent::checked_text;

const NAME: &str = "use letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit";
const LONGER: &str =
    "use at least two letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit";

checked_text! {
    /// An existing container, by name or by ID (or the beginning of an ID).
    ContainerRef = "container name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME,
    and |text| match text.strip_prefix('/') {
        // `docker inspect` shows names this way.
        Some(name) if !name.is_empty() && !name.contains('/') => {
            Err("leave out the leading \"/\"".to_owned())
        }
        _ => Ok(()),
    }
}

checked_text! {
    /// A name for a new container. Docker asks for two characters at least.
    ContainerName = "container name", 128, r"^[A-Za-z0-9][\w.-]+$", LONGER,
    and not_like_an_id
}

checked_text! {
    /// A volume. Docker asks for two characters at least; a path is not a volume.
    VolumeName = "volume name", 128, r"^[A-Za-z0-9][\w.-]+$", LONGER
}

checked_text! {
    /// A name for a new network, by which no other one's ID is meant.
    NewNetworkName = "network name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME, and not_like_an_id
}

checked_text! {
    /// A network by name or ID. `container:x` and `name=host` are not names; `host` is one, and
    /// left to the policy.
    NetworkName = "network name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A compose project. Compose knows no longest length; 128 is ours, as for other names.
    ProjectName = "project name", 128, r"^[a-z0-9][a-z0-9_-]*$",
    "use lower-case letters, digits, \"_\" and \"-\", beginning with a letter or digit"
}

checked_text! {
    /// A service of a compose file.
    ServiceName = "service name", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A stage of a Dockerfile: its name, or its number.
    StageName = "stage", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A host name after RFC 1123: labels of 1–63 characters, 253 in all.
    HostName = "host name", 253,
    r"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$",
    "use letters, digits and \"-\" in parts of at most 63 characters, joined by \".\""
}

checked_text! {
    /// The key of a label that is to be set. The keys of docker and compose are theirs: a
    /// `com.docker.compose.project` of our own would join somebody's project, and `compose down`
    /// there would remove the container. `[`, `]` and `@` serve traefik and caddy.
    LabelKey = "label", 255, r"^[A-Za-z0-9][\w./@\[\]-]*$",
    "use letters, digits, \"_\", \".\", \"/\" and \"-\", beginning with a letter or digit",
    and not_reserved_for_docker
}

checked_text! {
    /// A profile of a compose file; `*` stands for all.
    Profile = "profile", 255, r"^(\*|[A-Za-z0-9][\w.-]*)$",
    "use letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit, or * for all"
}

checked_text! {
    /// The name of a driver's own option (`max-size`, `syslog-address`, `com.docker.network.…`).
    OptionName = "option", 128, r"^[A-Za-z0-9][\w.-]*$", NAME
}

checked_text! {
    /// A log driver of docker's own. Plugins (`owner/driver`) are not offered.
    LogDriver = "log driver", 64, r"^[a-z][a-z0-9-]*$",
    "use a driver such as \"json-file\", \"local\", \"journald\" or \"none\""
}

checked_text! {
    /// What is searched for: 1–512 characters on one line.
    FilterValue = "filter value", { "type": "string" }, |text| match text {
        "" => Err("it is empty".to_owned()),
        _ if text.chars().any(char::is_control) => Err("use one line of text".to_owned()),
        _ if text.len() > 512 => Err("use at most 512 characters".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

impl LogDriver {
    /// The logs stay on this machine. The other drivers send them to any address.
    pub fn is_local(&self) -> bool {
        ["json-file", "local", "journald", "none"].contains(&self.as_str())
    }
}

/// Docker takes a name before the beginning of an ID: what is meant for the object with that ID
/// would happen to this one. As long as docker shows an ID, or longer; nobody means an ID by less.
fn not_like_an_id(text: &str) -> Result<(), String> {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if (12..=64).contains(&text.len()) && text.bytes().all(is_digit) {
        return Err("it looks like an ID: choose a name with other letters than a to f".to_owned());
    }
    Ok(())
}

fn not_reserved_for_docker(key: &str) -> Result<(), String> {
    const RESERVED: [&str; 3] = ["com.docker.", "io.docker.", "org.dockerproject."];
    let key = key.to_ascii_lowercase();
    match RESERVED.iter().find(|prefix| key.starts_with(*prefix)) {
        Some(prefix) => Err(format!("labels that begin with \"{prefix}\" belong to docker")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::{Value, json};

    use super::super::sent::testing::{accepted, read, refusals};
    use super::*;

    #[test]
    fn a_name_cannot_be_an_option_a_path_or_two_lines() {
        for name in ["web", "a", "0f3a", "my_app-web.1", "Web", &"x".repeat(128)] {
            assert_eq!(accepted::<ContainerRef>(&json!(name)).as_str(), name);
        }
        assert_snapshot!(refusals::<ContainerRef>(&json!([
            "../volumes/x", "-f", " web", "web\n", "/web", "//web", "web/", "x/../web", "a=b",
            "name=host", "v,type=bind,source=/",
            "", ".", "..", "a\u{0}b", "wéb", "web\u{202e}", "x".repeat(200), null, ["web"],
            {"name": "web"}
        ])), @r#"
        container name "../volumes/x" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "-f" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name " web" is not allowed: remove the blanks around it
        container name "web\n" is not allowed: remove the blanks around it
        container name "/web" is not allowed: leave out the leading "/"
        container name "//web" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "web/" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "x/../web" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "a=b" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "name=host" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "v,type=bind,source=/" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "." is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name ".." is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "a\0b" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "wéb" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "web\u{202e}" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" is not allowed: use at most 128 characters
        container name must be text or a number, not null
        container name must be text or a number, not a list
        container name must be text or a number, not an object
        "#);
    }

    #[test]
    fn what_is_new_is_not_named_like_the_id_of_something_else() {
        let ids = ["0123456789ab", "deadbeefcafe", &"f".repeat(64)];
        for id in ids {
            assert_eq!(accepted::<ContainerRef>(&json!(id)).as_str(), id);
            assert_eq!(accepted::<NetworkName>(&json!(id)).as_str(), id);
        }
        assert_snapshot!(refusals::<ContainerName>(&json!(ids[..2])), @r#"
        container name "0123456789ab" is not allowed: it looks like an ID: choose a name with other letters than a to f
        container name "deadbeefcafe" is not allowed: it looks like an ID: choose a name with other letters than a to f
        "#);
        assert_snapshot!(refusals::<NewNetworkName>(&json!(ids[..1])), @r#"network name "0123456789ab" is not allowed: it looks like an ID: choose a name with other letters than a to f"#);
        for name in ["cafe", "deadbeef", "0123456789az", "0123456789AB"] {
            assert_eq!(accepted::<ContainerName>(&json!(name)).as_str(), name);
            assert_eq!(accepted::<NewNetworkName>(&json!(name)).as_str(), name);
        }
    }

    #[test]
    fn each_kind_of_name_has_its_own_rule() {
        assert_snapshot!(refusals::<ContainerName>(&json!(["a", "-ab", "/web"])), @r#"
        container name "a" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "-ab" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        container name "/web" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        "#);
        assert_snapshot!(refusals::<VolumeName>(&json!([
            "v", "/data", "./data", "../containers/web"
        ])), @r#"
        volume name "v" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        volume name "/data" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        volume name "./data" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        volume name "../containers/web" is not allowed: use at least two letters, digits, "_", "." and "-", beginning with a letter or digit
        "#);
        assert_snapshot!(refusals::<NetworkName>(&json!([
            "container:web", "name=host", "a\nb"
        ])), @r#"
        network name "container:web" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        network name "name=host" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        network name "a\nb" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        "#);
        assert_snapshot!(refusals::<ProjectName>(&json!([
            "My App", "Shop", "_x", "../evil"
        ])), @r#"
        project name "My App" is not allowed: use lower-case letters, digits, "_" and "-", beginning with a letter or digit
        project name "Shop" is not allowed: use lower-case letters, digits, "_" and "-", beginning with a letter or digit
        project name "_x" is not allowed: use lower-case letters, digits, "_" and "-", beginning with a letter or digit
        project name "../evil" is not allowed: use lower-case letters, digits, "_" and "-", beginning with a letter or digit
        "#);
        assert_snapshot!(refusals::<ServiceName>(&json!(["-d", "a/b"])), @r#"
        service name "-d" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        service name "a/b" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or digit
        "#);
        assert_snapshot!(refusals::<HostName>(&json!([
            "my_host", "-a", "a-", "a..b", "a.", "x".repeat(64), "x.".repeat(130)
        ])), @r#"
        host name "my_host" is not allowed: use letters, digits and "-" in parts of at most 63 characters, joined by "."
        host name "-a" is not allowed: use letters, digits and "-" in parts of at most 63 characters, joined by "."
        host name "a-" is not allowed: use letters, digits and "-" in parts of at most 63 characters, joined by "."
        host name "a..b" is not allowed: use letters, digits and "-" in parts of at most 63 characters, joined by "."
        host name "a." is not allowed: use letters, digits and "-" in parts of at most 63 characters, joined by "."
        host name "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" is not allowed: use letters, digits and "-" in parts of at most 63 characters, joined by "."
        host name "x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.…" is not allowed: use at most 253 characters
        "#);
        assert_snapshot!(refusals::<LabelKey>(&json!([
            "", "a=b", "-a", "com.docker.compose.project", "Com.Docker.x", "io.docker.x",
            "org.dockerproject.x"
        ])), @r#"
        label "" is not allowed: use letters, digits, "_", ".", "/" and "-", beginning with a letter or digit
        label "a=b" is not allowed: use letters, digits, "_", ".", "/" and "-", beginning with a letter or digit
        label "-a" is not allowed: use letters, digits, "_", ".", "/" and "-", beginning with a letter or digit
        label "com.docker.compose.project" is not allowed: labels that begin with "com.docker." belong to docker
        label "Com.Docker.x" is not allowed: labels that begin with "com.docker." belong to docker
        label "io.docker.x" is not allowed: labels that begin with "io.docker." belong to docker
        label "org.dockerproject.x" is not allowed: labels that begin with "org.dockerproject." belong to docker
        "#);
        assert_snapshot!(refusals::<LogDriver>(&json!(["owner/driver", "JSON-file"])), @r#"
        log driver "owner/driver" is not allowed: use a driver such as "json-file", "local", "journald" or "none"
        log driver "JSON-file" is not allowed: use a driver such as "json-file", "local", "journald" or "none"
        "#);
        assert_snapshot!(refusals::<FilterValue>(&json!(["", "a\nb", "x".repeat(513)])), @r#"
        filter value "" is not allowed: it is empty
        filter value "a\nb" is not allowed: use one line of text
        filter value "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…" is not allowed: use at most 512 characters
        "#);

        accepted::<ContainerName>(&json!("ab"));
        accepted::<ContainerName>(&json!("0123456789a"));
        accepted::<ContainerName>(&json!("0123456789abg"));
        accepted::<NetworkName>(&json!("host"));
        accepted::<ProjectName>(&json!("2048-game"));
        accepted::<HostName>(&json!(format!("db-1.{}.internal", "x".repeat(63))));
        accepted::<LabelKey>(&json!("traefik.http.routers.web.tls.domains[0].main"));
        accepted::<FilterValue>(&json!("com.docker.compose.project=shop"));
        assert_eq!(accepted::<FilterValue>(&json!(true)).as_str(), "true");
    }

    #[test]
    fn a_number_sent_for_a_name_is_the_name() {
        assert_eq!(accepted::<ContainerRef>(&json!(42)).as_str(), "42");
        assert_eq!(
            read::<ContainerRef>(&json!(1e40)).unwrap_err(),
            "container name must be text or a number, not a number too large to be exact"
        );
    }

    #[test]
    fn log_drivers_that_send_logs_away_are_told_apart() {
        assert!(accepted::<LogDriver>(&json!("json-file")).is_local());
        assert!(!accepted::<LogDriver>(&json!("syslog")).is_local());
    }

    #[test]
    fn the_schema_is_written_in_place() {
        #[derive(schemars::JsonSchema)]
        #[expect(dead_code, reason = "only its schema is looked at")]
        struct Parameters {
            /// Name or ID.
            container_name: ContainerRef,
            name: Option<ContainerName>,
            all: Vec<FilterValue>,
        }
        let schema = Value::from(schemars::schema_for!(Parameters));
        assert_snapshot!(schema["properties"], @r#"{"container_name":{"type":"string","pattern":"^[A-Za-z0-9][\\w.-]*$","description":"Name or ID."},"name":{"type":["string","null"],"pattern":"^[A-Za-z0-9][\\w.-]+$"},"all":{"type":"array","items":{"type":"string"}}}"#);
    }
}
