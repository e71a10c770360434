//! `contentEncoding` and `contentMediaType` (draft 7 validation, section 8), where they are assertions.
//!
//! Base64 (RFC 4648, section 4, with padding) is a regular language. JSON texts (RFC 8259) are not, but they are regular between
//! one value and the values inside it: [`JsonTexts`] has a term for a value and one for a text, in which the symbol
//! [`CALL`] stands for a value again. A place ([`At`]) is a derivative of one of them; the machine makes a call where it can go
//! on with [`CALL`].
//!
//! Where the text is packed as base64, its symbols are bytes, and a place keeps the bits that the next byte begins with. A call can
//! end inside a base64 digit, so it says with which bits it ends; each way to end is a rule of its own. The bits of a digit that
//! belong to the next byte are free, so whether a place can get to an end is a matter of lengths modulo three.

use super::document::{Json, NodeId};
use super::engine::Engine;
use super::keywords::Site;
use super::shape::Strings;
use crate::error::{Error, Result};
use crate::grammar::Annotation;
use crate::grammar::utf8::BEYOND_ASCII;
use crate::regular::{Block, CALL, CodeSet, Regular, TermId};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// JSON texts that a set of strings has beside those of its term: as they are, and as base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Embedded {
    pub(super) plain: bool,
    pub(super) packed: bool,
}

impl Embedded {
    pub(super) fn any(self) -> bool {
        self.plain || self.packed
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self { plain: self.plain || other.plain, packed: self.packed || other.packed }
    }

    fn contains(self, text: &str) -> bool {
        let is_json = |bytes: &[u8]| {
            std::str::from_utf8(bytes)
                .is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
        };
        self.plain && is_json(text.as_bytes()) || self.packed && unpack(text).is_some_and(|b| is_json(&b))
    }
}

impl Strings {
    /// The strings in both.
    ///
    /// # Errors
    /// [`Error::UnsupportedSchema`] where JSON texts would have to be looked at by another keyword; it names no place.
    pub(super) fn and(&self, other: &Self, regular: &mut Regular) -> Result<Self> {
        let term = regular.and([self.term, other.term]);
        let mut out = Self { term, pinned: self.pinned || other.pinned, embedded: Embedded::default() };
        let (nothing, everything) = (regular.nothing(), regular.everything());
        for (texts, with) in [(self.embedded, other), (other.embedded, self)] {
            if !texts.any() || with.term == nothing {
                continue;
            }
            if with.term == everything {
                out.embedded = out.embedded.or(texts);
            } else if with.pinned {
                let mut unlimited = crate::automaton::Budget::unlimited();
                let words = regular.few_words(with.term, usize::MAX, &mut unlimited)?.unwrap_or_default();
                let kept = words.iter().map(String::as_str).filter(|word| texts.contains(word));
                let kept = regular.words(kept);
                out.term = regular.or([out.term, kept]);
            } else {
                return Err(unsupported("beside a pattern, format or length"));
            }
        }
        let (a, b) = (self.embedded, other.embedded);
        if a.plain && b.packed || a.packed && b.plain {
            return Err(unsupported("once as it is and once as base64"));
        }
        out.embedded = out.embedded.or(Embedded { plain: a.plain && b.plain, packed: a.packed && b.packed });
        Ok(out)
    }

    pub(super) fn or(&self, other: &Self, regular: &mut Regular) -> Self {
        let (nothing, everything) = (regular.nothing(), regular.everything());
        let mut out = match (self.term == nothing, other.term == nothing) {
            (true, _) => *other,
            (_, true) => *self,
            _ => Self {
                term: regular.or([self.term, other.term]),
                pinned: self.pinned && other.pinned,
                embedded: Embedded::default(),
            },
        };
        let embedded = self.embedded.or(other.embedded);
        out.embedded = if out.term == everything { Embedded::default() } else { embedded };
        out
    }

    pub(super) fn not(&self, regular: &mut Regular) -> Result<Self> {
        if self.embedded.any() {
            return Err(unsupported("negated (strings that are no JSON text)"));
        }
        Ok(Self { term: regular.not(self.term), pinned: false, embedded: Embedded::default() })
    }
}

