//! The covering tree: all covers of a growing text.
//!
//! A node is a token sequence whose bytes are a prefix of the text; its *head* is a place in the byte trie, where the rest of
//! the text leads from its end. On a byte every head moves on or dies; where it meets the end of a token that may follow,
//! a child is born; nodes without head and children are pruned. While the root has one child and no head, the child becomes
//! the root: what was read is settled. (After Hayase et al., arXiv 2506.14123.)
//!
//! All that is structure and needs no model. Masses need the rows of the nodes on the way: [`CoverTree::needed`] names them,
//! the host gives them to [`CoverTree::supply`], and [`CoverTree::next_byte`] sums.
//!
//! **Certificate.** A node can stay unopened (without its row). The mass of an unopened node whose parent is open bounds all
//! covers through it, whatever comes. With `K` the mass of the covers that are counted and `U` that of unopened nodes, true and
//! computed distribution differ by at most `U / (K + U)` in total variation: the true one is a mixture in which the missing
//! part weighs at most that. A node that cannot fit the text any more dies structurally, and its mass with it.
//!
//! Invariant: nodes stand parents first, each with a head or a child; a node's mass is known iff its parent's row is.

use super::canonical::{Canonical, Followers, Place};
use super::row::{OUTCOMES, Row};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which law the probabilities follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Canonical sequences alone, renormalised at each byte.
    Canonical,
    /// All sequences of tokens. The number of nodes grows exponentially; a beam bounds it.
    All,
    /// Canonical but for the last token, which is not checked. Cheapest, and not exact for either law.
    Fast,
}

/// How a tree grows.
#[derive(Clone, Copy, Debug)]
pub struct TreeOptions {
    /// The law.
    pub mode: Mode,
    /// With [`Mode::All`]: keep this many heads, the heaviest. The mass left out is reported.
    pub beam: Option<usize>,
    /// The most nodes a tree may have.
    pub max_nodes: usize,
}

impl Default for TreeOptions {
    fn default() -> Self {
        Self { mode: Mode::Canonical, beam: None, max_nodes: 4096 }
    }
}

/// A context whose logits are needed: `parent`'s tokens and then `token` (none: the context that the tree began with).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The node.
    pub node: u64,
    /// Its parent; the node itself at the beginning.
    pub parent: u64,
    /// Its last token.
    pub token: Option<u32>,
}

/// The distribution of the next outcome.
#[derive(Clone, Debug)]
pub struct NextByte {
    /// Natural logarithms: 256 bytes, then the end.
    pub log_probs: [f64; OUTCOMES],
    /// Bound on the total-variation distance from the law.
    pub certificate: f64,
    /// The part of the certificate that a beam left out.
    pub left_out: f64,
    /// Logarithm of the mass of all covers of the text that are counted, relative to the settled tokens unless every node
    /// was opened before it was settled.
    pub log_mass: f64,
    /// The share of it that goes on to some outcome: the rest was on tokens that the law does not have.
    pub kept: f64,
}

/// One cover: a node and perhaps one token more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cover {
    /// The node.
    pub node: u64,
    /// The token that covers the end of the text; none if the node ends there.
    pub token: Option<u32>,
    /// Its share of the mass of all covers.
    pub probability: f64,
}

/// A token sequence, as a persistent list.
#[derive(Debug)]
struct Node {
    id: u64,
    token: Option<u32>,
    parent: Option<Arc<Node>>,
}

impl Drop for Node {
    /// One by one: a long list dropped recursively would overflow the stack.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut node) = next.and_then(Arc::into_inner) {
            next = node.parent.take();
        }
    }
}

/// A node of the tree as it stands.
#[derive(Clone, Debug)]
struct Live {
    node: Arc<Node>,
    /// Index of the parent; its own for the root.
    parent: usize,
    place: Place,
    /// None where anything may follow.
    followers: Option<Arc<Followers>>,
    head: Option<usize>,
    children: usize,
    log_mass: Option<f64>,
    row: Option<Arc<Row>>,
}

