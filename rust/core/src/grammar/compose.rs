//! New grammars from whole ones.
//!
//! The parts are copied side by side: rule names that clash are renamed, sources are joined so that every span still
//! points at its text, annotations are carried over.

use super::{Expr, ExprId, Grammar, GrammarBuilder, RuleId, Span};
use crate::error::{Error, Result};
use std::borrow::Borrow;

impl Grammar {
    /// Every sentence of any of the grammars.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are none; [`Error::LimitExceeded`] if they are too large together.
    pub fn union(grammars: &[impl Borrow<Self>]) -> Result<Self> {
        let grammars: Vec<&Self> = grammars.iter().map(Borrow::borrow).collect();
        compose(&grammars, "union", GrammarBuilder::choice)
    }

    /// A sentence of each of the grammars, one after the other.
    ///
    /// # Errors
    /// As [`Self::union`].
    pub fn concat(grammars: &[impl Borrow<Self>]) -> Result<Self> {
        let grammars: Vec<&Self> = grammars.iter().map(Borrow::borrow).collect();
        compose(&grammars, "concat", GrammarBuilder::concat)
    }
}

impl Grammar {
    /// Exactly these texts.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there are none.
    pub fn from_choices(choices: &[impl AsRef<[u8]>]) -> Result<Self> {
        if choices.is_empty() {
            return Err(Error::InvalidArgument("from_choices needs at least one text".into()));
        }
        let mut builder = GrammarBuilder::new("");
        let root = builder.declare("root");
        let options = choices.iter().map(|choice| builder.literal(choice)).collect();
        let body = builder.choice(options);
        builder.define(root, body, None)?;
        builder.build(root)
    }

    /// `min` to `max` sentences of this grammar (`None`: without end), one after the other.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `max` is less than `min`.
    pub fn repeat(&self, min: u32, max: Option<u32>) -> Result<Self> {
        if max.is_some_and(|max| max < min) {
            let max = max.unwrap_or_default();
            return Err(Error::InvalidArgument(format!(
                "at least {min} and at most {max} times is impossible"
            )));
        }
        compose(&[self], "repeat", |builder, parts| {
            let body = builder.concat(parts);
            builder.repeat(body, min, max)
        })
    }
}

impl GrammarBuilder {
    /// Copies a whole grammar in, its rules renamed where names clash; gives its root. Its spans are left behind: they point
    /// into another text.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] if the two are too large together.
    pub fn embed(&mut self, grammar: &Grammar) -> Result<RuleId> {
        let exprs = self.expression_count() + grammar.exprs.len();
        if exprs > u32::MAX as usize {
            let message = format!("{exprs} expressions");
            return Err(Error::LimitExceeded { limit: "grammar_size", message });
        }
        let mut bare = grammar.clone();
        bare.spans.fill(None);
        bare.rules.iter_mut().for_each(|rule| rule.span = None);
        copy(self, &bare, 0)
    }
}

fn compose(
    grammars: &[&Grammar],
    what: &str,
    join: impl FnOnce(&mut GrammarBuilder, Vec<ExprId>) -> ExprId,
) -> Result<Grammar> {
    if grammars.is_empty() {
        return Err(Error::InvalidArgument(format!("{what} needs at least one grammar")));
    }
    let exprs: usize = grammars.iter().map(|g| g.exprs.len() + g.rules.len() + 2).sum();
    let text: usize = grammars.iter().map(|g| g.source.len() + 1).sum();
    if exprs > u32::MAX as usize || text > u32::MAX as usize {
        let message = format!("{what} of {exprs} expressions and {text} bytes of text");
        return Err(Error::LimitExceeded { limit: "grammar_size", message });
    }
    let source: String = grammars.iter().flat_map(|grammar| [grammar.source.as_str(), "\n"]).collect();
    let mut builder = GrammarBuilder::new(source);
    let root = builder.declare("root");
    let mut parts = Vec::with_capacity(grammars.len());
    let mut offset = 0;
    for &grammar in grammars {
        let start = copy(&mut builder, grammar, offset)?;
        parts.push(builder.rule_ref(start));
        offset += grammar.source.len() as u32 + 1;
    }
    let body = join(&mut builder, parts);
    builder.define(root, body, None)?;
    let mut joined = builder.build(root)?;
    // Which rules are unreachable was decided, and perhaps kept quiet, when each part was built.
    joined.annotations = grammars.iter().flat_map(|grammar| grammar.annotations.iter().cloned()).collect();
    Ok(joined)
}

