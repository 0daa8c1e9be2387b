//! Secrets in files of their own: `secret_file = "path"` gives `secret`. Reads them, and makes
//! those that may be made. Never shows their content, and never writes over a file.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postroom_model::Random;
use postroom_model::digest::Digest;
use serde_json::{Map, Value};

use crate::reader::Reader;
use crate::redact::is_secret_key;
use crate::toml_text::join;

/// Bytes in a secret file.
const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Random bytes in a secret made here.
const SECRET_BYTES: usize = 32;
const FILE_ENDING: &str = "_file";
const CREATE_ENDING: &str = "_file_create";

/// How secret files are read.
pub(crate) struct SecretFiles<'r> {
    /// What relative paths start from: the folder of the configuration file.
    pub(crate) folder: PathBuf,
    /// What `{data_dir}` in a path stands for.
    pub(crate) data_dir: PathBuf,
    /// Makes a throwaway secret for a file that `serve` would make; without it, such a file is
    /// missing.
    pub(crate) preview: Option<&'r dyn Random>,
    /// The files that were read.
    pub(crate) read: Vec<(PathBuf, Digest)>,
    /// The files that `serve` would make.
    pub(crate) creatable: Vec<PathBuf>,
}

impl SecretFiles<'_> {
    /// Puts the content of each `X_file` of the table under `X`, at any depth. `also` are keys
    /// that may hold a secret without being named like one.
    pub(crate) fn resolve(
        &mut self,
        reader: &mut Reader<'_>,
        path: &str,
        table: &mut Map<String, Value>,
        also: &[&str],
    ) {
        for (key, value) in table.iter_mut() {
            if let Value::Object(inner) = value {
                self.resolve(reader, &join(path, key), inner, also);
            }
        }
        let stems: Vec<String> = table
            .keys()
            .filter_map(|key| key.strip_suffix(FILE_ENDING))
            .filter(|stem| is_secret_key(stem) || also.contains(stem))
            .map(str::to_owned)
            .collect();
        for stem in stems {
            self.resolve_one(reader, path, table, &stem);
        }
        drop_flags_without_file(reader, path, table);
    }

    fn resolve_one(
        &mut self,
        reader: &mut Reader<'_>,
        path: &str,
        table: &mut Map<String, Value>,
        stem: &str,
    ) {
        let file_key = format!("{stem}{FILE_ENDING}");
        let file_path = join(path, &file_key);
        let create = take_flag(reader, path, table, stem);
        let Some(value) = table.remove(&file_key) else {
            return;
        };
        if !file_counts(reader, path, table, stem) {
            return;
        }
        let Value::String(text) = value else {
            reader.wrong_type(&file_path, "the path of a file", &value, None);
            return;
        };
        if text.trim().is_empty() {
            reader.mistake(&file_path, "must not be empty", None);
            return;
        }
        let file = self.locate(&text);
        match read_secret(&file) {
            Ok(secret) => {
                self.read.push((file, secret.digest));
                table.insert(stem.to_owned(), secret.text.into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
                self.missing(reader, &file_path, file, (table, stem));
            }
            Err(error) => {
                let shown = file.display();
                let message = match error.kind() {
                    io::ErrorKind::NotFound => format!("there is no file {shown}"),
                    _ => format!("the file {shown} cannot be taken: {error}"),
                };
                reader.mistake(&file_path, message, None);
            }
        }
    }

    fn missing(
        &mut self,
        reader: &mut Reader<'_>,
        key: &str,
        file: PathBuf,
        (table, stem): (&mut Map<String, Value>, &str),
    ) {
        let shown = file.display();
        match self.preview {
            Some(random) => {
                reader.note(key, format!("`postroom serve` will make a secret in {shown}"));
                table.insert(stem.to_owned(), new_secret(random).into());
                self.creatable.push(file);
            }
            None => {
                let help = "`postroom serve` makes it on its next start".to_owned();
                reader.mistake(key, format!("there is no file {shown}"), Some(help));
            }
        }
    }

    pub(crate) fn locate(&self, text: &str) -> PathBuf {
        match text.strip_prefix("{data_dir}") {
            Some(rest) => self.data_dir.join(rest.trim_start_matches('/')),
            None => self.folder.join(text),
        }
    }
}

