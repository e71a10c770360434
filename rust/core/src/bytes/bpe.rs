//! Byte-pair encoding behind a pre-tokenizer: merges and cuts together.
//!
//! A prefix of a canonical sequence need not be canonical: with GPT-2's pattern two tabs before a word are two pieces, at the
//! end of a text one. So a viable sequence is one that some continuation saves.
//!
//! What may follow a viable sequence depends on its last token and its [`Boundary`] only. Tokens come in three kinds there,
//! [`Reach`]: not possible; *free*, possible behind a cut whatever the last token is; and *bound*, possible if valid
//! neighbours. Reaches are kept for a bounded number of boundaries, of which real text meets a few dozen.
//!
//! Over-approximation: with `ignore_merges` (a piece that is a token is that token, whatever merges say) the pieces that merges
//! would make of an *unreachable* token are held viable until the piece ends. `is_canonical` is exact, and so
//! is everything where [`Bpe::unreachable`] is empty.

use super::merges::MergeTable;
use super::scan::{Boundary, Fed, Paths};
use super::split::{Splitter, StateId};
use crate::error::{Error, Result};
use crate::vocab::{Bitmask, Vocabulary};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;

/// How many neighbours are looked at one by one before all are.
const MAX_TRIES: usize = 32;
/// How many boundaries' reaches are kept.
const MAX_REACHES: usize = 512;
/// Of how many tokens the neighbours that are not valid are kept.
const MAX_INVALID: usize = 256;
/// How many of them are found more quickly than read.
const MANY_VISITS: usize = 4096;

/// What may follow a boundary, as bits over the tokens in the trie's order.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) free: Bitmask,
    pub(crate) bound: Bitmask,
}

/// The merges and cuts of a tokenizer.
#[derive(Debug)]
pub(crate) struct Bpe {
    vocabulary: Arc<Vocabulary>,
    merges: MergeTable,
    splitter: Option<Splitter>,
    ignore_merges: bool,
    unreachable: Vec<u32>,
    reaches: Mutex<FxHashMap<Boundary, Arc<Reach>>>,
    /// [`Self::invalid`] of the tokens where that takes long, short ones mostly, which are frequent.
    invalid: Mutex<FxHashMap<u32, Arc<Bitmask>>>,
}

impl Bpe {
    /// From the merges, the pre-tokenizer (none: the whole text is one piece), and whether a piece that is a token stays one.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] when there is a pre-tokenizer for SentencePiece's merges, which have none.
    pub(crate) fn new(
        vocabulary: Arc<Vocabulary>,
        merges: MergeTable,
        splitter: Option<Splitter>,
        ignore_merges: bool,
    ) -> Result<Self> {
        if merges.is_over_chars() && (splitter.is_some() || ignore_merges) {
            return Err(Error::InvalidTokenizer("merges of characters go without a pre-tokenizer".into()));
        }
        let is_byte_piece = |id| merges.is_over_chars() && vocabulary.token_bytes(id).len() == 1;
        let ids = 0..vocabulary.num_tokens() as u32;
        let unreachable =
            ids.filter(|&id| vocabulary.is_text(id) && !merges.is_reachable(id) && !is_byte_piece(id));
        let unreachable = unreachable.collect();
        let (reaches, invalid) = Default::default();
        Ok(Self { vocabulary, merges, splitter, ignore_merges, unreachable, reaches, invalid })
    }

    /// Text tokens that merges never make of their own bytes.
    pub(crate) fn unreachable(&self) -> &[u32] {
        &self.unreachable
    }

    /// Whether `right` may follow `left` where the pre-tokenizer does not cut.
    pub(crate) fn is_valid_pair(&self, left: u32, right: u32) -> bool {
        self.merges.is_valid_pair(left, right)
    }

