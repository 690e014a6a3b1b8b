//! What people and docker call what a tool does, for clients that know many tools and show a model
//! only those that a search has found.
//!
//! Claude Code reads it as `_meta["anthropic/searchHint"]`. Its search (seen in 2.1.330) gives each
//! word of a question 10 points for being a part of a tool's name, 4 for being a word of this hint
//! and 2 for being one of the description; of equals the first by name is found. So the hints
//! name what the name does not, and those of compose do not say `docker`: `docker exec` means a
//! container.

use rmcp::model::MetaObject;
use serde_json::Value;

const KEY: &str = "anthropic/searchHint";

/// By the name of the tool.
#[rustfmt::skip]
const HINTS: &[(&str, &str)] = &[
    ("list-containers", "docker ps, docker ps -a, ls: show or see all that are running, up, stopped, with names, status and ports; which are on this machine"),
    ("get-logs", "docker logs, docker logs -f --tail, docker container logs: see, show, read, view, tail, follow the log, output, stdout and stderr of a container; what has it printed, what was its last line; search or grep the logs of a container for an error"),
    ("diagnose", "why, what is wrong with it: why does my container, the service, stack or app crash, fail, exit, not start; container keeps restarting, crashes, crashed, is in a restart loop or crash loop, exits right after start or startup, exited with code 1 or 137, dies, died, is unhealthy, was killed, out of memory, oom; the health check fails; cannot or can't connect to the database, connection refused, not reachable, does not work; debug, troubleshoot, find the root cause of an error or a failure"),
    ("exec-container", "docker exec, docker exec -it: run or execute a command in or inside a running one, open a shell, bash, sh in it, attach"),
    ("create-container", "docker run, docker run -d, docker create: start a new one from an image in the background, detached, with a port, volume, environment, restart policy; run nginx, postgres, redis or a database"),
    ("run-container", "docker run, docker run --rm, docker run -it: run a one-off script or tool in a new throwaway one, wait for its end and get its exit code"),
    ("start-container", "docker start: one that is stopped, again"),
    ("stop-container", "docker stop: shut down a running one gracefully"),
    ("restart-container", "docker restart, reboot"),
    ("remove-container", "docker rm, docker rm -f: remove or delete a stopped or running one"),
    ("recreate-container", "with a newer image or other settings: change the environment variables, ports, volumes or command of one that exists, upgrade it, keep its data"),
    ("update-container", "docker update, docker rename: change or set the memory limit, cpu limit, restart policy or name without recreating it"),
    ("inspect-container", "docker inspect, docker port, docker top, docker diff: details, its ip address, port mappings, mounts, environment variables, labels, limits, processes, health, which command does it run"),
    ("container-stats", "docker stats, docker top: cpu and memory usage, ram, load, network and disk io; which uses the most, resource usage, how busy is it"),
    ("copy-files", "docker cp: copy a file or folder into a container, out of a container, from a container to the host"),
    ("wait-container", "docker wait: until it is healthy, ready, running, has exited, a port is open or its log says something"),
    ("kill-container", "docker kill: send a signal, SIGHUP, SIGTERM, SIGKILL"),
    ("pause-container", "docker pause: freeze, suspend"),
    ("unpause-container", "docker unpause: resume, continue a paused one"),
    ("list-images", "docker images, ls: show local ones with tags and sizes, which do I have"),
    ("inspect-image", "docker history: details, layers, entrypoint, command, exposed ports, user, labels, size, architecture"),
    ("build-image", "docker build, docker buildx build: from a Dockerfile or a folder, rebuild it without cache, multi-platform, build args, compile my app; why the build fails"),
    ("pull-image", "docker pull: download, fetch, update from a registry"),
    ("push-image", "docker push: upload, publish an image to a registry"),
    ("tag-image", "docker tag: name, rename"),
    ("remove-image", "docker rmi: delete, remove one or a tag of it"),
    ("save-image", "docker save: export to a tar archive or file"),
    ("load-image", "docker load: import from a tar archive or file"),
    ("search-images", "docker search: find one on docker hub or in a registry"),
    ("list-volumes", "docker volume ls: show, unused or dangling ones"),
    ("create-volume", "docker volume create: make a new named one for data"),
    ("inspect-volume", "docker volume inspect: details, mountpoint, size, which containers use it, where is its data"),
    ("remove-volume", "docker volume rm: remove or delete one and its data"),
    ("list-networks", "docker network ls: show"),
    ("create-network", "docker network create: make a new one, bridge, subnet"),
    ("inspect-network", "docker network inspect: details, subnet, gateway, which containers are connected to it or on it"),
    ("connect-network", "docker network connect: attach, join, add a running container, so that two containers reach each other"),
    ("disconnect-network", "docker network disconnect: detach, take or remove a container from a network"),
    ("remove-network", "docker network rm: remove or delete one"),
    ("docker-info", "docker info, docker version: is docker running, installed, does the daemon work, which version of engine, compose, buildx, cannot connect to the docker daemon"),
    ("disk-usage", "docker system df: disk space, what takes space, how much space do images, volumes, containers and build cache use, disk is full, reclaimable"),
    ("prune", "docker system prune, docker container prune, docker image prune, docker volume prune, docker builder prune, docker network prune: clean up, free disk space, remove or delete all unused, dangling, old images, stopped containers, volumes, networks, the build cache"),
    ("docker-events", "docker events, docker system events: what happened, recent events, history, when did the container die, stop or start, was it killed, timeline"),
    ("find-users", "who uses, what uses, listens, is listening on or holds this port, image, volume or network; port is already allocated or in use, address already in use, process listening on a port, who listens on port 8080, port conflict"),
    ("list-all-resources", "overview of everything, the whole host: what is there on docker, all containers, projects, images, volumes, networks and problems at a glance, summary"),
    ("list-contexts", "docker context ls, docker context show: docker hosts, machines, endpoints, the current one"),
    ("deploy-compose", "docker compose up, docker compose up -d, docker-compose up --build: bring up, start, launch, redeploy a stack or its services from a compose file after changing it, scale a service"),
    ("compose-down", "docker compose down, docker compose down -v: take down, tear down, remove the whole stack with its containers, networks, volumes; delete a compose project"),
    ("compose-ps", "status of the services of a project or stack; which are up, healthy, unhealthy, exited; drift"),
    ("compose-logs", "the logs of a project, stack or service, all services together in order of time, an error across services"),
    ("compose-exec", "run a command or a shell in a running service of a project"),
    ("compose-run", "a one-off command, database migration, tests or a task in a new container of a service of a project"),
    ("compose-start", "the stopped services of a project or stack again"),
    ("compose-stop", "the services of a project or stack without removing them"),
    ("compose-restart", "one service or all services of a project or stack"),
    ("compose-build", "rebuild the images of a project or of one of its services, with or without cache"),
    ("compose-pull", "newer images for a project, update the images of a stack"),
    ("compose-config", "docker compose config: validate, check, lint a compose file, docker-compose.yml, compose.yaml; is it correct, what does it resolve to, which variables are not set, syntax error in yaml"),
    ("list-compose-projects", "docker compose ls: show all projects, stacks, applications; which stacks exist or are running"),
];

/// Nothing for a tool that has none.
pub(super) fn hint(tool: &str) -> Option<MetaObject> {
    let (_, hint) = HINTS.iter().find(|(name, _)| *name == tool)?;
    let mut meta = MetaObject::default();
    meta.0.insert(KEY.to_owned(), Value::from(*hint));
    Some(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_hint_and_every_hint_a_tool() {
        let mut tools: Vec<_> = crate::tools::all().iter().map(|entry| entry.spec.name).collect();
        let mut hinted: Vec<_> = HINTS.iter().map(|(name, _)| *name).collect();
        tools.sort_unstable();
        hinted.sort_unstable();
        assert_eq!(tools, hinted);
    }
}
