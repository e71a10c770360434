//! One typed error hierarchy for the whole crate.
//!
//! Every message says *what* is wrong, *where* it is and *what to do*. The Python package maps each variant to one
//! exception class of the same meaning, so callers never have to read a message to know what happened.

use std::fmt;

/// A place in a grammar text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Line, counted from 1.
    pub line: u32,
    /// Column in Unicode code points, counted from 1.
    pub column: u32,
    /// The offending text: at most one line of the source, at most 60 code points of it.
    pub snippet: String,
}

impl Location {
    /// The location of byte `offset` in `source`; offsets past the end give the position after the last character.
    pub fn new(source: &str, offset: usize) -> Self {
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &source[..offset];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let line = before.matches('\n').count() as u32 + 1;
        let column = before[line_start..].chars().count() as u32 + 1;
        // Only so far: a line may be as long as the text.
        let rest: String = source[offset..].chars().take_while(|&c| c != '\n').take(60).collect();
        let snippet = if rest.trim().is_empty() {
            before[line_start..].trim_start().chars().take(60).collect()
        } else {
            rest
        };
        Self { line, column, snippet }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}, near {:?}", self.line, self.column, self.snippet)
    }
}

/// The line breaks of a text, for many [`Location`]s of one text: each costs no more than its own line.
#[derive(Clone, Debug)]
pub struct LineIndex<'a> {
    source: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Finds the lines of `source`.
    pub fn new(source: &'a str) -> Self {
        let breaks = source.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(i, _)| i + 1);
        Self { source, starts: std::iter::once(0).chain(breaks).collect() }
    }

    /// The same as [`Location::new`].
    pub fn locate(&self, offset: usize) -> Location {
        let offset = offset.min(self.source.len());
        let line = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = self.starts[line];
        let mut location = Location::new(&self.source[start..], offset - start);
        location.line = line as u32 + 1;
        location
    }
}

/// Bytes as text.
///
/// # Errors
/// [`Error::Syntax`] at the first byte that is not UTF-8 (RFC 3629; surrogates are not).
pub fn utf8_text(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        Error::Syntax {
            message: format!("not valid UTF-8: byte 0x{byte:02x} at offset {offset}"),
            location: Location::new(&text, offset),
            hint: "save the text as UTF-8".into(),
        }
    })
}

