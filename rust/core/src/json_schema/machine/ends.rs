//! How what is begun can end: for a state, what may follow up to the end of its rule, a text for each *value*.
//!
//! Where no value may come twice, a text is completed only if one of its ends makes a value that was not there before. So the
//! recogniser asks how many ends a state has; as long as they are more than the values there are to avoid, nothing else counts.
//!
//! A value is spelled in one way: without whitespace where it is free, names that are left ascending, escapes only where they
//! must be. An end stops early where the rule itself has read one more value that must be new: what comes after that
//! is the business of the state there.

use super::layout::Gap;
use super::layout::Place;
use super::{Digits, InArray, InMember, InObject, JsonMachine, Kind, Local};
use crate::error::Result;
use crate::json_schema::goal::GoalId;
use crate::json_schema::number_ends;
use crate::json_schema::plan::{Key, Progress};
use crate::json_schema::spell::{self, Spell, quoted};
use crate::regular::TermId;
use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use std::sync::Arc;

/// A part of an end that is not spelled out yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part {
    Bytes(Vec<u8>),
    /// From a state of a string, name or number to its end.
    Rest(u32),
    Value(GoalId, u32),
    /// More items of an array and its end; whether a comma, the end, and an item may come.
    Items {
        arr: u32,
        written: u32,
        depth: u32,
        choice: Choice,
    },
    /// More members of an object and its end; names below a number have had their turn.
    Members {
        plan: u32,
        progress: Progress,
        depth: u32,
        from: u32,
        choice: Choice,
    },
    /// What follows a name.
    Member {
        plan: u32,
        progress: Progress,
        depth: u32,
        key: Key,
        from: u32,
    },
    /// The end has got far enough.
    Stop,
}

/// What may come in an array or object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Choice {
    end: bool,
    more: bool,
    /// Whether a comma comes before it.
    comma: bool,
    /// Whether whitespace has been read where one stands.
    gap_read: bool,
}

const FIRST: Choice = Choice { end: true, more: true, comma: false, gap_read: false };
const NEXT: Choice = Choice { end: true, more: true, comma: true, gap_read: false };
const NO_COMMA: Choice = Choice { end: false, more: true, comma: false, gap_read: false };

/// Ways to go on, each a list of parts; `None`: more than are asked for.
type Ways = Option<Vec<Vec<Part>>>;

/// Unfinished ends that are kept, for each that is asked for.
const UNFINISHED: usize = 16;

impl JsonMachine {
    /// See the module; `None` if there are more than `most`.
    pub(super) fn ends_of(&mut self, state: u32, carried: u32, most: usize) -> Result<Option<Vec<Vec<u8>>>> {
        let Some(ways) = self.begin(state, carried, most)? else { return Ok(None) };
        let mut done: IndexSet<Vec<u8>, FxBuildHasher> = IndexSet::default();
        let mut todo: Vec<(Vec<u8>, Vec<Part>)> = ways
            .into_iter()
            .map(|mut parts| {
                (Vec::new(), {
                    parts.reverse();
                    parts
                })
            })
            .collect();
        // Depth first: the first string or number that is free ends the search.
        while let Some((text, mut parts)) = todo.pop() {
            self.engine.budget.work()?;
            if self.comes_to_many(parts.last(), most)? {
                return Ok(None);
            }
            let Some(ways) = (match parts.pop() {
                None | Some(Part::Stop) => {
                    done.insert(text.clone());
                    Some(Vec::new())
                }
                Some(part) => self.ways(part, most)?,
            }) else {
                return Ok(None);
            };
            for way in ways {
                let (mut text, mut parts) = (text.clone(), parts.clone());
                parts.extend(way.into_iter().rev());
                while let Some(Part::Bytes(bytes)) = parts.last() {
                    text.extend_from_slice(bytes);
                    parts.pop();
                }
                todo.push((text, parts));
            }
            if done.len() > most || todo.len() > UNFINISHED * (most + 1) {
                return Ok(None);
            }
        }
        Ok(Some(done.into_iter().collect()))
    }

