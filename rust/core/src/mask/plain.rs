//! Walks of grammars that no machine makes states for: nothing is compared, and no split is taken on the way.
//!
//! What walks come to is much the same after many texts, so steps are remembered ([`crate::stack::Place`]), and few states are worth a
//! split. Short walks are stepped through without that, and where letters lead back to a place only what follows them is looked at ([`Round`]).

use super::MaskContext;
use super::beside::Beside;
use super::bounded::LONG;
use super::class::Step;
use super::ranges::Ranges;
use super::split::Split;
use super::walk::{Course, Walk};
use crate::automaton::StateId;
use crate::error::Result;
use crate::stack::{Arena, Config, Level, Place};
use crate::vocab::TrieNode;
use std::sync::Arc;

/// A text goes on by at least so many of the 128 characters of ASCII.
const MOST_CHARACTERS: usize = 64;

/// To step through so few nodes is cheaper than to remember the steps, unless these came to more configurations: ambiguous texts have
/// many, again and again the same.
const FEW_STEPS: usize = if cfg!(test) { 8 } else { 32 };
const FEW_ARRIVALS: u64 = 4 * FEW_STEPS as u64;

/// A state may be split once so many walks from it looked at [`FAR`] nodes, or so many at a good part of all; and if it leaves no more than
/// so many remainders.
const FAR_WALKS: usize = 16;
const WHOLE_WALKS: usize = 4;
const FAR: usize = if cfg!(test) { 8 } else { 256 };
/// What such walks come to in all.
const OFTEN: usize = 1 << 16;
const FEW_REMAINDERS: usize = 4096;

/// Fewer nodes are looked at one by one.
const LARGE: usize = if cfg!(test) { 2 } else { 16 };

/// A walk goes round in one place, as long as the bytes are those that lead back to it.
struct Round {
    beside: Arc<Beside>,
    /// That of the place.
    depth: usize,
    /// The node after all that are below the place.
    end: usize,
    /// The node after all that are to be walked of the round around this one.
    outer: usize,
}

impl Round {
    /// The next node to look at after all before `node`, in the innermost round, and the node after all below it; `None` outside of rounds.
    /// What that round passes over is accepted.
    fn go_on(
        rounds: &mut Vec<Self>,
        course: Course<'_>,
        node: usize,
        path: &mut [Place],
        accepted: &mut Ranges,
    ) -> Option<(usize, usize)> {
        let (trie, round) = (course.trie, rounds.last()?);
        let next = round.beside.first(node, round.end).unwrap_or(round.end);
        accepted.push(trie.places_between(node, next));
        if next == round.end {
            return rounds.pop().map(|round| (next, round.outer));
        }
        let TrieNode { depth, end, .. } = trie.nodes()[next];
        let depth = usize::from(depth - trie.nodes()[course.node].depth);
        let place = path[round.depth];
        path[round.depth..depth].fill(place);
        Some((next, end as usize))
    }
}

