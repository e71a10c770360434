//! Splits of states that count characters of a class one by one, as those of `[0-9a-f]{8}` do.
//!
//! If all characters of the class lead to the same state, and from there to the same again, what a text leads to is told by its
//! length: of the class's tokens those are accepted that are short enough, and others leave the class where they are known to
//! ([`Class::exits_by`]). A [`Chain`] has these states, by length; within the class nothing ends.

use super::Walk;
use super::table::Alike;
use crate::automaton::horizon::{ENOUGH, LEAST_CHARACTERS};
use crate::grammar::ByteSet;
use crate::mask::TokenIds;
use crate::mask::class::{Class, ClassKey};
use crate::mask::split::Split;
use crate::vocab::count_bits;
use smallvec::{SmallVec, smallvec};

/// See the module.
pub(super) struct Chain {
    /// All of ASCII.
    pub(super) class: ClassKey,
    /// The rows after no, one, two characters, up to one by which none goes on.
    rows: SmallVec<[u16; 16]>,
}

impl Walk<'_> {
    /// The chain that begins at a row, if one does that ends before long.
    pub(super) fn chain(&mut self, row: u16) -> Option<Chain> {
        let characters = self.table.most_alike(row).filter(|most| most.len() >= LEAST_CHARACTERS)?;
        let mut rows: SmallVec<[u16; 16]> = smallvec![row];
        while let Alike::To(next) = self.table.all_lead(*rows.last()?, &characters)? {
            if rows.len() == usize::from(ENOUGH) || self.table.is_final(next) {
                return None;
            }
            rows.push(next);
        }
        Some(Chain { class: ClassKey { characters }, rows })
    }

    /// The split of a chain's first row.
    pub(super) fn along(mut self, chain: &Chain, class: &Class) -> Option<Split> {
        let length = chain.rows.len() - 1;
        let mut with = Vec::new();
        let of_rows = chain.rows.iter().fold(ByteSet::EMPTY, |all, &row| all.union(self.table.bytes(row)));
        let exits = class.exits_by(&of_rows.difference(&chain.class.characters));
        let ends = exits.ways.steps().iter().filter(|step| step.is_end);
        for (step, &token) in ends.zip(&exits.tokens) {
            let Some(&row) = chain.rows.get(usize::from(step.depth) - 1) else { continue };
            let next = self.table.next(row, step.byte)?;
            self.leave(step.node, token, next, &mut with)?;
        }
        self.accepted.add_to(self.trie, &mut with);
        let mut tokens: Box<[u32]> = self.store.lengths(self.vocabulary).up_to(length).into();
        class.tokens.retain_in(&mut tokens);
        with.iter().for_each(|&id| crate::vocab::set_bit(&mut tokens, id));
        let number = count_bits(&tokens);
        Some(self.split(TokenIds::from_bits(tokens, number), number))
    }
}

#[cfg(test)]
mod tests {
    use crate::frontend::ebnf::{self, EbnfOptions};
    use crate::mask::stepping;
    use proptest::prelude::*;

    /// Strings that count characters, some of which may end early, or go on by others.
    const SCHEMAS: [&str; 6] = [
        r#"{"type": "string", "pattern": "^[a-f0-9A-F]{8}-[a-f0-9A-F]{4}$"}"#,
        r#"{"type": "string", "pattern": "^[A-Za-z]{1,3}(-[A-Za-z0-9]{2,4})*$"}"#,
        r#"{"type": "string", "pattern": "^([a-z0-9]{2}[A-Z0-9a-z]{3}/[^é\"]{0,3})+$"}"#,
        r#"{"type": "string", "pattern": "^[ -~]{4}\\[ -~]{4}$"}"#,
        r#"{"type": "string", "pattern": "^[a-z]{2}([a-y][a-z]{2}|z-)$"}"#,
        r#"{"type": "object", "patternProperties": {"^[0-9a-f]{3,5}$": {"type": "null"}}, "additionalProperties": false}"#,
    ];

    /// Rules of which some end inside a class, so that what follows counts.
    const GRAMMARS: [&str; 3] = [
        "root ::= (part \"-\")* \npart ::= [a-z]{2,4}",
        "root ::= item (\"/\" item)*\nitem ::= [0-9a-f]{3} | [0-9a-f] [0-9a-f]?",
        "root ::= name \"/\" root \"-\" | name \"z\"? | \"-\" root name\nname ::= [a-z]{2} [a-z]? ([0-9a-f]{2} | [a-f]{3})?",
    ];

    /// Pieces of tokens; some are cut off inside a character.
    const PIECES: [&[u8]; 16] = [
        b"a",
        b"b",
        b"f0",
        b"ab",
        b"ca",
        b"z",
        b"-",
        b"\"",
        b"\\",
        b"/",
        b"u0061",
        "é".as_bytes(),
        b"\xe2\x80",
        b"\x9c",
        b"\":null,\"",
        b"{\"",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 320, ..ProptestConfig::default() })]
        #[test]
        fn masks_along_chains_are_what_stepping_says(
            tokens in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..7), 30..90),
            schema in prop::sample::select(SCHEMAS.to_vec()),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 12), 2..6),
        ) {
            let pieces = PIECES.iter().map(|piece| piece.to_vec());
            let tokens: Vec<Vec<u8>> = pieces.chain(tokens.iter().map(|pieces| pieces.concat())).collect();
            stepping::compare(schema, &tokens, &walks, stepping::any)?;
        }

        #[test]
        fn masks_of_rules_that_end_are_what_stepping_says(
            tokens in prop::collection::vec(prop::collection::vec(prop::sample::select(PIECES.to_vec()), 1..7), 30..90),
            source in prop::sample::select(GRAMMARS.to_vec()),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 12), 2..6),
        ) {
            let grammar = ebnf::parse(source, &EbnfOptions::default()).expect("a grammar");
            let tokens: Vec<Vec<u8>> = tokens.iter().map(|pieces| pieces.concat()).collect();
            stepping::compare_grammar(&grammar, source, true, &tokens, &walks, stepping::any)?;
        }
    }
}
