//! What callers say for our parameters: docker's, compose's and kubectl's words, and those of other
//! tools of this kind.

use super::Arguments;

/// The words, and what we say for them: the first that a tool has and that was not sent as well.
const SYNONYMS: &[(&[&str], &[&str])] = &[
    (
        &["name", "names"],
        &["container_name", "image", "tags", "project_name", "path", "query", "new_name"],
    ),
    (&["id"], &["container_name", "image", "name"]),
    (
        &["container", "containers", "container_id", "container_names", "cid", "pod"],
        &["container_name", "name"],
    ),
    (&["container_name"], &["name"]),
    (&["volume_name", "volume_id"], &["name", "volumes"]),
    (&["network_name", "network_id", "net"], &["network", "name"]),
    (&["volume", "mount", "mounts", "bind", "binds", "v"], &["volumes", "name", "remove_volumes"]),
    (&["volumes", "delete_volumes", "remove_volume"], &["remove_volumes", "volumes"]),
    (&["remove_volumes"], &["volumes"]),
    (&["images", "rmi", "delete_images"], &["remove_images", "image"]),
    (&["orphans"], &["remove_orphans"]),
    (&["network"], &["name", "networks"]),
    (&["image", "image_name", "image_id", "repository", "repo", "reference"], &["image", "tags"]),
    (&["tag", "t"], &["tags", "image"]),
    (&["target", "new_tag", "target_image", "target_tag"], &["tag", "what"]),
    (&["source", "source_image"], &["image"]),
    (&["src", "from", "source_path"], &["source", "since"]),
    (&["dst", "dest", "to", "destination_path"], &["destination", "until"]),
    (&["cmd", "exec", "script"], &["command"]),
    (&["args", "arguments"], &["build_args", "command"]),
    (
        &["env", "envs", "e", "env_vars", "envvars", "vars", "variables", "environment_variables"],
        &["environment", "build_args"],
    ),
    (
        &["file", "files", "f", "filename", "config_file", "compose_path"],
        &["compose_file", "dockerfile", "path"],
    ),
    (&["path", "dir", "directory", "folder"], &["context", "compose_file", "working_dir"]),
    (&["build_context"], &["context"]),
    (
        &["yaml", "yml", "compose", "content", "config", "compose_content", "definition"],
        &["compose_yaml", "dockerfile_inline"],
    ),
    (&["input", "tar", "archive", "output", "output_path"], &["path", "stdin"]),
    (&["project", "p", "stack", "stack_name", "namespace"], &["project_name", "project", "ports"]),
    (&["service", "service_name", "svc"], &["services", "service"]),
    (&["services"], &["service"]),
    (
        &["lines", "line", "n", "num_lines", "max_lines", "count", "last", "limit", "max"],
        &["tail", "limit"],
    ),
    (&["head"], &["first"]),
    (&["search", "regex", "match", "contains", "pattern"], &["grep", "query", "pattern"]),
    (&["filter"], &["filters", "grep"]),
    (&["term", "q", "keyword"], &["query"]),
    (
        &["watch", "live", "f", "following", "wait", "stream_logs"],
        &["follow", "wait", "wait_seconds"],
    ),
    (
        &[
            "timeout",
            "time_limit",
            "time",
            "seconds",
            "duration",
            "wait_timeout",
            "timeout_seconds",
        ],
        &["timeout_seconds", "follow_seconds", "wait_seconds"],
    ),
    (&["workdir", "work_dir", "cwd", "w", "working_directory", "pwd"], &["working_dir"]),
    (&["port", "publish", "published", "port_bindings", "expose"], &["ports", "port"]),
    (&["restart_policy"], &["restart"]),
    (&["rm", "auto_remove", "delete"], &["remove"]),
    (&["label"], &["labels"]),
    (&["mem", "mem_limit", "memory_limit", "m"], &["memory"]),
    (&["cpu", "cpu_limit"], &["cpus"]),
    (&["health_check", "health_cmd"], &["healthcheck"]),
    (&["u", "uid"], &["user"]),
    (&["h"], &["hostname"]),
    (&["background"], &["detach"]),
    (&["recreate", "force"], &["force_recreate"]),
    (&["pull_policy"], &["pull"]),
    (&["replicas"], &["scale"]),
    (&["type", "kind", "resource", "resource_type"], &["types", "kind", "what"]),
    (&["condition", "state", "status", "event", "for"], &["until", "status"]),
    (&["after", "start"], &["since"]),
    (&["before", "end"], &["until"]),
    (&["token", "confirmation", "confirm_token", "confirmed", "yes"], &["confirm"]),
    (&["preview", "simulate", "plan", "check"], &["dry_run"]),
];