fn unsupported(how: &str) -> Error {
    Error::UnsupportedSchema {
        keyword: "contentMediaType".into(),
        pointer: String::new(),
        reason: format!("application/json {how}; drop one of them, or pass assert_content=False"),
    }
}

/// What a base64 text stands for; bits past the last byte may be anything.
fn unpack(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let (mut out, mut bits) = (Vec::new(), Bits::NONE);
    for digit in digits.bytes() {
        let value = DIGITS.iter().position(|&d| d == digit)?;
        let (byte, after) = bits.push(value as u8);
        out.extend(byte);
        bits = after;
    }
    Some(out)
}

/// What the content keywords of a schema assert.
pub(super) enum Content {
    Nothing,
    Base64(TermId),
    /// JSON texts, by the keyword at a node.
    Json(NodeId, Embedded),
}

impl Engine {
    pub(super) fn content(&mut self, site: Site) -> Content {
        if !self.asserts_content(site.node) {
            return Content::Nothing;
        }
        let encoding = self.content_keyword(site.node, "contentEncoding");
        let is_packed = encoding.as_ref().is_some_and(|(_, value)| is_base64(value));
        let json = self.content_keyword(site.node, "contentMediaType").filter(|(_, value)| is_json(value));
        match json {
            Some((node, _)) if encoding.is_none() || is_packed => {
                Content::Json(node, Embedded { plain: !is_packed, packed: is_packed })
            }
            _ if is_packed => Content::Base64(base64(&mut self.regular)),
            _ => Content::Nothing,
        }
    }

    fn asserts_content(&self, node: NodeId) -> bool {
        let draft = self.documents.dialect(node).draft;
        self.options.assert_content && draft == Some(super::dialect::Draft::Draft7)
    }

    fn content_keyword(&self, schema: NodeId, key: &str) -> Option<(NodeId, String)> {
        let node = self.documents.get(schema, key)?;
        match self.documents.json(node) {
            Json::String(value) => Some((node, value.to_string())),
            _ => None,
        }
    }

    /// Notes the content keywords of a schema that are not asserted.
    pub(super) fn annotate_content(&mut self, schema: NodeId) {
        let asserted = self.asserts_content(schema);
        let encoding = self.content_keyword(schema, "contentEncoding");
        let is_known = encoding.as_ref().is_none_or(|(_, value)| is_base64(value));
        let media = self.content_keyword(schema, "contentMediaType");
        let holds = [is_known, is_known && media.as_ref().is_some_and(|(_, value)| is_json(value))];
        for (holds, keyword) in holds.into_iter().zip([encoding, media]) {
            if let Some((node, value)) = keyword.filter(|_| !(asserted && holds)) {
                let message = format!("{value:?} is not asserted (at {})", self.documents.pointer(node));
                self.annotations.push(Annotation { kind: "content".into(), message });
            }
        }
    }
}

fn is_base64(encoding: &str) -> bool {
    encoding.eq_ignore_ascii_case("base64")
}

/// Parameters of the media type change nothing: JSON has none.
fn is_json(media_type: &str) -> bool {
    media_type.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

fn set(ranges: &[(u32, u32)]) -> CodeSet {
    CodeSet::new(ranges.iter().copied())
}

const BASE64: [(u32, u32); 5] = [(0x41, 0x5A), (0x61, 0x7A), (0x30, 0x39), (0x2B, 0x2B), (0x2F, 0x2F)];
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(regular: &mut Regular) -> TermId {
    let digit = regular.class(set(&BASE64));
    let four = regular.repeat(digit, 4, Some(4));
    let whole = regular.repeat(four, 0, None);
    let mut ends = vec![regular.empty()];
    for (digits, padding) in [(2, "=="), (3, "=")] {
        let digits = regular.repeat(digit, digits, Some(digits));
        let padding = regular.literal(padding);
        ends.push(regular.concat(digits, padding));
    }
    let end = regular.or(ends);
    regular.concat(whole, end)
}

/// The bits that the next byte begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Bits {
    /// So many; or `PLAIN`, where symbols are the string's own characters.
    count: u8,
    value: u8,
}

