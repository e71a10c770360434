//! Printing a grammar as EBNF that [`crate::frontend::ebnf`] reads back, with its default options, to the same language.
//!
//! Names are printed as they are if the language has such names, else with their odd characters replaced. The first rule
//! printed is called `root`. An expression that stands in several places is printed once, as a rule of its own, so the text
//! is never longer than the grammar. Nothing here recurses, so depth is no danger.

use super::{ByteSet, Expr, ExprId, Grammar, TokenSet, utf8};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fmt::{self, Display, Formatter, Write as _};

/// A shared class of more ranges than this gets a rule.
const LONG_CLASS: usize = 16;

impl Display for Grammar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Printer::new(self).print(f)
    }
}

/// What is still to be written, last first.
enum Task {
    Expr(ExprId, Place),
    Text(&'static str),
    Repeat(u32, Option<u32>),
}

/// Where an expression stands, which decides on parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Rule,
    Option,
    Part,
    Repeated,
}

struct Printer<'g> {
    grammar: &'g Grammar,
    names: Vec<String>,
    /// Expressions with a rule of their own, in the order of their ids.
    shared: Vec<(ExprId, String)>,
    shared_name: FxHashMap<ExprId, usize>,
    classes: FxHashMap<ExprId, Vec<(u32, u32)>>,
}

impl<'g> Printer<'g> {
    fn new(grammar: &'g Grammar) -> Self {
        let mut used = FxHashSet::default();
        let root = grammar.root.index();
        // `root` is kept for the root, whatever its own name.
        used.insert("root".to_owned());
        let names = grammar
            .rules
            .iter()
            .enumerate()
            .map(|(i, rule)| {
                if i == root && rule.name == "root" {
                    rule.name.clone()
                } else {
                    unique(&rule.name, &mut used)
                }
            })
            .collect();
        let mut printer = Self {
            grammar,
            names,
            shared: Vec::new(),
            shared_name: FxHashMap::default(),
            classes: FxHashMap::default(),
        };
        printer.find_shared(&mut used);
        printer
    }

    /// Finds the character classes, and what is worth a rule of its own.
    fn find_shared(&mut self, used: &mut FxHashSet<String>) {
        let mut uses = vec![0u32; self.grammar.exprs.len()];
        let mut todo: Vec<ExprId> = self.grammar.rules.iter().map(|rule| rule.body).collect();
        while let Some(id) = todo.pop() {
            uses[id.index()] += 1;
            if uses[id.index()] > 1 {
                continue;
            }
            if let Some(ranges) = utf8::decode(self.grammar, id) {
                self.classes.insert(id, ranges);
                continue;
            }
            match self.grammar.expr(id) {
                Expr::Concat(parts) | Expr::Choice(parts) => todo.extend(parts),
                Expr::Repeat { body, .. } => todo.push(*body),
                _ => {}
            }
        }
        for (i, _) in uses.iter().enumerate().filter(|&(_, &uses)| uses > 1) {
            let id = ExprId(i as u32);
            let is_large = match (self.grammar.expr(id), self.classes.get(&id)) {
                (_, Some(ranges)) => ranges.len() > LONG_CLASS,
                (Expr::Concat(parts) | Expr::Choice(parts), None) => !parts.is_empty(),
                (Expr::Repeat { .. }, None) => true,
                (Expr::Literal(bytes), None) => bytes.len() > 64,
                (Expr::Token(set), None) => set.ids.len() + set.names.len() > LONG_CLASS,
                _ => false,
            };
            if is_large {
                self.shared_name.insert(id, self.shared.len());
                self.shared.push((id, unique("shared", used)));
            }
        }
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let root = self.grammar.root.index();
        if self.names[root] != "root" {
            writeln!(f, "root ::= {}", self.names[root])?;
        }
        let order = std::iter::once(root).chain((0..self.names.len()).filter(|&i| i != root));
        for index in order {
            write!(f, "{} ::= ", self.names[index])?;
            self.write(f, self.grammar.rules[index].body)?;
            writeln!(f)?;
        }
        for (id, name) in &self.shared {
            write!(f, "{name} ::= ")?;
            self.write_inside(f, *id)?;
            writeln!(f)?;
        }
        Ok(())
    }