    /// The ways to go on from a state, with what is carried beside it.
    fn begin(&mut self, state: u32, carried: u32, most: usize) -> Result<Ways> {
        let (rule, local) = self.locals[state as usize];
        let kind = self.kinds[rule as usize].clone();
        let one = |part: Part| Some(vec![vec![part]]);
        Ok(match (kind, local) {
            (_, Local::End) => Some(vec![Vec::new()]),
            (Kind::Value(goal, depth), Local::Start) => one(Part::Value(goal, depth)),
            (_, Local::Literal(word, at)) => one(Part::Bytes(word.as_bytes()[at as usize..].to_vec())),
            (Kind::Text(_) | Kind::Name(..) | Kind::Number(_) | Kind::Chars(..), _) => {
                self.ways(Part::Rest(state), most)?
            }
            (Kind::Space, _) => one(Part::Bytes(b" ".to_vec())),
            (Kind::Gap(text), Local::Bytes(at)) => one(Part::Bytes(text.as_bytes()[at as usize..].to_vec())),
            (Kind::Gap(text), _) => one(Part::Bytes(text.as_bytes().to_vec())),
            (Kind::Array(arr, depth), local) => self.begin_array(arr, depth, local),
            (Kind::Object(plan, depth), local) => {
                self.begin_object(rule, (plan, depth), local, carried, most)?
            }
            (Kind::Member(goal, depth), Local::Member(at, gap_read)) => {
                let mut way = vec![
                    self.gap_text(Place::AfterColon, depth),
                    Part::Value(goal, self.layout.deeper(depth)),
                ];
                match (at, gap_read) {
                    (InMember::Start, true) => way.insert(0, Part::Bytes(b":".to_vec())),
                    (InMember::Start, false) => way.splice(..0, self.colon(depth)).for_each(drop),
                    (InMember::AfterColon, true) => drop(way.remove(0)),
                    (InMember::AfterColon, false) => {}
                }
                Some(vec![way])
            }
            (Kind::More(goal, _, _, depth), local) => {
                let value = Part::Value(goal, self.layout.deeper(depth));
                let (comma, gap) = (Part::Bytes(b",".to_vec()), self.gap_text(Place::AfterComma, depth));
                Some(vec![match local {
                    Local::Start => vec![self.gap_text(Place::BeforeComma, depth), comma, gap, value],
                    Local::Bytes(0) => vec![comma, gap, value],
                    Local::Bytes(1) => vec![gap, value],
                    _ => vec![value],
                }])
            }
            _ => None,
        })
    }

    fn begin_array(&self, arr: u32, depth: u32, local: Local) -> Ways {
        let Local::Array(written, at, gap_read) = local else { return None };
        let choice = match at {
            InArray::Open => FIRST,
            InArray::Next => NO_COMMA,
            InArray::After => NEXT,
            InArray::AfterComma => Choice { end: false, ..NEXT },
            InArray::AfterClose => Choice { more: false, ..NEXT },
        };
        let choice = Choice { gap_read, ..choice };
        Some(vec![vec![Part::Items { arr, written, depth, choice }]])
    }

