//! The automaton of a schema, made as matching gets to it.
//!
//! A rule reads one value ([`Kind::Value`]) or a part of one; a state says what of it is read. Rules and states are hash-consed, so
//! that equal parts of a schema share their states and, through them, their masks. Where a goal allows several types, or
//! several conjunctions of one type, its rule calls one rule for each: they differ in their first byte or are read side by side.
//!
//! Invariants, beyond those of [`crate::automaton::Machine`]: a rule is made only for something inhabited, and a state only if what is read up
//! to it can be completed.

mod array;
mod bounded;
mod content;
mod digits;
mod ends;
mod horizon;
mod languages;
mod layout;
mod leap;
mod many;
mod member;
mod object;
mod open;
mod same;
mod states;
mod text;
mod wiring;

use super::content::{At, Embedded, JsonTexts, Reading};
use super::engine::Engine;
use super::goal::GoalId;
use super::items::Written;
use super::number::Numbers;
use super::number_ends;
use super::options::JsonSchema;
use super::plan::{Key, Plan, Progress};
use super::shape::{Arr, Obj, Shape, Strings};
use super::spell::{Spell, Targets};
use crate::automaton::horizon::Horizon;
use crate::automaton::{Budget, Counter, MachineEdges, MachineRule, MachineState, Progresses, Texts};
use crate::error::{Error, Result};
use crate::grammar::Annotation;
use crate::regular::TermId;
use digits::Digits;
use indexmap::{IndexMap, IndexSet};
pub(crate) use languages::SharedLanguages;
use languages::{AtWork, Languages};
use layout::Layout;
use open::Open;
use parking_lot::Mutex;
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use std::sync::Arc;
use std::time::Duration;

/// What is worked out for a mask or a token takes no longer than this, and making the first state, unless the compiler has a limit of its own.
const STEP_LIMIT: Duration = Duration::from_secs(1);
const FEW_STATES: usize = 112; // What a short text makes.

/// What a rule reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// A value that satisfies a goal, so deep inside arrays and objects (as far as the layout cares).
    Value(GoalId, u32),
    /// A string with its quotes.
    Text(Strings),
    /// So many characters of a string; each round of the counter is one.
    Chars(u32, Option<u32>),
    /// A JSON text in a string, with its quotes; or a value inside one.
    Embedded(Reading),
    /// A number of a set.
    Number(u32),
    /// Whitespace, a character a round.
    Space,
    /// Whitespace that is given.
    Gap(Arc<str>),
    /// A name of a language and the closing quote; not one that the plan declares.
    Name(TermId, Option<u32>),
    /// An object of a plan.
    Object(u32, u32),
    /// What follows a name: a colon and a value that satisfies a goal.
    Member(GoalId, u32),
    /// An array of a conjunction.
    Array(u32, u32),
    /// More items after a comma each; a round of the counter is one.
    More(GoalId, u32, Option<u32>, u32),
    /// Not called: what can follow a value, a name, or whitespace.
    Follow(After),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum After {
    Value,
    /// A closing quote, and what can follow a value.
    Quote,
    Name,
    Space,
}

/// A place in the tree of a plan's sorted names: a range of them, alike up to a depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Branch {
    lo: u32,
    hi: u32,
    depth: u32,
}

/// A place in an object; the flag says that whitespace has been read there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum InObject {
    Open,
    Member,
    Name(Spell<Branch>),
    NameEnd(Key),
    BeforeColon(Key),
    Colon(Key),
    After,
    AfterComma,
    AfterClose,
}

/// A place after a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum InMember {
    Start,
    AfterColon,
}

/// A place in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum InArray {
    Open,
    Next,
    After,
    AfterComma,
    AfterClose,
}

