//! Labels that this server gives and obeys.

/// On everything that this server creates; the value is the request that created it, by which an
/// object is found again when the daemon's answer was lost.
pub const REQUEST: &str = "docker-mcp-server.request";
/// With `--only-ours` on the images that `build-image` builds: the names that they were built for,
/// separated by blanks. Its value is the same each time, so that the cache holds.
pub const BUILT: &str = "docker-mcp-server.built";
/// `true` on what must never be removed through this server. For the person to set.
pub const PROTECT: &str = "docker-mcp-server.protect";
/// Where compose had a project from: paths, or `-` for standard input.
pub const COMPOSE_FILES: &str = "com.docker.compose.project.config_files";