    fn begin_object(
        &mut self,
        rule: u32,
        (plan, depth): (u32, u32),
        local: Local,
        carried: u32,
        most: usize,
    ) -> Result<Ways> {
        let Local::Object(of_states, at, gap_read) = local else { return Ok(None) };
        let core = self.carried_core(plan, carried).unwrap_or(of_states);
        let Some(progress) = self.cores[core as usize].progress.clone() else { return Ok(None) };
        let choice = match at {
            InObject::Open => FIRST,
            InObject::Member => NO_COMMA,
            InObject::After => NEXT,
            InObject::AfterComma => Choice { end: false, ..NEXT },
            InObject::AfterClose => Choice { more: false, ..NEXT },
            InObject::NameEnd(_) | InObject::BeforeColon(_) | InObject::Colon(_) => {
                // What is carried counts a name as written once it is read.
                let is_written = core != of_states;
                let ways = match at {
                    InObject::NameEnd(key) if is_written => {
                        Some(vec![self.member(plan, self.goal_of(plan, key), progress, depth, 0)])
                    }
                    InObject::NameEnd(key) | InObject::BeforeColon(key) | InObject::Colon(key) => {
                        self.ways(Part::Member { plan, progress, depth, key, from: 0 }, most)?
                    }
                    _ => None,
                };
                let gap = self.gap_text(Place::BeforeColon, depth);
                let colon = Part::Bytes(b":".to_vec());
                let before = match at {
                    InObject::NameEnd(_) => vec![gap, colon],
                    InObject::BeforeColon(_) => vec![colon],
                    _ => Vec::new(),
                };
                // A way begins with the gap after the colon.
                let read = usize::from(matches!(at, InObject::Colon(_)) && gap_read);
                let whole = |way: Vec<Part>| [&before[..], &way[read..]].concat();
                return Ok(ways.map(|ways| ways.into_iter().map(whole).collect()));
            }
            InObject::Name(state) => {
                return self.begin_name(rule, (plan, most), (of_states, core), depth, state);
            }
        };
        let choice = Choice { gap_read, ..choice };
        Ok(Some(vec![vec![Part::Members { plan, progress, depth, from: 0, choice }]]))
    }

    fn goal_of(&self, plan: u32, key: Key) -> GoalId {
        self.plans[plan as usize].plan.goal(key)
    }

    /// What follows the colon of a member, and what is written then.
    fn member(&mut self, plan: u32, goal: GoalId, after: Progress, depth: u32, from: u32) -> Vec<Part> {
        let (gap, deeper) = (self.gap_text(Place::AfterColon, depth), self.layout.deeper(depth));
        let rest = Part::Members { plan, progress: after, depth, from, choice: NEXT };
        vec![gap, Part::Value(goal, deeper), rest]
    }

    /// Inside a declared name, or before any, with the states' core and that of what is written.
    fn begin_name(
        &mut self,
        rule: u32,
        (plan, most): (u32, usize),
        (of_states, core): (u32, u32),
        depth: u32,
        state: Spell<super::Branch>,
    ) -> Result<Ways> {
        let Some(progress) = self.cores[core as usize].progress.clone() else { return Ok(None) };
        let branch = spell::automaton_state(state);
        if state != Spell::Char(branch) {
            let mut ways = Vec::new();
            let name = Local::Object(of_states, InObject::Name(state), true);
            for (lo, hi, to) in self.edges_of(rule, name)?.bytes {
                let (_, after) = self.locals[to as usize];
                for byte in lo..=hi {
                    let Local::Object(_, InObject::Name(after), _) = after else { continue };
                    let Some(rest) = self.begin_name(rule, (plan, most), (of_states, core), depth, after)?
                    else {
                        return Ok(None);
                    };
                    ways.extend(rest.into_iter().map(|way| [&[Part::Bytes(vec![byte])], &way[..]].concat()));
                }
            }
            return Ok(Some(ways));
        }
        let planned = Arc::clone(&self.plans[plan as usize]);
        let (lo, hi) = (branch.lo as usize, branch.hi as usize);
        let names = planned.sorted[lo..hi].iter().map(|name| name.1);
        if self.has_many_named(&planned.plan, &progress, names, most)? {
            return Ok(None);
        }
        let mut ways = Vec::new();
        for place in lo..hi {
            if !self.is_open_name(core, place)? {
                continue;
            }
            let (name, index) = &planned.sorted[place];
            let rest: String = name[branch.depth as usize..].iter().collect();
            let mut way = vec![Part::Bytes(quoted(&rest)[1..].to_vec())];
            way.extend(self.colon(depth));
            let (key, progress) = (Key::Declared(*index), progress.clone());
            way.push(Part::Member { plan, progress, depth, key, from: 0 });
            ways.push(way);
        }
        if branch == self.whole(plan) {
            let classes = 0..planned.plan.classes.len();
            let open: Vec<bool> =
                classes.map(|class| self.is_open_class(core, class)).collect::<Result<_>>()?;
            ways.extend(self.free_names(plan, &open));
        }
        Ok(Some(ways))
    }

