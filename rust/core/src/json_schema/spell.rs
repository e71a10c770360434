//! Texts of code points as bytes of JSON strings (RFC 8259, section 7).
//!
//! An automaton over code points becomes one over bytes: between characters a state is the automaton's own ([`Spell::Char`]);
//! inside one it is what is read of its UTF-8 bytes or of its escape. Any character may be written directly (unless it
//! must be escaped) or by any escape, `\uD83D\uDE00` included; half a surrogate pair never. *Pinned* characters, which are those of
//! printable ASCII that need no escape, are written directly only.

use smallvec::SmallVec;
use std::hash::Hash;
use std::sync::Arc;

/// A text as a JSON string, as it is mostly written.
pub(super) fn quoted(text: &str) -> Vec<u8> {
    serde_json::to_vec(text).unwrap_or_default()
}

/// Where the automaton goes on each code point: ascending, disjoint ranges.
pub(super) type Targets<X> = Arc<[(u32, u32, X)]>;

/// A state inside a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Spell<X> {
    /// Between two characters.
    Char(X),
    /// So many bytes of UTF-8 are left, whatever they are.
    AnyUtf8(X, u8),
    /// So many bytes of UTF-8 are left of a character that begins like this; the least code point of its length.
    Utf8(X, u32, u8, u32),
    /// After a backslash.
    Escape(X),
    /// So many hexadecimal digits are left, whatever they are.
    AnyHex(X, u8),
    /// So many hexadecimal digits are left of a number that begins like this.
    Hex(X, u32, u8),
    /// So many hexadecimal digits are left of the first half of a pair, whatever the pair is.
    AnyHigh(X, u8),
    /// After the first half of a pair, whatever the pair is: the second half's backslash comes, or its `u`.
    AnyPair(X, bool),
    /// So many digits are left of the second half, whatever it is.
    AnyLow(X, u8),
    /// After the first half of a pair, whose code points begin here: the second half's backslash comes, or its `u`.
    Pair(X, u32, bool),
    /// So many digits are left of the second half, which begins like this.
    Low(X, u32, u32, u8),
}

impl<X> Spell<X> {
    /// The same state of another automaton.
    pub(super) fn map<Y>(self, f: impl FnOnce(X) -> Y) -> Spell<Y> {
        match self {
            Self::Char(x) => Spell::Char(f(x)),
            Self::AnyUtf8(x, left) => Spell::AnyUtf8(f(x), left),
            Self::Utf8(x, prefix, left, least) => Spell::Utf8(f(x), prefix, left, least),
            Self::Escape(x) => Spell::Escape(f(x)),
            Self::AnyHex(x, left) => Spell::AnyHex(f(x), left),
            Self::Hex(x, prefix, left) => Spell::Hex(f(x), prefix, left),
            Self::AnyHigh(x, left) => Spell::AnyHigh(f(x), left),
            Self::AnyPair(x, half) => Spell::AnyPair(f(x), half),
            Self::AnyLow(x, left) => Spell::AnyLow(f(x), left),
            Self::Pair(x, first, half) => Spell::Pair(f(x), first, half),
            Self::Low(x, first, prefix, left) => Spell::Low(f(x), first, prefix, left),
        }
    }
}

const SHORT: [(u8, u32); 8] =
    [(b'"', 0x22), (b'/', 0x2F), (b'\\', 0x5C), (b'b', 8), (b'f', 12), (b'n', 10), (b'r', 13), (b't', 9)];

/// What a backslash and one more byte stand for.
pub(crate) fn short_escape(byte: u8) -> Option<char> {
    let (_, code) = SHORT.into_iter().find(|&(of, _)| of == byte)?;
    char::from_u32(code)
}

/// Whether a pinned character is written directly only.
pub(crate) fn is_pinned(code: u32) -> bool {
    (0x20..0x7F).contains(&code) && code != 0x22 && code != 0x5C
}

