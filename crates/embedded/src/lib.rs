//! Bus and records over one SQLite file.