    fn write(&self, f: &mut Formatter<'_>, id: ExprId) -> fmt::Result {
        match self.shared_name.get(&id) {
            Some(&shared) => write!(f, "{}", self.shared[shared].1),
            None => self.write_inside(f, id),
        }
    }

    /// Writes an expression out, even if it has a rule.
    fn write_inside(&self, f: &mut Formatter<'_>, id: ExprId) -> fmt::Result {
        let mut todo = Vec::new();
        self.expand(f, id, Place::Rule, &mut todo)?;
        while let Some(task) = todo.pop() {
            match task {
                Task::Text(text) => write!(f, "{text}")?,
                Task::Repeat(min, max) => write_counts(f, min, max)?,
                Task::Expr(id, place) => match self.shared_name.get(&id) {
                    Some(&shared) => write!(f, "{}", self.shared[shared].1)?,
                    None => self.expand(f, id, place, &mut todo)?,
                },
            }
        }
        Ok(())
    }

    /// Writes a leaf, or puts the parts of anything else on the list.
    fn expand(&self, f: &mut Formatter<'_>, id: ExprId, place: Place, todo: &mut Vec<Task>) -> fmt::Result {
        if let Some(ranges) = self.classes.get(&id) {
            return write_class(f, ranges);
        }
        let mut list = |parts: &[ExprId], inner, separator, bare: bool| {
            if !bare {
                todo.push(Task::Text(")"));
            }
            for (i, &part) in parts.iter().enumerate().rev() {
                todo.push(Task::Expr(part, inner));
                if i > 0 {
                    todo.push(Task::Text(separator));
                }
            }
            if !bare {
                todo.push(Task::Text("("));
            }
        };
        match self.grammar.expr(id) {
            Expr::Empty => write!(f, "\"\""),
            Expr::Concat(parts) if parts.is_empty() => write!(f, "\"\""),
            Expr::Choice(options) if options.is_empty() => write!(f, "%[]"),
            Expr::Literal(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => write_string(f, text),
                Err(_) => write_bytes(f, bytes),
            },
            Expr::Class(set) => write_byte_class(f, set),
            Expr::Rule(rule) => write!(f, "{}", self.names[rule.index()]),
            Expr::Token(set) => write_token(f, set),
            Expr::JsonSchema(schema) => write!(f, "%json_schema {}", schema.schema),
            Expr::Concat(parts) => {
                list(parts, Place::Part, " ", matches!(place, Place::Rule | Place::Option));
                Ok(())
            }
            Expr::Choice(options) => {
                list(options, Place::Option, " | ", place == Place::Rule);
                Ok(())
            }
            Expr::Repeat { body, min, max } => {
                let nested = place == Place::Repeated;
                if nested {
                    todo.push(Task::Text(")"));
                }
                todo.push(Task::Repeat(*min, *max));
                todo.push(Task::Expr(*body, Place::Repeated));
                if nested {
                    todo.push(Task::Text("("));
                }
                Ok(())
            }
        }
    }
}

/// A name of the EBNF language, like `name`, that no other rule has.
fn unique(name: &str, used: &mut FxHashSet<String>) -> String {
    let is_name_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let dots =
        name.contains('.') && name.len() <= 100 && name.starts_with(is_name_char) && !name.ends_with('.');
    let mut clean: String =
        name.chars().map(|c| if is_name_char(c) || (dots && c == '.') { c } else { '-' }).collect();
    if clean.is_empty() {
        clean.push_str("rule");
    }
    let mut found = clean.clone();
    let mut n = 1;
    while !used.insert(found.clone()) {
        n += 1;
        found = format!("{clean}-{n}");
    }
    found
}

fn write_counts(f: &mut Formatter<'_>, min: u32, max: Option<u32>) -> fmt::Result {
    match (min, max) {
        (0, None) => write!(f, "*"),
        (1, None) => write!(f, "+"),
        (0, Some(1)) => write!(f, "?"),
        (min, None) => write!(f, "{{{min},}}"),
        (min, Some(max)) if min == max => write!(f, "{{{min}}}"),
        (min, Some(max)) => write!(f, "{{{min},{max}}}"),
    }
}