/// Ranges of code points with their targets, which may come in any order.
pub(super) fn targets<X: Copy>(ranges: impl IntoIterator<Item = (u32, u32, X)>) -> Targets<X> {
    let mut out: SmallVec<[(u32, u32, X); 16]> = ranges.into_iter().collect();
    out.sort_unstable_by_key(|range| range.0);
    Arc::from(&out[..])
}

/// What all of a range of code points lead to.
enum Range<X> {
    Nowhere,
    All(X),
    Some,
}

fn range<X: Copy + Eq>(targets: &[(u32, u32, X)], lo: u32, hi: u32) -> Range<X> {
    let first = targets.partition_point(|t| t.1 < lo);
    match targets.get(first) {
        Some(t) if t.0 > hi => Range::Nowhere,
        None => Range::Nowhere,
        Some(t) => {
            let mut at = lo;
            for next in &targets[first..] {
                if next.0 > at || next.2 != t.2 {
                    return Range::Some;
                }
                if next.1 >= hi {
                    return Range::All(t.2);
                }
                at = next.1 + 1;
            }
            Range::Some
        }
    }
}

fn at<X: Copy>(targets: &[(u32, u32, X)], code: u32) -> Option<X> {
    let t = targets.get(targets.partition_point(|t| t.1 < code))?;
    (t.0 <= code).then_some(t.2)
}

/// Adds an edge past all others.
fn add_range<X: Eq>(out: &mut Vec<(u8, u8, Spell<X>)>, (lo, hi): (u8, u8), to: Option<Spell<X>>) {
    let Some(to) = to else { return };
    match out.last_mut() {
        Some(last) if last.2 == to && last.1.wrapping_add(1) == lo => last.1 = hi,
        _ => out.push((lo, hi, to)),
    }
}

/// The edges between characters.
fn characters<X: Copy + Eq>(
    x: X,
    targets: &[(u32, u32, X)],
    pinned: bool,
    out: &mut Vec<(u8, u8, Spell<X>)>,
) {
    let ascii = &targets[..targets.partition_point(|t| t.0 < 0x80)];
    let others = &targets[targets.partition_point(|t| t.1 < 0x80)..];
    out.reserve(ascii.len() + others.len().min(1) + 2);
    let between = |out: &mut Vec<_>, lo: u8, hi: u8| {
        for &(from, to, x) in ascii {
            let (from, to) = (from.max(lo.into()), to.min(hi.into()));
            if from <= to {
                add_range(out, (from as u8, to as u8), Some(Spell::Char(x)));
            }
        }
    };
    between(out, 0x20, b'"' - 1);
    between(out, b'"' + 1, b'\\' - 1);
    add_range(out, (b'\\', b'\\'), may_escape(targets, pinned).then_some(Spell::Escape(x)));
    between(out, b'\\' + 1, 0x7F);
    if others.is_empty() {
        return;
    }
    for byte in 0xC2..=0xF4u8 {
        let to = match byte {
            0xC2..=0xDF => utf8(x, others, (byte & 0x1F).into(), 1, 0x80),
            0xE0..=0xEF => utf8(x, others, (byte & 0x0F).into(), 2, 0x800),
            _ => utf8(x, others, (byte & 0x07).into(), 3, 0x1_0000),
        };
        add_range(out, (byte, byte), to);
    }
}

