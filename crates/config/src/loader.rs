//! Finds the file, reads it with its overrides and secret files, and answers with a whole
//! configuration or with every mistake in it, also those that other rooms find.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Map, Value};
use postroom_model::{AgentSettings, Random, Rule};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::draft::Draft;
use crate::environment::overrides;
use crate::layers::merge;
use crate::names::suggestion;
use crate::reader::Reader;
use crate::schema::top_level;
use crate::secret_files::SecretFiles;
use crate::source::{Part, Source};
use crate::toml_text::Parsed;
use crate::{
    Config, ConfigError, Environment, answers, calendars, contacts, engines, ladders, routes,
    sections, timing, work,
};

/// Where the file is looked for first.
const DEFAULT_PATH: &str = "config/postroom.toml";
/// Bytes in a configuration file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What the command line and the environment say about the configuration.
#[derive(Clone, Default)]
pub struct Loader {
    /// `--config`. Otherwise `config/postroom.toml`, then `postroom/postroom.toml` in
    /// `$XDG_CONFIG_HOME` or `~/.config`.
    pub path: Option<PathBuf>,
    /// `--data`; wins over `server.data_dir`.
    pub data_dir: Option<PathBuf>,
    /// As of [`Environment::process`].
    pub environment: BTreeMap<String, String>,
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("path", &self.path)
            .field("data_dir", &self.data_dir)
            // Values may be secrets.
            .field("environment", &self.environment.keys())
            .finish()
    }
}

impl Loader {
    /// With the environment of the process.
    pub fn new(path: Option<PathBuf>, data_dir: Option<PathBuf>) -> Self {
        Self { path, data_dir, environment: Environment::process() }
    }

    /// The configuration, or every mistake in it. Reads files; for a blocking thread or the start.
    pub fn load(&self) -> Result<Config, Diagnostics> {
        self.read(None)?.finish(Vec::new())
    }

    /// What can be read of the configuration, with its mistakes, so that other rooms can add
    /// theirs and all are reported at once. With `random` as for [`Self::preview`]. An error is
    /// what leaves nothing to be looked at: no file, or one that is no TOML.
    pub fn draft(&self, random: Option<&dyn Random>) -> Result<Draft, Diagnostics> {
        self.read(random)
    }

    /// As [`Self::load`], for commands beside `serve`: where a secret file is missing that `serve`
    /// makes, a note says so and a throwaway secret stands in its place.
    pub fn preview(&self, random: &dyn Random) -> Result<Config, Diagnostics> {
        self.read(Some(random))?.finish(Vec::new())
    }

    /// Makes the secret files that are missing and may be made (`secret_file_create = true`),
    /// readable by their owner only. For `serve`, before it loads. Makes nothing if the
    /// configuration has mistakes. Answers with the files that it made.
    pub fn create_missing_secrets(&self, random: &dyn Random) -> Result<Vec<PathBuf>, Diagnostics> {
        let config = self.preview(random)?;
        let mut made = Vec::new();
        for path in &config.creatable {
            match crate::secret_files::create(path, random) {
                Ok(true) => made.push(path.clone()),
                Ok(false) => {}
                Err(error) => {
                    let message = format!("the secret cannot be written: {error}");
                    let help = "make the folder writable, or make the file yourself".to_owned();
                    let file = path.display().to_string();
                    let item = Diagnostic::unplaced(&file, message, Some(help));
                    return Err(Diagnostics::single(ConfigError::SecretUnwritable, item));
                }
            }
        }
        Ok(made)
    }

    /// The file that is taken.
    pub fn find(&self) -> Result<PathBuf, Diagnostics> {
        let candidates = match &self.path {
            Some(path) => vec![path.clone()],
            None => self.default_paths(),
        };
        // What is there but cannot be read must be reported, not passed over.
        let found = candidates.iter().find(|path| !is_missing(path));
        found.cloned().ok_or_else(|| missing(&candidates))
    }

