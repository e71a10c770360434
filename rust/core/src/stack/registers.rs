//! Registers: what a configuration remembers of the text, so that no value comes twice.
//!
//! `uniqueItems`, and names that are not declared, ask whether a value was there before: no context-free grammar can. A machine
//! marks the states that collect ([`crate::automaton::Collect`]): a call that returns to one gives the value it has read
//! to the register of the caller, and does not return if the value is in it. A register is a pair of
//! - *seen*: the set of values collected so far by this run of the rule, and
//! - *text*: the bytes since the outermost collecting call that is still running, as a list shared by all who read the same.
//!
//! Negated, `uniqueItems` asks for a value that was there before: then the call returns to one state or another
//! ([`Collect::Repeat`]), and to both where that is not known.
//!
//! In a frame, *text* is where the call began. Values are compared as JSON Schema does: numbers by what they are, objects
//! without regard to order. Registers, texts and sets are hash-consed like everything in the arena; no register is number 0.
//!
//! Splits do not know the text inside a token. What lies beneath a split is walked with an *unknown* text; tokens that would
//! complete a value seen before are taken out by [`crate::mask`]'s `duplicates` instead.

use super::comparison::{Comparison, Fit};
use super::lookups::Lookups;
use super::values::{Value, Values};
use crate::automaton::Collect;
use crate::grammar::ByteSet;
use indexmap::IndexSet;
use rustc_hash::{FxBuildHasher, FxHashMap};
use smallvec::SmallVec;
use std::sync::Arc;

/// Index of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct RegisterId(u32);

/// No text is kept.
const NO_TEXT: u32 = 0;
/// A text that begins here.
const BEGIN: u32 = 1;
/// A text of which nothing is known.
const UNKNOWN: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
struct Register {
    /// Index of a set of values; 0 is the empty one.
    seen: u32,
    text: u32,
    /// There may be values in it that are not in `seen`.
    is_partial: bool,
}

/// Values that must not be read: those that registers have seen, of what began at their texts.
pub(super) type Forbidden = SmallVec<[(RegisterId, Collect); 4]>;

/// Rivals are remembered up to this many.
const MAX_RIVALS: usize = 1 << 14;

/// The arena's registers.
#[derive(Debug)]
pub(super) struct Registers {
    registers: IndexSet<Register, FxBuildHasher>,
    /// Parent and last byte of each text.
    texts: IndexSet<(u32, u8), FxBuildHasher>,
    sets: IndexSet<Vec<u32>, FxBuildHasher>,
    values: Values,
    /// The value between two texts, once it is known.
    known: FxHashMap<(u32, u32), u32>,
    /// Those of a set of values that a text may become, which begins at another: by set, beginning and text.
    rivals: FxHashMap<(u32, u32, u32, Collect), Arc<[Rival]>>,
    num_rivals: usize,
    /// Values in all sets together.
    set_items: usize,
    largest_set: usize,
    pub(super) lookups: Lookups,
}

/// What a return to a collecting state comes to.
pub(super) enum Return {
    /// The register of the caller now.
    Register(RegisterId),
    /// The same, but a value may be missing in the comparison: the token has to be looked at again.
    Recheck(RegisterId),
    /// The value was there before, and must not have been.
    Duplicate,
    /// The value was there before, and this is the register of a caller that asks no more.
    Repeated(RegisterId),
    /// Both may be: the register of the caller now, and if the value was there before. The token has to be looked at again.
    PerhapsRepeated(RegisterId, RegisterId),
}

impl Registers {
    pub(super) fn new() -> Self {
        // Three texts that no byte ends: of each only the number counts.
        let marks = (0..=UNKNOWN).map(|mark| (u32::MAX - mark, 0));
        Self {
            registers: IndexSet::from_iter([Register::default()]),
            texts: marks.collect(),
            sets: IndexSet::from_iter([Vec::new()]),
            values: Values::default(),
            known: FxHashMap::default(),
            rivals: FxHashMap::default(),
            num_rivals: 0,
            set_items: 0,
            largest_set: 0,
            lookups: Lookups::default(),
        }
    }