const PLAIN: u8 = 8;

impl Bits {
    const NONE: Self = Self { count: 0, value: 0 };
    const PLAIN: Self = Self { count: PLAIN, value: 0 };

    /// A base64 digit more; the byte that it completes.
    fn push(self, digit: u8) -> (Option<u8>, Self) {
        if self.count == 0 {
            return (None, Self { count: 6, value: digit });
        }
        let (all, left) = (u16::from(self.value) << 6 | u16::from(digit), self.count - 2);
        (Some((all >> left) as u8), Self { count: left, value: (all & ((1 << left) - 1)) as u8 })
    }

    /// Bytes read so far, modulo three.
    fn phase(self) -> u8 {
        match self.count {
            4 => 1,
            2 => 2,
            _ => 0,
        }
    }

    /// Whether a byte has just ended.
    fn is_boundary(self) -> bool {
        self.count != 6
    }

    /// All ways to end a byte.
    fn all() -> impl Iterator<Item = Self> {
        let some = |count: u8| (0..1u8 << count).map(move |value| Self { count, value });
        [0, 2, 4].into_iter().flat_map(some)
    }
}

/// A place in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct At {
    term: TermId,
    bits: Bits,
}

/// What is read of a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Reading {
    /// All of it, packed or not.
    Text { packed: bool },
    /// A value, from some bits to others.
    Value { from: Bits, to: Bits },
}

impl Reading {
    pub(super) fn is_packed(self) -> bool {
        match self {
            Self::Text { packed } => packed,
            Self::Value { from, .. } => from.count != PLAIN,
        }
    }
}

/// Sets of lengths modulo three: bit `i` for `i`.
type Lengths = u8;

fn sums(a: Lengths, b: Lengths) -> Lengths {
    let pairs = (0..3).flat_map(|i| (0..3).map(move |j| (i, j)));
    pairs.filter(|(i, j)| a >> i & b >> j & 1 == 1).fold(0, |all, (i, j)| all | 1 << ((i + j) % 3))
}

const ONE: Lengths = 0b010;

/// JSON texts over code points, or over bytes where they are packed.
#[derive(Debug)]
pub(super) struct JsonTexts {
    value: TermId,
    text: TermId,
    /// How long what may follow can be, by term.
    lengths: FxHashMap<TermId, Lengths>,
}

impl JsonTexts {
    /// Whitespace comes in runs of up to so many.
    pub(super) fn new(regular: &mut Regular, packed: bool, max_run: Option<u32>) -> Self {
        let space = regular.class(set(&[(9, 10), (13, 13), (32, 32)]));
        let space = regular.repeat(space, 0, max_run);
        let call = regular.class(CodeSet::single(CALL));
        let string = string(regular, packed);
        let (comma, colon) = (regular.literal(","), regular.literal(":"));
        let mut options = vec![string, number(regular)];
        options.extend(["null", "true", "false"].map(|word| regular.literal(word)));
        let member = sequence(regular, &[string, space, colon, space, call]);
        for (part, open, close) in [(call, "[", "]"), (member, "{", "}")] {
            let (open, close) = (regular.literal(open), regular.literal(close));
            let more = sequence(regular, &[comma, space, part, space]);
            let more = regular.repeat(more, 0, None);
            let parts = sequence(regular, &[part, space, more]);
            let parts = regular.repeat(parts, 0, Some(1));
            options.push(sequence(regular, &[open, space, parts, close]));
        }
        let value = regular.or(options);
        let text = sequence(regular, &[space, call, space]);
        let mut texts = Self { value, text, lengths: FxHashMap::default() };
        if packed {
            texts.measure(regular);
        }
        texts
    }

