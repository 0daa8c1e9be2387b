//! Generated files: what the program says about itself, kept in the tree so that a change of it is
//! seen in review.
//!
//! The program names them (`postroom generate list` prints lines `path<TAB>name`) and makes them
//! (`postroom generate NAME`); this only writes or compares.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::tree;

/// A folder in which every file is generated.
const OWNED: &str = "docs/schema";

#[derive(Debug, PartialEq, Eq)]
struct Generated {
    path: String,
    content: Vec<u8>,
}

/// Writes what has changed, removes what is no longer made, and gives the paths.
pub(crate) fn write(root: &Path) -> anyhow::Result<Vec<String>> {
    let all = generate(root)?;
    let mut touched = Vec::new();
    for path in leftovers(root, &all)? {
        std::fs::remove_file(root.join(&path)).with_context(|| path.clone())?;
        touched.push(path);
    }
    for Generated { path, content } in all {
        let file = root.join(&path);
        if std::fs::read(&file).is_ok_and(|found| found == content) {
            continue;
        }
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).with_context(|| path.clone())?;
        }
        std::fs::write(&file, content).with_context(|| path.clone())?;
        touched.push(path);
    }
    Ok(touched)
}

/// Says of each file that is not what it would be now.
pub(crate) fn stale(root: &Path) -> anyhow::Result<Vec<String>> {
    let all = generate(root)?;
    let mut problems: Vec<String> = leftovers(root, &all)?
        .into_iter()
        .map(|path| format!("{path}: nothing generates it"))
        .collect();
    for Generated { path, content } in all {
        match std::fs::read(root.join(&path)) {
            Ok(found) if found == content => {}
            Ok(found) => {
                let line = first_difference(&found, &content);
                problems.push(format!("{path}:{line}: differs from what the program says"));
            }
            Err(_) => problems.push(format!("{path}: missing")),
        }
    }
    Ok(problems)
}

fn generate(root: &Path) -> anyhow::Result<Vec<Generated>> {
    let built = Command::new(tree::cargo())
        // Everything, as the tests do: alone, the program would be built with other features of its
        // dependencies, and then a second time for the tests.
        .args(["build", "-q", "--workspace", "--all-targets"])
        .current_dir(root)
        .status()
        .context("running cargo build")?;
    if !built.success() {
        bail!("the program does not build");
    }
    let metadata = tree::metadata(root)?;
    let target = metadata["target_directory"].as_str().context("no target directory")?;
    let program = Path::new(target).join("debug").join("postroom");
    let list = String::from_utf8(ask(root, &program, "list")?).context("the list is not UTF-8")?;
    parse_list(&list)?
        .into_iter()
        .map(|(path, name)| Ok(Generated { path, content: ask(root, &program, &name)? }))
        .collect()
}

fn ask(root: &Path, program: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    // One argument for each word, since a name can have a part: `schema envelope`.
    let output = Command::new(program)
        .arg("generate")
        .args(name.split_whitespace())
        .current_dir(root)
        .output()
        .with_context(|| format!("running {} generate {name}", program.display()))?;
    if !output.status.success() {
        bail!("`postroom generate {name}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// Paths and names; a path must stay in the tree.
fn parse_list(list: &str) -> anyhow::Result<Vec<(String, String)>> {
    list.lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (path, name) =
                line.split_once('\t').with_context(|| format!("not path<TAB>name: {line:?}"))?;
            if !path.starts_with("docs/") || path.split('/').any(|part| part == "..") {
                bail!("a generated file must lie in docs/: {path:?}");
            }
            Ok((path.to_owned(), name.to_owned()))
        })
        .collect()
}

fn leftovers(root: &Path, all: &[Generated]) -> anyhow::Result<Vec<String>> {
    let folder = root.join(OWNED);
    let mut found = Vec::new();
    if folder.is_dir() {
        for entry in folder.read_dir().context(OWNED)? {
            let path = format!("{OWNED}/{}", entry?.file_name().to_string_lossy());
            if !all.iter().any(|generated| generated.path == path) {
                found.push(path);
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The line, counted from 1, at which two texts part.
fn first_difference(left: &[u8], right: &[u8]) -> usize {
    let same = left.iter().zip(right).take_while(|(left, right)| left == right);
    1 + same.filter(|(byte, _)| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::{Generated, first_difference, leftovers, parse_list};

    #[test]
    fn list_names_paths_in_docs_only() {
        let list = "docs/openapi.json\topenapi\ndocs/schema/input.json\tschema input\n";
        assert_eq!(parse_list(list).unwrap()[1].1, "schema input");
        for bad in ["docs/openapi.json openapi", "Cargo.toml\tx", "docs/../x\tx"] {
            assert!(parse_list(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn difference_is_named_by_its_line() {
        assert_eq!(first_difference(b"a\nb\nc", b"a\nb\nd"), 3);
        assert_eq!(first_difference(b"a\n", b"a\nb"), 2);
        assert_eq!(first_difference(b"", b"b"), 1);
    }

    #[test]
    fn schema_that_nothing_generates_is_found() {
        let root = tempfile::tempdir().unwrap();
        assert!(leftovers(root.path(), &[]).unwrap().is_empty());
        std::fs::create_dir_all(root.path().join("docs/schema")).unwrap();
        for name in ["old.json", "input.json"] {
            std::fs::write(root.path().join("docs/schema").join(name), "{}").unwrap();
        }
        let made = Generated { path: "docs/schema/input.json".to_owned(), content: Vec::new() };
        assert_eq!(leftovers(root.path(), &[made]).unwrap(), ["docs/schema/old.json"]);
    }
}