/// See the module. Cloning is forking: rows and settled tokens are shared, and the nodes in play are few.
#[derive(Clone, Debug)]
pub struct CoverTree {
    canonical: Arc<Canonical>,
    options: TreeOptions,
    lives: Vec<Live>,
    /// Logarithm of the mass that the beam has dropped.
    log_dropped: f64,
    len: usize,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl CoverTree {
    /// The tree of the empty text.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a beam of no heads, or with another law than [`Mode::All`].
    pub fn new(canonical: Arc<Canonical>, options: TreeOptions) -> Result<Self> {
        if options.beam == Some(0) || options.beam.is_some() && options.mode != Mode::All {
            return Err(Error::InvalidArgument("a beam needs the mode \"all\" and at least 1 head".into()));
        }
        let mut tree = Self { canonical, options, lives: vec![], log_dropped: f64::NEG_INFINITY, len: 0 };
        let node = Arc::new(Node { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), token: None, parent: None });
        let root = tree.live(node, 0, tree.canonical.start(), Some(0.0))?;
        tree.lives.push(root);
        Ok(tree)
    }

    fn live(&self, node: Arc<Node>, parent: usize, place: Place, log_mass: Option<f64>) -> Result<Live> {
        let followers = match self.options.mode {
            Mode::Canonical => Some(Arc::new(self.canonical.followers(place.clone())?)),
            Mode::All | Mode::Fast => None,
        };
        Ok(Live { node, parent, place, followers, head: Some(0), children: 0, log_mass, row: None })
    }

    /// The tokenizer's rules.
    pub fn canonical(&self) -> &Arc<Canonical> {
        &self.canonical
    }

    /// How many bytes were pushed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no byte was pushed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many nodes are in play.
    pub fn num_nodes(&self) -> usize {
        self.lives.len()
    }

    /// Takes a byte; `false` if no cover spells the text then, and nothing has changed.
    ///
    /// # Errors
    /// [`Error::LimitExceeded`] past `max_nodes`; [`Error::InvalidArgument`] where the beam needs masses that are not known;
    /// [`Error::ImpossibleText`] when only covers that the beam has dropped could spell the text.
    pub fn push(&mut self, byte: u8) -> Result<bool> {
        let mut next = self.clone();
        next.apply_beam()?;
        for index in 0..next.lives.len() {
            next.advance(index, byte)?;
        }
        next.prune();
        if next.lives.is_empty() {
            if next.log_dropped == f64::NEG_INFINITY {
                return Ok(false);
            }
            let reason =
                format!("all covers that the beam kept have died after {} bytes; widen `beam`", self.len);
            return Err(Error::ImpossibleText(reason));
        }
        next.settle();
        next.len += 1;
        *self = next;
        Ok(true)
    }

    /// Moves one head, and lets children be born at the ends of tokens.
    fn advance(&mut self, index: usize, byte: u8) -> Result<()> {
        let canonical = Arc::clone(&self.canonical);
        let trie = canonical.vocabulary().trie();
        let Some(at) = self.lives[index].head.and_then(|head| trie.child(head, byte)) else {
            self.lives[index].head = None;
            return Ok(());
        };
        for place in trie.places_at(at) {
            let token = trie.order()[place];
            let live = &self.lives[index];
            let behind = match self.options.mode {
                Mode::All => Some(live.place.clone()),
                _ => canonical.after(&live.place, token)?,
            };
            let Some(behind) = behind else { continue };
            let log_mass = match (&live.row, live.log_mass) {
                (Some(row), Some(log_mass)) => Some(log_mass + row.weight(place).ln()),
                _ => None,
            };
            let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
            let node = Node { id, token: Some(token), parent: Some(Arc::clone(&live.node)) };
            let born = self.live(Arc::new(node), index, behind, log_mass)?;
            self.lives.push(born);
            self.lives[index].children += 1;
            if self.lives.len() > self.options.max_nodes {
                let message = format!("a text has more than {} covers at once", self.options.max_nodes);
                return Err(Error::LimitExceeded { limit: "max_nodes", message });
            }
        }
        let live = &self.lives[index];
        let goes_on = match &live.followers {
            Some(followers) => canonical.any_below(followers, at),
            None => !trie.places_below(at).is_empty(),
        };
        self.lives[index].head = goes_on.then_some(at);
        Ok(())
    }

    /// Takes out nodes without head and children.
    fn prune(&mut self) {
        for index in (0..self.lives.len()).rev() {
            let live = &self.lives[index];
            if live.head.is_none() && live.children == 0 && index > 0 {
                let parent = live.parent;
                self.lives[parent].children -= 1;
            }
        }
        let mut places = Vec::with_capacity(self.lives.len());
        let mut kept = 0;
        for live in &self.lives {
            places.push(kept);
            kept += usize::from(live.head.is_some() || live.children > 0);
        }
        self.lives.retain(|live| live.head.is_some() || live.children > 0);
        self.lives.iter_mut().for_each(|live| live.parent = places[live.parent]);
    }

