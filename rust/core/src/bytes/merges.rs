//! Byte-pair encoding: the merges, and which two tokens may be neighbours.
//!
//! BPE joins, again and again, the neighbouring pair of lowest rank, the leftmost of equals. What happens inside a token
//! does not depend on what stands beside it, until a merge across the boundary is the lowest of all. So `l` and `r` may
//! be neighbours iff, replaying the merges that make `l` and those that make `r` in the order in which BPE would do them
//! on `l r`, no merge across the boundary is ever the next. Only the last piece of `l` (its *right spine*) and the first of
//! `r` (its *left spine*) can take part in such a merge.
//!
//! Invariant: a sequence without splits is what BPE makes of its bytes iff every token is reachable and all neighbours are
//! valid. (The first merge across any boundary would be one of that pair alone.)
//!
//! *Reachable* tokens are those that BPE makes of their own bytes. Others exist: a vocabulary may hold tokens that its
//! merges never lead to.

use crate::error::{Error, Result};
use crate::vocab::Vocabulary;
use rustc_hash::FxHashMap;

/// One merge: `left` and `right` become `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The left token.
    pub left: u32,
    /// The right token.
    pub right: u32,
    /// What they become.
    pub result: u32,
}

/// No more merges: later than every rank.
const NEVER: u32 = u32::MAX;

/// A merge inside a token, as its neighbour sees it.
#[derive(Clone, Copy, Debug)]
struct Event {
    rank: u32,
    /// The piece at the boundary after it.
    piece: u32,
}

/// How a token is made, seen from one of its sides.
#[derive(Clone, Copy, Debug, Default)]
struct Spine {
    /// The piece at the boundary before any merge.
    first: u32,
    /// `events[start..end]`.
    start: u32,
    end: u32,
}

/// The merges of a tokenizer, ready to be asked about neighbours.
#[derive(Debug)]
pub struct MergeTable {
    pairs: FxHashMap<(u32, u32), (u32, u32)>,
    /// For each token how its first piece and its last piece grow; `None` if it is not reachable.
    spines: Vec<Option<(Spine, Spine)>>,
    events: Vec<Event>,
    symbols: Symbols,
    conflicts: Conflicts,
}

/// The time that a piece stands at one side of a token. Of two sides' events the lower rank goes first, the left one of
/// equals, in each side's own order; so an event goes before one of the other side iff the highest rank up to it is lower (or
/// equal, for the left). Those highest ranks are the two clocks here.
#[derive(Clone, Copy, Debug)]
struct Stay {
    /// The rank of the merge that ends it.
    ends: u32,
    /// The clock when it began, plus one; 0 if it was there from the beginning.
    since: u32,
    /// The clock when it ends.
    until: u32,
}

/// Lists, one for each token.
#[derive(Debug)]
struct Lists<T> {
    starts: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self { starts: vec![0], items: vec![] }
    }
}

impl<T: Copy> Lists<T> {
    /// Of `(token, item)`, which get sorted by token and then by `key`.
    fn new<K: Ord>(tokens: usize, mut all: Vec<(u32, T)>, key: impl Fn(&T) -> K) -> Self {
        all.sort_unstable_by_key(|(token, item)| (*token, key(item)));
        let mut starts = vec![0; tokens + 1];
        all.iter().for_each(|&(token, _)| starts[token as usize + 1] += 1);
        (0..tokens).for_each(|token| starts[token + 1] += starts[token]);
        Self { starts, items: all.into_iter().map(|(_, item)| item).collect() }
    }

    fn of(&self, token: u32) -> &[T] {
        let token = token as usize;
        &self.items[self.starts[token] as usize..self.starts[token + 1] as usize]
    }
}

/// Where to look for neighbours that are not valid, instead of replaying all pairs: a merge across a boundary must come
/// before the next one on either side, while both of its pieces stand there.
#[derive(Debug, Default)]
struct Conflicts {
    /// For each left side of merges: the right sides and ranks, lowest rank first.
    partners: Lists<(u32, u32)>,
    /// For each piece: the tokens (by their places in the trie's order) that have it as their first piece at some time, and
    /// that time, the highest rank of its end first.
    beginning: Lists<(u32, Stay)>,
}

