//! The vocabulary: what bytes each token stands for, which ids are text at all, and the byte trie over them.
//!
//! Invariant: a token *matches as text* iff its id is below the number of tokens given, its bytes are not empty, and it is
//! neither special nor a stop token. Only such tokens are in the [`ByteTrie`]; padding ids, empty tokens and special tokens
//! are never allowed by the text of a grammar.

mod bitmask;
mod saved;
mod summary;
mod trie;

pub use bitmask::{Bitmask, mask_words};
pub(crate) use bitmask::{clear_bit, count_bits, set_bit};
pub(crate) use summary::{SUMMARY_NODES, Summary, Utf8};
pub(crate) use trie::{ByteTrie, TrieNode};

use crate::error::{Error, Result};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// The longest token that is taken, in bytes; real vocabularies stay below 1,000.
const MAX_TOKEN_BYTES: usize = u16::MAX as usize;
/// The largest vocabulary that is taken; real ones stay below 300,000.
const MAX_VOCAB_SIZE: usize = 1 << 24;

/// What to know of a vocabulary beside the tokens' bytes.
#[derive(Clone, Debug, Default)]
pub struct VocabularyOptions {
    /// Number of ids, when the model's output is wider than the tokenizer (padding ids are never allowed).
    pub vocab_size: Option<usize>,
    /// Ids that end a text.
    pub stop_token_ids: Vec<u32>,
    /// Ids that never match as text.
    pub special_token_ids: Vec<u32>,
}

/// A tokenizer's vocabulary.
#[derive(Debug)]
pub struct Vocabulary {
    bytes: Vec<u8>,
    /// Token `i` is `bytes[offsets[i]..offsets[i + 1]]`.
    offsets: Vec<u32>,
    vocab_size: usize,
    stop_token_ids: Vec<u32>,
    special_token_ids: Vec<u32>,
    text: Bitmask,
    trie: ByteTrie,
    fingerprint: String,
}

/// The serialised form: everything that [`Vocabulary::new`] was given.
#[derive(Serialize, Deserialize)]
struct Saved {
    format: String,
    version: u32,
    vocab_size: usize,
    stop_token_ids: Vec<u32>,
    special_token_ids: Vec<u32>,
    /// Tokens in hexadecimal.
    tokens: Vec<String>,
}

const FORMAT: &str = "bytewright-vocabulary";
const VERSION: u32 = 1;

impl Vocabulary {
    /// Builds the vocabulary of `tokens[id]` = the raw bytes of token `id`.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`] when there are no tokens, the sizes contradict each other or a token is too long;
    /// [`Error::TokenOutOfRange`] for a stop or special id outside the vocabulary.
    pub fn new<T: AsRef<[u8]>>(tokens: &[T], options: VocabularyOptions) -> Result<Self> {
        let vocab_size = options.vocab_size.unwrap_or(tokens.len());
        check_sizes(tokens, vocab_size)?;
        let normalise = |mut ids: Vec<u32>| -> Result<Vec<u32>> {
            ids.sort_unstable();
            ids.dedup();
            match ids.last() {
                Some(&id) if id as usize >= vocab_size => {
                    Err(Error::TokenOutOfRange { id: id.into(), vocab_size })
                }
                _ => Ok(ids),
            }
        };
        let stop_token_ids = normalise(options.stop_token_ids)?;
        let special_token_ids = normalise(options.special_token_ids)?;

        let options = VocabularyOptions { vocab_size: None, stop_token_ids, special_token_ids };
        let token = |id: u32| tokens[id as usize].as_ref();
        let text = text_tokens(tokens.len() as u32, token, vocab_size, &options);
        let mut bytes = Vec::with_capacity(tokens.iter().map(|t| t.as_ref().len()).sum());
        let mut offsets = Vec::with_capacity(tokens.len() + 1);
        offsets.push(0);
        for token in tokens {
            bytes.extend_from_slice(token.as_ref());
            offsets.push(bytes.len() as u32);
        }
        let trie = ByteTrie::new(text.iter().map(|id| (token(id), id)).collect());
        Ok(Self::assemble(bytes, offsets, vocab_size, options, text, trie))
    }