    /// Makes an only child the root.
    fn settle(&mut self) {
        let only = |lives: &[Live]| lives[0].head.is_none() && lives[0].children == 1;
        while only(&self.lives) {
            self.lives.remove(0);
            self.lives.iter_mut().for_each(|live| live.parent = live.parent.saturating_sub(1));
            // Where it is not known it cancels.
            self.lives[0].log_mass.get_or_insert(0.0);
        }
    }

    /// Keeps the heaviest heads.
    fn apply_beam(&mut self) -> Result<()> {
        let Some(beam) = self.options.beam else { return Ok(()) };
        let mut heads: Vec<(f64, usize)> = Vec::new();
        for (index, live) in self.lives.iter().enumerate() {
            if let Some(head) = live.head {
                heads.push((self.log_head_mass(live, head).unwrap_or(f64::NAN), index));
            }
        }
        if heads.len() <= beam {
            return Ok(());
        }
        if heads.iter().any(|(mass, _)| mass.is_nan()) {
            let message = "the beam needs the rows of all nodes; supply what is needed before the next byte";
            return Err(Error::InvalidArgument(message.into()));
        }
        heads.sort_by(|a, b| b.0.total_cmp(&a.0));
        for &(mass, index) in &heads[beam..] {
            let (low, high) = (mass.min(self.log_dropped), mass.max(self.log_dropped).max(f64::MIN));
            self.log_dropped = high + (low - high).exp().ln_1p();
            self.lives[index].head = None;
        }
        Ok(())
    }

    /// The mass of the covers that a head counts, as a logarithm, if it is known.
    fn log_head_mass(&self, live: &Live, head: usize) -> Option<f64> {
        let log_mass = live.log_mass?;
        if head == 0 {
            return Some(log_mass);
        }
        Some(log_mass + live.row.as_ref()?.below(self.canonical.vocabulary().trie(), head).ln())
    }

    /// The contexts to be opened so that the certificate falls to `tolerance`; all of them for 0. Asked again after each
    /// answer, until there are none.
    pub fn needed(&self, tolerance: f64) -> Vec<Needed> {
        let unopened = self.lives.iter().filter(|live| live.row.is_none());
        if tolerance <= 0.0 {
            return unopened.map(|live| self.as_needed(live)).collect();
        }
        let reference = self.reference();
        let mass = |live: &&Live| Some(((live.log_mass? - reference).exp(), self.as_needed(live)));
        let mut roots: Vec<(f64, Needed)> = unopened.filter_map(|live| mass(&live)).collect();
        roots.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut counted = self.counted(reference);
        let mut rest: f64 = roots.iter().map(|root| root.0).sum();
        // Opening only moves mass from the rest to what is counted, or shows that it is nothing: then we are asked again.
        let mut needed = Vec::new();
        for (mass, root) in roots {
            if rest <= tolerance * (counted + rest) && counted > 0.0 {
                break;
            }
            counted += mass;
            rest = (rest - mass).max(0.0);
            needed.push(root);
        }
        needed
    }

    fn as_needed(&self, live: &Live) -> Needed {
        let parent = live.node.parent.as_ref().map_or(live.node.id, |parent| parent.id);
        Needed { node: live.node.id, parent, token: live.node.token }
    }

    /// The tokens of a node, from the beginning of the text.
    pub fn tokens(&self, node: u64) -> Option<Vec<u32>> {
        let live = self.lives.iter().find(|live| live.node.id == node)?;
        let mut tokens = Vec::new();
        let mut at = Some(&live.node);
        while let Some(node) = at {
            tokens.extend(node.token);
            at = node.parent.as_ref();
        }
        tokens.reverse();
        Some(tokens)
    }

    /// Gives a node its logits.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a node that is not in play; [`Error::InvalidLogits`].
    pub fn supply<T: Copy + Into<f64>>(&mut self, node: u64, logits: &[T]) -> Result<()> {
        let Some(index) = self.lives.iter().position(|live| live.node.id == node) else {
            return Err(Error::InvalidArgument(format!("node {node} is not in play")));
        };
        let live = &self.lives[index];
        let all = live.followers.as_ref().map(|followers| self.canonical.all(followers));
        let mut row = Row::new(self.canonical.vocabulary(), self.canonical.segments(), logits, all)?;
        if self.options.mode != Mode::All && !self.canonical.may_end(&live.place)? {
            row.end = 0.0;
        }
        self.lives[index].row = Some(Arc::new(row));
        self.weigh_children();
        Ok(())
    }

