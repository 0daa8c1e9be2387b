//! The loop: read, look up, decide, append, project, acknowledge.
