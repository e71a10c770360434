//! ECMA-262 patterns as regular languages.
//!
//! A pattern is lowered from its end to its beginning: for each part, given what may follow it, the language of all that may
//! follow before it. So a lookahead is an intersection with what follows, and `$` an intersection with the empty text. What
//! depends on what went before (`^`, `\b`) is told apart by [`After`]: the languages at the start of the text, after a
//! character of no word, and after one of a word. A lookbehind at the top of a pattern intersects what went before.

mod parse;

use crate::regular::{CodeSet, Regular, TermId};
pub(in crate::json_schema) use parse::Problem;
use parse::{Ast, word};

/// Languages of what may follow: at the start of the text, after a non-word character, and after a word character.
type After = [TermId; 3];

/// Repeats with assertions inside are written out up to so many rounds.
const MAX_UNROLLED: u32 = 64;

/// The texts in which a pattern is found somewhere.
pub(super) fn language(regular: &mut Regular, pattern: &str) -> Result<TermId, Problem> {
    let ast = parse::parse(pattern)?;
    let mut lowering = Lowering { regular };
    let options = match ast {
        Ast::Or(options) => options,
        one => vec![one],
    };
    let languages = options.iter().map(|option| lowering.found(option)).collect::<Result<Vec<_>, _>>()?;
    Ok(regular.or(languages))
}

struct Lowering<'a> {
    regular: &'a mut Regular,
}

