//! What the loader promises, tried on real files in folders of their own.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod layers;
mod mistakes;
mod secrets;
mod shipped;

use std::collections::BTreeMap;

use postroom_config::{Config, Diagnostics, Loader};

/// Ends a file that needs nothing more of its queues.
const QUEUES: &str = "\n[[queues]]\nid = \"support\"\n[[queues]]\nid = \"billing\"\n";

/// A folder with a configuration file, and the variables beside it.
struct Desk {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Desk {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("postroom.toml"), text).unwrap();
        Self { folder, environment: BTreeMap::new() }
    }

    /// With two queues, `support` and `billing`, behind the text.
    fn with_queues(text: &str) -> Self {
        Self::new(&format!("{text}{QUEUES}"))
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(self, name: &str, content: &str) -> Self {
        std::fs::write(self.folder.path().join(name), content).unwrap();
        self
    }

    fn loader(&self) -> Loader {
        Loader {
            path: Some(self.folder.path().join("postroom.toml")),
            data_dir: None,
            environment: self.environment.clone(),
        }
    }

    fn load(&self) -> Result<Config, Diagnostics> {
        self.loader().load()
    }

    /// Rendered without colour, with the folder left out.
    fn render(&self, diagnostics: &Diagnostics) -> String {
        let folder = format!("{}/", self.folder.path().display());
        diagnostics.render(false).replace(&folder, "")
    }
}