/// What a state of a rule has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Local {
    Start,
    End,
    /// `null`, `true` or `false` up to a letter.
    Literal(&'static str, u8),
    Spell(Spell<TermId>),
    Embedded(Spell<At>),
    /// A name that may still be one of the declared ones.
    Name(Spell<(TermId, Option<Branch>)>),
    /// A string with counted characters, before and after them.
    Count(bool),
    Number(u32),
    Bytes(u32),
    Object(u32, InObject, bool),
    Array(u32, InArray, bool),
    Member(InMember, bool),
    Follow(u8),
}

/// Edges on bytes, as [`spell::edges`] gives them.
type PlainEdges = Arc<[(u8, u8, Spell<TermId>)]>;

/// The same with the states of a rule of names that they lead to.
type FreeEdges = Arc<[(u8, u8, Spell<TermId>, u32)]>;

/// An object with its plan, and the names sorted for [`Branch`].
#[derive(Debug)]
struct Planned {
    plan: Plan,
    sorted: Vec<(Vec<char>, u32)>,
    /// Where each name is in that list.
    places: Vec<u32>,
    /// What is written is carried beside the states, which are all of one core: see [`object`].
    carried: Option<Arc<Progresses>>,
    /// The names up to their closing quotes, where they are spelled in one way.
    texts: Arc<Texts>,
}

/// What of an object is written, with what may come next.
#[derive(Debug)]
struct Core {
    plan: u32,
    /// `None` for any: see [`object`].
    progress: Option<Progress>,
    open: Option<Open>,
    /// Its number among those that are carried, once it has one.
    number: Option<u32>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct JsonMachine {
    engine: Engine,
    root: GoalId,
    layout: Layout,
    state_limit: usize,
    step_limit: Duration,
    states: Vec<MachineState>,
    locals: IndexSet<(u32, Local), FxBuildHasher>,
    rules: Vec<MachineRule>,
    kinds: IndexSet<Kind, FxBuildHasher>,
    plans: IndexMap<Obj, Arc<Planned>, FxBuildHasher>,
    cores: Vec<Core>,
    core_ids: FxHashMap<(u32, Option<Progress>), u32>,
    arrays: IndexSet<Arr, FxBuildHasher>,
    /// The goal that each rule of arrays and objects is of first, for errors.
    origins: FxHashMap<Kind, GoalId>,
    /// Arrays whose items are compared until one comes again.
    compared: FxHashSet<u32>,
    written: IndexSet<(u32, Written), FxBuildHasher>,
    finishable: FxHashMap<u32, FxHashMap<Written, bool>>,
    numbers: IndexMap<Numbers, Digits, FxBuildHasher>,
    targets: FxHashMap<TermId, Targets<TermId>>,
    /// The edges of names between two characters.
    plain_edges: FxHashMap<TermId, PlainEdges>,
    /// The same for each rule of names, where they may become no declared one any more.
    free_edges: FxHashMap<(u32, TermId), FreeEdges>,
    /// How far texts of a language go on.
    horizons: FxHashMap<TermId, Horizon>,
    signatures: IndexSet<(Kind, Local), FxBuildHasher>,
    languages: Arc<Mutex<Languages>>,
    /// The number of the languages.
    generation: u32,
    /// JSON texts in strings, as they are and packed.
    texts: [Option<Arc<JsonTexts>>; 2],
    /// Where in a number each state of an automaton is.
    places: FxHashMap<u32, Vec<number_ends::Place>>,
    /// For goals the first one of the same shape: their values have the same states.
    same_values: FxHashMap<GoalId, GoalId>,
    first_of_shape: FxHashMap<Arc<Shape>, GoalId>,
    /// Whether goals have more values than so many.
    many: FxHashMap<(GoalId, usize), bool>,
    /// The words of languages that have no more than so many.
    words: FxHashMap<(TermId, usize), Option<Arc<[String]>>>,
}

impl JsonMachine {
    /// Reads a schema; says too what a user should know about it.
    ///
    /// # Errors
    /// Errors of the schema; [`Error::EmptyLanguage`] if nothing satisfies it; errors of the budget.
    pub(crate) fn new(
        schema: &JsonSchema,
        languages: &SharedLanguages,
        budget: Budget,
        state_limit: usize,
    ) -> Result<(Self, Vec<Annotation>)> {
        let layout = Layout::new(&schema.options.whitespace)?;
        let step_limit = budget.time_limit().unwrap_or(STEP_LIMIT);
        let (engine, root) = Engine::new(schema, budget.or_limit(STEP_LIMIT))?;
        let languages = languages.get();
        let mut machine = Self {
            engine,
            root,
            layout,
            state_limit,
            step_limit,
            states: Vec::with_capacity(FEW_STATES),
            locals: IndexSet::with_capacity_and_hasher(FEW_STATES, Default::default()),
            rules: Vec::new(),
            kinds: IndexSet::default(),
            plans: IndexMap::default(),
            cores: Vec::new(),
            core_ids: FxHashMap::default(),
            arrays: IndexSet::default(),
            origins: FxHashMap::default(),
            compared: FxHashSet::default(),
            written: IndexSet::default(),
            finishable: FxHashMap::default(),
            numbers: IndexMap::default(),
            targets: FxHashMap::default(),
            plain_edges: FxHashMap::default(),
            free_edges: FxHashMap::default(),
            horizons: FxHashMap::default(),
            signatures: IndexSet::default(),
            generation: languages.lock().number,
            languages: Arc::clone(&languages),
            texts: [None, None],
            places: FxHashMap::default(),
            same_values: FxHashMap::default(),
            first_of_shape: FxHashMap::default(),
            many: FxHashMap::default(),
            words: FxHashMap::default(),
        };
        let mut at_work = AtWork::new(&mut machine, &languages);
        let annotations = at_work.read_root(root)?;
        at_work.engine.refuse_ahead(root)?;
        drop(at_work);
        machine.engine.budget = Budget::new(None, state_limit, Default::default());
        Ok((machine, annotations))
    }