/// What BPE begins with.
#[derive(Debug)]
enum Symbols {
    /// A token for each byte, where there is one.
    Bytes(Box<[Option<u32>; 256]>),
    /// A token for each character (SentencePiece).
    Chars(FxHashMap<Box<[u8]>, u32>),
}

impl MergeTable {
    /// From merges in the order of their ranks, over the tokens of single bytes.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] where a merge's result is not its two sides joined, or is no text.
    pub fn from_merges(vocabulary: &Vocabulary, merges: &[Merge]) -> Result<Self> {
        let mut pairs = FxHashMap::default();
        for (rank, merge) in merges.iter().enumerate() {
            check_merge(vocabulary, *merge)?;
            pairs.entry((merge.left, merge.right)).or_insert((rank as u32, merge.result));
        }
        Ok(Self::build(vocabulary, pairs, byte_symbols(vocabulary)))
    }

    /// From ranks alone (tiktoken): any two tokens merge if their bytes together are a token, and its rank is theirs.
    /// `ranks[id]` is the rank of a token; without one it is neither made nor used.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] for ranks of another number than the tokens.
    pub fn from_ranks(vocabulary: &Vocabulary, ranks: &[Option<u32>]) -> Result<Self> {
        let pairs = pairs_of_ranks(vocabulary, ranks, |_| true)?;
        Ok(Self::build(vocabulary, pairs, byte_symbols(vocabulary)))
    }

    /// SentencePiece BPE: as [`Self::from_ranks`] over characters. Pieces without a rank (bytes, control) never merge.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] for ranks of another number than the tokens.
    pub fn from_piece_ranks(vocabulary: &Vocabulary, ranks: &[Option<u32>]) -> Result<Self> {
        let pairs = pairs_of_ranks(vocabulary, ranks, |text| std::str::from_utf8(text).is_ok())?;
        let mut chars = FxHashMap::default();
        for id in (0..vocabulary.num_tokens() as u32).filter(|&id| ranks[id as usize].is_some()) {
            let text = vocabulary.token_bytes(id);
            if std::str::from_utf8(text).is_ok_and(|text| text.chars().count() == 1) {
                chars.entry(text.into()).or_insert(id);
            }
        }
        Ok(Self::build(vocabulary, pairs, Symbols::Chars(chars)))
    }

    fn build(vocabulary: &Vocabulary, pairs: FxHashMap<(u32, u32), (u32, u32)>, symbols: Symbols) -> Self {
        let conflicts = Conflicts::default();
        let mut table = Self { pairs, spines: Vec::new(), events: Vec::new(), symbols, conflicts };
        for id in 0..vocabulary.num_tokens() as u32 {
            let spines = if vocabulary.is_text(id) { table.derive(vocabulary, id) } else { None };
            table.spines.push(spines);
        }
        table.events.shrink_to_fit();
        table.conflicts = table.find_conflicts(vocabulary);
        table
    }

    fn find_conflicts(&self, vocabulary: &Vocabulary) -> Conflicts {
        let partners = self.pairs.iter().map(|(&(left, right), &(rank, _))| (left, (right, rank))).collect();
        let mut beginning = Vec::new();
        for (place, &token) in vocabulary.trie().order().iter().enumerate() {
            let Some((left, _)) = self.spines[token as usize] else { continue };
            beginning.extend(self.stays(left).map(|(piece, stay)| (piece, (place as u32, stay))));
        }
        let tokens = self.spines.len();
        Conflicts {
            partners: Lists::new(tokens, partners, |&(_, rank)| rank),
            beginning: Lists::new(tokens, beginning, |&(place, stay)| (std::cmp::Reverse(stay.ends), place)),
        }
    }