    /// Fills in the masses that have become known.
    fn weigh_children(&mut self) {
        for index in 1..self.lives.len() {
            let live = &self.lives[index];
            let parent = &self.lives[live.parent];
            let (None, Some(row), Some(log_mass), Some(token)) =
                (live.log_mass, &parent.row, parent.log_mass, live.node.token)
            else {
                continue;
            };
            let weight = row.weight(self.place_of(token));
            self.lives[index].log_mass = Some(log_mass + weight.ln());
        }
    }

    /// A text token's place in the trie's order.
    fn place_of(&self, token: u32) -> usize {
        let vocabulary = self.canonical.vocabulary();
        let trie = vocabulary.trie();
        let text = vocabulary.token_bytes(token);
        let node = text.iter().try_fold(0, |node, &byte| trie.child(node, byte)).unwrap_or(0);
        trie.places_at(node).find(|&place| trie.order()[place] == token).unwrap_or(0)
    }

    /// The largest known mass: what the others are measured by.
    fn reference(&self) -> f64 {
        let known = self.lives.iter().filter_map(|live| live.log_mass);
        known.fold(f64::NEG_INFINITY, f64::max).max(f64::MIN)
    }

    /// The mass of the open heads' outcomes.
    fn counted(&self, reference: f64) -> f64 {
        let trie = self.canonical.vocabulary().trie();
        let of = |live: &Live| {
            let (Some(head), Some(row), Some(log_mass)) = (live.head, &live.row, live.log_mass) else {
                return 0.0;
            };
            let end = if head == 0 { row.end } else { 0.0 };
            (log_mass - reference).exp() * (row.below(trie, head) + end)
        };
        self.lives.iter().map(of).sum()
    }

    /// The next byte's distribution, over what is open.
    ///
    /// # Errors
    /// [`Error::ImpossibleText`] when no open cover has any probability.
    pub fn next_byte(&self) -> Result<NextByte> {
        let trie = self.canonical.vocabulary().trie();
        let reference = self.reference();
        let mut bins = [0.0; OUTCOMES];
        let (mut unopened, mut covers) = (0.0, 0.0);
        for live in &self.lives {
            let mass = live.log_mass.map(|log_mass| (log_mass - reference).exp());
            let (Some(mass), Some(row)) = (mass, &live.row) else {
                unopened += mass.unwrap_or(0.0);
                continue;
            };
            let Some(head) = live.head else { continue };
            let below = row.add_next_bytes(trie, head, mass, &mut bins);
            covers += if head == 0 { mass } else { below };
            if head == 0 {
                bins[super::END] += mass * row.end;
            }
        }
        let total: f64 = bins.iter().sum();
        if total <= 0.0 {
            let reason =
                format!("the model gives no probability to any continuation of the {} bytes", self.len);
            return Err(Error::ImpossibleText(reason));
        }
        let dropped = (self.log_dropped - reference).exp();
        let all = total + unopened + dropped;
        Ok(NextByte {
            log_probs: bins.map(|bin| (bin / total).ln()),
            certificate: (unopened + dropped) / all,
            left_out: dropped / all,
            log_mass: covers.ln() + reference,
            kept: total / covers,
        })
    }

    /// All covers and their shares, heaviest first. Only what is open is counted.
    ///
    /// # Errors
    /// [`Error::ImpossibleText`] when no open cover has any probability.
    pub fn covers(&self) -> Result<Vec<Cover>> {
        let trie = self.canonical.vocabulary().trie();
        let reference = self.reference();
        let mut covers = Vec::new();
        for live in &self.lives {
            let (Some(head), Some(log_mass)) = (live.head, live.log_mass) else { continue };
            let (node, mass) = (live.node.id, (log_mass - reference).exp());
            match &live.row {
                _ if head == 0 => covers.push(Cover { node, token: None, probability: mass }),
                Some(row) => covers.extend(
                    trie.places_below(head).filter(|&place| row.weight(place) > 0.0).map(|place| Cover {
                        node,
                        token: Some(trie.order()[place]),
                        probability: mass * row.weight(place),
                    }),
                ),
                None => {}
            }
        }
        let total: f64 = covers.iter().map(|cover| cover.probability).sum();
        if total <= 0.0 {
            return Err(Error::ImpossibleText("no open cover of the text has any probability".into()));
        }
        covers.iter_mut().for_each(|cover| cover.probability /= total);
        covers.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        Ok(covers)
    }
}