    fn read_root(&mut self, root: GoalId) -> Result<Vec<Annotation>> {
        // What is not known is noted for each schema.
        self.engine.formats.retain(|_, language| language.is_some());
        if !self.engine.is_inhabited(root)? {
            return Err(Error::EmptyLanguage { reason: self.engine.explain(root)? });
        }
        let rule = self.rule(Kind::Value(root, 0));
        self.edges_of(rule, Local::Start)?;
        self.engine.annotate();
        Ok(std::mem::take(&mut self.engine.annotations))
    }

    /// The number of a rule, made now if there is none.
    fn rule(&mut self, kind: Kind) -> u32 {
        let (index, is_new) = self.kinds.insert_full(kind.clone());
        let index = index as u32;
        if !is_new {
            return index;
        }
        let counter =
            |min: u32, max: Option<u32>| Some(Counter { min, max: max.unwrap_or(Counter::UNBOUNDED) });
        let (name, counter, is_leaf) = match &kind {
            Kind::Value(..) => ("value", None, false),
            Kind::Text(_) => ("string", None, true),
            Kind::Chars(min, max) => ("characters", counter(*min, *max), true),
            Kind::Embedded(_) => ("JSON text in a string", None, false),
            Kind::Number(_) => ("number", None, true),
            Kind::Space => ("whitespace", counter(1, self.layout.max_run()), true),
            Kind::Gap(_) => ("whitespace", None, true),
            Kind::Name(_, declared) => ("property name", None, declared.is_none()),
            Kind::Object(..) => ("object", None, false),
            Kind::Array(..) => ("array", None, false),
            Kind::Member(..) => ("member", None, false),
            Kind::More(_, min, max, _) => ("items", counter(*min, *max), false),
            Kind::Follow(_) => ("what follows", None, true),
        };
        let is_split = match kind {
            Kind::Space => true,
            Kind::Member(goal, _) => self.plain(goal).is_some(),
            _ => false,
        };
        let (progresses, texts) = match kind {
            Kind::Object(plan, _) => {
                let Planned { carried, texts, .. } = &*self.plans[plan as usize];
                (carried.clone(), Some(Arc::clone(texts)))
            }
            _ => (None, None),
        };
        self.rules.push(MachineRule {
            kind: name,
            start: 0,
            counter,
            follow: None,
            is_leaf,
            is_split,
            progresses,
            texts,
        });
        let start = match kind {
            Kind::Chars(..) => Local::Spell(Spell::Char(self.engine.regular.any())),
            Kind::Name(names, declared) => {
                let branch = declared.map(|plan| self.whole(plan));
                Local::Name(Spell::Char((names, branch)))
            }
            Kind::Member(..) => Local::Member(InMember::Start, false),
            Kind::Embedded(reading) => self.embedded_start(reading),
            Kind::Follow(_) => Local::Follow(0),
            Kind::Number(_) => Local::Number(0),
            _ => Local::Start,
        };
        self.rules[index as usize].start = self.state(index, start);
        self.rules[index as usize].follow = self.follow(&kind);
        index
    }

