//! One sequence's state: which tokens may come next, taking them, and taking them back.

use crate::automaton::{Operation, Pda};
use crate::compile::{CompiledGrammar, Session};
use crate::error::{Error, Result};
use crate::stack::{Arena, HistoryId, SetId};
use crate::vocab::{count_bits, set_bit};
use parking_lot::Mutex;
use std::sync::Arc;

/// Longest run of forced bytes that is reported at once.
pub const MAX_FORCED_BYTES: usize = 1 << 16;

/// How a matcher ends.
#[derive(Clone, Debug, Default)]
pub struct MatcherOptions {
    /// Stop tokens instead of the vocabulary's own.
    pub stop_token_ids: Option<Vec<u32>>,
    /// Terminate by itself once the text is complete and nothing can follow.
    pub terminate_without_stop_token: bool,
}

/// Follows one sequence through a grammar.
///
/// A refused token changes nothing. Forking and rolling back move an index: their cost does not depend on the length of
/// the text. Methods take `&mut self`; matchers of one grammar share its memory behind a lock, so they may be used from
/// many threads.
#[derive(Clone, Debug)]
pub struct Matcher {
    compiled: Arc<CompiledGrammar>,
    session: Arc<Mutex<Session>>,
    root: HistoryId,
    at: HistoryId,
    stop_token_ids: Arc<[u32]>,
    terminate_without_stop_token: bool,
}

/// Why a token or a text was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// How many of the bytes still fitted.
    pub byte_offset: usize,
    /// The first byte that did not fit; `None` when the token is refused as a whole.
    pub byte: Option<u8>,
    /// Bytes that would have been allowed there, as inclusive ranges.
    pub expected: Vec<(u8, u8)>,
    /// Whether the text was complete there, so that a stop token would have been allowed.
    pub complete: bool,
    /// Where in the grammar that was: rules, with line and column where known.
    pub rules: Vec<String>,
    /// All of it in a sentence.
    pub message: String,
}

