//! Grammars made of grammars: union and concatenation.

use super::{Expr, ExprId, Grammar, GrammarBuilder, RuleId};
use crate::error::{Error, Result};

impl Grammar {
    /// The grammar of every text that any of `grammars` has. Rules are renamed where names clash.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an empty list.
    pub fn union(grammars: &[&Self]) -> Result<Self> {
        compose(grammars, GrammarBuilder::choice)
    }

    /// The grammar of a text of the first of `grammars`, followed by one of the second, and so on.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an empty list.
    pub fn concat(grammars: &[&Self]) -> Result<Self> {
        compose(grammars, GrammarBuilder::concat)
    }
}

fn compose(grammars: &[&Grammar], join: fn(&mut GrammarBuilder, Vec<ExprId>) -> ExprId) -> Result<Grammar> {
    if grammars.is_empty() {
        return Err(Error::InvalidArgument("joining grammars needs at least one".into()));
    }
    let mut builder = GrammarBuilder::new("");
    let root = builder.declare("root");
    let mut parts = Vec::with_capacity(grammars.len());
    for grammar in grammars {
        let rule = embed(&mut builder, grammar)?;
        parts.push(builder.rule_ref(rule));
    }
    let body = join(&mut builder, parts);
    builder.define(root, body, None)?;
    builder.build(root)
}

/// Copies all rules of a grammar under names of their own; gives its root. Spans point into a text that the new grammar does
/// not have, so they are left behind.
fn embed(builder: &mut GrammarBuilder, grammar: &Grammar) -> Result<RuleId> {
    let rules: Vec<RuleId> = grammar.rules().iter().map(|rule| builder.declare_fresh(&rule.name)).collect();
    let mut exprs: Vec<ExprId> = Vec::with_capacity(grammar.exprs.len());
    for expr in &grammar.exprs {
        let moved = |ids: &[ExprId]| ids.iter().map(|id| exprs[id.index()]).collect();
        let copy = match expr {
            Expr::Concat(parts) => Expr::Concat(moved(parts)),
            Expr::Choice(options) => Expr::Choice(moved(options)),
            Expr::Repeat { body, min, max } => {
                Expr::Repeat { body: exprs[body.index()], min: *min, max: *max }
            }
            Expr::Rule(rule) => Expr::Rule(rules[rule.index()]),
            other => other.clone(),
        };
        exprs.push(builder.add(copy));
    }
    for (rule, &id) in grammar.rules().iter().zip(&rules) {
        builder.define(id, exprs[rule.body.index()], None)?;
    }
    for note in grammar.annotations().iter().filter(|note| note.kind != "unreachable-rule") {
        builder.annotate(&note.kind, note.message.clone());
    }
    Ok(rules[grammar.root().index()])
}

#[cfg(test)]
mod tests {
    use super::super::oracle::Oracle;
    use super::*;

    fn grammar_of(text: &str) -> Grammar {
        let mut b = GrammarBuilder::new("");
        let (root, x) = (b.declare("root"), b.declare("x"));
        let literal = b.literal(text);
        b.define(x, literal, None).unwrap();
        let body = b.rule_ref(x);
        let body = b.repeat(body, 1, Some(2));
        b.define(root, body, None).unwrap();
        b.build(root).unwrap()
    }

    #[test]
    fn names_do_not_clash() {
        let (a, b) = (grammar_of("a"), grammar_of("b"));
        let union = Grammar::union(&[&a, &b]).unwrap();
        let concat = Grammar::concat(&[&a, &b, &a]).unwrap();
        assert_eq!((union.rules().len(), concat.rules().len()), (5, 7));
        for (text, in_union, in_concat) in [
            ("a", true, false),
            ("bb", true, false),
            ("ab", false, false),
            ("abba", false, true),
            ("aabaa", false, true),
        ] {
            assert_eq!(Oracle::new(&union, text.as_bytes()).is_sentence(), in_union, "{text}");
            assert_eq!(Oracle::new(&concat, text.as_bytes()).is_sentence(), in_concat, "{text}");
        }
        assert!(matches!(Grammar::union(&[]), Err(Error::InvalidArgument(_))));
    }
}
