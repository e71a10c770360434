//! SentencePiece's Unigram: of all ways to spell a text in pieces, the one of the highest total score.
//!
//! The encoder goes from left to right and keeps, for each end of a character, the best way to get there. That depends on
//! what comes before only, so a sequence begins a canonical one iff it is canonical itself: *viable* and *canonical* are one,
//! and at each place of a text exactly one sequence is. What decides whether a token may come next is the [`Lattice`]: the
//! best score so far, and the starts of pieces that may still go on past this place. A token may follow iff the best way to
//! its end is to come here and take it.
//!
//! Scores are added in f32 as the encoder adds them, for they decide what is equal: of equals the earliest start, so the
//! longest last piece, stays. A character that is no piece by itself can be taken as unknown, at a penalty, and is then
//! spelled in bytes. Past ±100,000 the encoder (as of release 0.2.3) counts from zero again, and so does this.
//!
//! Bytes that are no text are spelled in bytes, and no piece goes across them.
//!
//! Where no start before a token is left, whether it may follow depends on the token alone, but for what rounding does to a
//! near tie. [`Alone`] says so once for all contexts, or that it has to be asked.

use super::scan::{Fed, Pending};
use crate::error::{Error, Result};
use crate::vocab::{Bitmask, ByteTrie, Vocabulary};
use std::sync::Arc;

/// How much the encoder takes off the lowest score for an unknown character.
const UNKNOWN_PENALTY: f32 = 10.0;
/// Where it counts from zero again.
const RESET: f32 = 100_000.0;
/// More than rounding can do, for each character of a token, to the difference of two ways to spell it: sums below 2^17 are
/// off by at most 2^-8 each, and each way has no more sums than characters.
const ROUNDING: f64 = 0.0079;
/// Scores inside one token that could go past 2^17 behind [`RESET`].
const FAR: f64 = 30_000.0;

/// A start of pieces that go on past a place.
#[derive(Clone, Copy, Debug)]
struct Start {
    /// Where the text since then leads in the trie.
    node: u32,
    /// The best score at the start.
    score: f32,
    /// What was taken off all scores since.
    taken: f32,
    /// Whether the start is, or is best reached through, the place where the token that is looked at begins.
    is_through: bool,
    /// Whether it is that place.
    is_own: bool,
}

/// What is known where a token ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lattice {
    score: f32,
    /// The earliest first.
    starts: Vec<Start>,
    /// Bytes of a character that is not complete.
    pending: Pending,
    /// As in [`Start`], of this place.
    is_through: bool,
}

impl Lattice {
    /// A start here.
    fn begin(&mut self, is_own: bool) {
        if self.score.abs() > RESET {
            self.starts.iter_mut().for_each(|start| start.taken += self.score);
            self.score = 0.0;
        }
        let is_through = is_own || self.is_through;
        self.starts.push(Start { node: 0, score: self.score, taken: 0.0, is_through, is_own });
    }

    /// Whether no way that avoids the token that is looked at can go on, from here or from before.
    fn is_closed(&self) -> bool {
        self.is_through && self.starts.iter().all(|start| start.is_through)
    }

    /// At the end of a token: what was its own is its own no more.
    fn settled(mut self) -> Self {
        self.is_through = false;
        self.starts.iter_mut().for_each(|start| (start.is_through, start.is_own) = (false, false));
        self
    }

    /// Bytes that are no text count as one unknown character, which nothing goes across.
    fn break_off(&mut self, unknown: f32) {
        self.score += unknown;
        self.starts.clear();
        self.pending = Pending::default();
    }

    /// What was pending becomes no character.
    fn end_broken(&mut self, unknown: f32) {
        if !self.pending.is_empty() {
            self.break_off(unknown);
        }
    }
}

/// How a place is best reached.
#[derive(Clone, Copy, Debug)]
struct Best {
    score: f32,
    is_through: bool,
    /// Whether its last piece begins where the token that is looked at begins.
    is_own: bool,
    /// The last piece; none for an unknown character.
    piece: Option<u32>,
}

