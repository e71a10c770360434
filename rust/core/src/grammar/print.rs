//! Printing a grammar as EBNF that the EBNF front end reads back.

use super::{ByteSet, Expr, ExprId, Grammar};
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
            Expr::Class(set) => write_class(f, set),
            Expr::Rule(rule) => write!(f, "{}", self.rule(*rule).name),
            Expr::Concat(parts) => self.write_list(f, parts, " ", tight),
            Expr::Choice(options) if options.is_empty() => write_class(f, &ByteSet::EMPTY),
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
                let names = set.names.iter().map(|name| quoted(name.as_bytes()));
                let all: Vec<String> = ids.chain(names).collect();
                write!(f, "{}<[{}]>", if set.negated { "!" } else { "" }, all.join(", "))
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
            // A choice binds least; a concatenation needs parentheses only inside another one.
            let inner = match self.expr(part) {
                Expr::Choice(options) => !options.is_empty(),
                Expr::Concat(_) => separator == " ",
                _ => false,
            };
            self.write(f, part, inner)?;
        }
        if tight {
            write!(f, ")")?;
        }
        Ok(())
    }
}

/// Writes a set of bytes: as a class of characters if it is of ASCII alone, as one of bytes otherwise.
fn write_class(f: &mut Formatter<'_>, set: &ByteSet) -> fmt::Result {
    if set.is_empty() {
        return write!(f, "%[^\\x00-\\xff]");
    }
    let is_ascii = set.iter().all(|byte| byte.is_ascii());
    write!(f, "{}[", if is_ascii { "" } else { "%" })?;
    for (lo, hi) in set.ranges() {
        write_class_byte(f, lo)?;
        if lo != hi {
            write!(f, "-")?;
            write_class_byte(f, hi)?;
        }
    }
    write!(f, "]")
}

fn write_class_byte(f: &mut Formatter<'_>, byte: u8) -> fmt::Result {
    if byte.is_ascii_alphanumeric() { write!(f, "{}", char::from(byte)) } else { write!(f, "\\x{byte:02x}") }
}

/// Writes bytes as a literal: of characters if they are UTF-8, of bytes otherwise.
fn write_literal(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    write!(f, "{}{}", if std::str::from_utf8(bytes).is_ok() { "" } else { "%" }, quoted(bytes))
}

fn quoted(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return format!("\"{}\"", bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>());
    };
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c == '\x7f' => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use crate::frontend::ebnf::{EbnfOptions, parse};
    use crate::grammar::{ByteSet, GrammarBuilder, TokenSet};

    #[test]
    fn what_is_printed_reads_back_as_it_was() {
        let mut b = GrammarBuilder::new("");
        let root = b.declare("root");
        let leaves = [
            b.literal(b"a\"\\\n\x01\x7f\xc3\xa9"),
            b.literal(b"\xff\x00"),
            b.class(ByteSet::EMPTY),
            b.class(ByteSet::range(b'-', b'^')),
            b.class(ByteSet::range(0x70, 0x90)),
            b.empty(),
            b.token(TokenSet { ids: vec![(1, 1), (3, 9)], names: vec!["<|a \"b|>".into()], negated: true }),
        ];
        let inner = b.concat(vec![leaves[0], leaves[1]]);
        let either = b.choice(vec![inner, leaves[2], leaves[3]]);
        let again = b.repeat(either, 2, Some(5));
        let twice = b.repeat(again, 0, None);
        let nested = b.choice(vec![leaves[4], either]);
        let all = b.concat(vec![inner, twice, nested, leaves[5], leaves[6]]);
        b.define(root, all, None).unwrap();
        let printed = b.build(root).unwrap().to_string();
        let again = parse(&printed, &EbnfOptions::default()).unwrap();
        assert_eq!(again.to_string(), printed);
        assert!(printed.contains("%\"\\xff\\x00\"") && printed.contains("{2,5}"), "{printed}");
    }
}