/// Copies a grammar into the builder, its spans moved by `offset`; gives its root.
fn copy(builder: &mut GrammarBuilder, grammar: &Grammar, offset: u32) -> Result<RuleId> {
    let moved = |span: Span| Span { start: span.start + offset, end: span.end + offset };
    let rules: Vec<RuleId> = grammar.rules.iter().map(|rule| builder.declare_fresh(&rule.name)).collect();
    let mut exprs: Vec<ExprId> = Vec::with_capacity(grammar.exprs.len());
    for (expr, span) in grammar.exprs.iter().zip(&grammar.spans) {
        let list = |ids: &[ExprId]| ids.iter().map(|id| exprs[id.index()]).collect();
        let copied = match expr {
            Expr::Empty | Expr::Class(_) | Expr::Literal(_) | Expr::Token(_) | Expr::JsonSchema(_) => {
                expr.clone()
            }
            Expr::Rule(rule) => Expr::Rule(rules[rule.index()]),
            Expr::Concat(parts) => Expr::Concat(list(parts)),
            Expr::Choice(options) => Expr::Choice(list(options)),
            Expr::Repeat { body, min, max } => {
                Expr::Repeat { body: exprs[body.index()], min: *min, max: *max }
            }
        };
        let id = builder.add(copied);
        if let Some(span) = span {
            builder.set_span(id, moved(*span));
        }
        exprs.push(id);
    }
    for (rule, &id) in grammar.rules.iter().zip(&rules) {
        builder.define(id, exprs[rule.body.index()], rule.span.map(moved))?;
    }
    Ok(rules[grammar.root.index()])
}

#[cfg(test)]
mod tests {
    use super::super::reference::matches;
    use super::*;
    use crate::frontend::{ebnf, regex};

    fn read(text: &str) -> Grammar {
        ebnf::parse(text, &ebnf::EbnfOptions::default()).unwrap()
    }

    #[test]
    fn texts_are_listed_and_grammars_repeated() {
        let choice = Grammar::from_choices(&["yes", "no", "é"]).unwrap();
        let some = choice.repeat(1, Some(3)).unwrap();
        for (text, fits) in [("yes", true), ("noé", true), ("", false), ("nononono", false), ("n", false)] {
            assert_eq!(matches(&some, text.as_bytes()), fits, "{text}");
        }
        assert!(choice.repeat(2, Some(1)).is_err());
        let none: [&str; 0] = [];
        assert!(Grammar::from_choices(&none).is_err());
    }

    #[test]
    fn names_do_not_clash_and_spans_follow() {
        let one = read("root ::= \"a\" x\nx ::= \"b\" root?\nunused ::= \"\"");
        let two = read("# é\nroot ::= x x\nx ::= [0-9]");
        let either = Grammar::union(&[one.clone(), two.clone()]).unwrap();
        for (text, fits) in [("ab", true), ("abab", true), ("12", true), ("1", false), ("ab12", false)] {
            assert_eq!(matches(&either, text.as_bytes()), fits, "{text}");
        }
        let names: Vec<&str> = either.rules().iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["root", "root_2", "x", "unused", "root_3", "x_2"]);
        let span = either.rules()[5].span.unwrap();
        assert_eq!(&either.source()[span.start as usize..span.end as usize], "x ::= [0-9]");
        assert_eq!(either.annotations(), one.annotations());
        assert_eq!(either.annotations().len(), 1);

        let both = Grammar::concat(&[one, two, regex::parse("z*").unwrap()]).unwrap();
        for (text, fits) in [("ab12", true), ("abab12zz", true), ("ab", false), ("12", false)] {
            assert_eq!(matches(&both, text.as_bytes()), fits, "{text}");
        }
        let none: [Grammar; 0] = [];
        assert!(Grammar::union(&none).is_err() && Grammar::concat(&none).is_err());
    }
}
