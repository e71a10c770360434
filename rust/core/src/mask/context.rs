//! Context expansion: what can follow a rule anywhere in its grammar.
//!
//! The stacks beneath a rule are approximated from above by a tree of its call sites, [`DEPTH`] calls deep, with an unknown
//! stack at the bottom. A remainder that dies under this approximation dies under every real stack, so its token is
//! rejected for good; a remainder that lives, or gets down to the unknown, stays context-dependent.

use super::split::{Remainder, Remainders, remainder};
use crate::automaton::{Counter, Pda};
use crate::stack::{Arena, NodeId, Place, SetId};
use crate::vocab::{TrieNode, Vocabulary};
use rustc_hash::FxHashMap;

/// How many calls deep the approximation goes.
const DEPTH: u32 = 3;

/// Where each rule is called from.
#[derive(Debug)]
pub(super) struct CallSites {
    /// For each rule: the state returned to (`None` for tail calls) and the calling rule.
    sites: Vec<Vec<(Option<crate::automaton::StateId>, u32)>>,
}

impl CallSites {
    pub(super) fn new(pda: &Pda) -> Self {
        let mut sites = vec![Vec::new(); pda.own_rules().len()];
        for (callee, ret, caller) in pda.call_sites() {
            // What follows a machine's rule, the machine says itself.
            if let Some(sites) = sites.get_mut(callee as usize) {
                sites.push((ret, caller));
            }
        }
        Self { sites }
    }

    /// The set of configurations that may follow once `rule` has ended.
    pub(super) fn follow(&self, pda: &Pda, arena: &mut Arena, rule: u32) -> SetId {
        if rule as usize >= self.sites.len() {
            let node = match pda.rule(rule).follow {
                Some(follow) => arena.node_of_frames(&[(follow, 0, NodeId::OPEN)], true),
                None => NodeId::OPEN,
            };
            return arena.pop(pda, node);
        }
        let mut known = FxHashMap::default();
        let node = self.stacks_beneath(pda, arena, rule, DEPTH, &mut known);
        arena.pop(pda, node)
    }

    fn stacks_beneath(
        &self,
        pda: &Pda,
        arena: &mut Arena,
        rule: u32,
        depth: u32,
        known: &mut FxHashMap<(u32, u32), NodeId>,
    ) -> NodeId {
        if depth == 0 {
            return NodeId::OPEN;
        }
        if let Some(&node) = known.get(&(rule, depth)) {
            return node;
        }
        let mut frames = Vec::new();
        let mut has_end = false;
        // Tail calls leave no frame: what follows the caller follows the callee.
        let mut rules = vec![rule];
        let mut next = 0;
        while next < rules.len() {
            has_end |= rules[next] == Pda::ROOT;
            for &(ret, caller) in &self.sites[rules[next] as usize] {
                match ret {
                    Some(ret) => frames.push((ret, caller)),
                    None if !rules.contains(&caller) => rules.push(caller),
                    None => {}
                }
            }
            next += 1;
        }
        let mut edges = Vec::with_capacity(frames.len());
        for (ret, caller) in frames {
            let parent = self.stacks_beneath(pda, arena, caller, depth - 1, known);
            let rounds = match pda.rule(caller).counter {
                None => 0,
                Some(Counter { min, max: Counter::UNBOUNDED }) => min,
                Some(Counter { max, .. }) => max - 1,
            };
            edges.push((ret, rounds, parent));
        }
        let node = arena.node_of_frames(&edges, has_end);
        known.insert((rule, depth), node);
        node
    }
}

/// The remainders that can go on from `follow`, with their tokens.
pub(super) fn prune(
    pda: &Pda,
    arena: &mut Arena,
    vocabulary: &Vocabulary,
    follow: SetId,
    all: &Remainders,
) -> Remainders {
    let trie = &all.trie;
    let mut kept: Vec<Remainder<'_>> = Vec::new();
    let start = arena.begin_ahead_of(pda, follow, vocabulary.trie().max_depth() as u32);
    let mut path = vec![start];
    // From this depth on the unknown was reached on the way: then everything below stays.
    let is_open = |arena: &Arena, place| arena.flags_ahead(place).open;
    let mut unknown = is_open(arena, start).then_some(0);
    let mut at = 1;
    while at + 1 < trie.nodes().len() {
        let TrieNode { byte, depth, end, .. } = trie.nodes()[at];
        path.truncate(usize::from(depth));
        unknown = unknown.filter(|&from| from < depth);
        let Some(&above) = path.last() else { break };
        let place = arena.step_ahead(pda, above, byte);
        if place == Place::DEAD && unknown.is_none() {
            at = end as usize;
            continue;
        }
        for place in trie.places_at(at) {
            let token = trie.order()[place];
            kept.push((remainder(vocabulary, token, depth, 0), token, all.done(place)));
        }
        if is_open(arena, place) {
            unknown = unknown.or(Some(depth));
        }
        path.push(place);
        arena.make_room_ahead(&mut path);
        at += 1;
    }
    Remainders::new(kept, !all.done.is_empty())
}