    /// The pieces at one side of a token, one after the other, and their times.
    fn stays(&self, spine: Spine) -> impl Iterator<Item = (u32, Stay)> + '_ {
        let events = &self.events[spine.start as usize..spine.end as usize];
        let pieces = std::iter::once(spine.first).chain(events.iter().map(|event| event.piece));
        let ends = events.iter().map(|event| event.rank).chain([NEVER]);
        pieces.zip(ends).scan(0u32, |clock, (piece, ends)| {
            let since = *clock;
            let until = since.saturating_sub(1).max(ends);
            *clock = until.saturating_add(1);
            Some((piece, Stay { ends, since, until }))
        })
    }

    /// Visits the reachable tokens that may not follow `left` where no split stands between them, by their places in the
    /// trie's order, some more than once; `false` if none may.
    pub(crate) fn visit_invalid(&self, left: u32, mut visit: impl FnMut(u32)) -> bool {
        let Some((_, spine)) = self.spines.get(left as usize).copied().flatten() else { return false };
        for (piece, l) in self.stays(spine) {
            let partners = self.conflicts.partners.of(piece).iter();
            for &(partner, rank) in partners.take_while(|&&(_, rank)| rank < l.ends) {
                let beginning = self.conflicts.beginning.of(partner).iter();
                for &(place, r) in beginning.take_while(|(_, r)| r.ends >= rank) {
                    if l.since.saturating_sub(1) <= r.until && r.since <= l.until {
                        visit(place);
                    }
                }
            }
        }
        true
    }

    /// Whether BPE makes the token of its own bytes.
    pub fn is_reachable(&self, token: u32) -> bool {
        self.spines.get(token as usize).is_some_and(Option::is_some)
    }

    /// Whether `right` may follow `left` where no split stands between them.
    pub fn is_valid_pair(&self, left: u32, right: u32) -> bool {
        let spines = |token: u32| self.spines.get(token as usize).copied().flatten();
        let (Some((_, l)), Some((r, _))) = (spines(left), spines(right)) else { return false };
        let l_events = &self.events[l.start as usize..l.end as usize];
        let r_events = &self.events[r.start as usize..r.end as usize];
        let (mut i, mut j, mut last, mut first) = (0, 0, l.first, r.first);
        loop {
            let next_l = l_events.get(i).map_or(NEVER, |event| event.rank);
            let next_r = r_events.get(j).map_or(NEVER, |event| event.rank);
            let across = self.pairs.get(&(last, first)).map_or(NEVER, |&(rank, _)| rank);
            // Of equal ranks the leftmost goes first: what is in `l`, then the boundary, then what is in `r`.
            if across != NEVER && across < next_l && across <= next_r {
                return false;
            }
            if next_l == NEVER && next_r == NEVER {
                return true;
            }
            if next_l <= next_r {
                last = l_events[i].piece;
                i += 1;
            } else {
                first = r_events[j].piece;
                j += 1;
            }
        }
    }

    /// What a character or byte is before any merge, if it is a token.
    pub(crate) fn has_char(&self, text: &[u8]) -> bool {
        match &self.symbols {
            Symbols::Bytes(_) => false,
            Symbols::Chars(chars) => chars.contains_key(text),
        }
    }

    /// Whether the symbols are characters (SentencePiece).
    pub(crate) fn is_over_chars(&self) -> bool {
        matches!(self.symbols, Symbols::Chars(_))
    }

    /// Plain BPE of a piece of text: the obvious way, quadratic. `None` where a symbol is no token.
    pub fn encode(&self, text: &[u8]) -> Option<Vec<u32>> {
        let mut pieces = self.symbols_of(text)?;
        while let Some((at, (_, result))) = self.lowest(&pieces) {
            pieces[at] = result;
            pieces.remove(at + 1);
        }
        Some(pieces)
    }

    fn symbols_of(&self, text: &[u8]) -> Option<Vec<u32>> {
        match &self.symbols {
            Symbols::Bytes(bytes) => text.iter().map(|&byte| bytes[usize::from(byte)]).collect(),
            Symbols::Chars(chars) => {
                let mut buffer = [0; 4];
                let mut id = |c: char| chars.get(c.encode_utf8(&mut buffer).as_bytes()).copied();
                std::str::from_utf8(text).ok()?.chars().map(&mut id).collect()
            }
        }
    }

    /// The next merge: its place, rank and result.
    fn lowest(&self, pieces: &[u32]) -> Option<(usize, (u32, u32))> {
        let found = pieces.windows(2).enumerate();
        found
            .filter_map(|(at, pair)| Some((at, *self.pairs.get(&(pair[0], pair[1]))?)))
            .min_by_key(|&(at, (rank, _))| (rank, at))
    }

    /// Runs BPE on a token's own bytes and notes what its two ends go through.
    fn derive(&mut self, vocabulary: &Vocabulary, token: u32) -> Option<(Spine, Spine)> {
        let mut pieces = self.symbols_of(vocabulary.token_bytes(token))?;
        let (first, last) = (*pieces.first()?, *pieces.last()?);
        let mut all: Vec<(Event, Event)> = Vec::new();
        while let Some((at, (rank, result))) = self.lowest(&pieces) {
            pieces[at] = result;
            pieces.remove(at + 1);
            let (head, tail) = (pieces[0], pieces[pieces.len() - 1]);
            all.push((Event { rank, piece: head }, Event { rank, piece: tail }));
        }
        if pieces != [token] {
            return None;
        }
        // Where ranks only rise, merges away from the boundary change nothing (the next one at it is higher still).
        // Merge tables that were trained do so; others keep all.
        let rising = all.is_sorted_by_key(|(event, _)| event.rank);
        let mut keep = |first: u32, side: &dyn Fn(&(Event, Event)) -> Event| {
            let start = self.events.len() as u32;
            let mut before = first;
            for event in all.iter().map(side) {
                if !rising || event.piece != before {
                    self.events.push(event);
                }
                before = event.piece;
            }
            Spine { first, start, end: self.events.len() as u32 }
        };
        Some((keep(first, &|both| both.0), keep(last, &|both| both.1)))
    }
}