impl Matcher {
    /// A matcher at the beginning of a text.
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`] for a stop token outside the vocabulary.
    pub fn new(compiled: Arc<CompiledGrammar>, options: MatcherOptions) -> Result<Self> {
        let vocabulary = compiled.vocabulary();
        let stop_token_ids: Arc<[u32]> = match options.stop_token_ids {
            Some(ids) => {
                ids.iter().try_for_each(|&id| vocabulary.check_id(id))?;
                ids.into()
            }
            None => vocabulary.stop_token_ids().into(),
        };
        let session = compiled.session();
        let root = {
            let arena = &mut session.lock().arena;
            let start = arena.start(&compiled.pda);
            arena.history_root(start)
        };
        let terminate_without_stop_token = options.terminate_without_stop_token;
        Ok(Self { compiled, session, root, at: root, stop_token_ids, terminate_without_stop_token })
    }

    /// The grammar that is matched.
    pub fn compiled_grammar(&self) -> &Arc<CompiledGrammar> {
        &self.compiled
    }

    /// The ids that end this text.
    pub fn stop_token_ids(&self) -> &[u32] {
        &self.stop_token_ids
    }

    /// Writes the mask of allowed tokens into a row of [`crate::Vocabulary::mask_words`] words. `false` says that every
    /// id is allowed, so that applying the mask can be left out.
    ///
    /// # Errors
    /// [`Error::InvalidBitmask`] for a row of another length; [`Error::Terminated`] after a stop token.
    pub fn fill_next_token_bitmask(&mut self, row: &mut [u32]) -> Result<bool> {
        let vocabulary = self.compiled.vocabulary();
        if row.len() != vocabulary.mask_words() {
            let (got, want) = (row.len(), vocabulary.mask_words());
            return Err(Error::InvalidBitmask(format!(
                "a row has {got} words of 32 bits; this vocabulary needs {want}"
            )));
        }
        let (mask, complete) = {
            let mut session = self.session.lock();
            let Session { arena, finished } = &mut *session;
            if is_terminated(arena, self.at, self.terminate_without_stop_token) {
                return Err(Error::Terminated { operation: "filling a bitmask" });
            }
            let set = arena.history_set(self.at);
            (self.compiled.mask_context().mask(arena, finished, set)?, arena.flags(set).complete)
        };
        mask.write(row);
        let mut most = mask.most;
        if complete {
            self.stop_token_ids.iter().for_each(|&id| set_bit(row, id));
            most += self.stop_token_ids.len();
        }
        let size = vocabulary.vocab_size();
        Ok(most < size || count_bits(row) < size)
    }

    /// Takes a token; `false` if it is not allowed, and then nothing has changed.
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`]; [`Error::Terminated`] after a stop token.
    pub fn accept_token(&mut self, token: u32) -> Result<bool> {
        let compiled = &*self.compiled;
        compiled.vocabulary().check_id(token)?;
        let mut session = self.session.lock();
        let arena = &mut session.arena;
        if is_terminated(arena, self.at, self.terminate_without_stop_token) {
            return Err(Error::Terminated { operation: "accepting a token" });
        }
        let set = arena.history_set(self.at);
        let mut next = if compiled.pda.has_token_edges() {
            arena.step_token(&compiled.pda, set, token)
        } else {
            SetId::DEAD
        };
        if compiled.vocabulary().is_text(token) && !self.stop_token_ids.contains(&token) {
            let _operation = compiled.pda.has_machine().then(Operation::begin);
            let by_text = step_bytes(arena, compiled, set, compiled.vocabulary().token_bytes(token));
            next = arena.union_sets(by_text, next);
        }
        arena.check_limit()?;
        compiled.pda.check_machine()?;
        if next != SetId::DEAD {
            self.at = arena.history_push(self.at, next, false);
        } else if arena.flags(set).complete && self.stop_token_ids.contains(&token) {
            self.at = arena.history_push(self.at, set, true);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes text as one step; `false` if it does not fit as a whole, and then nothing has changed.
    ///
    /// # Errors
    /// [`Error::Terminated`] after a stop token.
    pub fn accept_bytes(&mut self, bytes: &[u8]) -> Result<bool> {
        let mut session = self.session.lock();
        let arena = &mut session.arena;
        if is_terminated(arena, self.at, self.terminate_without_stop_token) {
            return Err(Error::Terminated { operation: "accepting text" });
        }
        let set = arena.history_set(self.at);
        let next = step_bytes(arena, &self.compiled, set, bytes);
        arena.check_limit()?;
        self.compiled.pda.check_machine()?;
        if next == SetId::DEAD {
            return Ok(false);
        }
        self.at = arena.history_push(self.at, next, false);
        Ok(true)
    }

    /// Goes back by `steps` accepted tokens or texts.
    ///
    /// # Errors
    /// [`Error::Rollback`] past the beginning; then nothing has changed.
    pub fn rollback(&mut self, steps: usize) -> Result<()> {
        let session = self.session.lock();
        match session.arena.history_back(self.at, steps) {
            Some(at) => self.at = at,
            None => {
                let available = session.arena.history_depth(self.at);
                return Err(Error::Rollback { requested: steps, available });
            }
        }
        Ok(())
    }

    /// An independent matcher at the same place.
    #[must_use]
    pub fn fork(&self) -> Self {
        self.clone()
    }

    /// Goes back to the beginning.
    pub fn reset(&mut self) {
        self.at = self.root;
    }

    /// How many steps were accepted.
    pub fn num_accepted(&self) -> usize {
        self.session.lock().arena.history_depth(self.at)
    }

    /// Whether a stop token was accepted (or the text is complete, nothing can follow, and the options say that this will do).
    pub fn is_terminated(&self) -> bool {
        is_terminated(&self.session.lock().arena, self.at, self.terminate_without_stop_token)
    }

    /// Whether the text so far is a sentence of the grammar.
    pub fn is_completed(&self) -> bool {
        let arena = &self.session.lock().arena;
        arena.flags(arena.history_set(self.at)).complete
    }

    /// What is equal for matchers that wait for each other: those that share a session.
    pub fn session_number(&self) -> usize {
        Arc::as_ptr(&self.session) as usize
    }

    /// The bytes that every continuation begins with, up to [`MAX_FORCED_BYTES`]; they are not accepted. Ends where the
    /// text may end, or where a special token may come.
    pub fn forced_bytes(&mut self) -> Result<Vec<u8>> {
        let mut session = self.session.lock();
        let arena = &mut session.arena;
        let pda = &self.compiled.pda;
        let mut forced = Vec::new();
        if arena.history_terminated(self.at) {
            return Ok(forced);
        }
        let mut set = arena.history_set(self.at);
        while forced.len() < MAX_FORCED_BYTES && !arena.flags(set).complete {
            let first = arena.first_bytes(pda, set);
            let has_tokens = arena.configs(set).iter().any(|c| !pda.expanded(c.state).tokens().is_empty());
            let Some(byte) = first.iter().next().filter(|_| first.len() == 1 && !has_tokens) else { break };
            forced.push(byte);
            set = arena.step(pda, set, byte);
            arena.check_limit()?;
        }
        Ok(forced)
    }

    /// Why a token is refused now; `None` if it is allowed.
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`].
    pub fn explain_token(&mut self, token: u32) -> Result<Option<Rejection>> {
        self.compiled.vocabulary().check_id(token)?;
        if self.is_terminated() {
            return Ok(Some(self.rejection_as_a_whole("the matcher has terminated; no token can follow")));
        }
        if self.clone().accept_token(token)? {
            return Ok(None);
        }
        let compiled = Arc::clone(&self.compiled);
        let vocabulary = compiled.vocabulary();
        if self.stop_token_ids.contains(&token) {
            return Ok(Some(self.rejection_as_a_whole("it is a stop token, and the text is not complete")));
        }
        if !vocabulary.is_text(token) {
            let reason = if vocabulary.token_bytes(token).is_empty() {
                "it has no text (an empty or padding token)"
            } else {
                "it is a special token, which never matches as text, and the grammar does not name it here"
            };
            return Ok(Some(self.rejection_as_a_whole(reason)));
        }
        self.explain_bytes(vocabulary.token_bytes(token))
    }

    /// Why a text is refused now; `None` if it is allowed.
    pub fn explain_bytes(&mut self, bytes: &[u8]) -> Result<Option<Rejection>> {
        let mut session = self.session.lock();
        let arena = &mut session.arena;
        let mut set = arena.history_set(self.at);
        for (offset, &byte) in bytes.iter().enumerate() {
            let next = arena.step(&self.compiled.pda, set, byte);
            arena.check_limit()?;
            if next == SetId::DEAD {
                return Ok(Some(rejection(arena, &self.compiled, set, offset, Some(byte), "")));
            }
            set = next;
        }
        Ok(None)
    }

    fn rejection_as_a_whole(&self, reason: &str) -> Rejection {
        let arena = &self.session.lock().arena;
        rejection(arena, &self.compiled, arena.history_set(self.at), 0, None, reason)
    }
}

fn is_terminated(arena: &Arena, at: HistoryId, without_stop_token: bool) -> bool {
    let set = arena.history_set(at);
    arena.history_terminated(at) || without_stop_token && arena.flags(set).complete && !arena.is_alive(set)
}

/// Steps through bytes; dead at the first that does not fit.
pub(crate) fn step_bytes(
    arena: &mut Arena,
    compiled: &CompiledGrammar,
    mut set: SetId,
    bytes: &[u8],
) -> SetId {
    if compiled.pda.has_machine() {
        return leap_bytes(arena, &compiled.pda, set, bytes);
    }
    for &byte in bytes {
        if set == SetId::DEAD {
            break;
        }
        set = arena.step(&compiled.pda, set, byte);
    }
    set
}

/// The same, along names in one step: they begin with the bytes, or after a quotation mark.
fn leap_bytes(arena: &mut Arena, pda: &Pda, mut set: SetId, mut bytes: &[u8]) -> SetId {
    let mut may_leap = true;
    while let [byte, rest @ ..] = bytes {
        if set == SetId::DEAD {
            break;
        }
        if may_leap && let Some((after, length)) = arena.leap(pda, set, bytes) {
            (set, bytes) = (after, &bytes[length..]);
        } else {
            (set, bytes) = (arena.step(pda, set, *byte), rest);
        }
        may_leap = *byte == b'"';
    }
    set
}

fn rejection(
    arena: &Arena,
    compiled: &CompiledGrammar,
    set: SetId,
    byte_offset: usize,
    byte: Option<u8>,
    reason: &str,
) -> Rejection {
    let expected: Vec<(u8, u8)> = arena.first_bytes(&compiled.pda, set).ranges().collect();
    let complete = arena.flags(set).complete;
    let mut rules: Vec<String> = arena.configs(set).iter().map(|c| compiled.describe(c.state)).collect();
    rules.dedup();
    let shown: Vec<String> = expected
        .iter()
        .take(12)
        .map(|&(lo, hi)| match lo == hi {
            true => format!("'{}'", lo.escape_ascii()),
            false => format!("'{}'-'{}'", lo.escape_ascii(), hi.escape_ascii()),
        })
        .chain((expected.len() > 12).then(|| "...".to_owned()))
        .chain(complete.then(|| "the end".to_owned()))
        .collect();
    let what = match byte {
        Some(byte) => format!("byte {byte_offset} ('{}') does not fit", byte.escape_ascii()),
        None => reason.to_owned(),
    };
    let message = format!("{what}; expected {} in {}", shown.join(", "), rules.join(" or "));
    Rejection { byte_offset, byte, expected, complete, rules, message }
}
