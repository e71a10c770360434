//! Splits of states that take nearly all tokens of a class: only those that they may not take, and where tokens leave the class, are
//! looked at. Within the class nothing ends.

use super::Walk;
use super::table::DEAD;
use crate::automaton::horizon::{ENOUGH, Horizon};
use crate::grammar::ByteSet;
use crate::grammar::utf8::is_continuation;
use crate::mask::TokenIds;
use crate::mask::class::{Class, SEVERAL, Step, past};
use crate::mask::split::Split;

/// Where to be lost takes so many letters, the tokens that have them are looked for one by one.
const MANY_LETTERS: usize = 2;

impl Walk<'_> {
    /// The split of a row that takes nearly all tokens of a class.
    pub(super) fn beside_class(mut self, row: u16, horizon: &Horizon, class: &Class) -> Option<Split> {
        let mut rows = vec![row; self.trie.max_depth() + 1];
        let mut without = Vec::new();
        let length = horizon.length;
        if length < ENOUGH {
            self.lost(row, horizon, class, &mut without)?;
        } else if length < self.trie.max_depth() as u16 {
            self.too_long(horizon, class, &mut rows, &mut without)?;
        }
        let alphabet = horizon.alphabet.unwrap_or(ByteSet::FULL);
        let mut with = Vec::new();
        let exits = class.exits_by(&alphabet);
        let mut exit_tokens = exits.tokens.iter();
        for &step in exits.ways.steps() {
            if !step.is_end {
                self.go(step, &mut rows)?;
                continue;
            }
            let token = exit_tokens.next().copied().unwrap_or(SEVERAL);
            if !alphabet.contains(step.byte) {
                continue;
            }
            let row = self.go(step, &mut rows)?;
            self.leave(step.node, token, row, &mut with)?;
        }
        self.accepted.add_to(self.trie, &mut with);
        let number = class.number + with.len() - without.len();
        let tokens = TokenIds::beside(&class.tokens, with, without, self.vocabulary.mask_words());
        Some(self.split(tokens, number))
    }

    /// Adds the tokens of a class that are longer than a row is known to go on, and are not taken.
    fn too_long(
        &mut self,
        &Horizon { length, characters, .. }: &Horizon,
        class: &Class,
        rows: &mut [u16],
        without: &mut Vec<u32>,
    ) -> Option<()> {
        let (trie, mut steps) = (self.trie, self.store.tokens_beyond(self.vocabulary).steps());
        while let [step, rest @ ..] = steps {
            let node = step.node as usize;
            let leaves = !is_continuation(step.byte) && !characters.contains(step.byte);
            let is_near = || trie.summary(node).is_some_and(|below| step.depth + below.height <= length);
            if leaves || length > ENOUGH && is_near() {
                steps = past(rest, trie, step.node);
                continue;
            }
            let row = self.go(*step, rows)?;
            if step.is_end && step.depth > length && row == DEAD {
                without.extend(trie.tokens_at(node).iter().filter(|&&token| class.tokens.contains(token)));
            }
            steps = rest;
        }
        Some(())
    }

    /// Adds the tokens of a class that a row does not take: they are long, and have all letters of a set that it needs.
    fn lost(&mut self, row: u16, horizon: &Horizon, class: &Class, without: &mut Vec<u32>) -> Option<()> {
        // Few tokens have so many letters, but most of the trie's larger parts.
        if horizon.needed.sets().iter().all(|set| set.len() >= MANY_LETTERS) {
            self.lost_by_letters(row, horizon, class, without)
        } else {
            self.lost_below(row, &horizon.characters, class, without)
        }
    }

    fn lost_by_letters(
        &mut self,
        row: u16,
        horizon: &Horizon,
        class: &Class,
        without: &mut Vec<u32>,
    ) -> Option<()> {
        let letters = self.store.letters(self.vocabulary);
        for place in letters.with_any(horizon.needed.sets(), &horizon.characters) {
            let token = self.trie.order()[place];
            let text = self.vocabulary.token_bytes(token);
            if text.len() <= usize::from(horizon.length) {
                continue;
            }
            let mut at = row;
            for &byte in text {
                at = self.table.next(at, byte)?;
                if at == DEAD {
                    break;
                }
            }
            if at == DEAD && class.tokens.contains(token) {
                without.push(token);
            }
        }
        Some(())
    }

    fn lost_below(&mut self, row: u16, of: &ByteSet, class: &Class, without: &mut Vec<u32>) -> Option<()> {
        let mut todo = vec![(0, row)];
        while let Some((node, row)) = todo.pop() {
            for child in self.trie.children(node) {
                let (byte, child) = (self.trie.child_byte(child), self.trie.child_node(child));
                // All bytes that can continue a character do so here.
                if !is_continuation(byte) && !of.contains(byte) {
                    continue;
                }
                let next = self.table.next(row, byte)?;
                if next == DEAD {
                    let tokens = self.trie.tokens_from(child).iter();
                    without.extend(tokens.filter(|&&token| class.tokens.contains(token)));
                } else if !self.table.takes_all_of(self.trie, child, next, of) {
                    todo.push((child, next));
                }
            }
        }
        Some(())
    }

    /// The row after a step, from those at each depth of the way to it.
    #[inline]
    fn go(&mut self, step: Step, rows: &mut [u16]) -> Option<u16> {
        let depth = usize::from(step.depth);
        let above = rows[depth - 1];
        let row = if above == DEAD { DEAD } else { self.table.next(above, step.byte)? };
        rows[depth] = row;
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::stepping;
    use proptest::prelude::*;

    /// Strings in which words, letters, and some of the characters of a first byte must not occur.
    const SCHEMAS: [&str; 8] = [
        r#"{"type": "string", "not": {"pattern": "abca"}}"#,
        r#"{"type": "string", "not": {"pattern": "ab(ca|bc)|a/c"}}"#,
        r#"{"type": "string", "not": {"pattern": "ab+.?c|éa"}}"#,
        r#"{"type": "string", "pattern": "^(.+)/(.+)$"}"#,
        r#"{"type": "string", "pattern": "^[^/a]+/[^/]+$"}"#,
        r#"{"type": "string", "pattern": "^a.*[^a\u201c]{3}$"}"#,
        r#"{"type": "string", "pattern": "^[0-9A-Za-z]{4}-[0-9A-Za-z/]{2,5}$"}"#,
        r#"{"type": "object", "patternProperties": {"abc": false, "^.+a": {"type": "null"}}, "maxProperties": 2}"#,
    ];

    /// Pieces of tokens; some are cut off inside a character.
    const PIECES: [&[u8]; 16] = [
        b"a",
        b"b",
        b"c",
        b"ab",
        b"ca",
        b"/",
        b"-",
        b"\"",
        b"\\",
        b"u0061",
        "é".as_bytes(),
        "\u{2028}".as_bytes(),
        "\u{201c}".as_bytes(),
        b"\xe2\x80",
        b"\x9c",
        b"{\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 320, ..ProptestConfig::default() })]
        #[test]
        fn masks_beside_classes_are_what_stepping_says(
            tokens in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..7), 30..90),
            schema in prop::sample::select(SCHEMAS.to_vec()),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 8), 1..4),
        ) {
            let pieces = PIECES.iter().map(|piece| piece.to_vec());
            let tokens: Vec<Vec<u8>> = pieces.chain(tokens.iter().map(|pieces| pieces.concat())).collect();
            stepping::compare(schema, &tokens, &walks, stepping::any)?;
        }
    }
}
