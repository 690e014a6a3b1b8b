//! docker-mcp-server: the MCP server through which AI agents work with Docker.
//!
//! The modules below are in reading order; each may import only modules above it.
#![cfg_attr(any(), doc = include_str!("ARCHITECTURE.md"))]

pub mod command;
pub mod config;
pub mod docker;
pub mod docs;
pub mod doctor;
pub mod error;
pub mod logging;
pub mod progress;
pub mod redact;
pub mod retry;
pub mod server;
pub mod tools;
pub mod workspace;
