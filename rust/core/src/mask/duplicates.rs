//! Tokens that would make a value that must not come again.

use super::assemble::Below;
use super::holes::spelled_otherwise;
use super::sort_ids;
use super::walk::Walk;
use crate::automaton::Room;
use crate::grammar::ByteSet;
use crate::json_schema::spell::is_pinned;
use crate::stack::{Arena, Config, Fit, RegisterId, Rival, RivalLists, SetFlags, SetId, spaces};
use crate::vocab::ByteTrie;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::rc::Rc;

/// A node of the trie with what was read on the way to it, and the values that it may become.
struct Place {
    node: usize,
    /// What so many bytes of those read come to, but for what was there before.
    configs: (usize, Rc<[Config]>),
    read: Read,
    rivals: Rc<Rivals>,
}

/// Most of them are short, and there are many.
type Read = SmallVec<[u8; 32]>;

impl Place {
    /// A node below, by a byte.
    fn further(&self, node: usize, byte: u8, rivals: Rc<Rivals>) -> Self {
        let mut read = Read::from_slice(&self.read);
        read.push(byte);
        Self { node, configs: self.configs.clone(), read, rivals }
    }
}

/// Values that may not come again, and the bytes that each may go on by.
struct Rivals {
    each: Vec<(ByteSet, Rival)>,
    any: ByteSet,
}

impl Rivals {
    fn new(arena: &Arena, rivals: Vec<Rival>) -> Rc<Self> {
        let with_bytes = |rival| (arena.rival_bytes(&rival), rival);
        let each: Vec<(ByteSet, Rival)> = rivals.into_iter().map(with_bytes).collect();
        let any = each.iter().fold(ByteSet::EMPTY, |any, (bytes, _)| any.union(bytes));
        Rc::new(Self { each, any })
    }
}

/// Whether any of some ASCII bytes may occur below a node: runs of whitespace have hundreds of nodes.
fn may_hold(trie: &ByteTrie, node: usize, bytes: &ByteSet) -> bool {
    match trie.summary(node) {
        Some(summary) => !summary.characters.intersection(bytes).is_empty(),
        None => trie.size_below(node) > 0,
    }
}

/// So many are kept.
const MAX_COMPLETIONS: usize = 1 << 13;
/// What one of them takes, with its text; few have tokens.
const COMPLETION_BYTES: usize = 96;

/// The tokens that complete strings, remembered: each name of an object is looked for wherever another may begin.
#[derive(Debug, Default)]
pub(super) struct Completions {
    /// Places in `found`, by what is left of a string.
    places: FxHashMap<Below, FxHashMap<Box<str>, usize>>,
    /// `None` where characters have to be compared.
    found: Vec<Option<Box<[u32]>>>,
}

impl Completions {
    /// The tokens below a node that begin with what is left of a string and its quotation mark, however they are spelled; `None` if
    /// not all of its characters are printable ASCII.
    fn of(&mut self, trie: &ByteTrie, node: usize, rest: &str) -> Option<&[u32]> {
        if self.found.len() >= MAX_COMPLETIONS {
            *self = Self::default();
        }
        let places = self.places.entry((trie.serial(), node as u32)).or_default();
        let place = places.get(rest).copied().unwrap_or_else(|| {
            places.insert(rest.into(), self.found.len());
            self.found.push(completions(trie, node, rest));
            self.found.len() - 1
        });
        self.found[place].as_deref()
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.found.len() * COMPLETION_BYTES
    }
}

fn completions(trie: &ByteTrie, node: usize, rest: &str) -> Option<Box<[u32]>> {
    if !rest.bytes().all(|byte| is_pinned(byte.into())) {
        return None;
    }
    let text: SmallVec<[u8; 32]> = rest.bytes().chain([b'"']).collect();
    let end = text.iter().try_fold(node, |node, &byte| trie.child(node, byte));
    let mut tokens = end.map_or_else(Vec::new, |end| trie.tokens_from(end).to_vec());
    spelled_otherwise(trie, node, &text, &mut tokens);
    Some(tokens.into())
}

