//! Labels by which things are known: those of this server, and those of compose.

/// On everything that this server creates; the value is the request that created it, by which an
/// object is found again when the daemon's answer was lost.
pub const REQUEST: &str = "docker-mcp-server.request";
/// With `--only-ours` on the images that `build-image` builds: the names that they were built for,
/// separated by blanks. Its value is the same each time, so that the cache holds.
pub const BUILT: &str = "docker-mcp-server.built";
/// `true` on what must never be removed through this server. For the person to set.
pub const PROTECT: &str = "docker-mcp-server.protect";

/// The compose project that something belongs to.
pub const PROJECT: &str = "com.docker.compose.project";
/// Where compose had a project from: paths, or `-` for standard input.
pub const PROJECT_FILES: &str = "com.docker.compose.project.config_files";
pub const PROJECT_FOLDER: &str = "com.docker.compose.project.working_dir";
/// The files of variables that compose was told to read, by their paths.
pub const PROJECT_ENV_FILES: &str = "com.docker.compose.project.environment_file";
/// The service that a container is one of.
pub const SERVICE: &str = "com.docker.compose.service";
/// Which of its service's containers it is, from 1.
pub const NUMBER: &str = "com.docker.compose.container-number";
/// `True` on what `compose run` made.
pub const ONE_OFF: &str = "com.docker.compose.oneoff";
/// `db:service_healthy:false,cache:service_started:true`.
pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
/// Of the definition that a container was made from.
pub const HASH: &str = "com.docker.compose.config-hash";
/// Compose's own, which computed the hash.
pub const VERSION: &str = "com.docker.compose.version";

/// The value of `--filter` for what belongs to a compose project.
pub fn of_project(project: &str) -> String {
    format!("label={PROJECT}={project}")
}
