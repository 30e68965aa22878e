//! The peers' addresses, which Greenlight's node puts into the signer's state
//! when a peer connects. Here a plugin of lightningd writes them to a file.
use anyhow::Result;
use gl_client::persist::{PeerEntry, State};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

/// What was taken from the file before.
pub struct Book {
    path: Option<PathBuf>,
    seen: Mutex<BTreeMap<String, Value>>,
}

impl Book {
    /// Entries of the file that the stored state has already are not new.
    pub fn new(path: Option<PathBuf>, state: &State) -> Result<Book> {
        let book = Book { path, seen: Mutex::default() };
        let stored = serde_json::to_value(state)?;
        let known = |id: &str| stored["values"][format!("peers/{id}")][1]["addr"].as_str().map(String::from);
        let old = book.read().into_iter().filter(|(id, v)| known(id).as_deref() == Some(address(v))).collect();
        *book.seen.lock().unwrap() = old;
        Ok(book)
    }

    fn read(&self) -> BTreeMap<String, Value> {
        let Some(path) = &self.path else { return BTreeMap::new() };
        let Ok(raw) = std::fs::read(path) else { return BTreeMap::new() };
        serde_json::from_slice(&raw).unwrap_or_else(|e| {
            log::warn!("peers file: {e}");
            BTreeMap::new()
        })
    }

    /// Puts what is new in the file into the state; true if anything was.
    pub fn merge_into(&self, state: &mut State) -> bool {
        let mut seen = self.seen.lock().unwrap();
        let mut changed = false;
        for (id, value) in self.read() {
            if seen.get(&id) == Some(&value) {
                continue;
            }
            let text = |field: &str, default: &str| value[field].as_str().unwrap_or(default).to_string();
            let entry = PeerEntry {
                peer_id: id.clone(),
                addr: address(&value).to_string(),
                direction: text("direction", "out"),
                features: text("features", ""),
            };
            if let Err(e) = state.insert_or_update_peer(entry) {
                log::warn!("peer {id}: {e:?}");
                continue;
            }
            changed = true;
            seen.insert(id, value);
        }
        changed
    }
}

/// A value is an address, or an object with one.
fn address(value: &Value) -> &str {
    value.as_str().or_else(|| value["addr"].as_str()).unwrap_or("")
}
