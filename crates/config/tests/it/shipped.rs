//! What is shipped beside the program agrees with it: the files in `config/`, and the
//! documentation.

use std::path::{Path, PathBuf};

use postroom_config::{ConfigError, Loader, sections};
use postroom_model::SeededRandom;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn toml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            toml_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn every_shipped_config_loads() {
    let mut files = Vec::new();
    toml_files(&root().join("config"), &mut files);
    assert!(files.len() >= 2, "{files:?}");
    for path in files {
        let data = tempfile::tempdir().unwrap();
        let loader = Loader {
            path: Some(path.clone()),
            data_dir: Some(data.path().to_owned()),
            ..Loader::default()
        };
        let random = SeededRandom::new(1);
        let result = loader.create_missing_secrets(&random).and_then(|_| loader.load());
        let config = result.unwrap_or_else(|mistakes| panic!("{}\n{mistakes}", path.display()));
        let secrets =
            config.channels.iter().filter(|channel| channel.options.contains_key("secret"));
        assert!(secrets.count() > 0, "{}", path.display());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("whsec_"), "{} ships a secret", path.display());
    }
}

/// Whatever is typed into the shipped file, the answer is a configuration or a list of mistakes
/// that can be shown.
#[test]
fn damaged_config_is_explained_and_never_panics() {
    let text = std::fs::read_to_string(root().join("config/postroom.toml")).unwrap();
    let pieces = ["[", "]", "\"", "'''", "=", "\n", "{", "}", ",", "\\u", "é", "9", "#", "\r\n"];
    let desk = crate::Desk::new("");
    let path = desk.folder.path().join("postroom.toml");
    let random = SeededRandom::new(7);
    let pick = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
    let mut refused = 0;
    for _ in 0..300 {
        let mut characters: Vec<char> = text.chars().collect();
        for _ in 0..=pick(3) {
            let at = pick(characters.len());
            let end = characters.len().min(at + pick(12));
            characters.splice(at..end, pieces[pick(pieces.len())].chars());
        }
        if random.chance(20) {
            characters.truncate(pick(characters.len()));
        }
        std::fs::write(&path, characters.iter().collect::<String>()).unwrap();
        if let Err(mistakes) = desk.loader().preview(&random) {
            assert!(!mistakes.is_empty());
            assert!(mistakes.render(false).contains("postroom.toml"));
            refused += 1;
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn every_key_and_default_is_documented() {
    let text = std::fs::read_to_string(root().join("docs/config.md")).unwrap();
    for section in sections() {
        let heading = match section.name {
            "" => "## Top of the file\n".to_owned(),
            "channels" | "calendars" | "targets" | "queues" | "rules" | "agents" | "statuses"
            | "answers" => {
                format!("## [[{}]]\n", section.name)
            }
            name => format!("## [{name}]\n"),
        };
        let (_, body) = text.split_once(&heading).unwrap_or_else(|| panic!("{heading}"));
        let body = body.split("\n## ").next().unwrap();
        for key in section.keys {
            let row = body.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
            let row = row.unwrap_or_else(|| panic!("{key} in {heading}"));
            assert_eq!(row.matches(" | ").count(), 3, "{row}");
        }
        let known = |line: &&str| {
            let key = line.strip_prefix("| `").and_then(|rest| rest.split_once('`'));
            key.is_none_or(|(key, _)| section.keys.contains(&key))
        };
        let stray: Vec<_> = body.lines().filter(|line| !known(line)).collect();
        assert!(stray.is_empty(), "{stray:?}");
    }
}

#[test]
fn documented_defaults_are_the_real_ones() {
    let text = std::fs::read_to_string(root().join("docs/config.md")).unwrap();
    for (path, value) in postroom_config::defaults() {
        let key = path.rsplit('.').next().unwrap();
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(text.contains(&format!("| `{key}` | `{shown}` |")), "{path} {shown}");
    }
}

#[test]
fn every_code_has_its_page() {
    for error in [
        ConfigError::Missing,
        ConfigError::Unreadable,
        ConfigError::Invalid,
        ConfigError::SecretUnwritable,
    ] {
        let page = root().join("docs/errors").join(format!("{}.md", error.code()));
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(text.starts_with(&format!("# {}\n", error.code())));
        assert!(text.contains("What to do") && text.contains("retry"), "{}", page.display());
        assert!(!error.retryable());
    }
}