/// One character of a string or class, as an escape if it cannot be seen. (`\u` rather than `\x`, whose length the dialects
/// do not agree on.)
fn write_char(f: &mut Formatter<'_>, c: char, special: &str) -> fmt::Result {
    match c {
        '\n' => write!(f, "\\n"),
        '\r' => write!(f, "\\r"),
        '\t' => write!(f, "\\t"),
        c if special.contains(c) => write!(f, "\\{c}"),
        ' '..='~' => f.write_char(c),
        c if c.escape_debug().count() == 1 => f.write_char(c),
        c if u32::from(c) <= 0xFFFF => write!(f, "\\u{:04x}", u32::from(c)),
        c => write!(f, "\\U{:08x}", u32::from(c)),
    }
}

fn write_string(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"")?;
    for c in text.chars() {
        write_char(f, c, "\"\\")?;
    }
    write!(f, "\"")
}

fn write_byte(f: &mut Formatter<'_>, byte: u8) -> fmt::Result {
    if byte.is_ascii_alphanumeric() { f.write_char(char::from(byte)) } else { write!(f, "\\x{byte:02x}") }
}

fn write_bytes(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    write!(f, "%\"")?;
    for &byte in bytes {
        write_byte(f, byte)?;
    }
    write!(f, "\"")
}

fn write_byte_class(f: &mut Formatter<'_>, set: &ByteSet) -> fmt::Result {
    write!(f, "%[")?;
    for (lo, hi) in set.ranges() {
        write_byte(f, lo)?;
        if hi > lo {
            write!(f, "-")?;
            write_byte(f, hi)?;
        }
    }
    write!(f, "]")
}

/// A class of code points; negated where that is what was probably written.
fn write_class(f: &mut Formatter<'_>, ranges: &[(u32, u32)]) -> fmt::Result {
    let others = utf8::complement(ranges);
    if others.is_empty() {
        return write!(f, ".");
    }
    let negated = ranges.last().is_some_and(|&(_, hi)| hi == 0x0010_FFFF);
    write!(f, "[{}", if negated { "^" } else { "" })?;
    let shown = if negated { &others[..] } else { ranges };
    for (i, &(lo, hi)) in shown.iter().enumerate() {
        if i == 0 && !negated && lo == u32::from(b'^') {
            write!(f, "\\u005e")?;
        } else {
            write_code_point(f, lo)?;
        }
        if hi > lo {
            write!(f, "-")?;
            write_code_point(f, hi)?;
        }
    }
    write!(f, "]")
}

/// A surrogate can be the end of a range, though no text can have it.
fn write_code_point(f: &mut Formatter<'_>, value: u32) -> fmt::Result {
    match char::from_u32(value) {
        Some(c) => write_char(f, c, "\\[]-"),
        None => write!(f, "\\u{value:04x}"),
    }
}

fn write_token(f: &mut Formatter<'_>, set: &TokenSet) -> fmt::Result {
    write!(f, "{}", if set.negated { "!" } else { "" })?;
    if let ([], [name]) = (&set.ids[..], &set.names[..])
        && name
            .strip_prefix('<')
            .and_then(|name| name.strip_suffix('>'))
            .is_some_and(|name| !name.starts_with('[') && name.chars().all(|c| c != '>' && !c.is_control()))
    {
        return write!(f, "{name}");
    }
    write!(f, "<[")?;
    for (i, &(lo, hi)) in set.ids.iter().enumerate() {
        write!(f, "{}{lo}", if i > 0 { ", " } else { "" })?;
        if hi > lo {
            write!(f, "-{hi}")?;
        }
    }
    for (i, name) in set.names.iter().enumerate() {
        write!(f, "{}", if i + set.ids.len() > 0 { ", " } else { "" })?;
        write_string(f, name)?;
    }
    write!(f, "]>")
}

#[cfg(test)]
mod tests;