    /// A state from which at least all that can follow a rule can follow.
    fn follow(&mut self, kind: &Kind) -> Option<u32> {
        let after = match kind {
            Kind::Embedded(Reading::Value { .. }) => return None,
            Kind::Value(..)
            | Kind::Embedded(_)
            | Kind::Text(_)
            | Kind::Number(_)
            | Kind::Object(..)
            | Kind::Array(..)
            | Kind::Member(..)
            | Kind::More(..) => After::Value,
            Kind::Chars(..) => After::Quote,
            Kind::Name(..) => After::Name,
            Kind::Space => After::Space,
            Kind::Gap(_) | Kind::Follow(_) => return None,
        };
        let rule = self.rule(Kind::Follow(after));
        Some(self.rules[rule as usize].start)
    }

    fn edges_of(&mut self, rule: u32, local: Local) -> Result<MachineEdges> {
        self.edges_from(rule, local).map_err(|error| match &self.kinds[rule as usize] {
            Kind::Value(goal, _) | Kind::Member(goal, _) => self.engine.placed(error, *goal),
            kind => match self.origins.get(kind) {
                Some(&goal) => self.engine.placed(error, goal),
                None => error,
            },
        })
    }

    fn edges_from(&mut self, rule: u32, local: Local) -> Result<MachineEdges> {
        let kind = self.kinds[rule as usize].clone();
        let mut edges = match (kind, local) {
            (_, Local::End) => MachineEdges::default(),
            (Kind::Value(goal, depth), Local::Start) => self.value(rule, goal, depth)?,
            (_, Local::Literal(word, at)) => self.literal(rule, word, at),
            (Kind::Text(strings), _) => self.string(rule, strings, local)?,
            (Kind::Embedded(reading), _) => self.embedded(rule, reading, local),
            (Kind::Chars(..), Local::Spell(state)) => self.spell(rule, state, false)?,
            (Kind::Name(_, plan), Local::Name(state)) => self.name(rule, plan, state)?,
            (Kind::Number(numbers), Local::Number(at)) => {
                let edges = self.numbers[numbers as usize].edges(at);
                let bytes =
                    edges.into_iter().map(|(lo, hi, to)| (lo, hi, self.state(rule, Local::Number(to))));
                MachineEdges { bytes: bytes.collect(), ..Default::default() }
            }
            (Kind::Space, _) => self.bytes(rule, &[(b"\t\n\r ", Local::End)]),
            (Kind::Gap(text), local) => {
                let at = if let Local::Bytes(at) = local { at } else { 0 };
                let byte = text.as_bytes()[at as usize];
                self.bytes(rule, &[(&[byte], Local::Bytes(at + 1))])
            }
            (Kind::Object(plan, depth), _) => self.object(rule, plan, depth, local)?,
            (Kind::Member(goal, depth), Local::Member(at, gap_read)) => {
                self.member_edges(rule, goal, depth, at, gap_read)?
            }
            (Kind::Array(arr, depth), _) => self.array(rule, arr, depth, local)?,
            (Kind::More(goal, _, _, depth), _) => self.more(rule, goal, depth, local)?,
            (Kind::Follow(after), Local::Follow(at)) => self.what_follows(rule, after, at),
            _ => MachineEdges::default(),
        };
        edges.bytes.sort_unstable();
        edges.calls.sort_unstable();
        edges.calls.dedup();
        Ok(edges)
    }

