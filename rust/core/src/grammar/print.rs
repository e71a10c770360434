//! Printing a grammar as EBNF that the EBNF front end reads back.

use super::{Expr, ExprId, Grammar};
use std::fmt::{self, Display, Formatter};

impl Display for Grammar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let root = self.root.index();
        let order = std::iter::once(root).chain((0..self.rules.len()).filter(|&i| i != root));
        for index in order {
            let rule = &self.rules[index];
            write!(f, "{} ::= ", rule.name)?;
            self.write(f, rule.body, false)?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Grammar {
    /// Writes an expression; `tight` puts parentheses around what binds less than a repeat or a concatenation.
    fn write(&self, f: &mut Formatter<'_>, id: ExprId, tight: bool) -> fmt::Result {
        match self.expr(id) {
            Expr::Empty => write!(f, "\"\""),
            Expr::Literal(bytes) => write_literal(f, bytes),
            Expr::Class(set) => {
                write!(f, "[")?;
                for (lo, hi) in set.ranges() {
                    write!(f, "\\x{lo:02x}")?;
                    if lo != hi {
                        write!(f, "-\\x{hi:02x}")?;
                    }
                }
                write!(f, "]")
            }
            Expr::Rule(rule) => write!(f, "{}", self.rule(*rule).name),
            Expr::Concat(parts) => self.write_list(f, parts, " ", tight),
            Expr::Choice(options) if options.is_empty() => write!(f, "[]"),
            Expr::Choice(options) => self.write_list(f, options, " | ", tight),
            Expr::Repeat { body, min, max } => {
                self.write(f, *body, true)?;
                match (min, max) {
                    (0, None) => write!(f, "*"),
                    (1, None) => write!(f, "+"),
                    (0, Some(1)) => write!(f, "?"),
                    (min, None) => write!(f, "{{{min},}}"),
                    (min, Some(max)) => write!(f, "{{{min},{max}}}"),
                }
            }
            Expr::Token(set) => {
                let ids = set
                    .ids
                    .iter()
                    .map(|(lo, hi)| if lo == hi { lo.to_string() } else { format!("{lo}-{hi}") });
                let all: Vec<String> = ids.chain(set.names.iter().cloned()).collect();
                write!(f, "{}<[{}]>", if set.negated { "!" } else { "" }, all.join(","))
            }
        }
    }

    fn write_list(
        &self,
        f: &mut Formatter<'_>,
        parts: &[ExprId],
        separator: &str,
        tight: bool,
    ) -> fmt::Result {
        if tight {
            write!(f, "(")?;
        }
        for (i, &part) in parts.iter().enumerate() {
            if i > 0 {
                write!(f, "{separator}")?;
            }
            // A choice inside a concatenation needs parentheses; so does a list inside a list of its own kind.
            let inner = matches!(self.expr(part), Expr::Choice(_) | Expr::Concat(_));
            self.write(f, part, inner)?;
        }
        if tight {
            write!(f, ")")?;
        }
        Ok(())
    }
}

/// Writes bytes as a quoted literal: UTF-8 as it is, anything else as `\xHH`.
fn write_literal(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    write!(f, "\"")?;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' => write!(f, "\\\"")?,
                '\\' => write!(f, "\\\\")?,
                '\n' => write!(f, "\\n")?,
                '\r' => write!(f, "\\r")?,
                '\t' => write!(f, "\\t")?,
                c if (c as u32) < 0x20 || c == '\x7f' => write!(f, "\\x{:02x}", c as u32)?,
                c => write!(f, "{c}")?,
            }
        }
        for byte in chunk.invalid() {
            write!(f, "\\x{byte:02x}")?;
        }
    }
    write!(f, "\"")
}
