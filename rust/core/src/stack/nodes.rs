//! Stack sets: interning and union.

use super::{Arena, Count, Edge, NodeId, RegisterId};
use crate::automaton::StateId;
use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};

/// How many new unions a step may make beneath others. Past that, edges with equal return states stand side by side: still
/// the same set of stacks, only less shared. Without a bound, unions of highly ambiguous stacks grow exponentially; so do they
/// with a bound on each union, which shares a part of everything (`bounded_repetitions_of_themselves_stay_shared`).
pub(super) const UNION_FUEL: u32 = 64;

pub(super) fn hash_of<T: Hash>(value: T) -> u64 {
    let mut hasher = FxHasher::default();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Arena {
    /// The edges of a stack set, ascending.
    #[inline]
    pub(super) fn edges(&self, node: NodeId) -> &[Edge] {
        let (from, to) = self.nodes[node.0 as usize];
        &self.edges[from as usize..to as usize]
    }

    /// A stack set of one edge.
    pub(super) fn push_frame(&mut self, edge: Edge) -> NodeId {
        self.intern_node(&[edge])
    }

    /// The union of all stacks that begin with one of these edges; empties the list.
    pub(super) fn node_of(&mut self, edges: &mut Vec<Edge>) -> NodeId {
        if edges.len() > 1 {
            self.canonicalise(edges);
        }
        let node = self.intern_node(edges);
        edges.clear();
        node
    }

    /// The stacks with one of these frames on top (state to return to, greatest counter, stacks beneath), and the bottom of
    /// the root rule if `has_end`.
    pub(crate) fn node_of_frames(&mut self, frames: &[(StateId, u32, NodeId)], has_end: bool) -> NodeId {
        let frame = |&(ret, hi, parent): &(StateId, u32, NodeId)| Edge {
            ret,
            count: Count { lo: 0, hi },
            parent,
            register: RegisterId::default(),
        };
        let mut edges: Vec<Edge> = frames.iter().map(frame).collect();
        if has_end {
            edges.extend_from_slice(self.edges(NodeId::END));
        }
        self.node_of(&mut edges)
    }

    /// The union of two stack sets.
    pub(super) fn union(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.give_up_trace();
        self.union_with(a, b)
    }

    fn union_with(&mut self, a: NodeId, b: NodeId) -> NodeId {
        if let Some(known) = self.known_union(a, b) {
            return known;
        }
        let mut edges = [self.edges(a), self.edges(b)].concat();
        self.canonicalise(&mut edges);
        let node = self.intern_node(&edges);
        self.unions.insert((a.min(b), a.max(b)), node);
        node
    }

    /// The union of two stack sets, if it was made before.
    fn known_union(&self, a: NodeId, b: NodeId) -> Option<NodeId> {
        if a == b { Some(a) } else { self.unions.get(&(a.min(b), a.max(b))).copied() }
    }

    /// The union of what lies beneath two edges, unless this step has made too many that were not known.
    fn union_beneath(&mut self, a: NodeId, b: NodeId) -> Option<NodeId> {
        let known = self.known_union(a, b);
        if known.is_some() || self.union_fuel == 0 {
            return known;
        }
        self.union_fuel -= 1;
        Some(self.union_with(a, b))
    }

    /// Sorts, joins what lies beneath equal return states, and joins neighbouring counters over equal rests.
    fn canonicalise(&mut self, edges: &mut Vec<Edge>) {
        edges.sort_unstable();
        edges.dedup();
        let mut kept = 0;
        for i in 0..edges.len() {
            let edge = edges[i];
            let is_equal = kept > 0 && {
                let last = edges[kept - 1];
                (last.ret, last.count, last.register) == (edge.ret, edge.count, edge.register)
            };
            let beneath =
                if is_equal { self.union_beneath(edges[kept - 1].parent, edge.parent) } else { None };
            if let Some(both) = beneath {
                edges[kept - 1].parent = both;
            } else {
                edges[kept] = edge;
                kept += 1;
            }
        }
        edges.truncate(kept);
        if edges.iter().any(|e| e.count != Count::default()) {
            edges.sort_unstable_by_key(|e| (e.ret, e.parent, e.register, e.count));
            edges.dedup_by(|next, last| {
                let joined =
                    if (last.ret, last.parent, last.register) == (next.ret, next.parent, next.register) {
                        last.count.join(next.count)
                    } else {
                        None
                    };
                joined.inspect(|&count| last.count = count).is_some()
            });
        }
        edges.sort_unstable();
        edges.dedup();
    }

    fn intern_node(&mut self, edges: &[Edge]) -> NodeId {
        let hash = hash_of(edges);
        let (nodes, all) = (&self.nodes, &self.edges);
        let edges_of = |id: u32| {
            let (from, to) = nodes[id as usize];
            &all[from as usize..to as usize]
        };
        if let Some(&id) = self.node_table.find(hash, |&id| edges_of(id) == edges) {
            return NodeId(id);
        }
        let id = nodes.len() as u32;
        self.node_table.insert_unique(hash, id, |&id| hash_of(edges_of(id)));
        let from = self.edges.len() as u32;
        self.edges.extend_from_slice(edges);
        self.nodes.push((from, self.edges.len() as u32));
        self.stamps.push(0);
        NodeId(id)
    }
}
