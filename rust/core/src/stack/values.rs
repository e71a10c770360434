//! JSON values by what they are, and whether a text may become one.

use crate::json_schema::decimal::Decimal;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
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

/// How a text compares with the spellings of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is one, so many bytes long; more may follow.
    Is(usize),
    /// It begins one.
    Begins,
    /// It begins none.
    Not,
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

    /// How a text compares with the spellings of a value. A text that only begins one may turn out not to.
    pub(super) fn fits(&self, value: u32, text: &[u8]) -> Fit {
        let literal = |word: &[u8]| {
            let common = word.len().min(text.len());
            match word[..common] == text[..common] {
                true if common == word.len() => Fit::Is(common),
                true => Fit::Begins,
                false => Fit::Not,
            }
        };
        match &self.values[value as usize] {
            Value::Null => literal(b"null"),
            Value::Bool(true) => literal(b"true"),
            Value::Bool(false) => literal(b"false"),
            Value::Text(spelling) => literal(spelling),
            Value::Number(number) => {
                let is_part = |b: &u8| b.is_ascii_digit() || b"+-.eE".contains(b);
                let length = text.iter().take_while(|b| is_part(b)).count();
                if length == text.len() {
                    return Fit::Begins;
                }
                let read = std::str::from_utf8(&text[..length]).ok().and_then(Decimal::parse);
                if read.as_ref() == Some(number) { Fit::Is(length) } else { Fit::Not }
            }
            Value::String(wanted) => fits_string(wanted, text),
            Value::Array(items) => self.fits_array(items, text),
            Value::Object(members) => self.fits_object(members, text),
        }
    }

    fn fits_array(&self, items: &[u32], text: &[u8]) -> Fit {
        let mut at = match text.first() {
            None => return Fit::Begins,
            Some(b'[') => 1,
            Some(_) => return Fit::Not,
        };
        for (index, &item) in items.iter().enumerate() {
            if index > 0 {
                match mark(text, &mut at, b',') {
                    Fit::Is(_) => {}
                    other => return other,
                }
            }
            skip_space(text, &mut at);
            match self.fits(item, &text[at..]) {
                Fit::Is(length) => at += length,
                other => return other,
            }
        }
        mark(text, &mut at, b']')
    }

    fn fits_object(&self, members: &[(String, u32)], text: &[u8]) -> Fit {
        let mut at = match text.first() {
            None => return Fit::Begins,
            Some(b'{') => 1,
            Some(_) => return Fit::Not,
        };
        for index in 0..members.len() {
            if index > 0 {
                match mark(text, &mut at, b',') {
                    Fit::Is(_) => {}
                    other => return other,
                }
            }
            skip_space(text, &mut at);
            let member = match string(&text[at..]) {
                Text::Complete(name, length) => {
                    at += length;
                    members.iter().find(|(known, _)| *known == name)
                }
                Text::Begun(name) => {
                    let begins = members.iter().any(|(known, _)| known.starts_with(&name));
                    return if begins { Fit::Begins } else { Fit::Not };
                }
                Text::None => return Fit::Not,
            };
            let Some(&(_, value)) = member else { return Fit::Not };
            match mark(text, &mut at, b':') {
                Fit::Is(_) => {}
                other => return other,
            }
            skip_space(text, &mut at);
            match self.fits(value, &text[at..]) {
                Fit::Is(length) => at += length,
                other => return other,
            }
        }
        mark(text, &mut at, b'}')
    }
}

fn skip_space(text: &[u8], at: &mut usize) {
    *at += text[*at..].iter().take_while(|b| b" \t\n\r".contains(b)).count();
}

/// A punctuation mark after whitespace.
fn mark(text: &[u8], at: &mut usize, wanted: u8) -> Fit {
    skip_space(text, at);
    match text.get(*at) {
        None => Fit::Begins,
        Some(&byte) if byte == wanted => {
            *at += 1;
            Fit::Is(*at)
        }
        Some(_) => Fit::Not,
    }
}

enum Text {
    /// The whole string, and how many bytes it takes.
    Complete(String, usize),
    /// As much as is there for certain.
    Begun(String),
    None,
}