    /// The most values that any register has seen.
    pub(super) fn largest_set(&self) -> usize {
        self.largest_set
    }

    fn get(&self, id: RegisterId) -> Register {
        self.registers[id.0 as usize]
    }

    fn intern(&mut self, register: Register) -> RegisterId {
        RegisterId(self.registers.insert_full(register).0 as u32)
    }

    /// Whether a text is kept.
    pub(super) fn has_text(&self, id: RegisterId) -> bool {
        id != RegisterId::default() && self.get(id).text != NO_TEXT
    }

    /// Whether a text is kept, and known.
    pub(super) fn knows_text(&self, id: RegisterId) -> bool {
        self.has_text(id) && self.get(id).text != UNKNOWN
    }

    /// The register of a rule that a configuration calls; `collected` if a call on the way is collecting.
    pub(super) fn of_callee(&mut self, caller: RegisterId, collected: bool) -> RegisterId {
        if caller == RegisterId::default() && !collected {
            return caller;
        }
        let text = match self.get(caller).text {
            NO_TEXT if collected => BEGIN,
            text => text,
        };
        self.intern(Register { seen: 0, text, is_partial: false })
    }

    /// The register in a frame: what the caller has seen, and where the call begins if it is collecting.
    pub(super) fn of_frame(
        &mut self,
        caller: RegisterId,
        callee: RegisterId,
        collecting: bool,
    ) -> RegisterId {
        if caller == RegisterId::default() && !collecting {
            return caller;
        }
        let text = if collecting { self.get(callee).text } else { NO_TEXT };
        let register = Register { text, ..self.get(caller) };
        self.intern(register)
    }

    /// The register after one more byte.
    pub(super) fn after_byte(&mut self, id: RegisterId, byte: u8) -> RegisterId {
        if !self.has_text(id) {
            return id;
        }
        let register = self.get(id);
        if register.text == UNKNOWN {
            return id;
        }
        let text = self.texts.insert_full((register.text, byte)).0 as u32;
        self.intern(Register { text, ..register })
    }

    /// A register of which nothing is known.
    pub(super) fn partial(&mut self) -> RegisterId {
        self.intern(Register { is_partial: true, ..Register::default() })
    }

    /// Whether there may be values in a register that it does not know.
    pub(super) fn is_partial(&self, id: RegisterId) -> bool {
        id != RegisterId::default() && self.get(id).is_partial
    }

    /// The register of what returns with an unknown text.
    pub(super) fn unknown(&mut self, id: RegisterId) -> RegisterId {
        if !self.has_text(id) {
            return RegisterId::default();
        }
        self.intern(Register { seen: 0, text: UNKNOWN, is_partial: false })
    }

    /// The register of a frame after a value was read for it that is like no other.
    pub(super) fn after_another(&mut self, frame: RegisterId) -> RegisterId {
        let frame = self.get(frame);
        let text = if matches!(frame.text, BEGIN | NO_TEXT) { NO_TEXT } else { UNKNOWN };
        let after = self.intern(Register { text, ..frame });
        self.with_value(after, u32::MAX)
    }

    /// Whether a register has seen no value.
    pub(super) fn has_seen_none(&self, id: RegisterId) -> bool {
        self.get(id).seen == 0
    }

    /// What is forbidden on both of two stacks.
    pub(super) fn in_both(&mut self, a: &Forbidden, b: &Forbidden) -> Forbidden {
        let mut both = Forbidden::new();
        for &(one, collect) in a {
            for &(other, _) in b.iter().filter(|(_, of)| *of == collect) {
                let (one, other) = (self.get(one), self.get(other));
                if one.text != other.text {
                    continue;
                }
                let others = &self.sets[other.seen as usize];
                let set =
                    self.sets[one.seen as usize].iter().filter(|value| others.binary_search(value).is_ok());
                let seen = self.sets.insert_full(set.copied().collect()).0 as u32;
                if seen != 0 {
                    both.push((self.intern(Register { seen, ..one }), collect));
                }
            }
        }
        both
    }

