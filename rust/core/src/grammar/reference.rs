//! The reference recogniser: what a grammar *means*, written to be obviously right and nothing else.
//!
//! A textbook Earley recogniser (J. Earley, 1970) over bytes, with the nullable-prediction rule of Aycock and Horspool
//! (2002). It is slow, shares nothing with the engine, and is what the engine's tests are held against. Use it on short
//! inputs only.
//!
//! The grammar becomes plain productions: one nonterminal for each expression and each rule. Counted repeats are written
//! out, after two rewritings that change neither answer for an input of `n` symbols: a nullable body needs no lower
//! bound, and a body that takes at least one symbol makes every count above `n` equal to `n + 1`. Productions that can
//! never finish are dropped first, so a set of items that is not empty proves that the input can be completed.

use super::{ByteSet, Expr, ExprId, Grammar, RuleId, TokenSet};
use std::collections::HashSet;

/// One symbol of an input: a byte of text, or one special token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol<'a> {
    /// A byte.
    Byte(u8),
    /// A token that stands for itself, not for its bytes.
    Token {
        /// Its id.
        id: u32,
        /// Its text, which [`TokenSet::names`] is compared with.
        text: &'a str,
    },
}

/// Whether `input` is a sentence of the grammar.
///
/// ```
/// use bytewright::grammar::{GrammarBuilder, reference};
/// let mut b = GrammarBuilder::new("");
/// let root = b.declare("root");
/// let (a, again) = (b.literal("ab"), b.rule_ref(root));
/// let (more, none) = (b.concat(vec![again, a]), b.empty());
/// let body = b.choice(vec![more, none]);
/// b.define(root, body, None)?;
/// let grammar = b.build(root)?;
/// assert!(reference::matches(&grammar, b"abab"));
/// assert!(!reference::matches(&grammar, b"aba"));
/// assert!(reference::is_viable_prefix(&grammar, b"aba"));
/// # Ok::<(), bytewright::Error>(())
/// ```
pub fn matches(grammar: &Grammar, input: &[u8]) -> bool {
    matches_symbols(grammar, &as_symbols(input))
}

/// Whether some sentence of the grammar begins with `input`.
pub fn is_viable_prefix(grammar: &Grammar, input: &[u8]) -> bool {
    is_viable_prefix_of_symbols(grammar, &as_symbols(input))
}

/// [`matches`] over bytes and tokens.
pub fn matches_symbols(grammar: &Grammar, input: &[Symbol<'_>]) -> bool {
    let productions = Productions::new(grammar, input.len());
    productions.last_set(input).is_some_and(|items| {
        items
            .iter()
            .any(|item| item.origin == 0 && productions.is_root(item.left) && productions.is_done(item))
    })
}

/// [`is_viable_prefix`] over bytes and tokens. Any set of tokens counts as one that some token is in.
pub fn is_viable_prefix_of_symbols(grammar: &Grammar, input: &[Symbol<'_>]) -> bool {
    Productions::new(grammar, input.len()).last_set(input).is_some()
}

fn as_symbols(input: &[u8]) -> Vec<Symbol<'static>> {
    input.iter().map(|&byte| Symbol::Byte(byte)).collect()
}

/// A symbol on the right of a production.
#[derive(Clone)]
enum Right {
    Byte(ByteSet),
    Token(TokenSet),
    Nonterminal(usize),
}

impl Right {
    fn takes(&self, symbol: Symbol<'_>) -> bool {
        match (self, symbol) {
            (Right::Byte(set), Symbol::Byte(byte)) => set.contains(byte),
            (Right::Token(set), Symbol::Token { id, text }) => {
                let listed = set.ids.iter().any(|&(lo, hi)| (lo..=hi).contains(&id))
                    || set.names.iter().any(|name| name == text);
                listed != set.negated
            }
            _ => false,
        }
    }
}

/// A production of nonterminal `left`, read up to `dot`, begun at input position `origin`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Item {
    left: usize,
    alternative: usize,
    dot: usize,
    origin: usize,
}

/// Nonterminals `0..exprs` are the expressions, then come the rules, then the tails of repeats.
struct Productions {
    alternatives: Vec<Vec<Vec<Right>>>,
    nullable: Vec<bool>,
    root: usize,
}

