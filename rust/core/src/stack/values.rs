//! JSON values by what they are.

use crate::json_schema::decimal::Decimal;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(Decimal),
    String(String),
    Array(Vec<u32>),
    /// Sorted by name.
    Object(Vec<(String, u32)>),
    /// What is too deep or too long to be compared otherwise.
    Text(Vec<u8>),
}

/// Values, hash-consed.
#[derive(Debug, Default)]
pub(super) struct Values {
    values: IndexSet<Value, FxBuildHasher>,
    bytes: usize,
}

impl Value {
    /// The one spelling of what has only one.
    pub(super) fn word(&self) -> &[u8] {
        match self {
            Self::Null => b"null",
            Self::Bool(true) => b"true",
            Self::Bool(false) => b"false",
            Self::Text(spelling) => spelling,
            Self::Number(_) | Self::String(_) | Self::Array(_) | Self::Object(_) => b"",
        }
    }
}

impl Values {
    /// The number of the value that a text spells.
    pub(super) fn read(&mut self, text: &[u8]) -> u32 {
        match serde_json::from_slice::<serde_json::Value>(text) {
            Ok(value) => self.add(&value),
            Err(_) => self.intern(Value::Text(text.to_vec())),
        }
    }

    fn intern(&mut self, value: Value) -> u32 {
        let (index, is_new) = self.values.insert_full(value);
        self.bytes += if is_new { 64 } else { 0 };
        index as u32
    }

    /// Recursion is bounded: `serde_json` refuses deep nesting.
    fn add(&mut self, value: &serde_json::Value) -> u32 {
        use serde_json::Value as Json;
        let value = match value {
            Json::Null => Value::Null,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(number) => {
                let text = number.to_string();
                Decimal::parse(&text).map_or_else(|| Value::Text(text.into_bytes()), Value::Number)
            }
            Json::String(text) => {
                self.bytes += text.len();
                Value::String(text.clone())
            }
            Json::Array(items) => Value::Array(items.iter().map(|item| self.add(item)).collect()),
            Json::Object(members) => {
                let mut members: Vec<(String, u32)> =
                    members.iter().map(|(name, member)| (name.clone(), self.add(member))).collect();
                members.sort();
                Value::Object(members)
            }
        };
        self.intern(value)
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.bytes
    }

    /// The number of a value, if it was ever read.
    pub(super) fn number_of(&self, value: &Value) -> Option<u32> {
        self.values.get_index_of(value).map(|index| index as u32)
    }

    pub(super) fn get(&self, number: u32) -> &Value {
        &self.values[number as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_are_not_how_they_are_spelled() {
        let mut values = Values::default();
        let mut same = |a: &str, b: &str| values.read(a.as_bytes()) == values.read(b.as_bytes());
        assert!(same("1", "1.0") && same("100", "1e2") && same("\"a\"", "\"\\u0061\""));
        assert!(same("{\"a\":1,\"b\":[ ]}", "{ \"b\" : [], \"a\": 1.0 }"));
        assert!(!same("1", "true") && !same("[1,2]", "[2,1]") && !same("0", "false") && !same("\"1\"", "1"));
    }
}