    /// The vocabulary of parts that fit one another; the ids in `options` are ascending.
    fn assemble(
        bytes: Vec<u8>,
        offsets: Vec<u32>,
        vocab_size: usize,
        options: VocabularyOptions,
        text: Bitmask,
        trie: ByteTrie,
    ) -> Self {
        let VocabularyOptions { stop_token_ids, special_token_ids, .. } = options;
        let trie = trie.with_summaries();
        let fingerprint = String::new();
        let mut vocabulary =
            Self { bytes, offsets, vocab_size, stop_token_ids, special_token_ids, text, trie, fingerprint };
        vocabulary.fingerprint = vocabulary.compute_fingerprint();
        vocabulary
    }

    /// Number of token ids, padding included.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Number of tokens that were given (without padding).
    pub fn num_tokens(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of 32-bit words of a bitmask row.
    pub fn mask_words(&self) -> usize {
        mask_words(self.vocab_size)
    }

    /// The raw bytes of a token; empty for padding ids.
    pub fn token_bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        if id + 1 < self.offsets.len() {
            &self.bytes[self.offsets[id] as usize..self.offsets[id + 1] as usize]
        } else {
            &[]
        }
    }

    /// Whether the token can match as text (see the module's invariant).
    pub fn is_text(&self, id: u32) -> bool {
        (id as usize) < self.vocab_size && self.text.contains(id)
    }

    /// The ids that end a text, ascending.
    pub fn stop_token_ids(&self) -> &[u32] {
        &self.stop_token_ids
    }

    /// The ids that never match as text, ascending.
    pub fn special_token_ids(&self) -> &[u32] {
        &self.special_token_ids
    }

    /// A digest of everything above, to tell vocabularies apart on loading; not a security measure.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Special and stop tokens by their text.
    pub(crate) fn special_by_name(&self) -> FxHashMap<&[u8], Vec<u32>> {
        let mut map: FxHashMap<&[u8], Vec<u32>> = FxHashMap::default();
        let mut ids: Vec<u32> = self.special_token_ids.iter().chain(&self.stop_token_ids).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            map.entry(self.token_bytes(id)).or_default().push(id);
        }
        map
    }

    /// The tokens that match as text.
    pub(crate) fn text_tokens(&self) -> &Bitmask {
        &self.text
    }

    pub(crate) fn trie(&self) -> &ByteTrie {
        &self.trie
    }

    /// `Err` when the id is outside the vocabulary.
    pub fn check_id(&self, id: u32) -> Result<()> {
        if (id as usize) < self.vocab_size {
            Ok(())
        } else {
            Err(Error::TokenOutOfRange { id: id.into(), vocab_size: self.vocab_size })
        }
    }

    /// Heap memory, bytes.
    pub fn memory_size_bytes(&self) -> usize {
        self.bytes.len()
            + self.offsets.len() * 4
            + self.trie.memory_size_bytes()
            + self.text.as_words().len() * 4
    }

    /// The vocabulary as JSON text.
    pub fn serialize_json(&self) -> String {
        let tokens = (0..self.num_tokens() as u32).map(|id| to_hex(self.token_bytes(id))).collect();
        let saved = Saved {
            format: FORMAT.into(),
            version: VERSION,
            vocab_size: self.vocab_size,
            stop_token_ids: self.stop_token_ids.clone(),
            special_token_ids: self.special_token_ids.clone(),
            tokens,
        };
        serde_json::to_string(&saved).unwrap_or_default()
    }

    /// Reads what [`Self::serialize_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Deserialize`] when the text is something else, or of another version.
    pub fn deserialize_json(text: &str) -> Result<Self> {
        let fail = |reason: String| Error::Deserialize { what: "vocabulary", reason };
        let saved: Saved = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        if saved.format != FORMAT || saved.version != VERSION {
            return Err(fail(format!(
                "expected {FORMAT} version {VERSION}, found {} {}",
                saved.format, saved.version
            )));
        }
        let tokens = saved
            .tokens
            .iter()
            .map(|hex| from_hex(hex).ok_or_else(|| fail(format!("{hex:?} is not hexadecimal"))))
            .collect::<Result<Vec<_>>>()?;
        let options = VocabularyOptions {
            vocab_size: Some(saved.vocab_size),
            stop_token_ids: saved.stop_token_ids,
            special_token_ids: saved.special_token_ids,
        };
        Self::new(&tokens, options)
    }

    fn compute_fingerprint(&self) -> String {
        let mut hash = Fnv128::default();
        hash.write(&(self.vocab_size as u64).to_le_bytes());
        for ids in [&self.stop_token_ids, &self.special_token_ids] {
            hash.write(&(ids.len() as u64).to_le_bytes());
            hash.write(bytemuck::cast_slice(ids));
        }
        hash.write(bytemuck::cast_slice(&self.offsets));
        hash.write(&self.bytes);
        format!("{:032x}", hash.0)
    }
}

