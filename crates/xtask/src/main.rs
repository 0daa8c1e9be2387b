//! House rules and generated files: `cargo xtask tidy`, `cargo xtask codes`, `cargo xtask gen`.
//!
//! Only reads the tree, asks cargo about it and, for `gen`, writes what the program says about
//! itself. Nothing of it ends in the program.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool speaks there")]

mod gen_files;
mod source;
mod tidy;
mod tree;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::tree::Tree;

const USAGE: &str = "usage: cargo xtask <command>

  tidy          checks the house rules; says where each is broken and what to do
  codes         lists every public error code and where it stands in the source
  gen           writes the generated files
  gen --check   fails if a generated file is not what it would be now";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["tidy"] => check_tree(),
        ["codes"] => list_codes(),
        ["gen"] => write_generated(),
        ["gen", "--check"] => check_generated(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace, two above this crate's.
fn root() -> anyhow::Result<&'static Path> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).context("this crate is not in crates/xtask")
}

fn check_tree() -> anyhow::Result<bool> {
    let tree = Tree::read(root()?)?;
    for (path, lines) in tidy::long_files(&tree) {
        println!("note: {path} has {lines} lines without its tests; is it one subject?");
    }
    let problems = tidy::problems(&tree);
    for problem in &problems {
        println!("{problem}");
    }
    println!("tidy: {} files, {} problems", tree.files.len(), problems.len());
    Ok(problems.is_empty())
}

fn list_codes() -> anyhow::Result<bool> {
    for code in tidy::codes::all(&Tree::read(root()?)?) {
        println!("{:<32} {}:{}", code.text, code.path, code.line);
    }
    Ok(true)
}

fn write_generated() -> anyhow::Result<bool> {
    for path in gen_files::write(root()?)? {
        println!("wrote {path}");
    }
    Ok(true)
}

fn check_generated() -> anyhow::Result<bool> {
    let stale = gen_files::stale(root()?)?;
    for problem in &stale {
        println!("{problem}; run `cargo xtask gen`");
    }
    Ok(stale.is_empty())
}
