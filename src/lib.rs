//! docker-mcp-server: the MCP server through which AI agents work with Docker.

pub mod command;
pub mod error;