    /// With `ignore_merges`: no piece that is an unreachable token stands as what merges would make of it.
    pub(crate) fn keeps_whole_pieces(&self, tokens: &[u32]) -> Result<bool> {
        let Some(splitter) =
            self.splitter.as_ref().filter(|_| self.ignore_merges && !self.unreachable.is_empty())
        else {
            return Ok(true);
        };
        let texts: Vec<&[u8]> = tokens.iter().map(|&token| self.vocabulary.token_bytes(token)).collect();
        let bytes = texts.concat();
        // Offsets in lossy text are not offsets in bytes; sequences that are no text have no whole pieces to compare.
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(true) };
        let cuts = splitter.cuts(text)?;
        let ends: Vec<usize> = texts
            .iter()
            .scan(0, |end, text| {
                Some({
                    *end += text.len();
                    *end
                })
            })
            .collect();
        let is_unreachable =
            |piece: &[u8]| self.unreachable.iter().any(|&id| self.vocabulary.token_bytes(id) == piece);
        let mut start = 0;
        Ok(cuts.iter().all(|&cut| {
            let piece = start..std::mem::replace(&mut start, cut).max(cut);
            !(is_unreachable(&bytes[piece.clone()])
                && ends.iter().any(|end| piece.contains(end) && *end > piece.start))
        }))
    }

    /// The boundary behind a token that follows `last` at `at`; `None` where it may not.
    pub(crate) fn after(&self, at: Boundary, last: Option<u32>, token: u32) -> Result<Option<Boundary>> {
        if !self.vocabulary.is_text(token) {
            return Ok(None);
        }
        let text = self.vocabulary.token_bytes(token);
        if self.merges.is_over_chars() {
            return Ok(self.after_piece(at, last, token, text));
        }
        if !self.ignore_merges && !self.merges.is_reachable(token) {
            return Ok(None);
        }
        let joined = last.is_none_or(|last| self.merges.is_valid_pair(last, token));
        let (Some(splitter), Some((&first, rest))) = (&self.splitter, text.split_first()) else {
            return Ok(joined.then_some(at));
        };
        let mut walker = splitter.walker();
        let mut paths = Paths::begin(&mut walker, at, first)?;
        for &byte in rest {
            paths = paths.feed(&mut walker, byte)?;
        }
        let end = paths.end(&mut walker, joined)?;
        Ok((!end.before.is_dead()).then_some(end))
    }

    /// SentencePiece: characters that have no piece are spelled in bytes, and only those.
    fn after_piece(&self, at: Boundary, last: Option<u32>, token: u32, text: &[u8]) -> Option<Boundary> {
        let is_byte = |token: u32| !self.merges.is_reachable(token);
        if !is_byte(token) {
            let joined = last.is_none_or(|last| is_byte(last) || self.merges.is_valid_pair(last, token));
            return joined.then(Boundary::start);
        }
        let &[byte] = text else { return None };
        let mut pending = at.pending;
        loop {
            return match pending.push(byte) {
                Fed::Incomplete(pending) => Some(Boundary { pending, ..at }),
                Fed::Broken => {
                    pending = Default::default();
                    continue;
                }
                Fed::Char(c) => {
                    let mut buffer = [0; 4];
                    let is_piece = self.merges.has_char(c.encode_utf8(&mut buffer).as_bytes());
                    let is_char = !(c == char::REPLACEMENT_CHARACTER && pending.is_empty());
                    (!is_char || !is_piece).then(Boundary::start)
                }
            };
        }
    }

    /// Whether a text may end at a boundary.
    pub(crate) fn may_end(&self, at: Boundary) -> Result<bool> {
        match &self.splitter {
            Some(splitter) => at.may_end(&mut splitter.walker()),
            None => Ok(at.before.joined != StateId::DEAD),
        }
    }

    /// What may follow a boundary.
    pub(crate) fn reach(&self, at: Boundary) -> Result<Arc<Reach>> {
        if let Some(reach) = self.reaches.lock().get(&at) {
            return Ok(Arc::clone(reach));
        }
        let reach = Arc::new(match &self.splitter {
            Some(splitter) => self.reach_by_pattern(splitter, at)?,
            None => self.reach_by_tokens(at),
        });
        let mut reaches = self.reaches.lock();
        if reaches.len() >= MAX_REACHES {
            reaches.clear();
        }
        reaches.insert(at, Arc::clone(&reach));
        Ok(reach)
    }

    fn reach_by_tokens(&self, at: Boundary) -> Reach {
        let order = self.vocabulary.trie().order();
        let mut reach = Reach { free: Bitmask::new(order.len()), bound: Bitmask::new(order.len()) };
        for (position, &token) in order.iter().enumerate() {
            let text = self.vocabulary.token_bytes(token);
            if self.merges.is_reachable(token) {
                reach.bound.insert(position as u32);
            } else if self.merges.is_over_chars() && self.after_piece(at, None, token, text).is_some() {
                reach.free.insert(position as u32);
            }
        }
        reach
    }

    /// One walk over the trie, with the two paths at each depth.
    fn reach_by_pattern(&self, splitter: &Splitter, at: Boundary) -> Result<Reach> {
        let trie = self.vocabulary.trie();
        let nodes = trie.nodes();
        let mut reach =
            Reach { free: Bitmask::new(trie.order().len()), bound: Bitmask::new(trie.order().len()) };
        let mut walker = splitter.walker();
        let mut path: Vec<Paths> = Vec::with_capacity(trie.max_depth());
        let mut index = 1;
        while index + 1 < nodes.len() {
            let node = nodes[index];
            path.truncate(usize::from(node.depth) - 1);
            let paths = match path.last() {
                Some(paths) => paths.feed(&mut walker, node.byte)?,
                None => Paths::begin(&mut walker, at, node.byte)?,
            };
            let (free, bound) = paths.alive();
            if !free && !bound {
                index = node.end as usize;
                continue;
            }
            for place in trie.places_at(index) {
                let reachable = self.merges.is_reachable(trie.order()[place]);
                if free && (reachable || self.ignore_merges) {
                    reach.free.insert(place as u32);
                } else if bound && reachable {
                    reach.bound.insert(place as u32);
                }
            }
            path.push(paths);
            index += 1;
        }
        Ok(reach)
    }

    /// The places of all tokens that may follow `last`, given the boundary's reach.
    pub(crate) fn filter(&self, reach: &Reach, last: Option<u32>) -> Bitmask {
        let mut places = reach.bound.clone();
        if let Some(last) = last.filter(|&last| !self.is_byte_piece(last)) {
            let invalid = self.invalid(last);
            places.as_words_mut().iter_mut().zip(invalid.as_words()).for_each(|(word, bad)| *word &= !bad);
        }
        let free = reach.free.as_words().iter();
        places.as_words_mut().iter_mut().zip(free).for_each(|(word, free)| *word |= free);
        places
    }

    /// The places of the tokens that are no valid neighbours of `last`.
    fn invalid(&self, last: u32) -> Arc<Bitmask> {
        if let Some(known) = self.invalid.lock().get(&last) {
            return Arc::clone(known);
        }
        let mut invalid = Bitmask::new(self.vocabulary.trie().order().len());
        let mut visits = 0;
        let is_found = self.merges.visit_invalid(last, |place| {
            invalid.insert(place);
            visits += 1;
        });
        if !is_found {
            invalid.as_words_mut().fill(u32::MAX);
        }
        let invalid = Arc::new(invalid);
        if visits > MANY_VISITS {
            let mut known = self.invalid.lock();
            if known.len() >= MAX_INVALID {
                known.clear();
            }
            known.insert(last, Arc::clone(&invalid));
        }
        invalid
    }

    /// SentencePiece: whether a token is a byte of a character that has no piece.
    fn is_byte_piece(&self, token: u32) -> bool {
        self.merges.is_over_chars() && !self.merges.is_reachable(token)
    }

    /// Whether some token of a range of places may follow `last`, given the boundary's reach; `None` where finding out takes
    /// long.
    pub(crate) fn any_allowed(&self, reach: &Reach, last: Option<u32>, places: Range<usize>) -> Option<bool> {
        if reach.free.any_in(places.clone()) {
            return Some(true);
        }
        let mut bound = reach.bound.iter_in(places);
        let Some(last) = last.filter(|&last| !self.is_byte_piece(last)) else {
            return Some(bound.next().is_some());
        };
        let order = self.vocabulary.trie().order();
        let is_valid = |place: u32| self.merges.is_valid_pair(last, order[place as usize]);
        match bound.by_ref().take(MAX_TRIES).any(is_valid) {
            true => Some(true),
            false => bound.next().is_none().then_some(false),
        }
    }
}