    fn default_paths(&self) -> Vec<PathBuf> {
        let variable = |name: &str| {
            self.environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from)
        };
        let home = || variable("HOME").map(|home| home.join(".config"));
        let mut paths = vec![PathBuf::from(DEFAULT_PATH)];
        let user = variable("XDG_CONFIG_HOME").or_else(home);
        paths.extend(user.map(|folder| folder.join("postroom").join("postroom.toml")));
        paths
    }

    fn read(&self, preview: Option<&dyn Random>) -> Result<Draft, Diagnostics> {
        let path = self.find()?;
        let text = read_text(&path).map_err(|error| unreadable(&path, &error))?;
        let parsed = Parsed::new(&text);
        let mut source = Source::new(&path, text, &parsed);
        let mut mistakes: Vec<Diagnostic> = parsed
            .errors
            .iter()
            .map(|(span, message)| source.at(span.clone(), "", message.clone(), None))
            .collect();
        if !parsed.is_sound() {
            return Err(Diagnostics::new(&source, mistakes));
        }
        let mut file = parsed.values;
        mistakes.extend(unknown_sections(&mut file, &source));
        let (given, unknown) = overrides(&self.environment, &file, &source);
        mistakes.extend(unknown);
        let variables = given.iter().map(|one| (one.path.clone(), one.variable.clone()));
        source.set_overrides(variables.collect());
        let merged = merge(file, given).map_err(|error| {
            let item = source.at(0..0, "", format!("the layers do not fit: {error}"), None);
            Diagnostics::new(&source, vec![item])
        })?;
        Ok(self.build(Arc::new(source), &merged, mistakes, preview))
    }

    fn build(
        &self,
        source: Arc<Source>,
        root: &serde_json::Map<String, serde_json::Value>,
        mistakes: Vec<Diagnostic>,
        preview: Option<&dyn Random>,
    ) -> Draft {
        let mut reader = Reader::new(&source, mistakes);
        let workspace = sections::workspace(&mut reader, root);
        let server = sections::server(&mut reader, root, self.data_dir.as_deref());
        let mut files = SecretFiles {
            folder: source.folder().to_owned(),
            data_dir: server.data_dir.clone(),
            preview,
            read: Vec::new(),
            creatable: Vec::new(),
        };
        let bus = engines::bus(&mut reader, &mut files, root);
        let records = engines::records(&mut reader, &mut files, root);
        let blobs = sections::blobs(&mut reader, &mut files, root, &server.data_dir);
        let outgoing = sections::outgoing(&mut reader, root);
        let costs = sections::costs(&mut reader, root);
        let calendars = calendars::calendars(&mut reader, root);
        let (queues, queue_names) = routes::queues(&mut reader, root);
        let channels = routes::channels(&mut reader, &mut files, root, &queue_names);
        let policies = timing::policies(&mut reader, root, &calendars);
        let rules = routes::rules(&mut reader, root, &queue_names, &policies);
        let agents = routes::agents(&mut reader, root, &queue_names);
        work::skills(&mut reader, &rules, &agents);
        let desk = work::desk(&mut reader, root);
        let contacts = contacts::contacts(&mut reader, root);
        let answers = answers::answers(&mut reader, root, (&calendars, &queue_names));
        let skills = skills_of(&rules, &agents);
        let known = ladders::Known {
            queues: &queue_names,
            agents: &agents,
            skills: &skills,
            calendars: &calendars,
        };
        let timing = timing::timing(&mut reader, root, policies, &known);
        let Reader { mistakes, notes, .. } = reader;
        let SecretFiles { read: secret_files, creatable, .. } = files;
        let config = Config {
            workspace,
            server,
            bus,
            records,
            blobs,
            outgoing,
            channels,
            queues,
            rules,
            agents,
            costs,
            calendars,
            desk,
            contacts,
            timing,
            answers,
            source,
            notes,
            secret_files,
            creatable,
        };
        Draft { config, mistakes }
    }
}

/// Every skill that a rule asks for or an agent has.
fn skills_of(rules: &[Rule], agents: &[AgentSettings]) -> Vec<String> {
    let asked = rules.iter().flat_map(|rule| rule.skills.keys());
    let had = agents.iter().flat_map(|agent| agent.skills.keys());
    let all: BTreeSet<&String> = asked.chain(had).collect();
    all.into_iter().cloned().collect()
}

/// Takes what is at the top of the file and known nowhere out of it, with a mistake for each.
fn unknown_sections(file: &mut Map<String, Value>, source: &Source) -> Vec<Diagnostic> {
    let names: Vec<String> = top_level().map(str::to_owned).collect();
    let unknown: Vec<String> = file.keys().filter(|key| !names.contains(*key)).cloned().collect();
    let mistakes = unknown.iter().map(|key| {
        let what = match file.get(key).map(|value| &value.kind) {
            Some(config::ValueKind::Table(_) | config::ValueKind::Array(_)) => "unknown section",
            _ => "unknown key",
        };
        let complaint = (what.to_owned(), suggestion(key, "known", &names));
        let path = crate::toml_text::join("", key);
        source.diagnose(&path, Part::Key, complaint, None)
    });
    let mistakes = mistakes.collect();
    for key in unknown {
        file.remove(&key);
    }
    mistakes
}

fn is_missing(path: &Path) -> bool {
    let metadata = std::fs::metadata(path);
    metadata.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(content).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        io::Error::other(format!("it is not UTF-8 at byte {at}"))
    })
}

fn missing(looked: &[PathBuf]) -> Diagnostics {
    let places: Vec<String> = looked.iter().map(|path| path.display().to_string()).collect();
    let message = format!("there is no configuration file; looked for {}", places.join(", "));
    let help = "copy config/postroom.toml, or name a file with --config PATH".to_owned();
    let file = places.first().map_or("", String::as_str);
    Diagnostics::single(ConfigError::Missing, Diagnostic::unplaced(file, message, Some(help)))
}

fn unreadable(path: &Path, error: &io::Error) -> Diagnostics {
    let file = path.display().to_string();
    let message = format!("{file} cannot be read: {error}");
    Diagnostics::single(ConfigError::Unreadable, Diagnostic::unplaced(&file, message, None))
}
