//! What somebody types who looks for a tool finds it: clients that know many tools show a model only
//! those that a search over their definitions has found.

use std::collections::{BTreeMap, BTreeSet};

use docker_mcp_server::server::definitions;
use regex_lite::Regex;
use rmcp::model::Tool;

use crate::stage::Stage;

/// A tool, and words of people and of docker by which it is looked for.
const SOUGHT: &str = "
list-containers: docker ps | docker ps -a | show running containers | which containers are running
list-containers: list all containers including stopped | docker container ls
get-logs: docker logs | tail container output | view logs of a container | see stdout and stderr
get-logs: search the logs of a container for an error | follow logs
diagnose: why does my container crash | container keeps restarting | crash loop
diagnose: container is unhealthy | container exited with code 137 | out of memory killed
diagnose: debug a failing service | why can't the app connect to the database
diagnose: troubleshoot container startup | root cause of failure
deploy-compose: docker compose up | docker compose up -d | start the stack
deploy-compose: deploy docker-compose.yml | redeploy after changing compose file
deploy-compose: bring up services from compose.yaml | docker-compose up --build
compose-down: docker compose down | docker compose down -v | tear down the stack
compose-down: remove compose project
compose-stop: docker compose stop | stop all services of a project
compose-start: docker compose start | start stopped services of a project
compose-restart: docker compose restart | restart a service of a compose project
compose-logs: docker compose logs | docker compose logs -f | logs of all services
compose-logs: errors of a compose project by time
compose-ps: docker compose ps | status of compose services
compose-ps: which services of the project are healthy
compose-exec: docker compose exec | run a command in a compose service
compose-run: docker compose run --rm | run tests in a service | run a database migration one-off
compose-build: docker compose build | build project images
compose-pull: docker compose pull | pull newer images of a project
compose-config: docker compose config | validate compose file | check docker-compose.yml syntax
compose-config: is my compose file correct
list-compose-projects: docker compose ls | list stacks | which compose projects exist
exec-container: docker exec | docker exec -it bash | run a command inside a container
exec-container: open a shell in a running container
create-container: docker run -d | docker create | run nginx in the background with a port
create-container: start a new container from an image
run-container: docker run --rm | run a one-off command in a new container
run-container: run a script in a throwaway container
start-container: docker start | start a stopped container
stop-container: docker stop | stop a container gracefully | shut down a container
restart-container: docker restart | restart a container
remove-container: docker rm | docker rm -f | delete a container | remove a stopped container
kill-container: docker kill | send SIGHUP to a container | send a signal
pause-container: docker pause | freeze a container
unpause-container: docker unpause | resume a paused container
update-container: docker update | change memory limit of a container | docker rename
update-container: rename a container | change restart policy
recreate-container: change environment variables of a running container
recreate-container: recreate container with a new image | change the port of a container
inspect-container: docker inspect | container details | ip address of a container
inspect-container: mounts and environment of a container | docker port
container-stats: docker stats | cpu and memory usage | which container uses the most memory
copy-files: docker cp | copy a file into a container | copy files from container to host
wait-container: docker wait | wait until container is healthy | wait for port to be open
wait-container: wait until ready
list-images: docker images | docker image ls | list local images | dangling images
pull-image: docker pull | download an image | update image from registry
push-image: docker push | upload image to registry | publish an image
build-image: docker build | build an image from a Dockerfile | docker buildx build
tag-image: docker tag | give an image another name
remove-image: docker rmi | docker image rm | delete an image
save-image: docker save | export image to tar
load-image: docker load | import image from tar
inspect-image: docker image inspect | docker history | layers of an image
search-images: docker search | search docker hub
list-volumes: docker volume ls | list volumes | unused volumes
inspect-volume: docker volume inspect | details of a volume
create-volume: docker volume create | new volume
remove-volume: docker volume rm | delete a volume
list-networks: docker network ls | list networks
inspect-network: docker network inspect | which containers are on a network
create-network: docker network create | make a new network with subnet
remove-network: docker network rm | delete a network
connect-network: docker network connect | attach container to network
disconnect-network: docker network disconnect | detach a container from a network
prune: docker system prune | docker image prune | docker volume prune | free disk space
prune: clean up unused images | remove build cache | delete dangling images
disk-usage: docker system df | how much disk space does docker use | what takes disk space
docker-info: docker info | docker version | is docker running | is the daemon reachable
docker-events: docker events | what happened last night | when did the container die
list-contexts: docker context ls | which docker host is used
find-users: who uses port 8080 | port is already allocated | which container uses this volume
find-users: what uses this image | process listening on a port
list-all-resources: overview of docker | what is running on this host | show everything
";

