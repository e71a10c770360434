//! The slow, obvious recogniser that the engine must agree with; it shares nothing with the engine but the IR.
//!
//! `ends(expression, i)` is the set of positions at which a match that begins at `i` can end, computed as the least fixpoint
//! over all rules and positions. One position past the end of the text stands for "somewhere beyond": it is reached by
//! anything that needs more bytes than there are, and everything productive leads from it to itself. A text is a sentence
//! iff a match of the root ends at its end, and a viable prefix iff one ends there or beyond.

use super::{Expr, ExprId, Grammar};

/// Positions `0..=n`, and `n + 1` for "beyond", as bits; texts are at most 60 bytes long.
type Positions = u64;

/// A text against a grammar.
pub(crate) struct Oracle<'a> {
    grammar: &'a Grammar,
    text: &'a [u8],
    /// `ends[rule][position]`.
    ends: Vec<Vec<Positions>>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(grammar: &'a Grammar, text: &'a [u8]) -> Self {
        assert!(text.len() <= 60);
        let mut oracle = Self { grammar, text, ends: vec![vec![0; text.len() + 2]; grammar.rules().len()] };
        let mut changed = true;
        while changed {
            changed = false;
            for rule in 0..grammar.rules().len() {
                for position in 0..text.len() + 2 {
                    let ends = oracle.ends_of(grammar.rules()[rule].body, position);
                    changed |= ends != oracle.ends[rule][position];
                    oracle.ends[rule][position] = ends;
                }
            }
        }
        oracle
    }

    pub(crate) fn is_sentence(&self) -> bool {
        self.root_ends() >> self.text.len() & 1 == 1
    }

    pub(crate) fn is_viable_prefix(&self) -> bool {
        self.root_ends() >> self.text.len() != 0
    }

    fn root_ends(&self) -> Positions {
        self.ends[self.grammar.root().index()][0]
    }

    fn byte(&self, at: usize, fits: impl Fn(u8) -> bool) -> Positions {
        let n = self.text.len();
        match self.text.get(at) {
            Some(&byte) => Positions::from(fits(byte)) << (at + 1),
            None => Positions::from((0..=255).any(fits)) << (n + 1),
        }
    }

    fn after(&self, from: Positions, body: ExprId) -> Positions {
        (0..self.text.len() + 2).filter(|p| from >> p & 1 == 1).fold(0, |all, p| all | self.ends_of(body, p))
    }

    fn ends_of(&self, expr: ExprId, at: usize) -> Positions {
        match self.grammar.expr(expr) {
            Expr::Empty => 1 << at,
            Expr::Class(set) => self.byte(at, |b| set.contains(b)),
            Expr::Literal(bytes) => bytes.iter().fold(1 << at, |from: Positions, &byte| {
                let positions = (0..self.text.len() + 2).filter(|p| from >> p & 1 == 1);
                positions.fold(0, |all, p| all | self.byte(p, |b| b == byte))
            }),
            Expr::Rule(rule) => self.ends[rule.index()][at],
            Expr::Concat(parts) => parts.iter().fold(1 << at, |from, &part| self.after(from, part)),
            Expr::Choice(options) => options.iter().fold(0, |all, &option| all | self.ends_of(option, at)),
            Expr::Repeat { body, min, max } => {
                let (mut all, mut from) = (0, 1 << at);
                let mut seen = Vec::new();
                for round in 0..=max.unwrap_or(u32::MAX) {
                    if round >= *min {
                        all |= from;
                        if seen.contains(&from) {
                            break;
                        }
                        seen.push(from);
                    }
                    from = self.after(from, *body);
                    if from == 0 {
                        break;
                    }
                }
                all
            }
            Expr::Token(_) => 0,
        }
    }
}