impl MaskContext<'_> {
    /// Whether walks beyond [`super::assemble::WALK_NODES`] nodes give way to a state's split at once. Of the grammar's own rules, that is
    /// where a text goes on by most characters and does not end: most tokens are accepted then. Elsewhere they depend on what
    /// follows, and to walk them again beneath a split takes as long as to walk them at once.
    pub(super) fn gives_way(&self, state: StateId) -> bool {
        let pda = self.pda;
        if pda.has_machine() {
            return true;
        }
        let loops =
            |&(lo, hi, to): &(u8, u8, StateId)| if to == state { usize::from(hi - lo) + 1 } else { 0 };
        let ascii = pda.bytes_of(state).iter().filter(|edge| edge.1.is_ascii());
        pda.rule_of(state).is_leaf
            && !pda.state(state).is_final
            && ascii.map(loops).sum::<usize>() >= MOST_CHARACTERS
    }

    /// Whether a walk goes through the long tokens by themselves: where rounds are counted, and all of the vocabulary is gone through.
    fn tells_long_apart(&self, course: Course<'_>) -> bool {
        self.pda.has_counters()
            && course.node == 0
            && course.window.is_none()
            && course.trie.serial() == self.vocabulary.trie().serial()
            && course.trie.max_depth() > LONG
    }

    /// Splits a state from which much was walked, once that makes many nodes, if few tokens depend on what lies beneath: brackets in
    /// brackets have new stacks again and again.
    pub(super) fn split_often_walked(&self, arena: &mut Arena, config: Config, visited: usize) -> Result<()> {
        let (state, trie) = (config.state, self.vocabulary.trie());
        if visited <= FEW_STEPS || self.pda.rule_of(state).counter.is_some() {
            return Ok(());
        }
        let (all, far) = (trie.nodes().len(), visited.min(FAR));
        let share = OFTEN * far / (FAR * FAR_WALKS) + OFTEN * visited.min(all / WHOLE_WALKS) / all;
        let (before, after) = {
            let mut walked = self.masks.walked.write();
            let walked = walked.entry(state).or_default();
            let before = *walked;
            *walked += share;
            (before, *walked)
        };
        if before >= OFTEN || after < OFTEN {
            return Ok(());
        }
        let first = self.first_after(arena, state);
        let split = Split::walk_few((self.pda, self.vocabulary), config, first, FEW_REMAINDERS)?;
        if let Some(split) = split {
            self.keep_local(arena, ((state, config.count), (trie.serial(), 0)), Arc::new(split));
            self.pda.set_heavy(state);
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// As [`Walk::below`]; leaves the level it starts from. Where it is not far to go, all is stepped through.
    pub(super) fn below_plain(&mut self, course: Course<'_>, start: Level) -> Result<Option<usize>> {
        let first = self.buffers.front.configs(start).first();
        let Some(key) = first.map(|config| (course.trie.serial(), config.state)) else { return Ok(Some(0)) };
        if !self.buffers.far.contains(&key) {
            let (allowed, again) = (self.buffers.allowed.len(), self.buffers.again.len());
            let (limit, since) = (course.limit.min(FEW_STEPS), self.arena.arrivals());
            let visited = self.below_stepping(Course { limit, ..course }, start, false)?;
            if visited.is_none() || self.arena.arrivals() - since > FEW_ARRIVALS {
                self.buffers.far.insert(key);
            }
            if visited.is_some() {
                return Ok(visited);
            }
            self.buffers.allowed.truncate(allowed);
            self.buffers.again.truncate(again);
        }
        Ok(self.below_remembering(course, start))
    }

    fn below_remembering(&mut self, course: Course<'_>, start: Level) -> Option<usize> {
        // What was asked of stacks is not remembered with the steps.
        self.arena.give_up_trace();
        let mut path = std::mem::take(&mut self.buffers.path);
        let visited = match self.context.tells_long_apart(course) {
            true => self.below_short_and_long(course, start, &mut path),
            false => self.below_all(course, start, &mut path),
        };
        self.buffers.path = path;
        visited
    }

    fn below_all(&mut self, course: Course<'_>, start: Level, path: &mut Vec<Place>) -> Option<usize> {
        self.begin_path(course, start, self.context.horizon(), path);
        let mut accepted = Ranges::default();
        let looked_at = self.along_path(course, path, &mut accepted)?;
        accepted.add_to(course.trie, &mut self.buffers.allowed);
        Some(looked_at)
    }

    /// The same, the long tokens by themselves: bounds of rounds that these may come to do not matter to the others, so that most rounds
    /// are one place.
    fn below_short_and_long(
        &mut self,
        course: Course<'_>,
        start: Level,
        path: &mut Vec<Place>,
    ) -> Option<usize> {
        let trie = course.trie;
        self.begin_path(course, start, LONG as u32, path);
        let mut short = Ranges::default();
        let mut looked_at = self.along_path(course, path, &mut short)?;
        let ways = self.context.store.long_tokens(self.context.vocabulary);
        let is_long = |step: &&Step| step.is_end;
        short.remove(ways.steps().iter().filter(is_long).map(|step| trie.places_at(step.node as usize)));
        short.add_to(trie, &mut self.buffers.allowed);
        self.begin_path(course, start, self.context.horizon(), path);
        for &Step { node, depth, byte, is_end } in ways.steps() {
            let depth = usize::from(depth);
            path[depth] = Place::DEAD;
            if path[depth - 1] == Place::DEAD {
                continue;
            }
            looked_at += 1;
            let place = self.arena.step_ahead(self.context.pda, path[depth - 1], byte);
            if place != Place::DEAD && is_end {
                self.add_tokens(course, node as usize, self.arena.flags_ahead(place));
            }
            path[depth] = place;
            self.arena.make_room_ahead(&mut path[..=depth]);
        }
        Some(looked_at)
    }

    /// Lets a path begin at a level, from which texts up to a length are asked for.
    fn begin_path(&mut self, course: Course<'_>, start: Level, horizon: u32, path: &mut Vec<Place>) {
        let configs = self.buffers.front.configs(start);
        let place = self.arena.begin_ahead(self.context.pda, configs, start.flags, horizon);
        path.clear();
        path.resize(course.trie.max_depth() + 1, place);
    }

    /// The tokens below a node, with the places at each depth of the way to it, the first of which is known. Gives how many nodes were looked at.
    fn along_path(&mut self, course: Course<'_>, path: &mut [Place], accepted: &mut Ranges) -> Option<usize> {
        let (trie, pda) = (course.trie, self.context.pda);
        let TrieNode { depth: top, end, .. } = trie.nodes()[course.node];
        let (mut visited, mut looked_at) = (0, 0);
        // What gives way to a split had better do so.
        let may_go_round = course.limit == usize::MAX
            && course.window.is_none()
            && trie.serial() == self.context.vocabulary.trie().serial();
        let mut rounds: Vec<Round> = Vec::new();
        let (mut node, mut end) = (course.node + 1, end as usize);
        loop {
            if node >= end {
                let Some(next) = Round::go_on(&mut rounds, course, node, path, accepted) else { break };
                (node, end) = next;
                continue;
            }
            looked_at += 1;
            let TrieNode { byte, depth, end: after, .. } = trie.nodes()[node];
            let (depth, after) = (usize::from(depth - top), after as usize);
            let place = self.arena.step_ahead(pda, path[depth - 1], byte);
            if place == Place::DEAD {
                node = after;
                continue;
            }
            visited += 1;
            if visited > course.limit {
                return None;
            }
            if course.window.is_some() {
                self.add_tokens(course, node, self.arena.flags_ahead(place));
            } else if after > node + 1 && self.takes_all_below(course, node, place) {
                accepted.push(trie.places_from(node));
                node = after;
                continue;
            } else {
                accepted.push(trie.places_at(node));
            }
            if after > node + 1 {
                path[depth] = place;
                self.arena.make_room_ahead(&mut path[..=depth]);
                if may_go_round && after - node > LARGE && self.arena.goes_round_ahead(path[depth]) {
                    let bytes = self.arena.round_ahead(pda, path[depth]);
                    if let Some(beside) = self.context.masks.beside.get(trie, &bytes, after - node) {
                        rounds.push(Round { beside, depth, end: after, outer: end });
                        end = node + 1;
                    }
                }
            }
            node += 1;
        }
        Some(looked_at)
    }

    /// Whether a place is known to go on by all that is below a node.
    #[inline]
    fn takes_all_below(&mut self, course: Course<'_>, node: usize, place: Place) -> bool {
        let Some(summary) = course.trie.summary(node) else { return false };
        let characters = summary.characters;
        summary.is_text_or_ascii() && self.arena.loops_ahead(self.context.pda, place, &characters)
    }
}

#[cfg(test)]
mod tests {
    use crate::frontend::ebnf::{self, EbnfOptions};
    use crate::mask::stepping;
    use proptest::prelude::*;

    /// Texts that go round on many characters, with what may follow them, counted and nested.
    const GRAMMARS: [&str; 10] = [
        r#"root ::= "("? [ab]* ([\u00c0-\u00ff] [ab(]*)? [€c]*"#,
        r#"root ::= call ("," call)*
            call ::= name "(" (call | text)? ")"
            name ::= [a-c_]+
            text ::= "\"" [^"\\]* "\"""#,
        r#"root ::= item*
            item ::= [^"(]+ | "(" root ")" | "\"" ([^"\\] | "\\" [abc"])* "\"""#,
        r#"root ::= line{2,3}
            line ::= [abc ]{3,40} ("," | "\n")"#,
        r#"root ::= value
            value ::= "(" value ")" | word{1,20}
            word ::= [a-cé]{1,3} " ""#,
        r#"root ::= ([\u0080-\u07ff] | [^\u0800-\uffffa])* "a" root | "(" "b"*"#,
        r#"root ::= "b"? (key ":" root ";")*
            key ::= "a" | "ab" | "abc" [a-c]* | "b" [ab]"#,
        r#"root ::= a | b
            a ::= [a-c]* "," a | [a-c]* "("
            b ::= [a-c]{5,} "," b | "\"" [^"]{0,9} "\"""#,
        r#"root ::= sum{1,4}
            sum ::= item (" a" item | "," item)*
            item ::= name | name "(" sum ")" | "ab" item | "abc" name?
            name ::= [a-c]{1,5} | "_" [a-c_]*"#,
        r#"root ::= root root | "a" | "b"+ | "(" root{0,3} ")" | [a-c]{2,12} ":""#,
    ];

    const PIECES: [&str; 14] = ["a", "é", "b", "(", "\"", "€", "c", "ab", "_", " ", ",", ")", "\\", ":"];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
        #[test]
        fn walks_that_remember_are_what_stepping_says(
            tokens in prop::collection::vec(prop::collection::vec(0usize..1000, 1..7), 40..120),
            few in 2..=PIECES.len(),
            cut in 1usize..5,
            source in prop::sample::select(GRAMMARS.to_vec()),
            all_heavy in any::<bool>(),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 8), 1..4),
        ) {
            let grammar = ebnf::parse(source, &EbnfOptions::default()).expect("a grammar");
            let text = |token: &Vec<usize>| token.iter().map(|piece| PIECES[piece % few]).collect::<String>();
            let mut tokens: Vec<Vec<u8>> = tokens.iter().map(|token| text(token).into()).collect();
            // Some end inside a character.
            tokens.iter_mut().step_by(5).filter(|token| token.len() > cut).for_each(|token| token.truncate(cut));
            tokens.extend(PIECES.iter().map(|piece| piece.as_bytes().to_vec()));
            tokens.extend(["\n", ";", "a:", "ab:"].iter().map(|piece| piece.as_bytes().to_vec()));
            stepping::compare_grammar(&grammar, source, all_heavy, &tokens, &walks, stepping::any)?;
        }
    }
}