/// The edges of a state, ascending; `targets` are those of its automaton's state.
pub(super) fn edges<X: Copy + Eq>(
    state: Spell<X>,
    targets: &[(u32, u32, X)],
    pinned: bool,
) -> Vec<(u8, u8, Spell<X>)> {
    let mut out: Vec<(u8, u8, Spell<X>)> = Vec::new();
    let mut add = |byte: u8, to: Option<Spell<X>>| add_range(&mut out, (byte, byte), to);
    match state {
        Spell::Char(x) => characters(x, targets, pinned, &mut out),
        Spell::AnyUtf8(x, left) => {
            out.push((0x80, 0xBF, if left == 1 { Spell::Char(x) } else { Spell::AnyUtf8(x, left - 1) }));
        }
        Spell::Utf8(x, prefix, left, least) => {
            (0x80..=0xBF)
                .for_each(|b| add(b, utf8(x, targets, prefix << 6 | u32::from(b & 0x3F), left - 1, least)));
        }
        Spell::Escape(x) => {
            let mut short: Vec<(u8, Option<Spell<X>>)> = SHORT
                .iter()
                .map(|&(byte, code)| {
                    (byte, at(targets, code).filter(|_| !(pinned && is_pinned(code))).map(Spell::Char))
                })
                .collect();
            short.push((b'u', hex(x, targets, 0, 4, pinned)));
            short.into_iter().for_each(|(byte, to)| add(byte, to));
        }
        Spell::AnyHex(x, left) => {
            let to = if left == 1 { Spell::Char(x) } else { Spell::AnyHex(x, left - 1) };
            out.extend(any_digit(to));
        }
        Spell::Hex(x, prefix, left) => {
            digits(|byte, digit| add(byte, hex(x, targets, prefix << 4 | digit, left - 1, pinned)));
        }
        Spell::AnyHigh(x, left) => {
            let to = if left == 1 { Spell::AnyPair(x, false) } else { Spell::AnyHigh(x, left - 1) };
            out.extend(any_digit(to));
        }
        Spell::AnyPair(x, false) => add(b'\\', Some(Spell::AnyPair(x, true))),
        Spell::AnyPair(x, true) => add(b'u', Some(Spell::AnyLow(x, 4))),
        Spell::AnyLow(x, left) => {
            let to = if left == 1 { Spell::Char(x) } else { Spell::AnyLow(x, left - 1) };
            out.extend(match left {
                4 => vec![(b'D', b'D', to), (b'd', b'd', to)],
                3 => vec![(b'C', b'F', to), (b'c', b'f', to)],
                _ => any_digit(to).to_vec(),
            });
        }
        Spell::Pair(x, first, false) => add(b'\\', Some(Spell::Pair(x, first, true))),
        Spell::Pair(x, first, true) => add(b'u', Some(Spell::Low(x, first, 0, 4))),
        Spell::Low(x, first, prefix, left) => {
            digits(|byte, digit| add(byte, low(x, targets, first, prefix << 4 | digit, left - 1)));
        }
    }
    out
}

/// The same edge on every hexadecimal digit.
fn any_digit<X: Copy>(to: Spell<X>) -> [(u8, u8, Spell<X>); 3] {
    [(b'0', b'9', to), (b'A', b'F', to), (b'a', b'f', to)]
}

fn digits(mut f: impl FnMut(u8, u32)) {
    for byte in (b'0'..=b'9').chain(b'A'..=b'F').chain(b'a'..=b'f') {
        f(byte, char::from(byte).to_digit(16).unwrap_or(0));
    }
}

fn may_escape<X>(targets: &[(u32, u32, X)], pinned: bool) -> bool {
    targets.iter().any(|&(lo, hi, _)| {
        !pinned || !is_pinned(lo) || !is_pinned(hi) || (lo..=hi).any(|code| !is_pinned(code))
    })
}

fn utf8<X: Copy + Eq>(
    x: X,
    targets: &[(u32, u32, X)],
    prefix: u32,
    left: u8,
    least: u32,
) -> Option<Spell<X>> {
    let shift = 6 * u32::from(left);
    let (lo, hi) = (prefix << shift, (prefix << shift) + (1 << shift) - 1);
    if hi < least {
        return None;
    }
    match range(targets, lo.max(least), hi) {
        Range::Nowhere => None,
        Range::All(to) if left == 0 => Some(Spell::Char(to)),
        Range::All(to) if lo >= least => Some(Spell::AnyUtf8(to, left)),
        _ => Some(Spell::Utf8(x, prefix, left, least)),
    }
}