    /// A register that has seen one more value.
    pub(super) fn with_value(&mut self, id: RegisterId, value: u32) -> RegisterId {
        let register = self.get(id);
        let mut set = self.sets[register.seen as usize].clone();
        let Err(at) = set.binary_search(&value) else { return id };
        set.insert(at, value);
        let seen = self.sets.insert_full(set).0 as u32;
        self.intern(Register { seen, ..register })
    }

    /// The caller's register after a return.
    pub(super) fn returned(
        &mut self,
        callee: RegisterId,
        frame: RegisterId,
        collect: Option<Collect>,
    ) -> Return {
        if callee == RegisterId::default()
            && frame == RegisterId::default()
            && collect != Some(Collect::Repeat)
        {
            return Return::Register(frame);
        }
        let (inner, outer) = (self.get(callee), self.get(frame));
        let collect = match collect {
            Some(collect) if outer.text != NO_TEXT => collect,
            _ => {
                let register = self.intern(Register { text: inner.text, ..outer });
                // Where no call is known to have begun, nothing is known of its value.
                return match collect {
                    Some(Collect::Repeat) => Return::PerhapsRepeated(register, register),
                    _ => Return::Register(register),
                };
            }
        };
        let text = if outer.text == BEGIN { NO_TEXT } else { inner.text };
        let done = Register { seen: 0, text, is_partial: false };
        if collect == Collect::Repeat
            && (outer.text == UNKNOWN || inner.text <= UNKNOWN && inner.text != BEGIN)
        {
            let partial = self.intern(Register { text, is_partial: true, ..outer });
            return Return::PerhapsRepeated(partial, self.intern(done));
        }
        if outer.text == UNKNOWN {
            // The call began inside a token, after something unknown.
            return Return::Recheck(self.intern(Register { text, is_partial: true, ..outer }));
        }
        if inner.text == UNKNOWN || inner.text == NO_TEXT {
            return Return::Register(self.intern(Register { text, is_partial: true, ..outer }));
        }
        let value = self.value(outer.text, inner.text, collect);
        let set = &self.sets[outer.seen as usize];
        let place = set.binary_search(&value);
        self.lookups.note(value, place.is_err() && collect != Collect::Repeat);
        let Err(at) = place else {
            return match collect {
                Collect::Repeat => Return::Repeated(self.intern(done)),
                Collect::Value | Collect::Name => Return::Duplicate,
            };
        };
        let mut set = set.clone();
        set.insert(at, value);
        let items = set.len();
        let (seen, is_new) = self.sets.insert_full(set);
        self.set_items += if is_new { items } else { 0 };
        self.largest_set = self.largest_set.max(items);
        let seen = seen as u32;
        let register = self.intern(Register { seen, text, is_partial: outer.is_partial });
        match (outer.is_partial, collect) {
            (true, Collect::Repeat) => Return::PerhapsRepeated(register, self.intern(done)),
            (true, _) => Return::Recheck(register),
            (false, _) => Return::Register(register),
        }
    }

    /// A value that was read.
    pub(super) fn value_of(&self, number: u32) -> &Value {
        self.values.get(number)
    }

    /// The number of a value, if it was ever read.
    pub(super) fn number_of(&self, value: &Value) -> Option<u32> {
        self.values.number_of(value)
    }

    /// Whether a register has seen a value.
    pub(super) fn has_seen(&self, id: RegisterId, value: u32) -> bool {
        self.sets[self.get(id).seen as usize].binary_search(&value).is_ok()
    }

    fn bytes(&self, from: u32, to: u32) -> Vec<u8> {
        let (mut at, mut out) = (to, Vec::new());
        while at != from && at > UNKNOWN {
            let (parent, byte) = self.texts[at as usize];
            out.push(byte);
            at = parent;
        }
        out.reverse();
        out
    }

