//! From code points to UTF-8 byte sequences.
//!
//! A set of code points becomes a choice of concatenated byte classes by the classic splitting of ranges at the
//! boundaries of UTF-8 encodings (`regex_syntax::utf8`). Every sequence produced is well-formed UTF-8 (RFC 3629, section
//! 4): overlong forms and surrogates never match.

use super::{ByteSet, Expr, ExprId, Grammar, GrammarBuilder};
use regex_syntax::utf8::Utf8Sequences;
use std::collections::BTreeMap;

/// The bytes of all characters beyond ASCII, surrogates left out: a range for each byte (Unicode, table 3-7).
pub(crate) const BEYOND_ASCII: [&[(u8, u8)]; 8] = [
    &[(0xC2, 0xDF), CONTINUED],
    &[(0xE0, 0xE0), (0xA0, 0xBF), CONTINUED],
    &[(0xE1, 0xEC), CONTINUED, CONTINUED],
    &[(0xED, 0xED), (0x80, 0x9F), CONTINUED],
    &[(0xEE, 0xEF), CONTINUED, CONTINUED],
    &[(0xF0, 0xF0), (0x90, 0xBF), CONTINUED, CONTINUED],
    &[(0xF1, 0xF3), CONTINUED, CONTINUED, CONTINUED],
    &[(0xF4, 0xF4), (0x80, 0x8F), CONTINUED, CONTINUED],
];
const CONTINUED: (u8, u8) = (0x80, 0xBF);
/// The first bytes of these characters.
pub(crate) const LEADS: (u8, u8) = (0xC2, 0xF4);

/// Whether a byte only continues a character.
#[inline]
pub(crate) fn is_continuation(byte: u8) -> bool {
    (CONTINUED.0..=CONTINUED.1).contains(&byte)
}

/// The first byte of a code point.
pub(crate) fn first_byte(code: u32) -> u8 {
    match code {
        0..0x80 => code as u8,
        0x80..0x800 => 0xC0 | (code >> 6) as u8,
        0x800..0x1_0000 => 0xE0 | (code >> 12) as u8,
        _ => 0xF0 | (code >> 18) as u8,
    }
}

/// One character of these inclusive ranges of code points.
///
/// Sequences are grouped by their tails, so that a class of thousands of ranges stays small.
pub(super) fn chars(builder: &mut GrammarBuilder, ranges: &[(u32, u32)]) -> ExprId {
    // tail (all byte ranges but the first) -> set of lead bytes
    let mut by_tail: BTreeMap<Vec<(u8, u8)>, ByteSet> = BTreeMap::new();
    for &(lo, hi) in ranges {
        for (lo, hi) in without_surrogates(lo, hi) {
            for sequence in Utf8Sequences::new(lo, hi) {
                let [first, tail @ ..] = sequence.as_slice() else { continue };
                let tail = tail.iter().map(|r| (r.start, r.end)).collect();
                let lead = by_tail.entry(tail).or_default();
                *lead = lead.union(&ByteSet::range(first.start, first.end));
            }
        }
    }
    let options = by_tail
        .into_iter()
        .map(|(tail, lead)| {
            let mut parts = vec![builder.class(lead)];
            parts.extend(tail.into_iter().map(|(lo, hi)| builder.class(ByteSet::range(lo, hi))));
            builder.concat(parts)
        })
        .collect();
    builder.choice(options)
}

fn without_surrogates(lo: u32, hi: u32) -> impl Iterator<Item = (char, char)> {
    let hi = hi.min(0x0010_FFFF);
    [(lo, hi.min(0xD7FF)), (lo.max(0xE000), hi)]
        .into_iter()
        .filter(|(lo, hi)| lo <= hi)
        .filter_map(|(lo, hi)| Some((char::from_u32(lo)?, char::from_u32(hi)?)))
}

/// The code points of an expression that matches exactly one character of a set: the inverse of [`GrammarBuilder::chars`].
///
/// Gives sorted ranges that do not touch (the surrogates count as no gap), or `None` for any other expression.
pub(super) fn decode(grammar: &Grammar, id: ExprId) -> Option<Vec<(u32, u32)>> {
    let mut ranges = Vec::new();
    match grammar.expr(id) {
        Expr::Choice(options) if !options.is_empty() => {
            for &option in options {
                decode_sequence(grammar, option, &mut ranges)?;
            }
        }
        _ => decode_sequence(grammar, id, &mut ranges)?,
    }
    ranges.sort_unstable();
    let mut merged: Vec<(u32, u32)> = Vec::new();
    for (lo, hi) in ranges {
        match merged.last_mut() {
            Some(last) if lo <= last.1 + 1 || (last.1 == 0xD7FF && lo == 0xE000) => last.1 = last.1.max(hi),
            _ => merged.push((lo, hi)),
        }
    }
    Some(merged)
}

