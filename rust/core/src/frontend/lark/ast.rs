//! The syntax tree of a `.lark` file, as it is written: names are not resolved, literals are decoded.

use crate::grammar::TokenSet;

/// A place in one of the files that make up a grammar; file 0 is the text the caller gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    pub(super) file: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// An expression with its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) at: At,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A rule, a terminal or a parameter of a template.
    Name(String),
    /// `"text"` or `"text"i`.
    Text {
        value: String,
        ignore_case: bool,
    },
    /// `/pattern/flags`, its escapes evaluated as Lark does before Python's `re` sees the pattern.
    Regexp {
        pattern: String,
        flags: String,
    },
    /// `"a".."z"`
    Range(char, char),
    /// `name{a, b}`
    Template(String, Vec<Node>),
    Sequence(Vec<Node>),
    Choice(Vec<Node>),
    Repeat(Box<Node>, u32, Option<u32>),
    /// `a & b`, in terminals.
    Both(Vec<Node>),
    /// `~a`, in terminals.
    Not(Box<Node>),
    /// `<|name|>`, `<[1-3]>`
    Token(TokenSet),
    /// `%json {...}`, the JSON text.
    Json(String),
    /// `%regex {"substring_...": ...}`: any run of these pieces.
    Substring(Vec<String>),
}

/// How a definition meets another one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// There must be none.
    Define,
    /// `%override`: it takes the place of the other.
    Override,
    /// `%extend`: it is an alternative to the other.
    Extend,
}

/// Attributes in brackets after a name, as llguidance has them.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    /// The shortest match only.
    pub(super) lazy: bool,
    /// What ends the match; the match is the shortest.
    pub(super) suffix: Option<Box<Node>>,
    /// What would end the match and is no part of it.
    pub(super) stop: Option<Box<Node>>,
    /// Those that steer sampling and captures, not the language.
    pub(super) ignored: Vec<String>,
}

impl Attributes {
    /// Whether they make the definition one of a terminal, whatever its name.
    pub(super) fn make_terminal(&self) -> bool {
        self.lazy || self.suffix.is_some() || self.stop.is_some()
    }
}

/// A rule or terminal.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    pub(super) name: String,
    pub(super) is_terminal: bool,
    pub(super) parameters: Vec<String>,
    pub(super) attributes: Attributes,
    /// `None` after `%declare`.
    pub(super) body: Option<Node>,
    pub(super) at: At,
}

/// `%import path.name -> alias` or `%import path (names)`.
#[derive(Clone, Debug)]
pub(super) struct Import {
    /// With a dot before the path: beside the importing file.
    pub(super) is_relative: bool,
    pub(super) path: Vec<String>,
    /// The names there and here.
    pub(super) names: Vec<(String, String)>,
    pub(super) at: At,
}

#[derive(Clone, Debug)]
pub(super) enum Statement {
    Define(Mode, Definition),
    Ignore(Node),
    Import(Import),
    Declare(Vec<(String, At)>),
}

/// Whether a name is one of a terminal: its first letter is a capital.
pub(super) fn is_terminal_name(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(|c: char| c.is_ascii_uppercase())
}
