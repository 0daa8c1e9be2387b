//! Reads `[contacts]`: what is done with contacts by itself.

use postroom_model::{Address, ContactSettings};
use serde_json::{Map, Value};

use crate::reader::{Reader, Table};
use crate::routes::Seen;
use crate::schema::keys_of;

pub(crate) fn contacts(reader: &mut Reader<'_>, root: &Map<String, Value>) -> ContactSettings {
    let table = reader.section(root, "contacts");
    reader.only(&table, keys_of("contacts"));
    ContactSettings { merge_by: merge_by(reader, &table) }
}

/// Schemes of addresses.
fn merge_by(reader: &mut Reader<'_>, table: &Table) -> Vec<String> {
    let mut seen = Seen::default();
    let mut schemes = Vec::new();
    for (path, text) in reader.texts(table, "merge_by") {
        seen.once(reader, &path, &text, "kind of address");
        if Address::new(&text, "name").is_ok() {
            schemes.push(text);
        } else {
            let help = "the part before the colon, such as `mailto`, `tel` or `telegram`";
            reader.mistake(&path, "this is no kind of address", Some(help.to_owned()));
        }
    }
    schemes
}
