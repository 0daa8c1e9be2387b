//! Lays the layers over each other: defaults, the file, the variables. It only merges; what the
//! values mean is read later.

use std::fmt;

use config::{ConfigBuilder, ConfigError, Map, Source, Value, ValueKind, builder::DefaultState};
use serde_json::Value as Json;

use crate::environment::Override;
use crate::schema;

/// The merged settings.
pub(crate) fn merge(
    file: Map<String, Value>,
    overrides: Vec<Override>,
) -> Result<serde_json::Map<String, Json>, ConfigError> {
    let mut builder: ConfigBuilder<DefaultState> = config::Config::builder();
    for (path, value) in schema::defaults() {
        builder = builder.set_default(path, plain(&value))?;
    }
    let overrides = overrides.into_iter().map(|one| (one.path, one.value)).collect();
    let merged = builder.add_source(Layer(file)).add_source(Layer(overrides)).build()?;
    merged.try_deserialize()
}

/// A value of the defaults; those are texts, numbers and empty lists.
fn plain(value: &Json) -> ValueKind {
    match value {
        Json::String(text) => ValueKind::String(text.clone()),
        Json::Number(number) => number.as_i64().map_or(ValueKind::Nil, ValueKind::I64),
        _ => ValueKind::Array(Vec::new()),
    }
}

/// Values by path.
#[derive(Clone)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Layer of {} settings", self.0.len())
    }
}