/// Everything that can go wrong in this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not in the grammar language that it was read as.
    #[error("{message} ({location}){}", hint_suffix(.hint))]
    Syntax {
        /// What is wrong.
        message: String,
        /// Where.
        location: Location,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// A rule is used but never defined.
    #[error("rule `{name}` is used but not defined ({location}); define it, or correct the spelling")]
    UndefinedRule {
        /// The name as written.
        name: String,
        /// Where it is used first.
        location: Location,
    },
    /// A rule is defined but cannot be reached from the root. Raised only when the caller asks for it; a warning else.
    #[error("rule `{name}` is never used from the root rule ({location}); remove it, or use it")]
    UnreachableRule {
        /// The rule's name.
        name: String,
        /// Where it is defined.
        location: Location,
    },
    /// The text asks for something this engine (or a context-free language) cannot express.
    #[error("{feature} is not supported ({location}){}", hint_suffix(.hint))]
    Unsupported {
        /// The construct, by its name.
        feature: String,
        /// Where.
        location: Location,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// A JSON Schema that its draft does not allow.
    #[error("{message} (at {pointer:?} of the schema){}", hint_suffix(.hint))]
    InvalidSchema {
        /// What is wrong.
        message: String,
        /// JSON pointer (RFC 6901) to the place, after the document's URI if it is not the schema itself.
        pointer: String,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// A JSON Schema keyword with a meaning that is not supported.
    #[error("`{keyword}` is not supported here: {reason} (at {pointer:?} of the schema)")]
    UnsupportedSchema {
        /// The keyword.
        keyword: String,
        /// JSON pointer (RFC 6901) to the place.
        pointer: String,
        /// What about it is not supported, and what to do.
        reason: String,
    },
    /// A structural tag that is none, or asks for what is not supported.
    #[error("{message} (at {pointer:?} of the structural tag){}", hint_suffix(.hint))]
    InvalidStructuralTag {
        /// What is wrong.
        message: String,
        /// JSON pointer (RFC 6901) to the place.
        pointer: String,
        /// What to do about it; may be empty.
        hint: String,
    },
    /// The grammar derives no string at all.
    #[error("the grammar derives nothing: {reason}")]
    EmptyLanguage {
        /// Which rules can never finish.
        reason: String,
    },
    /// A named limit was passed.
    #[error("limit `{limit}` exceeded: {message}; raise `{limit}` if this is intended")]
    LimitExceeded {
        /// The option that sets the limit.
        limit: &'static str,
        /// What was about to be exceeded.
        message: String,
    },
    /// Compilation was cancelled by its caller.
    #[error("compilation was cancelled")]
    Cancelled,
    /// The tokenizer's description contradicts itself.
    #[error("invalid tokenizer: {0}")]
    InvalidTokenizer(String),
    /// A tokenizer whose canonical sequences cannot be told exactly.
    #[error("unsupported tokenizer: {0}")]
    UnsupportedTokenizer(String),
    /// Logits of the wrong number, or that are no probabilities.
    #[error("invalid logits: {0}")]
    InvalidLogits(String),
    /// A text that no token sequence of the law spells, or that the model gives no probability.
    #[error("impossible text: {0}")]
    ImpossibleText(String),
    /// A token id outside the vocabulary.
    #[error("token id {id} is out of range: the vocabulary has {vocab_size} ids, 0 to {}", vocab_size.saturating_sub(1))]
    TokenOutOfRange {
        /// The id that was given.
        id: i64,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A bitmask of the wrong shape, type or length.
    #[error("invalid bitmask: {0}")]
    InvalidBitmask(String),
    /// The matcher has accepted a stop token and takes nothing more.
    #[error("the matcher has terminated: {operation} is not possible; call reset() or rollback() first")]
    Terminated {
        /// What was tried.
        operation: &'static str,
    },
    /// A rollback further back than the start.
    #[error("cannot roll back {requested} steps: only {available} were accepted")]
    Rollback {
        /// Steps asked for.
        requested: usize,
        /// Steps in the history.
        available: usize,
    },
    /// A serialised object that cannot be loaded.
    #[error("cannot load {what}: {reason}")]
    Deserialize {
        /// What kind of object.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("{path} cannot be {done}: {reason}")]
    File {
        /// Its path.
        path: String,
        /// What was tried: "read" or "written".
        done: &'static str,
        /// The operating system's answer, as a kind and in words.
        kind: std::io::ErrorKind,
        /// See `kind`.
        reason: String,
    },
    /// An argument that makes no sense where no more special error fits.
    #[error("invalid argument: {0}")]
    InvalidArgument(String),
}

impl Error {
    pub(crate) fn file(path: &std::path::Path, done: &'static str, error: &std::io::Error) -> Self {
        let (path, kind, reason) = (path.display().to_string(), error.kind(), error.to_string());
        Self::File { path, done, kind, reason }
    }
}

fn hint_suffix(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!(": {hint}") }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_count_code_points_from_one() {
        let text = "root ::= \"é\" x\n  y";
        let at = Location::new(text, text.find('x').unwrap());
        assert_eq!((at.line, at.column, at.snippet.as_str()), (1, 14, "x"));
        let at = Location::new(text, text.len());
        assert_eq!((at.line, at.column, at.snippet.as_str()), (2, 4, "y"));
        assert_eq!(Location::new("", 5).line, 1);
    }

    #[test]
    fn bytes_that_are_no_text_are_located() {
        assert_eq!(utf8_text("é".as_bytes()), Ok("é"));
        let Err(Error::Syntax { message, location, .. }) = utf8_text(b"root ::=\n \"\xed\xa0\x80\"") else {
            panic!("a surrogate is no UTF-8")
        };
        assert!(message.contains("0xed at offset 11"), "{message}");
        assert_eq!((location.line, location.column), (2, 3));
    }

    #[test]
    fn line_index_agrees_with_location() {
        for text in ["", "\n", "root ::= \"é\" x\n  y", "a\r\nb\n\nc\n"] {
            let lines = LineIndex::new(text);
            for offset in 0..=text.len() + 2 {
                assert_eq!(lines.locate(offset), Location::new(text, offset), "{text:?} {offset}");
            }
        }
    }
}
