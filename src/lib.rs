//! docker-mcp-server: the MCP server through which AI agents work with Docker.
//!
//! The modules below are in reading order; each may import only modules above it; a test
//! watches over that.
#![cfg_attr(any(), doc = include_str!("ARCHITECTURE.md"))]

pub mod error;
pub mod sort;
pub mod redact;
pub mod command;
pub mod policy;
pub mod retry;
pub mod progress;
pub mod metrics;
pub mod docker;
pub mod workspace;
pub mod confirm;
pub mod reply;
pub mod parameters;
pub mod tool;
pub mod foreign_projects;
pub mod registry;
pub mod tools;
pub mod hook;
pub mod config;
pub mod logging;
pub mod docs;
pub mod doctor;
pub mod server;