    fn value(&mut self, from: u32, to: u32, collect: Collect) -> u32 {
        if let Some(&known) = self.known.get(&(from, to)) {
            return known;
        }
        let mut bytes = self.bytes(from, to);
        if collect == Collect::Name {
            bytes.insert(0, b'"');
        }
        let value = self.values.read(&bytes);
        self.known.insert((from, to), value);
        value
    }

    /// The values that what is read now must not become.
    pub(super) fn rivals(&mut self, id: RegisterId, frames: &Forbidden) -> RivalLists {
        let text = self.get(id).text;
        let mut out = RivalLists::new();
        for &(frame, collect) in frames {
            let frame = self.get(frame);
            if frame.seen == 0 || frame.text == NO_TEXT || frame.text == UNKNOWN {
                continue;
            }
            out.push(self.rivals_of(frame.seen, frame.text, text, collect));
        }
        out.retain(|rivals| !rivals.is_empty());
        out
    }

    /// The values of a set that a text may become; what is known of a beginning of the text is gone on from.
    fn rivals_of(&mut self, seen: u32, begin: u32, text: u32, collect: Collect) -> Arc<[Rival]> {
        let (mut at, mut bytes) = (text, Vec::new());
        let known = loop {
            if let Some(known) = self.rivals.get(&(seen, begin, at, collect)) {
                break Some(Arc::clone(known));
            }
            if at == begin || at <= UNKNOWN {
                break None;
            }
            let (parent, byte) = self.texts[at as usize];
            bytes.push(byte);
            at = parent;
        };
        if known.is_none() && collect == Collect::Name {
            bytes.push(b'"');
        }
        let mut left: Vec<Rival> = match known {
            Some(known) if bytes.is_empty() => return known,
            Some(known) => known.to_vec(),
            None => self.sets[seen as usize].iter().map(|&value| Rival(Comparison::new(value))).collect(),
        };
        for &byte in bytes.iter().rev() {
            left.retain_mut(|rival| {
                rival.0.bytes(&self.values).contains(byte) && rival.0.next(&self.values, byte) == Fit::Begins
            });
        }
        if self.num_rivals > MAX_RIVALS {
            self.rivals.clear();
            self.num_rivals = 0;
        }
        self.num_rivals += 1 + left.len();
        let left: Arc<[Rival]> = left.into();
        self.rivals.insert((seen, begin, text, collect), Arc::clone(&left));
        left
    }

    /// What is left of a rival, if it is a string of which no escape is begun.
    pub(super) fn rest_of_rival(&self, rival: &Rival) -> Option<&str> {
        rival.0.rest(&self.values)
    }

    /// The bytes that a rival may go on by, and perhaps more; cheap.
    pub(super) fn rival_bytes(&self, rival: &Rival) -> ByteSet {
        rival.0.bytes(&self.values)
    }

    /// What a rival comes to with one more byte, and the rival if that may still be either.
    pub(super) fn compare(&self, rival: &Rival, byte: u8) -> (Fit, Option<Rival>) {
        let mut longer = rival.clone();
        let fit = longer.0.next(&self.values, byte);
        (fit, (fit == Fit::Begins).then_some(longer))
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        let sets = self.set_items * 4 + self.sets.len() * 48;
        self.registers.len() * 32
            + self.texts.len() * 24
            + self.known.len() * 16
            + self.num_rivals * size_of::<Rival>()
            + sets
            + self.values.memory_size_bytes()
    }
}

/// What is read, compared with a value that must not come again.
#[derive(Clone, Debug)]
pub(crate) struct Rival(Comparison);

/// Those of each frame that has any.
pub(crate) type RivalLists = SmallVec<[Arc<[Rival]>; 2]>;

impl Rival {
    /// Whether a byte makes no difference to it.
    pub(crate) fn passes_over(&self, byte: u8) -> bool {
        self.0.passes_over(byte)
    }

    /// The same after so many bytes more of what is left of it.
    pub(crate) fn further(&self, bytes: usize) -> Self {
        Self(self.0.further(bytes))
    }
}