/// The ids that match as text (see the module's invariant) among the first `tokens`.
fn text_tokens<'a>(
    tokens: u32,
    token: impl Fn(u32) -> &'a [u8],
    vocab_size: usize,
    options: &VocabularyOptions,
) -> Bitmask {
    let mut text = Bitmask::new(vocab_size);
    (0..tokens).filter(|&id| !token(id).is_empty()).for_each(|id| text.insert(id));
    options.stop_token_ids.iter().chain(&options.special_token_ids).for_each(|&id| text.remove(id));
    text
}

fn check_sizes<T: AsRef<[u8]>>(tokens: &[T], vocab_size: usize) -> Result<()> {
    let invalid = |message: String| Err(Error::InvalidTokenizer(message));
    if tokens.is_empty() {
        return invalid("the vocabulary is empty; give the bytes of every token".into());
    }
    if vocab_size < tokens.len() {
        return invalid(format!("vocab_size {vocab_size} is below the number of tokens, {}", tokens.len()));
    }
    if vocab_size > MAX_VOCAB_SIZE {
        return invalid(format!("vocab_size {vocab_size} is over the limit of {MAX_VOCAB_SIZE}"));
    }
    match tokens.iter().position(|t| t.as_ref().len() > MAX_TOKEN_BYTES) {
        Some(id) => invalid(format!("token {id} is longer than {MAX_TOKEN_BYTES} bytes")),
        None => Ok(()),
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()).collect()
}

/// FNV-1a over 64-bit words with 128 bits of state: quick enough for megabytes, the same on every machine.
struct Fnv128(u128);

impl Default for Fnv128 {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Fnv128 {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 ^= u128::from(u64::from_le_bytes(word)) | (chunk.len() as u128) << 64;
            self.0 = self.0.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(vocab_size: Option<usize>, stop: &[u32], special: &[u32]) -> VocabularyOptions {
        VocabularyOptions { vocab_size, stop_token_ids: stop.to_vec(), special_token_ids: special.to_vec() }
    }

    #[test]
    fn only_text_tokens_match() {
        let v = Vocabulary::new(&["a", "", "</s>", "<x>", "a"], options(Some(40), &[2], &[3])).unwrap();
        let text: Vec<u32> = (0..41).filter(|&id| v.is_text(id)).collect();
        assert_eq!(text, [0, 4]);
        assert_eq!((v.vocab_size(), v.num_tokens(), v.mask_words()), (40, 5, 2));
        assert_eq!(v.token_bytes(3), b"<x>");
        assert_eq!(v.token_bytes(39), b"");
        assert_eq!(v.special_by_name()[b"<x>".as_slice()], [3]);
    }

    #[test]
    fn contradictions_are_refused() {
        let none: [&str; 0] = [];
        assert!(matches!(Vocabulary::new(&none, options(None, &[], &[])), Err(Error::InvalidTokenizer(_))));
        assert!(matches!(
            Vocabulary::new(&["a", "b"], options(Some(1), &[], &[])),
            Err(Error::InvalidTokenizer(_))
        ));
        assert!(matches!(
            Vocabulary::new(&["a"], options(None, &[1], &[])),
            Err(Error::TokenOutOfRange { .. })
        ));
        assert!(matches!(
            Vocabulary::new(&["a"], options(Some(usize::MAX), &[], &[])),
            Err(Error::InvalidTokenizer(_))
        ));
    }

    #[test]
    fn what_is_saved_loads_the_same() {
        let v = Vocabulary::new(&[b"a".as_slice(), b"\xff\x00", b""], options(Some(7), &[2], &[])).unwrap();
        let w = Vocabulary::deserialize_json(&v.serialize_json()).unwrap();
        assert_eq!(v.fingerprint(), w.fingerprint());
        assert_eq!(w.token_bytes(1), b"\xff\x00");
        let other =
            Vocabulary::new(&[b"a".as_slice(), b"\xff", b"\x00"], options(Some(7), &[2], &[])).unwrap();
        assert_ne!(v.fingerprint(), other.fingerprint());
        for bad in ["", "{}", "[1]", &v.serialize_json().replace("\"version\":1", "\"version\":9")] {
            assert!(matches!(Vocabulary::deserialize_json(bad), Err(Error::Deserialize { .. })), "{bad}");
        }
    }
}
