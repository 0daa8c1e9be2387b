//! Reads, layers, checks and explains the configuration.