/// Whether the encoder takes a piece for its own text, and goes on doing so whatever the scores before are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    Yes,
    No,
    /// So close to a tie that rounding decides.
    Ask,
}

/// The pieces of a tokenizer and their scores.
#[derive(Debug)]
pub struct Unigram {
    vocabulary: Arc<Vocabulary>,
    /// For each node of the trie the piece that ends there.
    pieces: Box<[Option<(u32, f32)>]>,
    is_piece: Bitmask,
    unknown: f32,
    /// For each place of the trie's order.
    alone: Box<[Alone]>,
}

impl Unigram {
    /// From the score of each token. Tokens without one are spelled only by characters that are no pieces: one for each
    /// byte (byte fallback).
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] for scores of another number than the tokens, or that are no numbers; pieces that are
    /// no text, or the same text; and where the token of a byte is missing.
    pub fn new(vocabulary: Arc<Vocabulary>, scores: &[Option<f32>]) -> Result<Self> {
        let invalid = |message: String| Err(Error::InvalidTokenizer(message));
        if scores.len() != vocabulary.num_tokens() {
            let (got, want) = (scores.len(), vocabulary.num_tokens());
            return invalid(format!("{got} scores were given for {want} tokens"));
        }
        let trie = vocabulary.trie();
        let mut pieces = vec![None; trie.nodes().len()];
        let mut is_piece = Bitmask::new(vocabulary.num_tokens());
        let mut lowest = f32::MAX;
        for (id, &score) in scores.iter().enumerate() {
            let (id, Some(score)) = (id as u32, score) else { continue };
            let text = vocabulary.token_bytes(id);
            if !score.is_finite() {
                return invalid(format!("the score of piece {id} is {score}"));
            }
            if !vocabulary.is_text(id) || text.is_empty() || std::str::from_utf8(text).is_err() {
                return invalid(format!("token {id} has a score, but is no text"));
            }
            let node = text.iter().try_fold(0, |node, &byte| trie.child(node, byte)).unwrap_or(0);
            if let Some((other, _)) = pieces[node].replace((id, score)) {
                return invalid(format!("the pieces {other} and {id} are the same text"));
            }
            is_piece.insert(id);
            lowest = lowest.min(score);
        }
        let has_byte = |byte| {
            trie.child(0, byte)
                .is_some_and(|node| trie.tokens_at(node).iter().any(|&id| !is_piece.contains(id)))
        };
        if let Some(byte) = (0..=u8::MAX).find(|&byte| !has_byte(byte)) {
            return invalid(format!("no token stands for the byte {byte:#04x}; Unigram needs byte fallback"));
        }
        let pieces = pieces.into();
        let mut made = Self {
            vocabulary: Arc::clone(&vocabulary),
            pieces,
            is_piece,
            unknown: lowest - UNKNOWN_PENALTY,
            alone: Box::default(),
        };
        let order = vocabulary.trie().order();
        made.alone = order.iter().map(|&token| made.alone(token)).collect();
        Ok(made)
    }

    /// Text tokens that are never the best way to spell their own text.
    pub(crate) fn unreachable(&self) -> Vec<u32> {
        let order = self.trie().order().iter().zip(&self.alone);
        let mut found: Vec<u32> =
            order.filter(|(_, alone)| **alone == Alone::No).map(|(&id, _)| id).collect();
        found.sort_unstable();
        found
    }

    fn trie(&self) -> &ByteTrie {
        self.vocabulary.trie()
    }

    /// The place behind a token; `None` where it may not follow.
    pub(crate) fn after(&self, at: &Lattice, token: u32) -> Option<Lattice> {
        if !self.vocabulary.is_text(token) {
            return None;
        }
        let text = self.vocabulary.token_bytes(token);
        let mut lattice = at.clone();
        if !self.is_piece.contains(token) {
            return match text {
                &[byte] => self.take_byte(lattice, byte),
                _ => None,
            };
        }
        lattice.end_broken(self.unknown);
        let mut best = None;
        for (i, c) in std::str::from_utf8(text).ok()?.chars().enumerate() {
            best = Some(self.take_char(&mut lattice, c, i == 0));
        }
        let best = best?;
        (best.is_own && best.piece == Some(token)).then(|| lattice.settled())
    }

    /// A byte token: a character that is no piece, or a part of one.
    fn take_byte(&self, mut lattice: Lattice, byte: u8) -> Option<Lattice> {
        loop {
            match lattice.pending.push(byte) {
                Fed::Incomplete(pending) => return Some(Lattice { pending, ..lattice }),
                Fed::Broken => lattice.end_broken(self.unknown),
                Fed::Char(char::REPLACEMENT_CHARACTER) if lattice.pending.is_empty() => {
                    lattice.break_off(self.unknown);
                    return Some(lattice);
                }
                Fed::Char(c) => {
                    lattice.pending = Pending::default();
                    let best = self.take_char(&mut lattice, c, true);
                    return (best.is_own && best.piece.is_none()).then(|| lattice.settled());
                }
            }
        }
    }

    /// A character further: every start goes on or ends, and the best way to get there is noted.
    fn take_char(&self, lattice: &mut Lattice, c: char, is_own: bool) -> Best {
        let mut buffer = [0; 4];
        let text = c.encode_utf8(&mut buffer).as_bytes();
        lattice.begin(is_own);
        let own_start = lattice.starts.len() - 1;
        let mut best: Option<Best> = None;
        let mut consider = |start: &Start, piece: Option<u32>, score: f32| {
            let score = start.score + score - start.taken;
            if best.is_none_or(|best| score > best.score) {
                let Start { is_through, is_own, .. } = *start;
                best = Some(Best { score, is_through, is_own, piece });
            }
        };
        let mut kept = 0;
        for index in 0..lattice.starts.len() {
            let mut start = lattice.starts[index];
            let node = text.iter().try_fold(start.node as usize, |node, &byte| self.trie().child(node, byte));
            let piece = node.and_then(|node| self.pieces[node]);
            match piece {
                Some((piece, score)) => consider(&start, Some(piece), score),
                None if index == own_start => consider(&start, None, self.unknown),
                None => {}
            }
            if let Some(node) = node.filter(|&node| !self.trie().children(node).is_empty()) {
                start.node = node as u32;
                lattice.starts[kept] = start;
                kept += 1;
            }
        }
        lattice.starts.truncate(kept);
        // The start before this character gave a piece or an unknown character.
        let best =
            best.unwrap_or(Best { score: lattice.score, is_through: false, is_own: false, piece: None });
        lattice.score = best.score;
        lattice.is_through = best.is_through;
        best
    }

    /// Whether a piece is the best way to spell its own text, by more than rounding can change.
    fn alone(&self, token: u32) -> Alone {
        let Ok(text) = std::str::from_utf8(self.vocabulary.token_bytes(token)) else { return Alone::Ask };
        if !self.is_piece.contains(token) {
            return Alone::Ask;
        }
        let (mut best, mut own, mut highest) = (vec![f64::NEG_INFINITY; text.len() + 1], f64::NAN, 0.0f64);
        best[0] = 0.0;
        for (from, c) in text.char_indices() {
            let (mut node, mut has_single) = (Some(0), false);
            for to in from + 1..=text.len() {
                node = node.and_then(|node| self.trie().child(node, text.as_bytes()[to - 1]));
                let Some((piece, score)) = node.and_then(|node| self.pieces[node]) else { continue };
                has_single |= to == from + c.len_utf8();
                highest = highest.max(f64::from(score).abs());
                match piece == token {
                    true => own = f64::from(score),
                    false => best[to] = best[to].max(best[from] + f64::from(score)),
                }
            }
            if !has_single {
                let to = from + c.len_utf8();
                best[to] = best[to].max(best[from] + f64::from(self.unknown));
            }
        }
        let (margin, length) = (own - best[text.len()], text.chars().count() as f64);
        match margin {
            _ if highest.max(f64::from(self.unknown).abs()) * length > FAR => Alone::Ask,
            _ if margin > ROUNDING * length => Alone::Yes,
            _ if margin < -ROUNDING * length => Alone::No,
            _ => Alone::Ask,
        }
    }

    /// The places, in the trie's order, of all tokens that may follow.
    pub(crate) fn followers(&self, at: &Lattice) -> Bitmask {
        let mut found = Bitmask::new(self.trie().order().len());
        self.find_below(at, 0, &mut |place| {
            found.insert(place as u32);
            false
        });
        found
    }

    /// Whether any token may follow whose text goes on from a node of the trie.
    pub(crate) fn any_below(&self, at: &Lattice, node: usize) -> bool {
        self.find_below(at, node, &mut |_| true)
    }

    /// Visits the tokens below a node that may follow, until a visit says that it is enough.
    fn find_below(&self, at: &Lattice, top: usize, visit: &mut dyn FnMut(usize) -> bool) -> bool {
        let trie = self.trie();
        let mut text = self.text_of(top);
        let mut walk = vec![(0, {
            let mut from = at.clone();
            from.end_broken(self.unknown);
            from
        })];
        for depth in 1..=text.len() {
            self.step(&mut walk, &text[..depth]);
        }
        let is_alone = |walk: &[(usize, Lattice)], depth: usize| matches!(walk.last(), Some((end, lattice)) if *end == depth && depth > 0 && lattice.is_closed());
        if is_alone(&walk, text.len()) {
            return self.find_alone(at, top, visit);
        }
        let mut node = top + 1;
        while node < trie.nodes()[top].end as usize {
            let (depth, byte) = (usize::from(trie.nodes()[node].depth), trie.nodes()[node].byte);
            text.truncate(depth - 1);
            text.push(byte);
            let best = self.step(&mut walk, &text);
            for place in trie.places_at(node) {
                let token = trie.order()[place];
                let may_follow = match (self.is_piece.contains(token), best) {
                    (true, Some(best)) => best.is_own && best.piece == Some(token),
                    (true, None) => false,
                    (false, _) => self.after(at, token).is_some(),
                };
                if may_follow && visit(place) {
                    return true;
                }
            }
            if is_alone(&walk, depth) {
                if self.find_alone(at, node, visit) {
                    return true;
                }
                node = trie.nodes()[node].end as usize;
            } else {
                node += 1;
            }
        }
        false
    }

    /// The same where what came before has no say any more.
    fn find_alone(&self, at: &Lattice, node: usize, visit: &mut dyn FnMut(usize) -> bool) -> bool {
        let order = self.trie().order();
        self.trie().places_below(node).any(|place| {
            let may_follow = match self.alone[place] {
                Alone::Yes => true,
                Alone::No => false,
                Alone::Ask => self.after(at, order[place]).is_some(),
            };
            may_follow && visit(place)
        })
    }

    /// Goes to the end of `text` from the last place on the way to it, if that is the end of a character.
    fn step(&self, walk: &mut Vec<(usize, Lattice)>, text: &[u8]) -> Option<Best> {
        while walk.len() > 1 && walk.last().is_some_and(|(end, _)| *end >= text.len()) {
            walk.pop();
        }
        let (end, lattice) = walk.last()?;
        let c = std::str::from_utf8(&text[*end..]).ok()?.chars().next()?;
        let mut lattice = lattice.clone();
        let best = self.take_char(&mut lattice, c, *end == 0);
        walk.push((text.len(), lattice));
        Some(best)
    }

    /// The bytes that lead to a node of the trie.
    fn text_of(&self, node: usize) -> Vec<u8> {
        let (trie, mut at, mut text) = (self.trie(), 0, Vec::new());
        while at < node {
            // The last child that does not stand behind the node.
            let children = trie.children(at);
            let before = children.clone().take_while(|&child| trie.child_node(child) <= node).count();
            let child = children.start + before - 1;
            text.push(trie.child_byte(child));
            at = trie.child_node(child);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::vocabulary;
    use super::super::{Canonical, CoverTree, TreeOptions};
    use super::*;
    use proptest::prelude::*;

    /// Pieces, then a token for each byte, then the end.
    fn made(pieces: &[(&str, f32)]) -> (Arc<Vocabulary>, Vec<Option<f32>>) {
        let bytes: Vec<[u8; 1]> = (0..=u8::MAX).map(|byte| [byte]).collect();
        let texts: Vec<&[u8]> = pieces
            .iter()
            .map(|(text, _)| text.as_bytes())
            .chain(bytes.iter().map(|byte| &byte[..]))
            .collect();
        let mut scores: Vec<Option<f32>> = pieces.iter().map(|&(_, score)| Some(score)).collect();
        scores.resize(texts.len() + 1, None);
        (vocabulary(&texts), scores)
    }

    /// The encoder by its definition: a table of ends, filled start by start, where only a better score replaces.
    fn encode(pieces: &[(&str, f32)], text: &str) -> Vec<u32> {
        let lowest = pieces.iter().map(|piece| piece.1).fold(f32::MAX, f32::min);
        let mut ends: Vec<Option<(f32, usize, Option<usize>)>> = vec![None; text.len() + 1];
        ends[0] = Some((0.0, 0, None));
        for (from, c) in text.char_indices() {
            let score = ends[from].unwrap().0;
            let mut found: Vec<(usize, f32, Option<usize>)> = Vec::new();
            for to in (from + 1..=text.len()).filter(|&to| text.is_char_boundary(to)) {
                let piece = pieces.iter().position(|piece| piece.0 == &text[from..to]);
                found.extend(piece.map(|piece| (to, pieces[piece].1, Some(piece))));
            }
            let next = from + c.len_utf8();
            if !found.iter().any(|one| one.0 == next) {
                found.push((next, lowest - UNKNOWN_PENALTY, None));
            }
            for (to, more, piece) in found {
                if ends[to].is_none_or(|(best, ..)| score + more > best) {
                    ends[to] = Some((score + more, from, piece));
                }
            }
        }
        let (mut at, mut tokens) = (text.len(), Vec::new());
        while at > 0 {
            let (_, from, piece) = ends[at].unwrap();
            match piece {
                Some(piece) => tokens.push(piece as u32),
                None => {
                    tokens.extend(text[from..at].bytes().rev().map(|b| pieces.len() as u32 + u32::from(b)))
                }
            }
            at = from;
        }
        tokens.reverse();
        tokens
    }

    /// Distinct pieces with scores in steps of 1/4, so that there are many ties.
    fn pieces() -> impl Strategy<Value = Vec<(String, f32)>> {
        let piece = ("[abé日]{1,5}", 4u8..14).prop_map(|(text, score)| (text, -f32::from(score) / 4.0));
        prop::collection::vec(piece, 1..12).prop_map(|mut pieces| {
            pieces.sort_by(|a, b| a.0.cmp(&b.0));
            pieces.dedup_by(|a, b| a.0 == b.0);
            pieces
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(160))]

        #[test]
        fn canonical_is_what_the_encoder_gives_back(
            pieces in pieces(),
            texts in prop::collection::vec("[abéà日x]{1,12}", 12),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 1..6), 20),
        ) {
            let pieces: Vec<(&str, f32)> = pieces.iter().map(|piece| (piece.0.as_str(), piece.1)).collect();
            let (vocabulary, scores) = made(&pieces);
            let canonical = Canonical::from_scores(Arc::clone(&vocabulary), &scores).unwrap();
            let check = |tokens: &[u32]| {
                let bytes: Vec<u8> = tokens.iter().flat_map(|&t| vocabulary.token_bytes(t).to_vec()).collect();
                if let Ok(text) = std::str::from_utf8(&bytes) {
                    let want = encode(&pieces, text) == tokens;
                    assert_eq!(canonical.is_canonical(tokens).unwrap(), want, "{tokens:?} {text:?}");
                    assert_eq!(canonical.is_viable(tokens).unwrap(), want);
                }
            };
            for text in &texts {
                let tokens = encode(&pieces, text);
                check(&tokens);
                (0..tokens.len()).for_each(|left_out| {
                    let mut other = tokens.clone();
                    other.remove(left_out);
                    check(&other);
                });
            }
            for walk in &walks {
                // Mostly pieces.
                let id = |&n: &usize| if n % 8 > 0 { n % pieces.len() } else { pieces.len() + n % 256 };
                check(&walk.iter().map(|n| id(n) as u32).collect::<Vec<_>>());
            }
        }

        /// The walk with its short cuts finds what asking for each token does.
        #[test]
        fn followers_are_those_that_may_follow(pieces in pieces(), text in "[abé日x]{0,9}", far in 0u32..3) {
            let pieces: Vec<(&str, f32)> = pieces.iter().map(|piece| (piece.0.as_str(), piece.1)).collect();
            let (vocabulary, scores) = made(&pieces);
            let unigram = Unigram::new(Arc::clone(&vocabulary), &scores).unwrap();
            let trie = vocabulary.trie();
            // Far from zero rounding makes more ties.
            let mut at = Lattice { score: -33_333.3 * far as f32, ..Lattice::default() };
            for token in encode(&pieces, &text) {
                match unigram.after(&at, token) {
                    Some(next) => at = next,
                    None => { prop_assert!(far > 0); break; }
                }
                let followers = unigram.followers(&at);
                let may_follow: Vec<bool> =
                    trie.order().iter().map(|&token| unigram.after(&at, token).is_some()).collect();
                for (place, &may) in may_follow.iter().enumerate() {
                    prop_assert_eq!(followers.contains(place as u32), may, "{}", trie.order()[place]);
                }
                for node in 0..trie.nodes().len() - 1 {
                    prop_assert_eq!(unigram.any_below(&at, node), may_follow[trie.places_below(node)].contains(&true));
                }
            }
        }
    }

    #[test]
    fn every_byte_string_has_one_cover_that_ends_with_it() {
        let (vocabulary, scores) = made(&[("a", -1.0), ("é", -2.0), ("aé", -2.5)]);
        let canonical = Arc::new(Canonical::from_scores(vocabulary, &scores).unwrap());
        for text in
            [&b"a\xc3\xa9\xc3a"[..], b"\xe6\x97", b"\xff\xfea", b"\xf0\x9f\x91a", b"\xef\xbf\xbd\xc3\xa9"]
        {
            let mut tree = CoverTree::new(Arc::clone(&canonical), TreeOptions::default()).unwrap();
            for &byte in text {
                assert!(tree.push(byte).unwrap(), "{text:?}");
            }
        }
    }

    #[test]
    fn scores_past_the_limit_are_counted_from_zero() {
        let (vocabulary, scores) = made(&[("a", -60_000.0), ("b", -1.0), ("ab", -60_001.0)]);
        let unigram = Unigram::new(vocabulary, &scores).unwrap();
        // "ab" and "a" "b" are equal, and the longer one stays; so also behind the reset.
        let mut at = Lattice::default();
        for _ in 0..5 {
            assert!(unigram.after(&at, 0).is_some_and(|a| unigram.after(&a, 1).is_none()));
            at = unigram.after(&at, 2).unwrap();
        }
        assert!(at.score > -200_000.0);
    }

    #[test]
    fn wrong_scores_are_named() {
        let (vocabulary, scores) = made(&[("a", -1.0)]);
        let refused =
            |scores: &[Option<f32>]| Unigram::new(Arc::clone(&vocabulary), scores).unwrap_err().to_string();
        assert!(refused(&scores[1..]).contains("scores were given"));
        let with = |id: usize, score: f32| {
            let mut scores = scores.clone();
            scores[id] = Some(score);
            scores
        };
        assert!(refused(&with(0, f32::NAN)).contains("NaN"));
        assert!(refused(&with(1 + 0xc3, -1.0)).contains("no text"));
        assert!(refused(&with(1 + usize::from(b'a'), -1.0)).contains("same text"));
        assert!(refused(&with(1 + usize::from(b'b'), -1.0)).contains("0x62"));
    }
}