fn hex<X: Copy + Eq>(
    x: X,
    targets: &[(u32, u32, X)],
    prefix: u32,
    left: u8,
    pinned: bool,
) -> Option<Spell<X>> {
    let shift = 4 * u32::from(left);
    let (lo, hi) = (prefix << shift, (prefix << shift) + (1 << shift) - 1);
    let touches = |from: u32, to: u32| lo <= to && hi >= from;
    let has_pairs = touches(0xD800, 0xDBFF) && targets.last().is_some_and(|last| last.1 >= 0x1_0000);
    if !has_pairs && matches!(range(targets, lo, hi), Range::Nowhere) {
        return None;
    }
    if lo >= 0xD800 && hi <= 0xDBFF {
        let pair = |high: u32| 0x1_0000 + ((high - 0xD800) << 10);
        match range(targets, pair(lo), pair(hi) + 0x3FF) {
            Range::Nowhere => return None,
            Range::All(to) if left == 0 => return Some(Spell::AnyPair(to, false)),
            Range::All(to) => return Some(Spell::AnyHigh(to, left)),
            Range::Some => {}
        }
    }
    if touches(0xD800, 0xDFFF) || (pinned && touches(0x20, 0x7E)) {
        if left == 0 {
            return match lo {
                0xD800..=0xDBFF => {
                    let first = 0x1_0000 + ((lo - 0xD800) << 10);
                    let any = !matches!(range(targets, first, first + 0x3FF), Range::Nowhere);
                    any.then_some(Spell::Pair(x, first, false))
                }
                0xDC00..=0xDFFF => None,
                code if is_pinned(code) => None,
                code => at(targets, code).map(Spell::Char),
            };
        }
        // Some digit must lead somewhere.
        let any = (0..16).any(|digit| hex(x, targets, prefix << 4 | digit, left - 1, pinned).is_some());
        return any.then_some(Spell::Hex(x, prefix, left));
    }
    match range(targets, lo, hi) {
        Range::Nowhere => None,
        Range::All(to) if left == 0 => Some(Spell::Char(to)),
        Range::All(to) => Some(Spell::AnyHex(to, left)),
        Range::Some => Some(Spell::Hex(x, prefix, left)),
    }
}

fn low<X: Copy + Eq>(x: X, targets: &[(u32, u32, X)], first: u32, prefix: u32, left: u8) -> Option<Spell<X>> {
    let shift = 4 * u32::from(left);
    let (lo, hi) = ((prefix << shift).max(0xDC00), ((prefix << shift) + (1 << shift) - 1).min(0xDFFF));
    if lo > hi {
        return None;
    }
    match range(targets, first + lo - 0xDC00, first + hi - 0xDC00) {
        Range::Nowhere => None,
        Range::All(to) if left == 0 => Some(Spell::Char(to)),
        _ => Some(Spell::Low(x, first, prefix, left)),
    }
}

/// The automaton's states that can follow the character that a state is in.
pub(super) fn after_character<X: Copy + Eq + Hash>(
    state: Spell<X>,
    targets: &[(u32, u32, X)],
    pinned: bool,
) -> Vec<X> {
    let mut seen: Vec<Spell<X>> = vec![state];
    let mut out: Vec<X> = Vec::new();
    let mut next = 0;
    while next < seen.len() {
        for (.., to) in edges(seen[next], targets, pinned) {
            match to {
                Spell::Char(x) if !out.contains(&x) => out.push(x),
                Spell::Char(_) => {}
                to if !seen.contains(&to) => seen.push(to),
                _ => {}
            }
        }
        next += 1;
    }
    out
}

/// The automaton's state that a state belongs to.
pub(super) fn automaton_state<X>(state: Spell<X>) -> X {
    match state {
        Spell::Char(x)
        | Spell::AnyUtf8(x, _)
        | Spell::Utf8(x, ..)
        | Spell::Escape(x)
        | Spell::AnyHex(x, _)
        | Spell::Hex(x, ..)
        | Spell::AnyHigh(x, _)
        | Spell::AnyPair(x, _)
        | Spell::AnyLow(x, _)
        | Spell::Pair(x, ..)
        | Spell::Low(x, ..) => x,
    }
}