/// Okapi BM25 with its usual constants.
const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The words of all definitions: names, descriptions and parameters.
struct Index {
    words: BTreeMap<String, Vec<String>>,
    average_length: f64,
}

impl Index {
    fn new() -> Self {
        let tools = definitions(&Stage::empty().allowing_everything().dispatcher());
        let words: BTreeMap<_, _> = tools
            .iter()
            .map(|tool| {
                let mut text = format!("{} {}", tool.name, tool.description.as_deref().unwrap());
                for (name, schema) in tool.input_schema["properties"].as_object().unwrap() {
                    let description = schema["description"].as_str().unwrap_or_default();
                    text.push_str(&format!(" {name} {description}"));
                }
                (tool.name.to_string(), words(&text))
            })
            .collect();
        let length: usize = words.values().map(Vec::len).sum();
        let average_length = as_f64(length) / as_f64(words.len());
        Self { words, average_length }
    }

    /// The names of the tools, those that fit best first.
    fn find(&self, query: &str) -> Vec<&str> {
        let query = words(query);
        let mut scored: Vec<(f64, &str)> =
            self.words.iter().map(|(name, words)| (-self.score(&query, words), &**name)).collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
        scored.into_iter().map(|(_, name)| name).collect()
    }

    fn score(&self, query: &[String], words: &[String]) -> f64 {
        let length = as_f64(words.len()) / self.average_length;
        let of_word = |word: &String| {
            let count = as_f64(words.iter().filter(|it| *it == word).count());
            let known = as_f64(self.words.values().filter(|words| words.contains(word)).count());
            let rarity = (1.0 + (as_f64(self.words.len()) - known + 0.5) / (known + 0.5)).ln();
            rarity * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length))
        };
        query.iter().map(of_word).sum()
    }
}

/// The search of Claude Code 2.1.330, of a server that is called docker: what a word of the query is
/// in the name, in the hint and in the description, added up; of equals the first by name.
fn as_claude_code(tools: &[Tool], query: &str) -> Vec<String> {
    let query = query.to_lowercase();
    let score = |tool: &Tool| -> usize {
        let hint = tool.meta.as_ref().and_then(|meta| meta.0["anthropic/searchHint"].as_str());
        let hint = hint.unwrap_or_default().to_lowercase();
        let description = tool.description.as_deref().unwrap().to_lowercase();
        let of_word = |word: &str| {
            let is_word = Regex::new(&format!(r"\b{}\b", regex_lite::escape(word))).unwrap();
            let in_name = match word {
                "docker" => 24,
                word if "docker".contains(word) || tool.name.contains(word) => 10,
                _ => 0,
            };
            in_name
                + 4 * usize::from(is_word.is_match(&hint))
                + 2 * usize::from(is_word.is_match(&description))
        };
        query.split_whitespace().map(of_word).sum()
    };
    let mut scored: Vec<_> = tools.iter().map(|tool| (score(tool), &tool.name)).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, name)| name.to_string()).collect()
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[test]
fn what_is_typed_into_a_search_finds_the_tool() {
    let index = Index::new();
    let find = |query: &str| index.find(query).into_iter().map(str::to_owned).collect();
    let found = demand(find, 85, 97);
    assert!(found.len() == index.words.len(), "each tool is looked for");
}

#[test]
fn claude_code_finds_the_tool() {
    let tools = definitions(&Stage::empty().allowing_everything().dispatcher());
    demand(|query| as_claude_code(&tools, query), 80, 97);
}

/// Demands that so many percent are found first, and among five; the answer is what was looked for.
fn demand(
    find: impl Fn(&str) -> Vec<String>,
    first_percent: usize,
    five_percent: usize,
) -> BTreeSet<&'static str> {
    let (mut all, mut first, mut among_five, mut missed) = (0, 0, 0, vec![]);
    let mut tools = BTreeSet::new();
    for (tool, queries) in SOUGHT.lines().filter_map(|line| line.split_once(": ")) {
        tools.insert(tool);
        for query in queries.split(" | ") {
            let found = find(query);
            let place = found.iter().position(|name| *name == tool).unwrap();
            all += 1;
            first += usize::from(place == 0);
            among_five += usize::from(place < 5);
            if place > 0 {
                missed.push(format!("{tool} is number {}: {query}: {:?}", place + 1, &found[..3]));
            }
        }
    }
    assert!(all >= 100, "{all}");
    let told = missed.join("\n");
    assert!(first * 100 >= all * first_percent, "{first} of {all} are found first\n{told}");
    assert!(among_five * 100 >= all * five_percent, "{among_five} of {all} are among five\n{told}");
    tools
}