    /// Free names; the next must be a new one, so an end stops after it.
    fn free_names(&mut self, plan: u32, open: &[bool]) -> Vec<Vec<Part>> {
        let planned = Arc::clone(&self.plans[plan as usize]);
        let declared = (!planned.sorted.is_empty()).then_some(plan);
        let mut out = Vec::new();
        for (class, _) in planned.plan.classes.iter().zip(open).filter(|(_, open)| **open) {
            let name = self.rule(Kind::Name(class.names, declared));
            out.push(vec![Part::Rest(self.rules[name as usize].start), Part::Stop]);
        }
        out
    }

    /// Whether a part is known to have more ends than are asked for: values do not depend on the order in which members are tried, so it
    /// does not matter if it is this order that leads nowhere.
    fn comes_to_many(&mut self, part: Option<&Part>, most: usize) -> Result<bool> {
        match part {
            Some(&Part::Value(goal, _)) => self.has_many(goal, most),
            Some(&Part::Items { arr, written, choice, .. }) if choice.more => {
                self.has_many_items(arr, written, most)
            }
            Some(Part::Members { plan, progress, from, choice, .. }) if choice.more => {
                self.has_many_members(*plan, progress, *from, most)
            }
            _ => Ok(false),
        }
    }

    /// The ways to spell out the beginning of a part.
    fn ways(&mut self, part: Part, most: usize) -> Result<Ways> {
        match part {
            Part::Rest(state) => {
                let ends = self.rest(state, most)?;
                Ok(ends.map(|ends| ends.into_iter().map(|end| vec![Part::Bytes(end)]).collect()))
            }
            Part::Value(goal, depth) => self.value_ways(goal, depth),
            Part::Items { arr, written, depth, choice } => self.item_ways(arr, written, depth, choice),
            Part::Members { plan, progress, depth, from, choice } => {
                self.member_ways(plan, &progress, depth, from, choice, most)
            }
            Part::Member { plan, progress, depth, key, from } => {
                let planned = Arc::clone(&self.plans[plan as usize]);
                let Some(options) = self.few_options(&planned.plan, &progress, key, most)? else {
                    return Ok(None);
                };
                let member = |(goal, after)| self.member(plan, goal, after, depth, from);
                Ok(Some(options.into_iter().map(member).collect()))
            }
            part @ (Part::Bytes(_) | Part::Stop) => Ok(Some(vec![vec![part]])),
        }
    }

    fn value_ways(&mut self, goal: GoalId, depth: u32) -> Result<Ways> {
        let rule = self.value_rule(goal, depth)?;
        let edges = self.edges_of(rule, Local::Start)?;
        let mut out = Vec::new();
        for (lo, hi, to) in edges.bytes {
            if let (_, Local::Literal(word, _)) = self.locals[to as usize] {
                debug_assert!(lo == hi && word.as_bytes()[0] == lo);
                out.push(vec![Part::Bytes(word.as_bytes().to_vec())]);
            }
        }
        for (called, _) in edges.calls {
            match self.kinds[called as usize].clone() {
                Kind::Text(_) | Kind::Number(_) => {
                    out.push(vec![Part::Rest(self.rules[called as usize].start)]);
                }
                Kind::Array(arr, depth) => {
                    let written = self.written_start(arr);
                    let items = Part::Items { arr, written, depth, choice: FIRST };
                    out.push(vec![Part::Bytes(b"[".to_vec()), items]);
                }
                Kind::Object(plan, depth) => {
                    let progress = self.plans[plan as usize].plan.start();
                    let members = Part::Members { plan, progress, depth, from: 0, choice: FIRST };
                    out.push(vec![Part::Bytes(b"{".to_vec()), members]);
                }
                // JSON texts in strings are many.
                _ => return Ok(None),
            }
        }
        Ok(Some(out))
    }

