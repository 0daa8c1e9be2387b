//! The direction of the crates: arrows run only downwards, and only named crates may use what the
//! house keeps in one room. `docs/ARCHITECTURE.md` says why.

use super::Problem;
use crate::tree::{Package, Tree};

/// The floor of each crate, by its folder in `crates/`.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("access", 1),
    ("bus", 1),
    ("channel", 1),
    ("config", 1),
    ("records", 1),
    ("routing", 1),
    ("testkit", 1),
    ("bus-nats", 2),
    ("channel-email", 2),
    ("channel-imap", 2),
    ("channel-phone", 2),
    ("channel-webhook", 2),
    ("delivery", 2),
    ("embedded", 2),
    ("gateway", 2),
    ("records-redis", 2),
    ("router", 2),
    ("postroom", 3),
];

/// Packages that may use anything: they are no part of the program.
const FREE: &[&str] = &["xtask", "postroom-tests"];

/// Arrows inside one floor that are wanted.
const SIDEWAYS: &[(&str, &str)] = &[("channel-imap", "channel-email")];

/// Crates that only tests use.
const ONLY_IN_TESTS: &[&str] = &["testkit"];

/// Who alone may use a library, outside tests. A `*` at the end stands for any rest of the name.
const OWNERS: &[(&str, &[&str])] = &[
    ("anyhow", &["postroom"]),
    ("async-imap", &["channel-imap"]),
    ("async-nats", &["bus-nats"]),
    ("axum", &["gateway"]),
    ("cel", &["routing"]),
    ("clap", &["postroom"]),
    ("config", &["config"]),
    ("lettre", &["channel-email"]),
    ("redis", &["records-redis"]),
    ("reqwest", &["channel", "channel-*", "postroom"]),
    // `postroom bench` measures the bare engine beside the product.
    ("rusqlite", &["embedded", "postroom"]),
];

/// Crates that wait for nothing, and what would make them.
const SYNCHRONOUS: &[&str] = &["model", "routing"];
const ASYNCHRONOUS: &[&str] =
    &["async-*", "axum", "futures*", "hyper*", "reqwest", "smol", "tokio*", "tower*"];

/// The folder of one of our packages, none for a library.
fn room(package: &str) -> Option<&str> {
    if package == "postroom" {
        return Some(package);
    }
    let room = package.strip_prefix("postroom-")?;
    FLOORS.iter().any(|(known, _)| *known == room).then_some(room)
}

fn floor(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == room).map(|(_, floor)| *floor)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

fn problem(package: &Package, what: String) -> Problem {
    Problem::new(&format!("{}/Cargo.toml", package.folder), 0, what)
}

/// Arrows between our crates.
pub(super) fn directions(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for package in tree.packages.iter().filter(|package| !is_free(package)) {
        let Some(from) = room(&package.name) else {
            let what = format!(
                "`{}` has no floor; give it one in crates/xtask/src/tidy/graph.rs",
                package.name
            );
            found.push(problem(package, what));
            continue;
        };
        if package.folder != format!("crates/{from}") {
            let what = format!("`{}` belongs in crates/{from}", package.name);
            found.push(problem(package, what));
        }
        for dependency in &package.dependencies {
            let Some(to) = room(&dependency.name) else {
                continue;
            };
            if ONLY_IN_TESTS.contains(&to) && !dependency.dev {
                let what = format!("`{from}` uses `{to}`, which is for tests only");
                found.push(problem(package, what));
            }
            if to != from && !may_use(from, to, dependency.dev) {
                let what = format!(
                    "`{from}` uses `{to}`, which is not below it; move what both need downwards, \
                     or hand it in from `postroom`"
                );
                found.push(problem(package, what));
            }
        }
    }
    found
}

/// Tests may look sideways, never up.
fn may_use(from: &str, to: &str, dev: bool) -> bool {
    match (floor(from), floor(to)) {
        (Some(from_floor), Some(to_floor)) => {
            to_floor < from_floor
                || (to_floor == from_floor && (dev || SIDEWAYS.contains(&(from, to))))
        }
        _ => false,
    }
}

