//! Grammars as JSON text.

use super::Grammar;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

const FORMAT: &str = "bytewright-grammar";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Saved<G> {
    format: String,
    version: u32,
    grammar: G,
}

impl Grammar {
    /// The grammar as JSON text.
    pub fn serialize_json(&self) -> String {
        let saved = Saved { format: FORMAT.into(), version: VERSION, grammar: self };
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Loads what [`Self::serialize_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Deserialize`] for other text, another version, or a grammar that breaks the invariants.
    pub fn deserialize_json(text: &str) -> Result<Self> {
        let fail = |reason: String| Error::Deserialize { what: "grammar", reason };
        let header: serde_json::Value = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        if header["format"] != FORMAT || header["version"] != VERSION {
            return Err(fail(format!(
                "expected {FORMAT} version {VERSION}; read the grammar from its source again"
            )));
        }
        let saved: Saved<Self> = serde_json::from_value(header).map_err(|e| fail(e.to_string()))?;
        saved.grammar.validate().map_err(|e| fail(e.to_string()))?;
        Ok(saved.grammar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::GrammarBuilder;

    #[test]
    fn what_is_saved_loads_the_same_and_nothing_else_loads() {
        let mut b = GrammarBuilder::new("");
        let root = b.declare("root");
        let a = b.literal("a");
        let body = b.repeat(a, 1, Some(3));
        b.define(root, body, None).unwrap();
        let grammar = b.build(root).unwrap();
        let text = grammar.serialize_json();
        assert_eq!(Grammar::deserialize_json(&text).unwrap(), grammar);
        let broken = [
            String::new(),
            "{}".into(),
            text.replace("\"version\":1", "\"version\":2"),
            text.replace("\"body\":1", "\"body\":9"),
            text.replace("\"min\":1", "\"min\":7"),
        ];
        for bad in broken {
            assert!(matches!(Grammar::deserialize_json(&bad), Err(Error::Deserialize { .. })), "{bad}");
        }
    }
}