/// The nearest name that is known and was not sent: by its meaning, else by its spelling.
pub(super) fn nearest<'a>(name: &str, known: &'a Arguments, sent: &Arguments) -> Option<&'a str> {
    let is_free = |candidate: &&String| !sent.contains_key(candidate.as_str());
    let find = |wanted: &str| known.keys().filter(is_free).find(|known| *known == wanted);
    let plain = name.trim_start_matches('-').replace('-', "_").to_ascii_lowercase();
    let meanings = SYNONYMS.iter().filter(|(words, _)| words.contains(&plain.as_str()));
    let by_meaning = meanings.flat_map(|(_, ours)| *ours).find_map(|ours| find(ours));
    let by_spelling = || {
        let alike = known.keys().filter(is_free).map(|it| (strsim::jaro_winkler(name, it), it));
        let alike = alike.filter(|(likeness, _)| *likeness > 0.75);
        alike.max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, nearest)| nearest)
    };
    find(&plain).or(by_meaning).or_else(by_spelling).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tools;

    #[test]
    fn each_of_our_words_is_one_of_some_tool() {
        let tools = tools::all();
        for ours in SYNONYMS.iter().flat_map(|(_, ours)| *ours) {
            let is_known = |entry: &tools::Entry| {
                let properties = entry.full_schema["properties"].as_object().unwrap();
                let members = properties.values().filter_map(|it| it["properties"].as_object());
                properties.contains_key(*ours)
                    || members.into_iter().any(|it| it.contains_key(*ours))
            };
            assert!(tools.iter().any(is_known), "{ours}");
        }
    }

    #[test]
    fn what_callers_say_is_understood() {
        let tools = tools::all();
        let known = |tool: &str| {
            let entry = tools.iter().find(|entry| entry.spec.name == tool).unwrap();
            entry.full_schema["properties"].as_object().unwrap()
        };
        for (tool, said, meant) in [
            ("create-container", "env", "environment"),
            ("recreate-container", "envs", "environment"),
            ("deploy-compose", "env", "environment"),
            ("build-image", "env", "build_args"),
            ("deploy-compose", "file", "compose_file"),
            ("deploy-compose", "yaml", "compose_yaml"),
            ("deploy-compose", "compose", "compose_yaml"),
            ("deploy-compose", "project", "project_name"),
            ("deploy-compose", "name", "project_name"),
            ("deploy-compose", "service", "services"),
            ("build-image", "file", "dockerfile"),
            ("build-image", "path", "context"),
            ("build-image", "tag", "tags"),
            ("build-image", "name", "tags"),
            ("exec-container", "cmd", "command"),
            ("run-container", "cmd", "command"),
            ("exec-container", "name", "container_name"),
            ("exec-container", "id", "container_name"),
            ("exec-container", "container", "container_name"),
            ("exec-container", "container_id", "container_name"),
            ("exec-container", "containerName", "container_name"),
            ("exec-container", "timeout", "timeout_seconds"),
            ("exec-container", "workdir", "working_dir"),
            ("exec-container", "cwd", "working_dir"),
            ("create-container", "container_name", "name"),
            ("create-container", "mounts", "volumes"),
            ("create-container", "binds", "volumes"),
            ("create-container", "port", "ports"),
            ("create-container", "publish", "ports"),
            ("create-container", "env-file", "env_file"),
            ("create-container", "timeout", "wait_seconds"),
            ("inspect-volume", "volume_name", "name"),
            ("remove-network", "network_name", "name"),
            ("connect-network", "network", "name"),
            ("connect-network", "container", "container_name"),
            ("pull-image", "name", "image"),
            ("inspect-image", "image_name", "image"),
            ("search-images", "term", "query"),
            ("compose-down", "volumes", "remove_volumes"),
            ("compose-down", "v", "remove_volumes"),
            ("compose-down", "images", "remove_images"),
            ("remove-container", "remove_volumes", "volumes"),
            ("get-logs", "lines", "tail"),
            ("get-logs", "n", "tail"),
            ("get-logs", "limit", "tail"),
            ("get-logs", "filter", "grep"),
            ("get-logs", "watch", "follow"),
            ("get-logs", "f", "follow"),
            ("get-logs", "timeout", "follow_seconds"),
            ("list-containers", "filter", "filters"),
            ("list-images", "max", "limit"),
            ("update-container", "name", "container_name"),
            ("wait-container", "condition", "until"),
            ("prune", "type", "what"),
            ("remove-volume", "token", "confirm"),
            ("copy-files", "src", "source"),
            ("copy-files", "dest", "destination"),
            ("tag-image", "target", "tag"),
            ("stop-container", "dry-run", "dry_run"),
            // By its spelling.
            ("create-container", "hostnam", "hostname"),
        ] {
            let sent = Arguments::from_iter([(said.to_owned(), json!("x"))]);
            assert_eq!(nearest(said, known(tool), &sent), Some(meant), "{tool} {said}");
        }
        assert_eq!(nearest("frobnicate", known("prune"), &Arguments::new()), None);
        let both = json!({"container_name": "web", "name": "shop"});
        let both = both.as_object().unwrap();
        assert_eq!(nearest("name", known("update-container"), both), Some("new_name"));
    }
}