/// Libraries that one room keeps to itself.
pub(super) fn owners(tree: &Tree) -> Vec<Problem> {
    let mut found = Vec::new();
    for package in tree.packages.iter().filter(|package| !is_free(package)) {
        let name = room(&package.name).unwrap_or(&package.name);
        for dependency in package.dependencies.iter().filter(|dependency| !dependency.dev) {
            let library = dependency.name.as_str();
            let owners = OWNERS.iter().find(|(owned, _)| *owned == library);
            if let Some((_, owners)) = owners
                && !owners.iter().any(|owner| matches(owner, name))
            {
                let what = format!("`{name}` uses `{library}`; only {} may", owners.join(", "));
                found.push(problem(package, what));
            }
            if SYNCHRONOUS.contains(&name)
                && ASYNCHRONOUS.iter().any(|pattern| matches(pattern, library))
            {
                let what = format!("`{name}` uses `{library}`; it is pure and waits for nothing");
                found.push(problem(package, what));
            }
        }
    }
    found
}

fn is_free(package: &Package) -> bool {
    FREE.contains(&package.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::{directions, owners};
    use crate::tidy::Problem;
    use crate::tree::{Dependency, Package, Tree};

    /// What a rule says of one package; dependencies that begin with `dev ` are for tests.
    fn says(rule: fn(&Tree) -> Vec<Problem>, name: &str, uses: &[&str]) -> usize {
        let folder = format!("crates/{}", name.strip_prefix("postroom-").unwrap_or(name));
        let dependencies = uses
            .iter()
            .map(|used| match used.strip_prefix("dev ") {
                Some(name) => Dependency { name: name.to_owned(), dev: true },
                None => Dependency { name: (*used).to_owned(), dev: false },
            })
            .collect();
        let package = Package { name: name.to_owned(), folder, dependencies };
        rule(&Tree { packages: vec![package], ..Tree::default() }).len()
    }

    #[test]
    fn arrow_runs_only_downwards() {
        for (from, to, wrong) in [
            ("postroom-model", "postroom-bus", 1),
            ("postroom-bus", "postroom-model", 0),
            ("postroom-bus", "postroom-records", 1),
            ("postroom-bus", "dev postroom-records", 0),
            ("postroom-bus", "dev postroom-embedded", 1),
            ("postroom-gateway", "postroom-router", 1),
            ("postroom-router", "postroom", 1),
            ("postroom", "postroom-router", 0),
            ("postroom-channel-imap", "postroom-channel-email", 0),
            ("postroom-channel-email", "postroom-channel-imap", 1),
            ("postroom-tests", "postroom-embedded", 0),
            ("postroom-attic", "postroom-model", 1),
            ("postroom-bus-nats", "dev postroom-testkit", 0),
            ("postroom-bus-nats", "postroom-testkit", 1),
        ] {
            assert_eq!(says(directions, from, &[to]), wrong, "{from} -> {to}");
        }
    }

    #[test]
    fn library_is_used_only_by_its_owner() {
        for (from, library, wrong) in [
            ("postroom-embedded", "rusqlite", 0),
            ("postroom-gateway", "rusqlite", 1),
            ("postroom-gateway", "dev rusqlite", 0),
            ("postroom-gateway", "axum", 0),
            ("postroom-router", "axum", 1),
            ("postroom-channel-webhook", "reqwest", 0),
            ("postroom-channel", "reqwest", 0),
            ("postroom-delivery", "reqwest", 1),
            ("postroom-routing", "cel", 0),
            ("postroom-routing", "tokio", 1),
            ("postroom-model", "async-trait", 1),
            ("postroom-model", "futures-util", 1),
            ("postroom-bus", "tokio", 0),
            ("xtask", "anyhow", 0),
        ] {
            assert_eq!(says(owners, from, &[library]), wrong, "{from} -> {library}");
        }
    }
}