    /// Edges on single bytes.
    fn bytes(&mut self, rule: u32, edges: &[(&[u8], Local)]) -> MachineEdges {
        let mut out = MachineEdges::default();
        for &(bytes, to) in edges {
            let to = self.state(rule, to);
            out.bytes.extend(bytes.iter().map(|&byte| (byte, byte, to)));
        }
        out
    }

    fn literal(&mut self, rule: u32, word: &'static str, at: u8) -> MachineEdges {
        let next = if at as usize + 1 == word.len() { Local::End } else { Local::Literal(word, at + 1) };
        self.bytes(rule, &[(&[word.as_bytes()[at as usize]], next)])
    }

    /// The first byte of a value's literals, and calls of one rule for each of its other alternatives.
    fn value(&mut self, rule: u32, goal: GoalId, depth: u32) -> Result<MachineEdges> {
        let shape = self.engine.shape(goal)?;
        let mut out = MachineEdges::default();
        for (word, allowed) in [("null", shape.null), ("true", shape.yes), ("false", shape.no)] {
            if allowed {
                out.bytes.extend(self.literal(rule, word, 0).bytes);
            }
        }
        let mut called = Vec::new();
        if self.engine.has_string(shape.strings.term)? {
            called.push(Kind::Text(Strings { embedded: Embedded::default(), ..shape.strings }));
        }
        for (packed, is_there) in
            [(false, shape.strings.embedded.plain), (true, shape.strings.embedded.packed)]
        {
            if is_there {
                called.push(self.embed(packed));
            }
        }
        if self.engine.has_number(&shape.numbers)? {
            called.push(Kind::Number(self.number(&shape.numbers)?));
        }
        for arr in &shape.arrays {
            if self.engine.has_array(arr)? {
                let number = self.arrays.insert_full(arr.clone()).0 as u32;
                if self.engine.compares(arr)? {
                    self.engine.check_repeats(arr)?;
                    self.compared.insert(number);
                }
                called.push(Kind::Array(number, depth));
            }
        }
        for obj in &shape.objects {
            if self.engine.has_object(obj)? {
                called.push(Kind::Object(self.planned(obj)?, depth));
            }
        }
        for kind in called.iter().filter(|kind| matches!(kind, Kind::Array(..) | Kind::Object(..))) {
            self.origins.entry(kind.clone()).or_insert(goal);
        }
        let end = self.state(rule, Local::End);
        out.calls.extend(called.into_iter().map(|kind| (self.rule(kind), end)));
        Ok(out)
    }

    fn what_follows(&mut self, rule: u32, after: After, at: u8) -> MachineEdges {
        let value: &[u8] = b"\"-0123456789[{tfn";
        let quote = u8::from(after == After::Quote);
        match (after, at) {
            (After::Quote, 0) => self.bytes(rule, &[(b"\"", Local::Follow(1))]),
            // Past a value: it may be the last, or a comma and a name or value come.
            (After::Value | After::Quote, at) if at == quote => {
                self.bytes(rule, &[(b"\t\n\r ]}", Local::Follow(quote)), (b",", Local::Follow(quote + 1))])
            }
            (After::Value | After::Quote, at) => {
                self.bytes(rule, &[(b"\t\n\r ", Local::Follow(at)), (value, Local::End)])
            }
            (After::Name, 0) => self.bytes(rule, &[(b"\t\n\r ", Local::Follow(0)), (b":", Local::Follow(1))]),
            (After::Name, _) => self.bytes(rule, &[(b"\t\n\r ", Local::Follow(1)), (value, Local::End)]),
            (After::Space, _) => self.bytes(rule, &[(b"\"-0123456789[]{}tfn,:", Local::End)]),
        }
    }
}