    fn item_ways(&mut self, arr: u32, written: u32, depth: u32, choice: Choice) -> Result<Ways> {
        let mut out = Vec::new();
        let conjunction = self.arrays[arr as usize].clone();
        if self.waits_for_repeat(arr, written) {
            // Endlessly many may come before.
            return Ok(None);
        }
        // Where nothing but the end may come, items have been counted that are not written.
        let may_end = !choice.more || conjunction.may_end(&self.written[written as usize].1);
        if choice.end && !self.has_begun(choice) && may_end {
            out.push(self.close(depth, choice, b"]"));
        }
        if choice.more {
            let deeper = self.layout.deeper(depth);
            for (goal, after) in self.next_items(arr, written)? {
                let mut way = self.comma(depth, choice);
                way.push(Part::Value(goal, deeper));
                way.push(match conjunction.unique {
                    true => Part::Stop,
                    false => Part::Items { arr, written: after, depth, choice: NEXT },
                });
                out.push(way);
            }
        }
        Ok(Some(out))
    }

    fn member_ways(
        &mut self,
        plan: u32,
        progress: &Progress,
        depth: u32,
        from: u32,
        choice: Choice,
        most: usize,
    ) -> Result<Ways> {
        let mut out = Vec::new();
        let planned = Arc::clone(&self.plans[plan as usize]);
        if choice.end && !self.has_begun(choice) && planned.plan.may_end(progress) {
            out.push(self.close(depth, choice, b"}"));
        }
        if !choice.more {
            return Ok(Some(out));
        }
        for index in from..planned.plan.names.len() as u32 {
            let key = Key::Declared(index);
            if !planned.plan.is_open(progress, index as usize) {
                continue;
            }
            let Some(options) = self.few_options(&planned.plan, progress, key, most)? else {
                return Ok(None);
            };
            if options.is_empty() {
                continue;
            }
            let mut way = self.comma(depth, choice);
            way.push(Part::Bytes(quoted(&planned.plan.names[index as usize])));
            way.extend(self.colon(depth));
            way.push(Part::Member { plan, progress: progress.clone(), depth, key, from: index + 1 });
            out.push(way);
        }
        let mut open = Vec::new();
        for class in 0..planned.plan.classes.len() as u32 {
            open.push(self.engine.has_option(&planned.plan, progress, Key::Class(class))?);
        }
        for name in self.free_names(plan, &open) {
            let mut way = self.comma(depth, choice);
            way.push(Part::Bytes(b"\"".to_vec()));
            way.extend(name);
            out.push(way);
        }
        Ok(Some(out))
    }

    /// Whitespace that must be there.
    fn gap_text(&mut self, place: Place, depth: u32) -> Part {
        Part::Bytes(match self.gap(place, depth) {
            Gap::None | Gap::Optional(_) => Vec::new(),
            Gap::Required(rule) => match &self.kinds[rule as usize] {
                Kind::Gap(text) => text.as_bytes().to_vec(),
                _ => Vec::new(),
            },
        })
    }

    /// What comes before one more item or member.
    fn comma(&mut self, depth: u32, choice: Choice) -> Vec<Part> {
        let gap = match (choice.comma, choice.end) {
            (true, _) => Place::BeforeComma,
            (false, true) => Place::AfterOpen,
            (false, false) => Place::AfterComma,
        };
        let mut out = Vec::new();
        if !choice.gap_read {
            out.push(self.gap_text(gap, depth));
        }
        if choice.comma {
            out.extend([Part::Bytes(b",".to_vec()), self.gap_text(Place::AfterComma, depth)]);
        }
        out
    }

    fn close(&mut self, depth: u32, choice: Choice, mark: &[u8]) -> Vec<Part> {
        let mut out = Vec::new();
        if choice.comma && !choice.gap_read {
            out.push(self.gap_text(Place::BeforeClose, depth));
        }
        out.push(Part::Bytes(mark.to_vec()));
        out
    }