impl Walk<'_> {
    /// The tokens below a node that would complete a value which must not come again, or could only be completed to one,
    /// ascending.
    pub(super) fn duplicates(&mut self, trie: &ByteTrie, node: usize, config: Config) -> Vec<u32> {
        let mut out = Vec::new();
        let rivals = self.arena.rivals(self.context.pda, config);
        if rivals.is_empty() {
            return out;
        }
        // Where there is no end of other values nothing is doomed, and need not be stepped through.
        let is_endless = self.context.pda.room(config.state) == Room::Endless;
        if !is_endless {
            self.arena.give_up_trace();
        }
        let mut todo = self.places(trie, node, (config, rivals), is_endless, &mut out);
        let start = match todo.is_empty() {
            true => SetId::DEAD,
            false => self.arena.set_of_configs(&[config], SetFlags::default()),
        };
        while let Some(at) = todo.pop() {
            for child in trie.children_by(at.node, &at.rivals.any) {
                let (byte, node) = (trie.child_byte(child), trie.child_node(child));
                if at.rivals.each.iter().all(|(_, rival)| rival.passes_over(byte)) {
                    if may_hold(trie, node, &at.rivals.any.difference(&spaces())) {
                        todo.push(at.further(node, byte, Rc::clone(&at.rivals)));
                    }
                    continue;
                }
                let (mut is_one, mut rivals) = (false, Vec::new());
                for (_, rival) in at.rivals.each.iter().filter(|(bytes, _)| bytes.contains(byte)) {
                    let (fit, longer) = self.arena.compare(rival, byte);
                    is_one |= fit == Fit::Is;
                    rivals.extend(longer);
                }
                if !is_one && rivals.is_empty() {
                    continue;
                }
                let mut next = at.further(node, byte, Rivals::new(self.arena, rivals));
                if is_one || !is_endless && self.is_dead_end(start, &mut next) {
                    out.extend_from_slice(trie.tokens_from(node));
                } else {
                    todo.push(next);
                }
            }
        }
        sort_ids(&mut out, self.context.vocabulary.mask_words());
        out
    }

    /// Where rivals begin that have to be compared byte by byte. Adds the tokens that would complete the others, strings where there is no end
    /// of others.
    fn places(
        &mut self,
        trie: &ByteTrie,
        node: usize,
        (config, rivals): (Config, RivalLists),
        is_endless: bool,
        out: &mut Vec<u32>,
    ) -> Vec<Place> {
        let mut todo: Vec<Place> = Vec::new();
        let start = Config { register: RegisterId::default(), ..config };
        let configs = Rc::from([start]);
        let place =
            |node, rivals| Place { node, configs: (0, Rc::clone(&configs)), read: Read::new(), rivals };
        let mut others = Vec::new();
        for rival in rivals.iter().flat_map(|rivals| rivals.iter()) {
            match self.arena.rest_of_rival(rival).filter(|_| is_endless) {
                None => others.push(rival.clone()),
                Some(rest) => match self.buffers.completions.of(trie, node, rest) {
                    Some(tokens) => out.extend_from_slice(tokens),
                    None => {
                        let escaped = self.along_rival(trie, node, rival, out);
                        let place = |(node, rival)| place(node, Rivals::new(self.arena, vec![rival]));
                        todo.extend(escaped.into_iter().map(place));
                    }
                },
            }
        }
        if !others.is_empty() {
            todo.push(place(node, Rivals::new(self.arena, others)));
        }
        todo
    }

    /// Whether everything that could follow what was read is a value that was there before. Most states have more ends than there
    /// are values, whatever is read: only where that is not so the texts are kept and compared.
    fn is_dead_end(&mut self, start: SetId, place: &mut Place) -> bool {
        let pda = self.context.pda;
        let (known, configs) = &mut place.configs;
        for &byte in &place.read[*known..] {
            *configs = self.arena.after_byte(pda, configs, byte).into();
        }
        *known = place.read.len();
        if configs.iter().any(|&config| self.arena.has_many_ends(pda, config)) {
            return false;
        }
        place.read.iter().fold(start, |set, &byte| self.arena.step(pda, set, byte)) == SetId::DEAD
    }

    /// Adds the tokens that would complete a string as it is written; gives the places where an escape begins, with what it begins.
    fn along_rival(
        &self,
        trie: &ByteTrie,
        node: usize,
        rival: &Rival,
        out: &mut Vec<u32>,
    ) -> Vec<(usize, Rival)> {
        let (mut at, mut escaped) = (node, Vec::new());
        let rest = self.arena.rest_of_rival(rival).unwrap_or_default().as_bytes();
        for read in 0..=rest.len() {
            if let (Some(child), true) = (trie.child(at, b'\\'), read < rest.len()) {
                let (_, begun) = self.arena.compare(&rival.further(read), b'\\');
                escaped.extend(begun.map(|rival| (child, rival)));
            }
            match (rest.get(read), trie.child(at, rest.get(read).copied().unwrap_or(b'"'))) {
                (None, Some(child)) => out.extend_from_slice(trie.tokens_from(child)),
                // These are written as escapes only.
                (Some(b'"' | b'\\'), _) | (_, None) => break,
                (Some(_), Some(child)) => at = child,
            }
        }
        escaped
    }
}