/// How a text compares with the spellings of a string; without escapes the first difference decides.
fn fits_string(wanted: &str, text: &[u8]) -> Fit {
    match text.first() {
        None => return Fit::Begins,
        Some(b'"') => {}
        Some(_) => return Fit::Not,
    }
    let mut rest = wanted;
    let mut at = 1;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' if rest.is_empty() => return Fit::Is(at + 1),
            b'"' => return Fit::Not,
            b'\\' => match escape(text, at) {
                None => return Fit::Begins,
                Some((read, length)) => match read.and_then(|read| rest.strip_prefix(&*read)) {
                    Some(left) => (rest, at) = (left, at + length),
                    None => return Fit::Not,
                },
            },
            _ => {
                // As much of one character as is there.
                let Some(next) = rest.chars().next() else { return Fit::Not };
                let length = next.len_utf8().min(text.len() - at);
                if text[at..at + length] != rest.as_bytes()[..length] {
                    return Fit::Not;
                }
                if length == next.len_utf8() {
                    rest = &rest[length..];
                }
                at += length;
            }
        }
    }
    Fit::Begins
}

/// The text of an escape (`None` inside if it is none), and its length; `None` if it is not all there.
fn escape(text: &[u8], at: usize) -> Option<(Option<String>, usize)> {
    let is_long = text.get(at + 1) == Some(&b'u');
    let is_high = text.get(at + 2..at + 4).is_some_and(|d| {
        matches!(d[0], b'd' | b'D') && matches!(d[1], b'8' | b'9' | b'a' | b'A' | b'b' | b'B')
    });
    let length = match (is_long, is_high) {
        (false, _) => 2,
        (true, false) => 6,
        (true, true) => 12,
    };
    let quoted = [b"\"", text.get(at..at + length)?, b"\""].concat();
    Some((serde_json::from_slice::<String>(&quoted).ok(), length))
}

/// Reads a JSON string, or the beginning of one.
fn string(text: &[u8]) -> Text {
    if text.is_empty() {
        return Text::Begun(String::new());
    }
    if text[0] != b'"' {
        return Text::None;
    }
    let mut out: Vec<u8> = Vec::new();
    let mut at = 1;
    let begun = |mut out: Vec<u8>| {
        // The last character may not be all there.
        while std::str::from_utf8(&out).is_err() && out.pop().is_some() {}
        Text::Begun(String::from_utf8(out).unwrap_or_default())
    };
    loop {
        match text.get(at) {
            None => return begun(out),
            Some(b'"') => {
                return match String::from_utf8(out) {
                    Ok(out) => Text::Complete(out, at + 1),
                    Err(_) => Text::None,
                };
            }
            Some(b'\\') => {
                let Some((read, length)) = escape(text, at) else { return begun(out) };
                let Some(read) = read else { return Text::None };
                out.extend_from_slice(read.as_bytes());
                at += length;
            }
            Some(&byte) => {
                out.push(byte);
                at += 1;
            }
        }
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

    #[test]
    fn a_text_is_compared_as_far_as_it_goes() {
        let mut values = Values::default();
        let mut fit = |value: &str, text: &str| {
            let value = values.read(value.as_bytes());
            values.fits(value, text.as_bytes())
        };
        assert_eq!(fit("\"abc\"", "\"ab"), Fit::Begins);
        assert_eq!(fit("\"abc\"", "\"\\u0061b\\u00"), Fit::Begins);
        assert_eq!(fit("\"abc\"", "\"abc\","), Fit::Is(5));
        assert_eq!(fit("\"abc\"", "\"abd"), Fit::Not);
        assert_eq!((fit("1", "1"), fit("1", "1.0]"), fit("1", "2,")), (Fit::Begins, Fit::Is(3), Fit::Not));
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{ \"b\" : [2"), Fit::Begins);
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{ \"b\" : [2 ],\"a\":1}"), Fit::Is(19));
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{\"b\":[3"), Fit::Begins);
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{\"b\":[3]"), Fit::Not);
        assert_eq!(fit("{\"a\":1}", "{\"a\":1,"), Fit::Not);
        assert_eq!(fit("\"é😀\"", "\"\\u00e9\\uD83D\\uDE00\""), Fit::Is(20));
    }
}
