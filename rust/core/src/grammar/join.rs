//! Joining grammars: union and concatenation.
//!
//! The rules of each grammar are copied under names of their own, below a new root. Places in the source texts are not kept:
//! there is no one text any more that they could point into.

use super::{Expr, ExprId, Grammar, GrammarBuilder, RuleId};
use crate::error::{Error, Result};

impl Grammar {
    /// The texts that any of these grammars has.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no grammars at all.
    pub fn union(grammars: &[&Self]) -> Result<Self> {
        join(grammars, GrammarBuilder::choice)
    }

    /// A text of the first grammar, then one of the second, and so on.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no grammars at all.
    pub fn concat(grammars: &[&Self]) -> Result<Self> {
        join(grammars, GrammarBuilder::concat)
    }
}

fn join(grammars: &[&Grammar], how: fn(&mut GrammarBuilder, Vec<ExprId>) -> ExprId) -> Result<Grammar> {
    if grammars.is_empty() {
        return Err(Error::InvalidArgument("at least one grammar is needed".into()));
    }
    let mut builder = GrammarBuilder::new("");
    let root = builder.declare("root");
    let mut parts = Vec::with_capacity(grammars.len());
    for grammar in grammars {
        let copy = copy_rules(&mut builder, grammar)?;
        parts.push(builder.rule_ref(copy));
    }
    let body = how(&mut builder, parts);
    builder.define(root, body, None)?;
    builder.build(root)
}

/// Copies a grammar's rules and gives its root's copy.
fn copy_rules(builder: &mut GrammarBuilder, grammar: &Grammar) -> Result<RuleId> {
    let rules: Vec<RuleId> = grammar.rules.iter().map(|rule| builder.declare_fresh(&rule.name)).collect();
    let mut copies: Vec<ExprId> = Vec::with_capacity(grammar.exprs.len());
    for expr in &grammar.exprs {
        let all = |ids: &[ExprId]| ids.iter().map(|id| copies[id.index()]).collect();
        let copy = match expr {
            Expr::Rule(rule) => Expr::Rule(rules[rule.index()]),
            Expr::Concat(parts) => Expr::Concat(all(parts)),
            Expr::Choice(options) => Expr::Choice(all(options)),
            &Expr::Repeat { body, min, max } => Expr::Repeat { body: copies[body.index()], min, max },
            Expr::Empty | Expr::Class(_) | Expr::Literal(_) | Expr::Token(_) => expr.clone(),
        };
        copies.push(builder.add(copy));
    }
    for (&copy, rule) in rules.iter().zip(&grammar.rules) {
        builder.define(copy, copies[rule.body.index()], None)?;
    }
    for note in grammar.annotations.iter().filter(|note| note.kind != "unreachable-rule") {
        builder.annotate(&note.kind, note.message.clone());
    }
    Ok(rules[grammar.root.index()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::ebnf::{EbnfOptions, parse};
    use crate::grammar::reference::matches;

    #[test]
    fn unions_and_concatenations_have_their_texts() {
        let read = |text| parse(text, &EbnfOptions::default()).unwrap();
        let nested = read("root ::= \"(\" root \")\" | item{1,2}\nitem ::= [xy]");
        let other = read("root ::= item\nitem ::= \"!\" | \"\"");
        let union = Grammar::union(&[&nested, &other]).unwrap();
        let concat = Grammar::concat(&[&nested, &other, &nested]).unwrap();
        for (text, in_union, in_concat) in [
            ("((xy))", true, false),
            ("!", true, false),
            ("", true, false),
            ("(x)!yy", false, true),
            ("xx", true, true),
        ] {
            assert_eq!(matches(&union, text.as_bytes()), in_union, "{text}");
            assert_eq!(matches(&concat, text.as_bytes()), in_concat, "{text}");
        }
        assert!(matches!(Grammar::union(&[]), Err(Error::InvalidArgument(_))));
    }
}