impl Lowering<'_> {
    /// The texts in which an alternative at the top is found.
    fn found(&mut self, ast: &Ast) -> Result<TermId, Problem> {
        let parts = match ast {
            Ast::Concat(parts) => parts,
            one => std::slice::from_ref(one),
        };
        let everything = self.regular.everything();
        let behind = parts.iter().rposition(|part| matches!(part, Ast::Look { ahead: false, .. }));
        let Some(at) = behind else {
            let after = self.sequence(parts, [everything; 3])?;
            return Ok(self.anywhere(after));
        };
        let Ast::Look { negative, body, .. } = &parts[at] else { return Ok(everything) };
        let empty = self.regular.empty();
        let before = self.with_end(&parts[..at], empty)?;
        let mut condition = self.with_end(std::slice::from_ref(body), empty)?;
        if *negative {
            condition = self.regular.not(condition);
        }
        let before = self.regular.and([before, condition]);
        let after = self.sequence(&parts[at + 1..], [everything; 3])?;
        if after[0] != after[1] || after[1] != after[2] {
            return Err(Problem::Unsupported("an assertion about what went before after a lookbehind"));
        }
        Ok(self.regular.concat(before, after[0]))
    }

    /// The texts that a sequence ends.
    fn with_end(&mut self, parts: &[Ast], empty: TermId) -> Result<TermId, Problem> {
        // A lookahead on this side would look at texts that only the other side knows.
        if parts.iter().any(|part| {
            has(part, &|ast| matches!(ast, Ast::Look { ahead: true, .. } | Ast::End | Ast::Boundary(_)))
        }) {
            return Err(Problem::Unsupported("an assertion about what follows before a lookbehind"));
        }
        let found = match parts.iter().any(|part| matches!(part, Ast::Look { .. })) {
            true => return Err(Problem::Unsupported("more than one lookbehind in a sequence")),
            false => self.sequence(parts, [empty; 3])?,
        };
        Ok(self.anywhere(found))
    }

    /// The texts with a rest that follows as it may.
    fn anywhere(&mut self, after: After) -> TermId {
        let (nothing, everything) = (self.regular.nothing(), self.regular.everything());
        if after[0] == after[1] && after[1] == after[2] {
            return self.regular.concat(everything, after[0]);
        }
        if after[1] == nothing && after[2] == nothing {
            return after[0];
        }
        let other = CodeSet::all().difference(&word());
        let mut options = vec![after[0]];
        for (last, rest) in [(other, after[1]), (word(), after[2])] {
            let last = self.regular.class(last);
            let rest = self.regular.concat(last, rest);
            options.push(self.regular.concat(everything, rest));
        }
        self.regular.or(options)
    }

    fn sequence(&mut self, parts: &[Ast], after: After) -> Result<After, Problem> {
        parts.iter().rev().try_fold(after, |after, part| self.lower(part, after))
    }

    fn each(&mut self, after: After, mut f: impl FnMut(&mut Regular, TermId) -> TermId) -> After {
        after.map(|language| f(self.regular, language))
    }

    /// What may follow before a part, given what may follow after it. As deep as groups nest, which the parser bounds.
    fn lower(&mut self, ast: &Ast, after: After) -> Result<After, Problem> {
        Ok(match ast {
            Ast::Class(set) => [self.class(set, after); 3],
            Ast::Start => {
                let nothing = self.regular.nothing();
                [after[0], nothing, nothing]
            }
            Ast::End => self.each(after, |regular, language| {
                let empty = regular.empty();
                regular.and([language, empty])
            }),
            Ast::Boundary(positive) => {
                let class = self.regular.class(word());
                let everything = self.regular.everything();
                let in_word = self.regular.concat(class, everything);
                let out_of_word = self.regular.not(in_word);
                let wanted = if *positive {
                    [in_word, in_word, out_of_word]
                } else {
                    [out_of_word, out_of_word, in_word]
                };
                std::array::from_fn(|i| self.regular.and([after[i], wanted[i]]))
            }
            Ast::Concat(parts) => self.sequence(parts, after)?,
            Ast::Or(options) => {
                let all: Vec<After> =
                    options.iter().map(|o| self.lower(o, after)).collect::<Result<_, _>>()?;
                std::array::from_fn(|i| self.regular.or(all.iter().map(|one| one[i])))
            }
            Ast::Repeat(body, min, max) => self.repeat(body, *min, *max, after)?,
            Ast::Look { ahead: true, negative, body } => {
                let everything = self.regular.everything();
                let seen = self.lower(body, [everything; 3])?;
                std::array::from_fn(|i| {
                    let seen = if *negative { self.regular.not(seen[i]) } else { seen[i] };
                    self.regular.and([after[i], seen])
                })
            }
            Ast::Look { .. } => return Err(Problem::Unsupported("a lookbehind inside a group")),
        })
    }

    fn class(&mut self, set: &CodeSet, after: After) -> TermId {
        if after[1] == after[2] {
            let class = self.regular.class(set.clone());
            return self.regular.concat(class, after[1]);
        }
        let sets = [(set.difference(&word()), after[1]), (set.intersection(&word()), after[2])];
        let options = sets.map(|(set, rest)| {
            let class = self.regular.class(set);
            self.regular.concat(class, rest)
        });
        self.regular.or(options)
    }

    fn repeat(&mut self, body: &Ast, min: u32, max: Option<u32>, after: After) -> Result<After, Problem> {
        let is_assertion =
            |ast: &Ast| matches!(ast, Ast::Start | Ast::End | Ast::Boundary(_) | Ast::Look { .. });
        if has(body, &is_assertion) {
            return self.repeat_with_assertions(body, min, max, after);
        }
        let empty = self.regular.empty();
        let [body, ..] = self.lower(body, [empty; 3])?;
        let repeat = self.regular.repeat(body, min, max);
        if after[0] == after[1] && after[1] == after[2] {
            return Ok([self.regular.concat(repeat, after[0]); 3]);
        }
        let everything = self.regular.everything();
        let sets = [(CodeSet::all().difference(&word()), after[1]), (word(), after[2])];
        let consumed = sets.map(|(last, rest)| {
            let last = self.regular.class(last);
            let ends = self.regular.concat(everything, last);
            let part = self.regular.and([repeat, ends]);
            self.regular.concat(part, rest)
        });
        let nullable = self.regular.is_nullable(repeat);
        Ok(after.map(|rest| self.regular.or(consumed.into_iter().chain(nullable.then_some(rest)))))
    }

    /// An unbounded repeat with `$` inside: only the last round that reads anything can get past one, and only where all that follows
    /// may be empty.
    fn repeat_with_ends(&mut self, body: &Ast, min: u32, after: After) -> Result<After, Problem> {
        let empty = self.regular.empty();
        let [last, ..] = self.lower(body, [empty; 3])?;
        let [round, ..] = self.lower(&without_ends(body), [empty; 3])?;
        let rounds = self.regular.repeat(round, 0, None);
        let is_last = self.regular.is_nullable(after[0]);
        let rest = self.regular.or([after[0]].into_iter().chain(is_last.then_some(last)));
        let mut out = [self.regular.concat(rounds, rest); 3];
        for _ in 0..min {
            out = self.lower(body, out)?;
        }
        Ok(out)
    }

    fn repeat_with_assertions(
        &mut self,
        body: &Ast,
        min: u32,
        max: Option<u32>,
        after: After,
    ) -> Result<After, Problem> {
        if let Some(max) = max.filter(|&max| max <= MAX_UNROLLED) {
            let mut out = after;
            for round in (0..max).rev() {
                out = self.lower(body, out)?;
                if round >= min {
                    out = std::array::from_fn(|i| self.regular.or([out[i], after[i]]));
                }
            }
            return Ok(out);
        }
        let is_other = |ast: &Ast| matches!(ast, Ast::Start | Ast::Boundary(_) | Ast::Look { .. });
        let is_like = after[0] == after[1] && after[1] == after[2];
        if max.is_none() && min <= MAX_UNROLLED && is_like && !has(body, &is_other) {
            return self.repeat_with_ends(body, min, after);
        }
        // `((?!A)c)*` up to the end of the text: no suffix of it, the empty one aside, begins with A.
        let empty = self.regular.empty();
        if let (Ast::Concat(parts), 0, None) = (body, min, max)
            && let [Ast::Look { ahead: true, negative: true, body: seen }, Ast::Class(set)] = &parts[..]
            && after == [empty; 3]
        {
            let everything = self.regular.everything();
            let seen = self.lower(seen, [everything; 3])?;
            if seen[0] == seen[1] && seen[1] == seen[2] {
                let class = self.regular.class(set.clone());
                let all = self.regular.repeat(class, 0, None);
                let more = self.regular.concat(class, all);
                let bad = self.regular.and([seen[0], more]);
                let bad = self.regular.concat(all, bad);
                let good = self.regular.not(bad);
                return Ok([self.regular.and([all, good]); 3]);
            }
        }
        Err(Problem::Unsupported("an assertion inside a repeat without a small bound"))
    }
}

/// The same without what can only be at the end of the text.
fn without_ends(ast: &Ast) -> Ast {
    let all = |parts: &[Ast]| parts.iter().map(without_ends).collect();
    match ast {
        Ast::End => Ast::Or(Vec::new()),
        Ast::Concat(parts) => Ast::Concat(all(parts)),
        Ast::Or(parts) => Ast::Or(all(parts)),
        Ast::Repeat(body, min, max) => Ast::Repeat(Box::new(without_ends(body)), *min, *max),
        other => other.clone(),
    }
}

/// Whether a part of a pattern is so.
fn has(ast: &Ast, is_so: &impl Fn(&Ast) -> bool) -> bool {
    is_so(ast)
        || match ast {
            Ast::Concat(parts) | Ast::Or(parts) => parts.iter().any(|part| has(part, is_so)),
            Ast::Repeat(body, ..) | Ast::Look { body, .. } => has(body, is_so),
            _ => false,
        }
}

#[cfg(test)]
mod tests;