fn byte_symbols(vocabulary: &Vocabulary) -> Symbols {
    let mut symbols = Box::new([None; 256]);
    for id in (0..vocabulary.num_tokens() as u32).filter(|&id| vocabulary.is_text(id)) {
        if let &[byte] = vocabulary.token_bytes(id) {
            symbols[usize::from(byte)].get_or_insert(id);
        }
    }
    Symbols::Bytes(symbols)
}

fn check_merge(vocabulary: &Vocabulary, merge: Merge) -> Result<()> {
    for id in [merge.left, merge.right, merge.result] {
        vocabulary.check_id(id)?;
    }
    let joined = [vocabulary.token_bytes(merge.left), vocabulary.token_bytes(merge.right)].concat();
    if joined == vocabulary.token_bytes(merge.result) {
        return Ok(());
    }
    Err(Error::InvalidTokenizer(format!(
        "the merge of tokens {} and {} has the result {}, whose bytes are not theirs joined",
        merge.left, merge.right, merge.result
    )))
}

fn pairs_of_ranks(
    vocabulary: &Vocabulary,
    ranks: &[Option<u32>],
    may_stand: impl Fn(&[u8]) -> bool,
) -> Result<FxHashMap<(u32, u32), (u32, u32)>> {
    if ranks.len() != vocabulary.num_tokens() {
        let (got, want) = (ranks.len(), vocabulary.num_tokens());
        return Err(Error::InvalidTokenizer(format!("{got} ranks were given for {want} tokens")));
    }
    let mut by_text: FxHashMap<&[u8], u32> = FxHashMap::default();
    for (id, rank) in ranks.iter().enumerate() {
        if rank.is_some() && vocabulary.is_text(id as u32) {
            by_text.entry(vocabulary.token_bytes(id as u32)).or_insert(id as u32);
        }
    }
    let mut pairs = FxHashMap::default();
    for (&text, &id) in &by_text {
        let Some(rank) = ranks[id as usize].filter(|_| may_stand(text)) else { continue };
        for (left, right) in (1..text.len()).map(|at| text.split_at(at)) {
            if let (Some(&left), Some(&right)) = (by_text.get(left), by_text.get(right)) {
                pairs.insert((left, right), (rank, id));
            }
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocab::VocabularyOptions;
    use proptest::prelude::*;

    /// Tokens `a`, `b`, `c`, then one for each random merge of earlier tokens.
    pub(crate) fn table(choices: &[(usize, usize)]) -> (Vocabulary, Vec<Merge>) {
        let mut texts: Vec<Vec<u8>> = vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()];
        let mut merges = Vec::new();
        for &(left, right) in choices {
            let (left, right) = (left % texts.len(), right % texts.len());
            let joined = [texts[left].as_slice(), &texts[right]].concat();
            if joined.len() <= 6 && !texts.contains(&joined) {
                let result = texts.len() as u32;
                merges.push(Merge { left: left as u32, right: right as u32, result });
                texts.push(joined);
            }
        }
        (Vocabulary::new(&texts, VocabularyOptions::default()).unwrap(), merges)
    }

    /// By definition: encoding the bytes gives the tokens back.
    fn reencodes(table: &MergeTable, vocabulary: &Vocabulary, tokens: &[u32]) -> bool {
        let text: Vec<u8> = tokens.iter().flat_map(|&t| vocabulary.token_bytes(t)).copied().collect();
        table.encode(&text).as_deref() == Some(tokens)
    }

    fn agree(table: &MergeTable, vocabulary: &Vocabulary, walks: &[Vec<usize>]) {
        let n = vocabulary.num_tokens() as u32;
        for left in 0..n {
            assert_eq!(table.is_reachable(left), reencodes(table, vocabulary, &[left]));
            let mut invalid = Vec::new();
            let order = vocabulary.trie().order();
            let any = table.visit_invalid(left, |place| invalid.push(order[place as usize]));
            assert_eq!(any, table.is_reachable(left));
            for right in 0..n {
                let valid = table.is_valid_pair(left, right);
                if any && table.is_reachable(right) {
                    assert_eq!(!valid, invalid.contains(&right), "{left} {right}");
                }
                assert_eq!(valid, reencodes(table, vocabulary, &[left, right]), "{left} {right}");
            }
        }
        for walk in walks {
            let tokens: Vec<u32> = walk.iter().map(|t| *t as u32 % n).collect();
            let pairs = tokens.windows(2).all(|pair| table.is_valid_pair(pair[0], pair[1]));
            let reachable = tokens.iter().all(|&t| table.is_reachable(t));
            assert_eq!(pairs && reachable, reencodes(table, vocabulary, &tokens), "{tokens:?}");
        }
    }

    proptest! {
        /// Ranks in the order of making, shuffled (so that they do not rise), and implied by the tokens' order.
        #[test]
        fn neighbours_are_those_of_reencoding(
            choices in prop::collection::vec((0usize..40, 0usize..40), 1..14),
            order in Just((0..14usize).collect::<Vec<_>>()).prop_shuffle(),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 1..7), 20),
        ) {
            let (vocabulary, merges) = table(&choices);
            agree(&MergeTable::from_merges(&vocabulary, &merges).unwrap(), &vocabulary, &walks);
            let shuffled: Vec<Merge> = order.iter().filter_map(|&i| merges.get(i).copied()).collect();
            agree(&MergeTable::from_merges(&vocabulary, &shuffled).unwrap(), &vocabulary, &walks);
            let n = vocabulary.num_tokens();
            let ranks: Vec<Option<u32>> = (0..n as u32).map(Some).collect();
            agree(&MergeTable::from_ranks(&vocabulary, &ranks).unwrap(), &vocabulary, &walks);
            let mut ranks = ranks;
            ranks[3..].reverse();
            agree(&MergeTable::from_ranks(&vocabulary, &ranks).unwrap(), &vocabulary, &walks);
            agree(&MergeTable::from_piece_ranks(&vocabulary, &ranks).unwrap(), &vocabulary, &walks);
        }
    }

    #[test]
    fn equal_ranks_go_left_first() {
        let vocabulary = Vocabulary::new(&["a", "aa"], VocabularyOptions::default()).unwrap();
        let merges = [Merge { left: 0, right: 0, result: 1 }];
        let table = MergeTable::from_merges(&vocabulary, &merges).unwrap();
        assert!(table.is_valid_pair(1, 0) && table.is_valid_pair(1, 1));
        assert!(!table.is_valid_pair(0, 1) && !table.is_valid_pair(0, 0));
    }

    #[test]
    fn wrong_merges_are_refused() {
        let vocabulary = Vocabulary::new(&["a", "b", "ba"], VocabularyOptions::default()).unwrap();
        for (left, right, result) in [(0, 1, 2), (0, 1, 9)] {
            assert!(MergeTable::from_merges(&vocabulary, &[Merge { left, right, result }]).is_err());
        }
        assert!(MergeTable::from_ranks(&vocabulary, &[Some(0)]).is_err());
    }
}