/// Whether the file is the one to take, where the secret itself stands beside it: the layer of the
/// variables wins over the file, two in one layer are a mistake.
fn file_counts(
    reader: &mut Reader<'_>,
    path: &str,
    table: &mut Map<String, Value>,
    stem: &str,
) -> bool {
    let plain = join(path, stem);
    let file = join(path, &format!("{stem}{FILE_ENDING}"));
    let source = reader.source;
    let by_variable = |key: &str| source.variable(key).is_some();
    let given = by_variable(&plain) || source.in_file(&plain);
    if !given || !table.contains_key(stem) {
        return true;
    }
    if by_variable(&plain) == by_variable(&file) {
        let message = format!("`{stem}` and `{stem}{FILE_ENDING}` are both given");
        reader.mistake(&file, message, Some("keep one of them".to_owned()));
        return false;
    }
    by_variable(&file)
}

/// Takes `X_file_create` out of the table.
fn take_flag(
    reader: &mut Reader<'_>,
    path: &str,
    table: &mut Map<String, Value>,
    stem: &str,
) -> bool {
    let key = format!("{stem}{CREATE_ENDING}");
    let path = join(path, &key);
    match table.remove(&key) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => flag,
        Some(Value::String(text)) if reader.source.variable(&path).is_some() => {
            let flag = text.trim().parse().ok();
            if flag.is_none() {
                reader.mistake(&path, "must be true or false", None);
            }
            flag.unwrap_or(false)
        }
        Some(other) => {
            reader.wrong_type(&path, "true or false", &other, None);
            false
        }
    }
}

fn drop_flags_without_file(reader: &mut Reader<'_>, path: &str, table: &mut Map<String, Value>) {
    let flags: Vec<String> = table
        .keys()
        .filter(|key| key.strip_suffix(CREATE_ENDING).is_some_and(is_secret_key))
        .cloned()
        .collect();
    for key in flags {
        table.remove(&key);
        let file = key.trim_end_matches("_create");
        let message = format!("there is no `{file}` beside it");
        reader.mistake(&join(path, &key), message, None);
    }
}

struct Secret {
    text: String,
    /// Of the whole content.
    digest: Digest,
}

/// The content without the line breaks at its end.
fn read_secret(path: &Path) -> io::Result<Secret> {
    let mut content = Vec::new();
    File::open(path)?.take(SECRET_BYTES_MAX + 1).read_to_end(&mut content)?;
    let digest = Digest::of(&content);
    if content.len() as u64 > SECRET_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {SECRET_BYTES_MAX} bytes")));
    }
    let text = String::from_utf8(content).map_err(|_| io::Error::other("it is not UTF-8"))?;
    let text = text.trim_end_matches(['\n', '\r']).to_owned();
    if text.trim().is_empty() {
        return Err(io::Error::other("it is empty"));
    }
    Ok(Secret { text, digest })
}

/// A secret in the form of Standard Webhooks: `whsec_` and 32 random bytes in base64.
fn new_secret(random: &dyn Random) -> String {
    let mut bytes = [0; SECRET_BYTES];
    random.fill(&mut bytes);
    format!("whsec_{}", BASE64_STANDARD.encode(bytes))
}

/// Makes a secret that only the owner of the file can read. It stands there whole or not at all. A
/// file that somebody else made in the meantime stays; the answer says whether this call made it.
pub(crate) fn create(path: &Path, random: &dyn Random) -> io::Result<bool> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Created with mode 0600, and not replaced by `persist_noclobber`.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    writeln!(file, "{}", new_secret(random))?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => {
            File::open(folder)?.sync_all()?;
            Ok(true)
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}