/// The code points of one class, or of classes in a row.
fn decode_sequence(grammar: &Grammar, id: ExprId, ranges: &mut Vec<(u32, u32)>) -> Option<()> {
    let class = |&id: &ExprId| match grammar.expr(id) {
        Expr::Class(set) if !set.is_empty() => Some(*set),
        _ => None,
    };
    let sets: Vec<ByteSet> = match grammar.expr(id) {
        Expr::Class(_) => vec![class(&id)?],
        Expr::Concat(parts) if (2..=4).contains(&parts.len()) => {
            parts.iter().map(class).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let (lead, tail) = sets.split_first()?;
    let tail: Vec<(u8, u8)> = tail
        .iter()
        .map(|set| {
            let mut all = set.ranges();
            all.next().filter(|_| all.next().is_none())
        })
        .collect::<Option<_>>()?;
    let size: u32 = tail.iter().map(|&(lo, hi)| u32::from(hi - lo) + 1).product();
    for byte in lead.iter() {
        let end = |pick: fn(&(u8, u8)) -> u8| -> Option<u32> {
            let bytes: Vec<u8> = std::iter::once(byte).chain(tail.iter().map(pick)).collect();
            let mut chars = std::str::from_utf8(&bytes).ok()?.chars();
            chars.next().filter(|_| chars.next().is_none()).map(u32::from)
        };
        let (lo, hi) = (end(|range| range.0)?, end(|range| range.1)?);
        // Encoding keeps the order, so as many strings as code points between the ends are exactly those.
        if hi - lo + 1 != size {
            return None;
        }
        ranges.push((lo, hi));
    }
    Some(())
}

/// The complement of a set of inclusive ranges within all code points.
pub fn complement(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    let mut out = Vec::new();
    let mut next = 0u32;
    for (lo, hi) in sorted {
        if lo > next {
            out.push((next, lo - 1));
        }
        next = next.max(hi.saturating_add(1));
    }
    if next <= 0x0010_FFFF {
        out.push((next, 0x0010_FFFF));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Expr, Grammar};
    use super::*;

    fn matches(grammar: &Grammar, id: ExprId, bytes: &[u8]) -> bool {
        match grammar.expr(id) {
            Expr::Class(set) => bytes.len() == 1 && set.contains(bytes[0]),
            Expr::Choice(options) => options.iter().any(|&o| matches(grammar, o, bytes)),
            Expr::Concat(parts) => {
                parts.len() == bytes.len()
                    && parts.iter().zip(bytes).all(|(&p, &b)| matches(grammar, p, &[b]))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn classes_match_exactly_their_characters() {
        let sets: [&[(u32, u32)]; 4] =
            [&[(0, 0x10FFFF)], &[(0x61, 0x7A), (0xE9, 0xE9)], &[(0x7F0, 0x10010)], &[(0xD700, 0xE100)]];
        for ranges in sets {
            let mut b = GrammarBuilder::new("");
            let root = b.declare("root");
            let id = b.chars(ranges);
            b.define(root, id, None).unwrap();
            let grammar = b.build(root).unwrap();
            for c in (0..=0x10FFFFu32).step_by(7).filter_map(char::from_u32) {
                let inside = ranges.iter().any(|&(lo, hi)| (lo..=hi).contains(&(c as u32)));
                assert_eq!(matches(&grammar, id, c.to_string().as_bytes()), inside, "{c:?}");
            }
        }
    }

    #[test]
    fn decoding_gives_the_ranges_back() {
        let sets: [&[(u32, u32)]; 5] = [
            &[(0, 0x10FFFF)],
            &[(0x61, 0x7A), (0xE9, 0xE9)],
            &[(0x7F0, 0x10010)],
            &[(0xFF, 0xFF)],
            &[(0, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF)],
        ];
        for ranges in sets {
            let mut b = GrammarBuilder::new("");
            let root = b.declare("root");
            let id = b.chars(ranges);
            let (half, two) = (b.class(ByteSet::range(0x80, 0xFF)), b.class(ByteSet::range(b'0', b'9')));
            let other = b.concat(vec![two, two]);
            b.define(root, id, None).unwrap();
            let grammar = b.build(root).unwrap();
            assert_eq!(decode(&grammar, id).unwrap(), ranges);
            assert!(decode(&grammar, half).is_none() && decode(&grammar, other).is_none());
        }
    }

    #[test]
    fn complement_is_an_involution() {
        let set = [(5, 9), (20, 0x10FFFF)];
        assert_eq!(complement(&set), [(0, 4), (10, 19)]);
        assert_eq!(complement(&complement(&set)), set);
        assert_eq!(complement(&[]), [(0, 0x10FFFF)]);
    }

    #[test]
    fn what_lies_beyond_ascii_is_what_the_library_says() {
        let sequences = Utf8Sequences::new('\u{80}', '\u{10FFFF}');
        let found: Vec<Vec<(u8, u8)>> = sequences
            .map(|sequence| sequence.as_slice().iter().map(|r| (r.start, r.end)).collect())
            .collect();
        assert_eq!(found, BEYOND_ASCII);
        assert!(BEYOND_ASCII.iter().all(|form| form[0].0 >= LEADS.0 && form[0].1 <= LEADS.1));
        for c in [
            '\0',
            '\x7f',
            '\u{80}',
            'é',
            '\u{7ff}',
            '\u{800}',
            '\u{2028}',
            '\u{ffff}',
            '\u{10000}',
            '\u{10ffff}',
        ] {
            assert_eq!(first_byte(c as u32), c.to_string().as_bytes()[0]);
        }
    }
}