    /// The least fixpoint of the lengths.
    fn measure(&mut self, regular: &mut Regular) {
        let nothing = regular.nothing();
        let mut edges: Vec<(TermId, TermId, bool)> = Vec::new();
        let mut todo = VecDeque::from([self.text, self.value]);
        while let Some(term) = todo.pop_front() {
            let nullable = Lengths::from(regular.is_nullable(term));
            if self.lengths.insert(term, nullable).is_some() {
                continue;
            }
            let blocks = regular.blocks(term);
            for symbol in blocks.iter().map(Block::first).chain([CALL]) {
                let after = regular.derivative(term, symbol);
                if after != nothing {
                    edges.push((term, after, symbol == CALL));
                    todo.push_back(after);
                }
            }
        }
        loop {
            let mut changed = false;
            for &(from, to, is_call) in edges.iter().rev() {
                let first = if is_call { self.length(self.value) } else { ONE };
                let all = self.length(from) | sums(first, self.length(to));
                changed |= self.lengths.insert(from, all) != Some(all);
            }
            if !changed {
                return;
            }
        }
    }

    fn length(&self, term: TermId) -> Lengths {
        self.lengths.get(&term).copied().unwrap_or(0)
    }

    /// The lengths of what may follow, at least a byte, that begins with some bits.
    fn lengths_from(&self, regular: &mut Regular, term: TermId, bits: Bits) -> Lengths {
        let low = u32::from(bits.value) << (8 - bits.count);
        let wanted = set(&[(low, low + (1 << (8 - bits.count)) - 1)]);
        let mut out = 0;
        for block in regular.blocks(term).iter() {
            if let Some(byte) = block.set().intersection(&wanted).first() {
                let after = regular.derivative(term, byte);
                out |= sums(ONE, self.length(after));
            }
        }
        let after = regular.derivative(term, CALL);
        if after != regular.nothing() {
            // A value begins with a byte of its own: this goes no deeper.
            out |= sums(self.lengths_from(regular, self.value, bits), self.length(after));
        }
        out
    }

    fn is_alive(&self, regular: &mut Regular, at: At, reading: Reading) -> bool {
        if at.term == regular.nothing() || at.bits.count == PLAIN {
            return at.term != regular.nothing();
        }
        let lengths = self.lengths_from(regular, at.term, at.bits);
        self.is_end(regular, at, reading)
            || match reading {
                // Past the last byte comes padding.
                Reading::Text { .. } => lengths != 0 || regular.is_nullable(at.term) && at.bits.is_boundary(),
                Reading::Value { to, .. } => lengths >> ((3 + to.phase() - at.bits.phase()) % 3) & 1 == 1,
            }
    }

    pub(super) fn start(&self, reading: Reading) -> At {
        match reading {
            Reading::Text { packed } => {
                At { term: self.text, bits: if packed { Bits::NONE } else { Bits::PLAIN } }
            }
            Reading::Value { from, .. } => At { term: self.value, bits: from },
        }
    }

    /// Whether what is read may end here.
    pub(super) fn is_end(&self, regular: &Regular, at: At, reading: Reading) -> bool {
        regular.is_nullable(at.term)
            && match reading {
                Reading::Text { .. } => at.bits == Bits::NONE || at.bits.count == PLAIN,
                Reading::Value { to, .. } => at.bits == to,
            }
    }

    /// Where the next character leads.
    pub(super) fn targets(&self, regular: &mut Regular, at: At, reading: Reading) -> Vec<(CodeSet, At)> {
        let mut out = Vec::new();
        if at.bits.count == PLAIN {
            for block in regular.blocks(at.term).iter() {
                let term = regular.derivative(at.term, block.first());
                if term != regular.nothing() {
                    out.push((block.set(), At { term, bits: Bits::PLAIN }));
                }
            }
            return out;
        }
        for (digit, value) in DIGITS.iter().zip(0..) {
            let (byte, bits) = at.bits.push(value);
            let term = byte.map_or(at.term, |byte| regular.derivative(at.term, u32::from(byte)));
            let next = At { term, bits };
            if self.is_alive(regular, next, reading) {
                out.push((CodeSet::single(u32::from(*digit)), next));
            }
        }
        if matches!(reading, Reading::Text { .. }) && regular.is_nullable(at.term) {
            let padding = match at.bits.count {
                4 => Some(regular.literal("=")),
                2 => Some(regular.empty()),
                _ => None,
            };
            out.extend(padding.map(|term| (CodeSet::single(0x3D), At { term, bits: Bits::PLAIN })));
        }
        out
    }

