//! Names of environment variables, and those among them that steer more than a container.

use super::sent::checked_text;

checked_text! {
    /// The name of an environment variable or a build argument.
    EnvName = "environment variable", 255, r"^[A-Za-z_][\w.-]*$",
    "use letters, digits, \"_\", \".\" and \"-\", beginning with a letter or \"_\""
}

impl EnvName {
    /// Variables that steer the docker client, its plugins and helpers, or the loader: with
    /// `LD_PRELOAD` in the client's environment an image's environment ran code on the host. These
    /// never travel through the environment of our own child process.
    pub fn is_reserved(&self) -> bool {
        // Read by programs that docker starts: git, ssh, credential helpers, which are often scripts.
        const PREFIXES: [&str; 15] = [
            "SSH_",
            "LC_",
            "OTEL_",
            "GIT_",
            "PYTHON",
            "NODE_",
            "PERL5",
            "RUBY",
            "JAVA_",
            "JDK_",
            "CLOUDSDK_",
            "OPENSSL_",
            "GNUPG",
            "KUBE",
            "BASH_",
        ];
        const NAMES: [&str; 15] = [
            "LANG",
            "LANGUAGE",
            "TERM",
            "NO_COLOR",
            "USER",
            "LOGNAME",
            "SHELL",
            "ENV",
            "PATHEXT",
            "SYSTEMROOT",
            "USERPROFILE",
            "APPDATA",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_PROFILE",
        ];
        // GIT_TOKEN and NODE_AUTH_TOKEN are data.
        const DATA: [&str; 4] = ["_TOKEN", "_PASSWORD", "_SECRET", "_KEY"];
        let name = self.0.to_ascii_uppercase();
        let is_data = DATA.iter().any(|end| name.ends_with(end));
        let is_of_a_helper = PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || NAMES.contains(&name.as_str());
        self.steers_the_client() || (is_of_a_helper && !is_data)
    }

    /// Those that steer the docker client or its loader themselves, also where it starts no other
    /// program.
    pub fn steers_the_client(&self) -> bool {
        const PREFIXES: [&str; 12] = [
            "LD_",
            "DYLD_",
            "DOCKER_",
            "COMPOSE_",
            "BUILDKIT_",
            "BUILDX_",
            "GO", // GODEBUG, GOTRACEBACK, GOCOVERDIR …: docker is written in Go
            "SSL_",
            "XDG_",
            "TMP",
            "GCONV_",
            "GLIBC_",
        ];
        const NAMES: [&str; 4] = ["PATH", "HOME", "PWD", "TEMP"];
        // Windows and the proxies (`http_proxy`) do not care about case.
        let name = self.0.to_ascii_uppercase();
        // GOOGLE_API_KEY is not Go's, and reserved names are seen in the process list.
        let by_prefix =
            PREFIXES.iter().any(|prefix| name.starts_with(prefix)) && !name.starts_with("GOOGLE_");
        by_prefix || name.ends_with("_PROXY") || NAMES.contains(&name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::refusals;
    use super::*;

    #[test]
    fn a_name_is_a_word() {
        assert_snapshot!(refusals::<EnvName>(&json!(["", "1A", "A B", "A=B", "-A", "É"])), @r#"
        environment variable "" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "1A" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "A B" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "A=B" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "-A" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        environment variable "É" is not allowed: use letters, digits, "_", "." and "-", beginning with a letter or "_"
        "#);
    }

    #[test]
    fn variables_that_steer_the_docker_client_are_reserved() {
        let is_reserved = |name: &str| name.parse::<EnvName>().expect(name).is_reserved();
        for name in [
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "DOCKER_HOST",
            "COMPOSE_FILE",
            "BUILDKIT_PROGRESS",
            "BUILDX_BUILDER",
            "GODEBUG",
            "http_proxy",
            "NO_PROXY",
            "SSL_CERT_FILE",
            "PATH",
            "Path",
            "HOME",
            "XDG_RUNTIME_DIR",
            "TMPDIR",
            "SSH_AUTH_SOCK",
            "LANG",
            "LC_ALL",
            "TERM",
            "NO_COLOR",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "PWD",
            "USER",
            "GIT_SSH_COMMAND",
            "BASH_ENV",
            "PYTHONPATH",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        let steers = |name: &str| name.parse::<EnvName>().unwrap().steers_the_client();
        for name in ["NODE_ENV", "GIT_SHA", "PYTHONUNBUFFERED", "LANG", "AWS_CONFIG_FILE"] {
            assert!(is_reserved(name) && !steers(name), "{name}");
        }
        for name in ["GIT_TOKEN", "NODE_AUTH_TOKEN", "SSH_KEY"] {
            assert!(!is_reserved(name), "{name}");
        }
        assert!(steers("LD_PRELOAD") && steers("BUILDX_CONFIG") && steers("PWD"));
        for name in
            ["DB_PASSWORD", "GOOGLE_API_KEY", "PATHS", "MY_PATH", "USERNAME", "PORT", "OLD_VALUE"]
        {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
