//! The tree as the rules see it: text files, all paths, and the packages with their dependencies.
//! The only part that reads files for `tidy`; the rules themselves are functions of what it gives.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::source::Source;

/// Folders at the root that hold nothing of ours.
const SKIPPED: &[&str] = &[".git", "target", "data"];

/// Endings of files that are read; others only count as paths.
const TEXT: &[&str] =
    &["rs", "md", "toml", "json", "yml", "yaml", "sh", "service", "html", "css", "js", "sql"];

/// Files without an ending that are read.
const TEXT_NAMES: &[&str] = &["Makefile", "Cargo.lock", "run", "tools"];

#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub files: Vec<File>,
    /// Every file and folder, from the root, with `/`.
    pub paths: BTreeSet<String>,
    pub packages: Vec<Package>,
}

/// A file that is text.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub path: String,
    pub text: String,
    /// Only of Rust files.
    pub source: Option<Source>,
}

impl File {
    pub(crate) fn new(path: &str, text: String) -> Self {
        let source = (ending_of(path) == Some("rs")).then(|| Source::new(&text));
        Self { path: path.to_owned(), text, source }
    }

    /// Whether the file is recorded or made elsewhere, so that its form is not ours.
    pub(crate) fn is_fixture(&self) -> bool {
        ["fixtures", "snapshots", "vendor"]
            .iter()
            .any(|folder| self.path.split('/').any(|part| part == *folder))
    }

    /// Whether the whole file is tests, or a suite that tests call.
    pub(crate) fn is_test(&self) -> bool {
        let stem = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
        self.path.split('/').any(|part| {
            ["tests", "testing", "conformance", "contract"].contains(&stem(part).as_str())
        })
    }
}

/// A package of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub name: String,
    /// Its folder, from the root.
    pub folder: String,
    pub dependencies: Vec<Dependency>,
}

#[derive(Debug)]
pub(crate) struct Dependency {
    pub name: String,
    /// Only for tests.
    pub dev: bool,
}

impl Tree {
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut tree = Self { packages: packages(root)?, ..Self::default() };
        tree.walk(root, "")?;
        Ok(tree)
    }

    fn walk(&mut self, root: &Path, folder: &str) -> anyhow::Result<()> {
        let path = root.join(folder);
        let mut names = Vec::new();
        for entry in path.read_dir().with_context(|| format!("reading {}", path.display()))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        for name in names {
            if folder.is_empty() && SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let inner = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if root.join(&inner).is_dir() {
                self.walk(root, &inner)?;
            } else if is_text(&inner) {
                let bytes = std::fs::read(root.join(&inner)).with_context(|| inner.clone())?;
                self.add_text(&inner, String::from_utf8_lossy(&bytes).into_owned());
            }
            self.paths.insert(inner);
        }
        Ok(())
    }

    /// Adds a file with its text and the folders that it lies in.
    pub(crate) fn add_text(&mut self, path: &str, text: String) {
        let folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        self.paths.extend(folders.map(str::to_owned));
        self.paths.insert(path.to_owned());
        self.files.push(File::new(path, text));
    }

    /// Files whose path ends so.
    pub(crate) fn ending(&self, ending: &str) -> impl Iterator<Item = &File> {
        self.files.iter().filter(move |file| file.path.ends_with(ending))
    }

    /// Rust files with their code.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }
}

fn is_text(path: &str) -> bool {
    TEXT_NAMES.contains(&name_of(path)) || ending_of(path).is_some_and(|it| TEXT.contains(&it))
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn ending_of(path: &str) -> Option<&str> {
    name_of(path).rsplit_once('.').map(|(_, ending)| ending)
}

/// The cargo that runs this. Another one, though the same version, could build everything anew.
pub(crate) fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// What cargo says of the workspace, without asking the network.
pub(crate) fn metadata(root: &Path) -> anyhow::Result<Value> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("reading cargo metadata")
}

fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let metadata = metadata(root)?;
    let list = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    list.iter().map(|package| read_package(root, package)).collect()
}

fn read_package(root: &Path, package: &Value) -> anyhow::Result<Package> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("not a text");
    let manifest = text(&package["manifest_path"])?;
    let folder = Path::new(&manifest).parent().context("a manifest without a folder")?;
    let folder = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned();
    let listed = package["dependencies"].as_array().context("no list of dependencies")?;
    let dependencies = listed
        .iter()
        .map(|dependency| {
            let dev = dependency["kind"] == "dev";
            Ok(Dependency { name: text(&dependency["name"])?, dev })
        })
        .collect::<anyhow::Result<_>>()?;
    Ok(Package { name: text(&package["name"])?, folder, dependencies })
}

#[cfg(test)]
mod tests {
    use super::{File, Tree};

    #[test]
    fn tree_is_read_with_its_text_and_its_paths() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("Cargo.toml", "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2024\"\n"),
            ("src/lib.rs", "//! A.\nfn a() {}\n"),
            ("target/x.rs", "left out"),
            ("docs/picture.png", "not text"),
        ] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        // The temporary folder can be reached by a link, and cargo names what it leads to.
        let tree = Tree::read(&root.path().canonicalize().unwrap()).unwrap();
        let files: Vec<&str> = tree.ending("").map(|file| file.path.as_str()).collect();
        assert_eq!(files, ["Cargo.toml", "src/lib.rs"]);
        assert!(tree.paths.contains("docs/picture.png") && tree.paths.contains("src"));
        assert_eq!(tree.packages[0].name, "a");
        assert_eq!(tree.packages[0].folder, "");
    }

    #[test]
    fn tests_and_fixtures_are_told_by_their_path() {
        let file = |path: &str| File::new(path, String::new());
        for path in ["tests/src/lib.rs", "crates/bus/src/conformance.rs", "crates/a/src/x/tests.rs"]
        {
            assert!(file(path).is_test(), "{path}");
        }
        assert!(!file("crates/xtask/src/tidy/text.rs").is_test());
        assert!(file("crates/a/tests/fixtures/b.json").is_fixture());
    }
}