    /// The values that may come here, each with where it leads.
    pub(super) fn calls(&self, regular: &mut Regular, at: At, reading: Reading) -> Vec<(Reading, At)> {
        let term = regular.derivative(at.term, CALL);
        if term == regular.nothing() || !at.bits.is_boundary() {
            return Vec::new();
        }
        if !reading.is_packed() {
            let value = Reading::Value { from: Bits::PLAIN, to: Bits::PLAIN };
            return vec![(value, At { term, bits: Bits::PLAIN })];
        }
        let from = at.bits;
        let mut out = Vec::new();
        for to in Bits::all() {
            let (value, next) = (Reading::Value { from, to }, At { term, bits: to });
            let start = At { term: self.value, bits: from };
            if self.is_alive(regular, start, value) && self.is_alive(regular, next, reading) {
                out.push((value, next));
            }
        }
        out
    }
}

fn sequence(regular: &mut Regular, parts: &[TermId]) -> TermId {
    let empty = regular.empty();
    parts.iter().rev().fold(empty, |rest, &part| regular.concat(part, rest))
}

/// RFC 8259, section 6.
fn number(regular: &mut Regular) -> TermId {
    let digit = regular.class(set(&[(0x30, 0x39)]));
    let first = regular.class(set(&[(0x31, 0x39)]));
    let (digits, more) = (regular.repeat(digit, 1, None), regular.repeat(digit, 0, None));
    let (zero, whole) = (regular.literal("0"), regular.concat(first, more));
    let whole = regular.or([zero, whole]);
    let minus = regular.literal("-");
    let minus = regular.repeat(minus, 0, Some(1));
    let point = regular.literal(".");
    let fraction = regular.concat(point, digits);
    let fraction = regular.repeat(fraction, 0, Some(1));
    let e = regular.class(set(&[(0x45, 0x45), (0x65, 0x65)]));
    let sign = regular.class(set(&[(0x2B, 0x2B), (0x2D, 0x2D)]));
    let sign = regular.repeat(sign, 0, Some(1));
    let exponent = sequence(regular, &[e, sign, digits]);
    let exponent = regular.repeat(exponent, 0, Some(1));
    sequence(regular, &[minus, whole, fraction, exponent])
}

/// RFC 8259, section 7; over bytes with the UTF-8 of RFC 3629, section 4.
fn string(regular: &mut Regular, packed: bool) -> TermId {
    let quote = regular.literal("\"");
    let backslash = regular.literal("\\");
    let short = regular.class(CodeSet::new(br#""\/bfnrt"#.map(|b| (u32::from(b), u32::from(b)))));
    let hex = regular.class(set(&[(0x30, 0x39), (0x41, 0x46), (0x61, 0x66)]));
    let hex = regular.repeat(hex, 4, Some(4));
    let u = regular.literal("u");
    let long = regular.concat(u, hex);
    let escaped = regular.or([short, long]);
    let mut options = vec![regular.concat(backslash, escaped)];
    let ascii = set(&[(0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7F)]);
    if packed {
        options.push(regular.class(ascii));
        for form in BEYOND_ASCII {
            let mut byte = |&(lo, hi): &(u8, u8)| regular.class(set(&[(u32::from(lo), u32::from(hi))]));
            let bytes: Vec<TermId> = form.iter().map(&mut byte).collect();
            options.push(sequence(regular, &bytes));
        }
    } else {
        let beyond = CodeSet::all().difference(&set(&[(0, 0x7F)]));
        options.push(regular.class(ascii.union(&beyond)));
    }
    let body = regular.or(options);
    let body = regular.repeat(body, 0, None);
    sequence(regular, &[quote, body, quote])
}
