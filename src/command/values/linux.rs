//! What the kernel and the image's own files know by name.

use super::sent::checked_text;

checked_text! {
    /// A user, with or without a group, by name or number: `1000:1000`, `postgres`. Docker takes
    /// numbers up to 2147483647.
    UserSpec = "user", 128, r"^\w[\w.-]*(:\w[\w.-]*)?$",
    "use a name or a number, with or without a group: \"app\", \"1000\" or \"1000:1000\"",
    and |text| {
        let too_large = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_digit())
                && part.bytes().all(|b| b.is_ascii_digit())
                && part.parse::<i32>().is_err()
        };
        if text.split(':').any(too_large) {
            return Err("numbers go up to 2147483647".to_owned());
        }
        Ok(())
    }
}

checked_text! {
    /// What an image runs on: `os[/architecture[/variant]]`.
    Platform = "platform", 64, r"^[a-z0-9]+(/[a-z0-9_]+){0,2}$",
    "use os[/architecture[/variant]] in lower case, for example \"linux/amd64\""
}

checked_text! {
    /// A signal by name or by Linux number: `SIGTERM`, `term` and `15` are all accepted. A name is
    /// kept in upper case with its `SIG`, a number as it is.
    Signal = "signal", { "type": "string" }, signal
}

checked_text! {
    /// A Linux capability, or `ALL`, in upper case and without `CAP_`: the form every client takes.
    Capability = "capability", { "type": "string" }, capability
}

/// `SignalMap` of moby/sys/signal (Linux), without the real-time signals.
const SIGNALS: [&str; 34] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP",
    "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// capabilities(7), Linux 5.9 and later (the last one was `CHECKPOINT_RESTORE`).
const CAPABILITIES: [&str; 42] = [
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

fn signal(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    if !upper.is_empty() && upper.bytes().all(|b| b.is_ascii_digit()) {
        // 32 and 33 belong to the C library.
        return match upper.parse::<u8>() {
            Ok(number @ (1..=31 | 34..=64)) => Ok(number.to_string()),
            _ => Err("a signal's number is 1 to 31 or 34 to 64".to_owned()),
        };
    }
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if SIGNALS.contains(&name) || is_real_time(name) {
        return Ok(format!("SIG{name}"));
    }
    Err("use a signal such as \"SIGTERM\", \"SIGKILL\", \"SIGHUP\" or \"SIGUSR1\"".to_owned())
}

/// `RTMIN`, `RTMIN+1` … `RTMIN+15`, `RTMAX-14` … `RTMAX`: what docker's table holds.
fn is_real_time(name: &str) -> bool {
    let within = |text: &str, max: u8| {
        !text.starts_with('+') && text.parse::<u8>().is_ok_and(|n| (1..=max).contains(&n))
    };
    match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(""), _) | (_, Some("")) => true,
        (Some(above), _) => above.strip_prefix('+').is_some_and(|n| within(n, 15)),
        (_, Some(below)) => below.strip_prefix('-').is_some_and(|n| within(n, 14)),
        _ => false,
    }
}

