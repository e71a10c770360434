//! From bytes to the characters that a pre-tokenizer sees, across token boundaries.
//!
//! Tokens may end inside a character, and a text may hold bytes that are none. As in lossy decoding, a maximal piece of what
//! could have become a character counts as one U+FFFD; so every byte string is split in one way.
//!
//! Invariant: what is known at a token's end is a [`Boundary`]: the bytes of an unfinished character, and the states before
//! it, apart by whether there was a cut before it. Inside a token no cut is possible; at a boundary both are, and without a
//! cut the two tokens must also be valid neighbours. So a token is followed on two paths: *free*, cut off from what comes
//! before, and *bound* to it.

use super::split::{Cut, StateId, Walker};
use crate::error::Result;

/// The bytes of a character that is not complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Pending {
    bytes: [u8; 3],
    len: u8,
}

/// What a byte does to a character.
pub(crate) enum Fed {
    /// More bytes are needed.
    Incomplete(Pending),
    /// It is complete (U+FFFD for a byte that begins none).
    Char(char),
    /// What was pending becomes U+FFFD, and the byte has yet to be taken.
    Broken,
}

impl Pending {
    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(self, byte: u8) -> Fed {
        let mut buffer = [0; 4];
        let len = usize::from(self.len);
        buffer[..len].copy_from_slice(&self.bytes[..len]);
        buffer[len] = byte;
        match std::str::from_utf8(&buffer[..=len]) {
            Ok(text) => Fed::Char(text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)),
            Err(error) if error.error_len().is_none() => {
                Fed::Incomplete(Self { bytes: [buffer[0], buffer[1], buffer[2]], len: self.len + 1 })
            }
            Err(_) if self.is_empty() => Fed::Char(char::REPLACEMENT_CHARACTER),
            Err(_) => Fed::Broken,
        }
    }
}

/// States before a pending character, by whether there was a cut before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Before {
    pub(crate) cut: StateId,
    pub(crate) joined: StateId,
}

impl Before {
    const DEAD: Self = Self { cut: StateId::DEAD, joined: StateId::DEAD };

    pub(crate) fn is_dead(self) -> bool {
        self == Self::DEAD
    }

    /// The state once the character is known.
    fn complete(self, walker: &mut Walker<'_>, c: char) -> Result<StateId> {
        let class = walker.class_of(c);
        let cut = walker.step(self.cut, class, Cut::Here)?;
        let joined = walker.step(self.joined, class, Cut::NotHere)?;
        walker.union(cut, joined)
    }
}

/// What is known where a token ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Boundary {
    pub(crate) pending: Pending,
    /// With nothing pending the state itself is `joined`, and `cut` is dead.
    pub(crate) before: Before,
}

impl Boundary {
    /// The beginning of a text.
    pub(crate) fn start() -> Self {
        Self::at(StateId::START)
    }

    fn at(state: StateId) -> Self {
        Self { pending: Pending::default(), before: Before { cut: StateId::DEAD, joined: state } }
    }

    /// Whether a text may end here.
    pub(crate) fn may_end(self, walker: &mut Walker<'_>) -> Result<bool> {
        let state = match self.pending.is_empty() {
            true => self.before.joined,
            false => self.before.complete(walker, char::REPLACEMENT_CHARACTER)?,
        };
        Ok(state != StateId::DEAD && walker.may_end(state))
    }
}

/// A token on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paths {
    pending: Pending,
    free: Before,
    bound: Before,
}

impl Paths {
    /// The first byte of a token.
    pub(crate) fn begin(walker: &mut Walker<'_>, boundary: Boundary, byte: u8) -> Result<Self> {
        let Boundary { pending, before } = boundary;
        if !pending.is_empty() {
            if !matches!(pending.push(byte), Fed::Broken) {
                return Self { pending, free: Before::DEAD, bound: before }.feed(walker, byte);
            }
            let state = before.complete(walker, char::REPLACEMENT_CHARACTER)?;
            return Self::begin(walker, Boundary::at(state), byte);
        }
        let state = before.joined;
        let free = Before { cut: state, joined: StateId::DEAD };
        let bound = Before { cut: StateId::DEAD, joined: state };
        Self { pending, free, bound }.feed(walker, byte)
    }

    /// A further byte.
    pub(crate) fn feed(mut self, walker: &mut Walker<'_>, byte: u8) -> Result<Self> {
        loop {
            let (c, is_taken) = match self.pending.push(byte) {
                Fed::Incomplete(pending) => return Ok(Self { pending, ..self }),
                Fed::Char(c) => (c, true),
                Fed::Broken => (char::REPLACEMENT_CHARACTER, false),
            };
            // Whatever follows inside the token is not cut off from this.
            let joined = |state| Before { cut: StateId::DEAD, joined: state };
            self.free = joined(self.free.complete(walker, c)?);
            self.bound = joined(self.bound.complete(walker, c)?);
            self.pending = Pending::default();
            if is_taken {
                return Ok(self);
            }
        }
    }

    /// Whether the token so far is possible, cut off from the one before; and whether it is, joined to it.
    pub(crate) fn alive(&self) -> (bool, bool) {
        (!self.free.is_dead(), !self.bound.is_dead())
    }

    /// The token's end. `joined` says whether it is a valid neighbour of the token before.
    pub(crate) fn end(self, walker: &mut Walker<'_>, joined: bool) -> Result<Boundary> {
        let bound = if joined { self.bound } else { Before::DEAD };
        let before = Before {
            cut: walker.union(self.free.cut, bound.cut)?,
            joined: walker.union(self.free.joined, bound.joined)?,
        };
        Ok(Boundary { pending: self.pending, before })
    }
}
