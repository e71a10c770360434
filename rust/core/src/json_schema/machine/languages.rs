//! What the schemas of one compiler share: languages of strings, sets of numbers, and the names of their automata's states.
//!
//! Terms of [`Regular`] are hash-consed, so among schemas that share one a pattern's states are the same terms, its derivatives
//! are worked out once, and a state can be known by what it is instead of by its automaton ([`Signature`]).
//!
//! A machine borrows the languages while it works: [`JsonMachine::exchange`] swaps them in and out under their lock. Languages
//! that have grown too large are left to the machines that use them, and new schemas begin new ones.

use super::{Digits, JsonMachine, Kind, Local, PlainEdges};
use crate::automaton::horizon::Horizon;
use crate::json_schema::content::Embedded;
use crate::json_schema::number::Numbers;
use crate::json_schema::shape::Strings;
use crate::json_schema::spell::{Spell, Targets};
use crate::memory::make_room;
use crate::regular::{Regular, TermId};
use indexmap::{IndexMap, IndexSet};
use parking_lot::{Mutex, MutexGuard};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::mem::swap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Languages with more terms than this are not handed to new schemas.
const MAX_TERMS: usize = 50_000;

/// Every one has a number, which signatures carry.
static NEXT: AtomicU32 = AtomicU32::new(PLAIN + 1);

/// The number that signatures carry which are the same in all of them.
const ALL: u32 = 0;
/// The number that those of [`super::member::Plain`] carry.
const PLAIN: u32 = 1;

/// A state of an arena's machines.
type Common = fn(&Regular) -> (Kind, Local);

/// What nearly every JSON text has, made of terms that every arena of languages begins with: it has the same signatures in all of them,
/// so that its splits outlive them.
const COMMON: [Common; 4] = [
    |regular| (any_text(regular, false), Local::Spell(Spell::Char(regular.everything()))),
    |regular| (Kind::Chars(0, None), Local::Spell(Spell::Char(regular.any()))),
    |regular| {
        (Kind::Name(regular.everything(), None), Local::Name(Spell::Char((regular.everything(), None))))
    },
    |_| (Kind::Space, Local::Start),
];

/// The kind of rule whose states between two characters stand for those of all strings that are written alike.
fn any_text(regular: &Regular, pinned: bool) -> Kind {
    Kind::Text(Strings { term: regular.everything(), pinned, embedded: Embedded::default() })
}

/// See the module.
#[derive(Debug)]
pub(super) struct Languages {
    pub(super) number: u32,
    regular: Box<Regular>,
    patterns: FxHashMap<Arc<str>, TermId>,
    formats: FxHashMap<String, Option<TermId>>,
    targets: FxHashMap<TermId, Targets<TermId>>,
    plain_edges: FxHashMap<TermId, PlainEdges>,
    horizons: FxHashMap<TermId, Horizon>,
    numbers: IndexMap<Numbers, Digits, FxBuildHasher>,
    signatures: IndexSet<(Kind, Local), FxBuildHasher>,
}

impl Languages {
    fn new() -> Self {
        let regular = Regular::new();
        let signatures: IndexSet<(Kind, Local), FxBuildHasher> =
            COMMON.map(|of| of(&regular)).into_iter().collect();
        debug_assert_eq!(signatures.len(), COMMON.len());
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            regular: Box::new(regular),
            patterns: FxHashMap::default(),
            formats: FxHashMap::default(),
            targets: FxHashMap::default(),
            plain_edges: FxHashMap::default(),
            horizons: FxHashMap::default(),
            numbers: IndexMap::default(),
            signatures,
        }
    }

    /// Lets tables grow before a schema is compiled, so that few have to while a mask is made.
    fn make_room(&mut self) {
        self.regular.make_room();
        make_room!(self.targets, self.horizons, self.signatures);
    }
}

/// The languages that new schemas get.
#[derive(Debug)]
pub(crate) struct SharedLanguages(Mutex<Arc<Mutex<Languages>>>);

impl Default for SharedLanguages {
    fn default() -> Self {
        Self(Mutex::new(Arc::new(Mutex::new(Languages::new()))))
    }
}

impl SharedLanguages {
    /// Begins new ones for the schemas to come.
    pub(crate) fn clear(&self) {
        *self.0.lock() = Arc::new(Mutex::new(Languages::new()));
    }

    /// Lets the tables grow before a schema needs them to.
    pub(crate) fn make_room(&self) {
        if let Some(mut languages) = self.0.lock().try_lock() {
            languages.make_room();
        }
    }

    /// Languages for a new schema.
    pub(super) fn get(&self) -> Arc<Mutex<Languages>> {
        let mut current = self.0.lock();
        let is_large = current.try_lock().is_some_and(|mut languages| {
            languages.make_room();
            languages.regular.len() > MAX_TERMS
        });
        if is_large {
            *current = Arc::new(Mutex::new(Languages::new()));
        }
        Arc::clone(&current)
    }
}

/// A machine with the languages it borrows; they go back when this is dropped.
pub(super) struct AtWork<'a> {
    machine: &'a mut JsonMachine,
    languages: MutexGuard<'a, Languages>,
}

impl<'a> AtWork<'a> {
    pub(super) fn new(machine: &'a mut JsonMachine, languages: &'a Mutex<Languages>) -> Self {
        let mut languages = languages.lock();
        machine.exchange(&mut languages);
        Self { machine, languages }
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.machine.exchange(&mut self.languages);
    }
}

impl Deref for AtWork<'_> {
    type Target = JsonMachine;

    fn deref(&self) -> &JsonMachine {
        self.machine
    }
}

impl DerefMut for AtWork<'_> {
    fn deref_mut(&mut self) -> &mut JsonMachine {
        self.machine
    }
}

impl JsonMachine {
    fn exchange(&mut self, languages: &mut Languages) {
        swap(&mut self.engine.regular, &mut languages.regular);
        swap(&mut self.engine.patterns, &mut languages.patterns);
        swap(&mut self.engine.formats, &mut languages.formats);
        swap(&mut self.targets, &mut languages.targets);
        swap(&mut self.plain_edges, &mut languages.plain_edges);
        swap(&mut self.horizons, &mut languages.horizons);
        swap(&mut self.numbers, &mut languages.numbers);
        swap(&mut self.signatures, &mut languages.signatures);
    }

    /// What a state of a leaf rule is, for all machines that share the languages: equal numbers mean equal texts up to the rule's end,
    /// and the same that may follow.
    pub(super) fn signature_of(&mut self, rule: u32, local: Local) -> Option<(u32, u32)> {
        let kind = match &self.kinds[rule as usize] {
            // What it was before does not matter any more.
            Kind::Text(strings) if matches!(local, Local::Spell(_)) => self.any_text(strings.pinned),
            kind
            @ (Kind::Text(_) | Kind::Number(_) | Kind::Space | Kind::Name(_, None) | Kind::Follow(_)) => {
                kind.clone()
            }
            &Kind::Member(goal, _) => return Some((PLAIN, self.plain(goal)?.signature(local)?)),
            // The bounds are counted, not read.
            Kind::Chars(..) => Kind::Chars(0, None),
            _ => return None,
        };
        let number = self.signatures.insert_full((kind, local)).0 as u32;
        let is_common = (number as usize) < COMMON.len();
        Some((if is_common { ALL } else { self.generation }, number))
    }

    /// See [`any_text`].
    pub(super) fn any_text(&self, pinned: bool) -> Kind {
        any_text(&self.engine.regular, pinned)
    }
}
