//! Cargo files: versions, licences and lints stand once, at the root, and crates come only from the
//! public registry.

use super::Problem;
use crate::tree::{File, Tree};

/// What every package takes from the root.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// The only place, besides this tree, that crates come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Packages take their versions, dependencies and lints from the root.
pub(super) fn inheritance(tree: &Tree) -> Vec<Problem> {
    let members =
        tree.ending("Cargo.toml").filter(|file| file.path != "Cargo.toml" && !file.is_fixture());
    members.flat_map(of_member).collect()
}

fn of_member(file: &File) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut section = "";
    let mut lints = false;
    let mut package = Vec::new();
    for (line, text) in file.text.lines().map(str::trim).enumerate() {
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            continue;
        }
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match section {
            "package" => package.push(text),
            "lints" => lints |= text == "workspace = true",
            section if section.ends_with("dependencies") && !text.contains("workspace = true") => {
                let what = "name the version in [workspace.dependencies] and write \
                            `workspace = true` here";
                found.push(Problem::new(&file.path, line + 1, what));
            }
            _ => {}
        }
    }
    for key in INHERITED {
        let wanted = format!("{key}.workspace = true");
        if !package.contains(&wanted.as_str()) {
            found.push(Problem::new(&file.path, 0, format!("write `{wanted}` in [package]")));
        }
    }
    if !package.iter().any(|line| line.starts_with("description")) {
        found.push(Problem::new(&file.path, 0, "say in `description` what the crate is for"));
    }
    if !lints {
        found.push(Problem::new(&file.path, 0, "write `[lints]` with `workspace = true`"));
    }
    found
}

/// The lock file names no other registry.
pub(super) fn registries(tree: &Tree) -> Vec<Problem> {
    let lock = tree.files.iter().filter(|file| file.path == "Cargo.lock");
    lock.flat_map(|file| {
        file.text.lines().enumerate().filter_map(|(line, text)| {
            let source = text.strip_prefix("source = ")?.trim_matches('"');
            let what = format!("`{source}` is not the public registry; take the crate from there");
            (source != REGISTRY).then(|| Problem::new(&file.path, line + 1, what))
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{inheritance, registries};
    use crate::tidy::check;

    const GOOD: &str = "[package]\nname = \"a\"\ndescription = \"A.\"\nversion.workspace = true\n\
        edition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
        publish.workspace = true\n\n[lints]\nworkspace = true\n\n[dependencies]\n\
        serde.workspace = true\ntokio = { workspace = true, features = [\"net\"] }\n";

    #[test]
    fn member_takes_everything_from_the_root() {
        let member = "crates/a/Cargo.toml";
        assert!(check(inheritance, &[(member, GOOD), ("Cargo.toml", "[workspace]")]).is_empty());
        let pinned = GOOD.replace("serde.workspace = true", "serde = \"1\"");
        let said = check(inheritance, &[(member, &pinned)]);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("crates/a/Cargo.toml:14: "), "{said:?}");
        for missing in ["edition.workspace = true", "description = \"A.\"", "[lints]"] {
            let without = GOOD.replace(missing, "");
            assert!(!check(inheritance, &[(member, &without)]).is_empty(), "{missing}");
        }
    }

    #[test]
    fn lock_file_names_only_the_public_registry() {
        let good = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        assert!(check(registries, &[("Cargo.lock", good)]).is_empty());
        let other = "name = \"a\"\nsource = \"sparse+https://mirror.example/\"\n";
        assert_eq!(check(registries, &[("Cargo.lock", other)]).len(), 1);
    }
}