    /// Whether a place is past the whitespace that comes only before an item or member.
    fn has_begun(&self, choice: Choice) -> bool {
        self.is_fixed() && choice.gap_read && !choice.comma
    }

    fn colon(&mut self, depth: u32) -> Vec<Part> {
        vec![self.gap_text(Place::BeforeColon, depth), Part::Bytes(b":".to_vec())]
    }

    /// From a state of a string, name or number to its end (of a counted string: of its round).
    pub(super) fn rest(&mut self, state: u32, most: usize) -> Result<Option<Vec<Vec<u8>>>> {
        let (rule, local) = self.locals[state as usize];
        let close = |end: &str| quoted(end)[1..].to_vec();
        match (self.kinds[rule as usize].clone(), local) {
            (_, Local::End) => Ok(Some(vec![Vec::new()])),
            // Characters that are only counted are many.
            (Kind::Text(_), Local::Count(false)) => Ok(None),
            (Kind::Text(_), Local::Count(true)) => Ok(Some(vec![b"\"".to_vec()])),
            (Kind::Text(strings), Local::Start) => {
                let words = self.words(strings.term, most)?;
                Ok(words.map(|words| words.iter().map(|word| quoted(word)).collect()))
            }
            (Kind::Text(_), Local::Spell(Spell::Char(term))) => {
                let words = self.words(term, most)?;
                Ok(words.map(|words| words.iter().map(|word| close(word)).collect()))
            }
            (Kind::Chars(..), Local::Spell(Spell::Char(term))) => {
                Ok(self.engine.regular.is_nullable(term).then(|| vec![Vec::new()]))
            }
            (Kind::Name(_, plan), Local::Name(Spell::Char((term, branch)))) => {
                let mut free = term;
                if let Some((plan, branch)) = plan.zip(branch) {
                    // Mostly there are so many that those that are declared do not matter.
                    let declared = (branch.hi - branch.lo) as usize;
                    if self.words(term, most + declared)?.is_none() {
                        return Ok(None);
                    }
                    free = self.free_rests(plan, term, branch);
                }
                let words = self.words(free, most)?;
                Ok(words.map(|words| words.iter().map(|word| close(word)).collect()))
            }
            (Kind::Number(numbers), Local::Number(at)) => Ok(self.number_ends(numbers, at, most)),
            (Kind::Text(_) | Kind::Chars(..) | Kind::Name(..), local) => {
                // Inside a character: a few bytes more.
                let mut out = Vec::new();
                for (lo, hi, to) in self.edges_of(rule, local)?.bytes {
                    let Some(rests) = self.rest(to, most)? else { return Ok(None) };
                    for byte in lo..=hi {
                        out.extend(rests.iter().map(|rest| [&[byte], &rest[..]].concat()));
                    }
                    // Different digits may spell one letter.
                    if out.len() > UNFINISHED * (most + 1) {
                        return Ok(None);
                    }
                }
                Ok(Some(out))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn words(&mut self, term: TermId, most: usize) -> Result<Option<Arc<[String]>>> {
        if let Some(known) = self.words.get(&(term, most)) {
            return Ok(known.clone());
        }
        let words = self.engine.regular.few_words(term, most, &mut self.engine.budget)?;
        let words: Option<Arc<[String]>> = words.map(Arc::from);
        self.words.insert((term, most), words.clone());
        Ok(words)
    }

    fn number_ends(&mut self, numbers: u32, at: u32, most: usize) -> Option<Vec<Vec<u8>>> {
        let place = match &self.numbers[numbers as usize] {
            Digits::Late(automaton) => automaton.place(at),
            Digits::Exact(automaton) => automaton.place(at),
            Digits::Whole(automaton) => {
                let places = self.places.entry(numbers).or_insert_with(|| number_ends::places(automaton));
                places[at as usize]
            }
        };
        let digits = &mut self.numbers[numbers as usize];
        let mut look = |at: u32| (digits.is_final(at), digits.edges(at));
        number_ends::ends(place, at, &mut look, most)
    }
}
