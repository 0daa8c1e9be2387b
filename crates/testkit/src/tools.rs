//! Finds the programs that tests start. `.ci/tools test` puts them into `tools` in cargo's target
//! folder.

use std::path::{Path, PathBuf};

/// The program: where the variable says, else what `.ci/tools` installed, else on the path. Panics
/// where there is none, for a test that starts nothing tests nothing.
pub fn find_tool(name: &str, variable: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        let named = PathBuf::from(named);
        assert!(named.is_file(), "{variable} names {}, which is no file", named.display());
        return named;
    }
    let installed = target().map(|target| target.join("tools").join(name));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    installed
        .into_iter()
        .chain(std::env::split_paths(&on_path).map(|folder| folder.join(name)))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("no {name}: run `.ci/tools test`, or name one with {variable}"))
}

/// Cargo's target folder: a test's own executable is `target/<profile>/deps/<test>`.
fn target() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors().nth(3).map(Path::to_owned)
}