impl Productions {
    fn new(grammar: &Grammar, input_len: usize) -> Self {
        let exprs = grammar.exprs.len();
        let rules = grammar.rules.len();
        let mut this = Self {
            alternatives: vec![Vec::new(); exprs + rules],
            nullable: Vec::new(),
            root: exprs + grammar.root().index(),
        };
        let cap = u32::try_from(input_len).unwrap_or(u32::MAX).saturating_add(1);
        let nullable = nullable_exprs(grammar);
        for id in (0..exprs).map(|i| ExprId(i as u32)) {
            let expr = |id: &ExprId| Right::Nonterminal(id.index());
            this.alternatives[id.index()] = match grammar.expr(id) {
                Expr::Empty => vec![vec![]],
                Expr::Class(set) => vec![vec![Right::Byte(*set)]],
                Expr::Literal(bytes) => {
                    vec![bytes.iter().map(|&byte| Right::Byte(ByteSet::single(byte))).collect()]
                }
                Expr::Rule(rule) => vec![vec![Right::Nonterminal(exprs + rule.index())]],
                Expr::Concat(parts) => vec![parts.iter().map(expr).collect()],
                Expr::Choice(options) => options.iter().map(|option| vec![expr(option)]).collect(),
                Expr::Token(set) => vec![vec![Right::Token(set.clone())]],
                // No grammar says what a schema means; its oracles are validators.
                Expr::JsonSchema(_) => Vec::new(),
                Expr::Repeat { body, min, max } => {
                    let min = if nullable[body.index()] { 0 } else { (*min).min(cap) };
                    let max = max.map(|max| max.min(cap));
                    vec![this.repeat(expr(body), min, max)]
                }
            };
        }
        for rule in (0..rules).map(|i| RuleId(i as u32)) {
            let body = grammar.rule(rule).body.index();
            this.alternatives[exprs + rule.index()] = vec![vec![Right::Nonterminal(body)]];
        }
        this.drop_unproductive();
        this.nullable = this.fixpoint(|right, done| matches!(right, Right::Nonterminal(n) if done[*n]));
        this
    }

    /// `min` copies of `body` and a tail of up to `max - min` more.
    fn repeat(&mut self, body: Right, min: u32, max: Option<u32>) -> Vec<Right> {
        let mut right = vec![body.clone(); min as usize];
        let tail = match max {
            None => {
                let tail = self.alternatives.len();
                self.alternatives.push(vec![vec![], vec![body, Right::Nonterminal(tail)]]);
                Some(tail)
            }
            Some(max) => (min..max).fold(None, |shorter: Option<usize>, _| {
                let mut longer = vec![body.clone()];
                longer.extend(shorter.map(Right::Nonterminal));
                self.alternatives.push(vec![vec![], longer]);
                Some(self.alternatives.len() - 1)
            }),
        };
        right.extend(tail.map(Right::Nonterminal));
        right
    }

    /// The nonterminals with an alternative all of whose symbols are fine by `fine`, as a least fixpoint.
    fn fixpoint(&self, fine: impl Fn(&Right, &[bool]) -> bool) -> Vec<bool> {
        let mut done = vec![false; self.alternatives.len()];
        loop {
            let before = done.clone();
            for (left, alternatives) in self.alternatives.iter().enumerate() {
                done[left] |= alternatives.iter().any(|rights| rights.iter().all(|r| fine(r, &before)));
            }
            if done == before {
                return done;
            }
        }
    }

    fn drop_unproductive(&mut self) {
        let can_finish = |right: &Right, done: &[bool]| match right {
            Right::Byte(set) => !set.is_empty(),
            Right::Token(set) => set.negated || !set.ids.is_empty() || !set.names.is_empty(),
            Right::Nonterminal(n) => done[*n],
        };
        let productive = self.fixpoint(can_finish);
        for alternatives in &mut self.alternatives {
            alternatives.retain(|rights| rights.iter().all(|right| can_finish(right, &productive)));
        }
    }

    fn is_root(&self, left: usize) -> bool {
        left == self.root
    }

    fn next(&self, item: &Item) -> Option<&Right> {
        self.alternatives[item.left][item.alternative].get(item.dot)
    }

    fn is_done(&self, item: &Item) -> bool {
        self.next(item).is_none()
    }

