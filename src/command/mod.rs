//! Docker commands as plain values: how to write one, how to read what it prints. Pure.
