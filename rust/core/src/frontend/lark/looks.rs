//! The languages of lookarounds.
//!
//! A lookahead holds where the rest of the text is in a language. It is made from the end of its body to the beginning: for
//! each part, given the rests that may follow it, the rests that may follow before it. So a lookahead inside is an
//! intersection. A look at the character before (`\b` after a word) needs to know that character: rests come in pairs,
//! [`After`], for one class of characters that a body's lookbehinds may ask for.

use super::pattern::{Look, Re};
use crate::regular::{CodeSet, Regular, TermId};

/// The rests that may follow where the character before is not of the class (or there is none), and where it is.
type After = [TermId; 2];

/// Repeats with looks inside are written out up to so many rounds.
const MAX_UNROLLED: u32 = 32;

/// Why a lookaround has no language here.
pub(super) struct Refused(pub(super) &'static str);

/// The rests of the text that a lookahead sees, or the texts so far that a lookbehind sees.
pub(super) fn language(regular: &mut Regular, look: &Look) -> Result<TermId, Refused> {
    let everything = regular.everything();
    if !look.ahead {
        if has_looks(&look.body) {
            return Err(Refused("lookaround inside a lookbehind"));
        }
        let body = plain(regular, &look.body)?;
        return Ok(regular.concat(everything, body));
    }
    let mut class = None;
    asked(&look.body, &mut class)?;
    let mut lowering = Lowering { regular, class: class.unwrap_or_default() };
    let [other, of_class] = lowering.lower(&look.body, [everything; 2])?;
    if other != of_class {
        return Err(Refused("a lookahead that begins with a look at the character before"));
    }
    Ok(other)
}

fn has_looks(re: &Re) -> bool {
    matches!(re, Re::Look(_)) || re.parts().iter().any(|part| has_looks(part))
}

/// The class that the lookbehinds in a body ask for.
fn asked(re: &Re, class: &mut Option<CodeSet>) -> Result<(), Refused> {
    if let Re::Look(Look { ahead: false, body, .. }) = re {
        let Re::Class(set) = &**body else {
            return Err(Refused("a lookbehind of several characters inside a lookahead"));
        };
        if class.get_or_insert_with(|| set.clone()) != set {
            return Err(Refused("looks at the character before of several kinds inside a lookahead"));
        }
        return Ok(());
    }
    re.parts().iter().try_for_each(|part| asked(part, class))
}

/// The language of an expression without looks.
fn plain(regular: &mut Regular, re: &Re) -> Result<TermId, Refused> {
    let parts: Vec<TermId> = re.parts().iter().map(|part| plain(regular, part)).collect::<Result<_, _>>()?;
    Ok(match re {
        Re::Class(set) => regular.class(set.clone()),
        Re::Concat(_) => {
            let empty = regular.empty();
            parts.into_iter().rev().fold(empty, |rest, part| regular.concat(part, rest))
        }
        Re::Or(_) => regular.or(parts),
        Re::Repeat(_, min, max, _) => regular.repeat(parts[0], *min, *max),
        // Patterns have nothing else.
        _ => return Err(Refused("lookaround of this kind")),
    })
}

struct Lowering<'r> {
    regular: &'r mut Regular,
    class: CodeSet,
}

impl Lowering<'_> {
    /// As deep as groups nest, which the parser of patterns bounds.
    fn lower(&mut self, re: &Re, after: After) -> Result<After, Refused> {
        Ok(match re {
            Re::Class(set) => {
                let sets = [set.difference(&self.class), set.intersection(&self.class)];
                let ways = [0, 1].map(|i| {
                    let class = self.regular.class(sets[i].clone());
                    self.regular.concat(class, after[i])
                });
                [self.regular.or(ways); 2]
            }
            Re::Concat(parts) => parts.iter().rev().try_fold(after, |after, part| self.lower(part, after))?,
            Re::Or(options) => {
                let all: Vec<After> =
                    options.iter().map(|option| self.lower(option, after)).collect::<Result<_, _>>()?;
                [0, 1].map(|i| self.regular.or(all.iter().map(|one| one[i])))
            }
            Re::Look(Look { ahead: false, negative, .. }) => {
                let nothing = self.regular.nothing();
                if *negative { [after[0], nothing] } else { [nothing, after[1]] }
            }
            Re::Look(Look { body, negative, .. }) => {
                let everything = self.regular.everything();
                let seen = self.lower(body, [everything; 2])?;
                [0, 1].map(|i| {
                    let seen = if *negative { self.regular.not(seen[i]) } else { seen[i] };
                    self.regular.and([after[i], seen])
                })
            }
            Re::Repeat(body, min, max, _) => self.repeat(body, *min, *max, after)?,
            _ => return Err(Refused("lookaround of this kind")),
        })
    }

    fn repeat(&mut self, body: &Re, min: u32, max: Option<u32>, after: After) -> Result<After, Refused> {
        if has_looks(body) {
            let Some(max) = max.filter(|&max| max <= MAX_UNROLLED) else {
                return Err(Refused("lookaround in a repeat inside a lookahead"));
            };
            let mut out = after;
            for round in (0..max).rev() {
                out = self.lower(body, out)?;
                if round >= min {
                    out = [0, 1].map(|i| self.regular.or([out[i], after[i]]));
                }
            }
            return Ok(out);
        }
        let body = plain(self.regular, body)?;
        let repeat = self.regular.repeat(body, min, max);
        if after[0] == after[1] {
            return Ok([self.regular.concat(repeat, after[0]); 2]);
        }
        let everything = self.regular.everything();
        let sets = [CodeSet::all().difference(&self.class), self.class.clone()];
        let ways = [0, 1].map(|i| {
            let last = self.regular.class(sets[i].clone());
            let ends = self.regular.concat(everything, last);
            let part = self.regular.and([repeat, ends]);
            self.regular.concat(part, after[i])
        });
        let is_nullable = self.regular.is_nullable(repeat);
        Ok([0, 1].map(|i| self.regular.or(ways.into_iter().chain(is_nullable.then_some(after[i])))))
    }
}
