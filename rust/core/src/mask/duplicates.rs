//! Tokens that would make a value that must not come again.

use super::walk::Walk;
use crate::automaton::Room;
use crate::grammar::ByteSet;
use crate::stack::{Config, Fit, Rival, SetFlags, SetId};
use crate::vocab::ByteTrie;

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
        let start = self.arena.set_of_configs(&[config], SetFlags::default());
        let mut todo: Vec<(usize, SetId, Vec<Rival>)> = Vec::new();
        let (texts, others): (Vec<_>, Vec<_>) =
            rivals.into_iter().partition(|rival| is_endless && self.arena.rest_of_rival(rival).is_some());
        for rival in &texts {
            let escaped = self.along_rival(trie, node, rival, &mut out);
            todo.extend(escaped.into_iter().map(|(node, rival)| (node, start, vec![rival])));
        }
        todo.push((node, start, others));
        while let Some((at, set, rivals)) = todo.pop() {
            let bytes: Vec<ByteSet> = rivals.iter().map(|rival| self.arena.rival_bytes(rival)).collect();
            let any = bytes.iter().fold(ByteSet::EMPTY, |any, bytes| any.union(bytes));
            for child in trie.children(at).filter(|&child| any.contains(trie.child_byte(child))) {
                let (byte, child) = (trie.child_byte(child), trie.child_node(child));
                let (mut is_one, mut begun) = (false, Vec::new());
                for (rival, _) in rivals.iter().zip(&bytes).filter(|(_, bytes)| bytes.contains(byte)) {
                    let (fit, longer) = self.arena.compare(rival, byte);
                    is_one |= fit == Fit::Is;
                    begun.extend(longer);
                }
                if !is_one && begun.is_empty() {
                    continue;
                }
                let next = if is_endless { set } else { self.arena.step(self.context.pda, set, byte) };
                if is_one || next == SetId::DEAD {
                    out.extend_from_slice(trie.tokens_from(child));
                } else {
                    todo.push((child, next, begun));
                }
            }
        }
        out.sort_unstable();
        out
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