    /// The item set after the whole input; `None` when the input is no prefix of any sentence.
    fn last_set(&self, input: &[Symbol<'_>]) -> Option<Vec<Item>> {
        let mut sets: Vec<Vec<Item>> = Vec::new();
        let mut kernel = self.predicted(self.root, 0);
        for position in 0..=input.len() {
            if kernel.is_empty() {
                return None;
            }
            let set = self.closure(kernel, position, &sets);
            kernel = match input.get(position) {
                Some(&symbol) => set
                    .iter()
                    .filter(|item| self.next(item).is_some_and(|right| right.takes(symbol)))
                    .map(|item| Item { dot: item.dot + 1, ..*item })
                    .collect(),
                None => Vec::new(),
            };
            sets.push(set);
        }
        sets.pop()
    }

    fn predicted(&self, left: usize, origin: usize) -> Vec<Item> {
        (0..self.alternatives[left].len())
            .map(|alternative| Item { left, alternative, dot: 0, origin })
            .collect()
    }

    fn closure(&self, kernel: Vec<Item>, position: usize, sets: &[Vec<Item>]) -> Vec<Item> {
        let mut seen: HashSet<Item> = kernel.iter().copied().collect();
        let mut set = kernel;
        let mut done = 0;
        while done < set.len() {
            let item = set[done];
            done += 1;
            let mut new = Vec::new();
            match self.next(&item) {
                Some(Right::Nonterminal(n)) => {
                    new.extend(self.predicted(*n, position));
                    if self.nullable[*n] {
                        new.push(Item { dot: item.dot + 1, ..item });
                    }
                }
                Some(_) => {}
                // Completions of what began here are covered by the nullable rule above.
                None if item.origin < position => new.extend(
                    sets[item.origin]
                        .iter()
                        .filter(
                            |parent| matches!(self.next(parent), Some(Right::Nonterminal(n)) if *n == item.left),
                        )
                        .map(|parent| Item { dot: parent.dot + 1, ..*parent }),
                ),
                None => {}
            }
            set.extend(new.into_iter().filter(|item| seen.insert(*item)));
        }
        set
    }
}

/// Which expressions match the empty string, before repeats are written out.
fn nullable_exprs(grammar: &Grammar) -> Vec<bool> {
    let mut nullable = vec![false; grammar.exprs.len()];
    loop {
        let before = nullable.clone();
        for (i, expr) in grammar.exprs.iter().enumerate() {
            nullable[i] = match expr {
                Expr::Empty => true,
                Expr::Class(_) | Expr::Token(_) | Expr::JsonSchema(_) => false,
                Expr::Literal(bytes) => bytes.is_empty(),
                Expr::Rule(rule) => nullable[grammar.rule(*rule).body.index()],
                Expr::Concat(parts) => parts.iter().all(|part| nullable[part.index()]),
                Expr::Choice(options) => options.iter().any(|option| nullable[option.index()]),
                Expr::Repeat { body, min, .. } => *min == 0 || nullable[body.index()],
            };
        }
        if nullable == before {
            return nullable;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::GrammarBuilder;
    use super::*;

    fn grammar(make: impl FnOnce(&mut GrammarBuilder, RuleId) -> ExprId) -> Grammar {
        let mut b = GrammarBuilder::new("");
        let root = b.declare("root");
        let body = make(&mut b, root);
        b.define(root, body, None).unwrap();
        b.build(root).unwrap()
    }

    #[test]
    fn ambiguous_and_left_recursive() {
        // S ::= S S | "a" | ""
        let g = grammar(|b, root| {
            let s = b.rule_ref(root);
            let both = b.concat(vec![s, s]);
            let (a, e) = (b.literal("a"), b.empty());
            b.choice(vec![both, a, e])
        });
        assert!(matches(&g, b"") && matches(&g, b"aaaaa"));
        assert!(!is_viable_prefix(&g, b"ab"));
    }

    #[test]
    fn huge_counts_mean_what_they_say() {
        let g = grammar(|b, _| {
            let a = b.literal("ab");
            b.repeat(a, 4_000_000_000, Some(u32::MAX))
        });
        assert!(is_viable_prefix(&g, b"aba") && !matches(&g, b"abab") && !is_viable_prefix(&g, b"aa"));
        let g = grammar(|b, _| {
            let a = b.literal("a");
            let opt = b.repeat(a, 0, Some(1));
            b.repeat(opt, 5, Some(6))
        });
        assert!(matches(&g, b"") && matches(&g, b"aaaaaa") && !is_viable_prefix(&g, b"aaaaaaa"));
        let g = grammar(|b, _| {
            let a = b.literal("a");
            b.repeat(a, 2, Some(3))
        });
        let lengths: Vec<usize> = (0..6).filter(|&n| matches(&g, &b"aaaaaa"[..n])).collect();
        assert_eq!(lengths, [2, 3]);
    }

    #[test]
    fn prefixes_that_cannot_finish_are_not_viable() {
        // root ::= "a" [] | "b": "a" begins nothing.
        let g = grammar(|b, _| {
            let (a, never, c) = (b.literal("a"), b.choice(vec![]), b.literal("b"));
            let dead = b.concat(vec![a, never]);
            b.choice(vec![dead, c])
        });
        assert!(!is_viable_prefix(&g, b"a") && is_viable_prefix(&g, b"") && matches(&g, b"b"));
        let none = grammar(|b, root| b.rule_ref(root));
        assert!(!is_viable_prefix(&none, b""));
    }

    #[test]
    fn tokens_are_no_text() {
        let g = grammar(|b, _| {
            let set = TokenSet { ids: vec![(7, 9)], names: vec!["<end>".into()], negated: false };
            let (token, a) = (b.token(set), b.literal("a"));
            b.concat(vec![a, token])
        });
        let token = |id, text| Symbol::Token { id, text };
        assert!(is_viable_prefix(&g, b"a") && !matches(&g, b"a") && !is_viable_prefix(&g, b"a<end>"));
        for (symbol, fits) in [(token(8, "x"), true), (token(3, "<end>"), true), (token(3, "x"), false)] {
            assert_eq!(matches_symbols(&g, &[Symbol::Byte(b'a'), symbol]), fits);
        }
    }
}