fn capability(text: &str) -> Result<String, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    if CAPABILITIES.contains(&name) {
        return Ok(name.to_owned());
    }
    Err("use a Linux capability such as \"NET_ADMIN\", or \"ALL\"".to_owned())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::super::sent::testing::{accepted, refusals};
    use super::*;

    #[test]
    fn a_user_is_a_name_or_a_number_with_or_without_a_group() {
        for user in ["root", "0", "1000:1000", "app:staff", "www-data", "_apt", "2147483647"] {
            assert_eq!(accepted::<UserSpec>(&json!(user)).as_str(), user);
        }
        assert_eq!(accepted::<UserSpec>(&json!(1000)).as_str(), "1000");
        assert_snapshot!(refusals::<UserSpec>(&json!([
            "", ":", "a:", ":0", "a:b:c", "-u", "a b", "root\n", "2147483648",
            "1:99999999999999999999", "-1"
        ])), @r#"
        user "" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user ":" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user "a:" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user ":0" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user "a:b:c" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user "-u" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user "a b" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        user "root\n" is not allowed: remove the blanks around it
        user "2147483648" is not allowed: numbers go up to 2147483647
        user "1:99999999999999999999" is not allowed: numbers go up to 2147483647
        user "-1" is not allowed: use a name or a number, with or without a group: "app", "1000" or "1000:1000"
        "#);
    }

    #[test]
    fn a_platform_is_written_in_lower_case() {
        for platform in ["linux", "linux/amd64", "linux/arm/v7", "linux/386"] {
            assert_eq!(accepted::<Platform>(&json!(platform)).as_str(), platform);
        }
        assert_snapshot!(refusals::<Platform>(&json!([
            "", "Linux/amd64", "linux/amd64,linux/arm64", "linux/", "a/b/c/d", "--x"
        ])), @r#"
        platform "" is not allowed: use os[/architecture[/variant]] in lower case, for example "linux/amd64"
        platform "Linux/amd64" is not allowed: use os[/architecture[/variant]] in lower case, for example "linux/amd64"
        platform "linux/amd64,linux/arm64" is not allowed: use os[/architecture[/variant]] in lower case, for example "linux/amd64"
        platform "linux/" is not allowed: use os[/architecture[/variant]] in lower case, for example "linux/amd64"
        platform "a/b/c/d" is not allowed: use os[/architecture[/variant]] in lower case, for example "linux/amd64"
        platform "--x" is not allowed: use os[/architecture[/variant]] in lower case, for example "linux/amd64"
        "#);
    }

    #[test]
    fn a_signal_is_one_that_linux_knows() {
        for (sent, signal) in [
            (json!("SIGTERM"), "SIGTERM"),
            (json!("term"), "SIGTERM"),
            (json!("SigUsr1"), "SIGUSR1"),
            (json!(9), "9"),
            (json!("15"), "15"),
            (json!("64"), "64"),
            (json!("RTMIN+3"), "SIGRTMIN+3"),
            (json!("sigrtmax-14"), "SIGRTMAX-14"),
            (json!("RTMAX"), "SIGRTMAX"),
        ] {
            assert_eq!(accepted::<Signal>(&sent).as_str(), signal);
        }
        assert_snapshot!(refusals::<Signal>(&json!([
            "", "SIG", "0", "-9", "32", "65", "999", "SIGFOO", "RTMIN+16", "RTMIN++1", "RTMAX+1",
            "TERM\n", "--signal", true
        ])), @r#"
        signal "" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "SIG" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "0" is not allowed: a signal's number is 1 to 31 or 34 to 64
        signal "-9" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "32" is not allowed: a signal's number is 1 to 31 or 34 to 64
        signal "65" is not allowed: a signal's number is 1 to 31 or 34 to 64
        signal "999" is not allowed: a signal's number is 1 to 31 or 34 to 64
        signal "SIGFOO" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "RTMIN+16" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "RTMIN++1" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "RTMAX+1" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "TERM\n" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "--signal" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        signal "true" is not allowed: use a signal such as "SIGTERM", "SIGKILL", "SIGHUP" or "SIGUSR1"
        "#);
    }

    #[test]
    fn a_capability_is_kept_without_its_prefix() {
        for (sent, name) in
            [("CAP_NET_ADMIN", "NET_ADMIN"), ("net_admin", "NET_ADMIN"), ("all", "ALL")]
        {
            assert_eq!(accepted::<Capability>(&json!(sent)).as_str(), name);
        }
        assert_snapshot!(refusals::<Capability>(&json!([
            "", "CAP_", "EVERYTHING", "NET_ADMIN,ALL", "CAP_CAP_KILL"
        ])), @r#"
        capability "" is not allowed: use a Linux capability such as "NET_ADMIN", or "ALL"
        capability "CAP_" is not allowed: use a Linux capability such as "NET_ADMIN", or "ALL"
        capability "EVERYTHING" is not allowed: use a Linux capability such as "NET_ADMIN", or "ALL"
        capability "NET_ADMIN,ALL" is not allowed: use a Linux capability such as "NET_ADMIN", or "ALL"
        capability "CAP_CAP_KILL" is not allowed: use a Linux capability such as "NET_ADMIN", or "ALL"
        "#);
    }
}
