//! A vocabulary as a file that loads in milliseconds.
//!
//! Making a vocabulary from its tokens sorts them, and that is most of the time. The file therefore holds the tokens *and*
//! their order in the trie. The trie itself is built again, in one pass: it takes less time than reading it would, and
//! nothing in a file has to be believed, because the pass sees whether the order is the one that sorting would give.
//!
//! ```text
//! magic      16 bytes
//! version     4   checksum 16, of all that follows
//! vocab_size  4   tokens 4   stop ids 4   special ids 4   text tokens 4
//! stop ids, special ids, offsets of the tokens (one more than tokens), order of the text tokens: 4 bytes each
//! bytes of the tokens, to the end
//! ```
//!
//! Numbers are little-endian. The checksum tells of damage, it is not a security measure; a file made to deceive still is a
//! typed error or a well-formed vocabulary, never a panic.

use super::{
    Bitmask, ByteTrie, Fnv128, MAX_TOKEN_BYTES, MAX_VOCAB_SIZE, Vocabulary, VocabularyOptions, text_tokens,
};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

const MAGIC: [u8; 16] = *b"bytewright-vocab";
const VERSION: u32 = 1;
/// Where the part begins that the checksum covers.
const BODY: usize = 36;
/// Counts at the beginning of that part.
const COUNTS: usize = 5;
/// No file is larger: as many numbers and bytes of tokens as are taken.
const MAX_FILE_BYTES: u64 = MAX_VOCAB_SIZE as u64 * 20 + u32::MAX as u64;
/// Tells files apart that are being written at the same time.
static SAVED: AtomicU64 = AtomicU64::new(0);

impl Vocabulary {
    /// The vocabulary as bytes, for [`Self::deserialize`].
    pub fn serialize(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let number = |out: &mut Vec<u8>, n: usize| out.extend_from_slice(&(n as u32).to_le_bytes());
        number(&mut out, VERSION as usize);
        out.extend_from_slice(&[0; 16]);
        let (stop, special, order) = (&self.stop_token_ids, &self.special_token_ids, self.trie.order());
        for count in [self.vocab_size, self.num_tokens(), stop.len(), special.len(), order.len()] {
            number(&mut out, count);
        }
        for ids in [stop, special, &self.offsets, order] {
            ids.iter().for_each(|&id| number(&mut out, id as usize));
        }
        out.extend_from_slice(&self.bytes);
        let sum = checksum(&out[BODY..]);
        out[BODY - sum.len()..BODY].copy_from_slice(&sum);
        out
    }

    /// Reads what [`Self::serialize`] made.
    ///
    /// # Errors
    /// [`Error::Deserialize`] for other bytes, damaged ones, or those of another version.
    pub fn deserialize(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(&MAGIC) {
            return Err(fail("it is not a file of a vocabulary; make one with `save`"));
        }
        let version = bytes.get(16..20).map(number).ok_or_else(cut)?;
        if version != VERSION {
            return Err(fail(format!("expected version {VERSION}, found {version}; save it again")));
        }
        let body = bytes.get(BODY..).ok_or_else(cut)?;
        if checksum(body) != bytes[BODY - 16..BODY] {
            return Err(fail("the checksum does not fit: it is damaged or cut off; save it again"));
        }
        Self::from_parts(Parts::read(body)?)
    }

    /// Writes [`Self::serialize`] to a file. A file of that name is replaced as a whole, or stays as it is.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        let number = SAVED.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{number}.partial", std::process::id()));
        let partial = path.with_file_name(name);
        let write = || {
            let mut file = File::create(&partial)?;
            file.write_all(&self.serialize())?;
            file.sync_all()?;
            std::fs::rename(&partial, path)
        };
        write().map_err(|error| {
            // What is left of it is of no use; that it cannot be removed is no news beside the error itself.
            let _ = std::fs::remove_file(&partial);
            Error::file(path, "written", &error)
        })
    }

    /// Reads what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`Error::File`] when it cannot be read; [`Error::Deserialize`] for what it holds.
    pub fn load(path: &Path) -> Result<Self> {
        let read = || {
            let mut file = File::open(path)?.take(MAX_FILE_BYTES);
            let mut bytes = Vec::new();
            // A foreign file may be a model of gigabytes, or not end at all.
            file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut bytes)?;
            if bytes == MAGIC {
                file.read_to_end(&mut bytes)?;
            }
            Ok(bytes)
        };
        Self::deserialize(&read().map_err(|error| Error::file(path, "read", &error))?)
    }

    /// Checks all that [`Self::new`] sees to.
    fn from_parts(parts: Parts<'_>) -> Result<Self> {
        let Parts { vocab_size, stop, special, offsets, order, bytes } = parts;
        let tokens = offsets.len() - 1;
        if tokens == 0 || vocab_size < tokens || vocab_size > MAX_VOCAB_SIZE {
            return Err(fail("the sizes contradict each other"));
        }
        let steps = offsets.windows(2).all(|w| w[0] <= w[1] && (w[1] - w[0]) as usize <= MAX_TOKEN_BYTES);
        if !steps || offsets[0] != 0 || offsets[tokens] as usize != bytes.len() {
            return Err(fail("the offsets of the tokens are not in order"));
        }
        for ids in [&stop, &special] {
            let ascending = ids.windows(2).all(|w| w[0] < w[1]);
            if !ascending || ids.last().is_some_and(|&id| id as usize >= vocab_size) {
                return Err(fail("the stop or special ids are not in order"));
            }
        }
        let token = |id: u32| &bytes[offsets[id as usize] as usize..offsets[id as usize + 1] as usize];
        let options =
            VocabularyOptions { vocab_size: None, stop_token_ids: stop, special_token_ids: special };
        let text: Bitmask = text_tokens(tokens as u32, token, vocab_size, &options);
        if order.len() != text.count() || order.iter().any(|&id| id as usize >= tokens || !text.contains(id))
        {
            return Err(fail("the order has other tokens than the text"));
        }
        let entries: Vec<(&[u8], u32)> = order.iter().map(|&id| (token(id), id)).collect();
        let trie = ByteTrie::from_sorted(&entries).ok_or_else(|| fail("the tokens are not sorted"))?;
        Ok(Self::assemble(bytes.to_vec(), offsets, vocab_size, options, text, trie))
    }
}

/// What a file holds, cut up but not yet checked.
struct Parts<'a> {
    vocab_size: usize,
    stop: Vec<u32>,
    special: Vec<u32>,
    /// At least one.
    offsets: Vec<u32>,
    order: Vec<u32>,
    bytes: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(body: &'a [u8]) -> Result<Self> {
        let mut rest = body;
        let mut numbers = |count: usize| -> Result<Vec<u32>> {
            let (head, tail) = rest.split_at_checked(count.saturating_mul(4)).ok_or_else(cut)?;
            rest = tail;
            Ok(head.chunks_exact(4).map(number).collect())
        };
        let counts = numbers(COUNTS)?;
        let [vocab_size, tokens, stop, special, text] = [0, 1, 2, 3, 4].map(|i| counts[i] as usize);
        let (stop, special) = (numbers(stop)?, numbers(special)?);
        let (offsets, order) = (numbers(tokens.saturating_add(1))?, numbers(text)?);
        Ok(Self { vocab_size, stop, special, offsets, order, bytes: rest })
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |n, &byte| n << 8 | u32::from(byte))
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    let mut hash = Fnv128::default();
    hash.write(bytes);
    hash.0.to_le_bytes()
}

fn fail(reason: impl Into<String>) -> Error {
    Error::Deserialize { what: "vocabulary", reason: reason.into() }
}

fn cut() -> Error {
    fail("it is cut off; save it again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vocabulary() -> Vocabulary {
        let tokens: [&[u8]; 9] =
            [b"b", b"", b"ab", b"</s>", b"a", b"ab", b"\xff\x00", b"<pad>", b"abcabcabcabc"];
        let options = VocabularyOptions {
            vocab_size: Some(12),
            stop_token_ids: vec![3],
            special_token_ids: vec![7, 3, 11],
        };
        Vocabulary::new(&tokens, options).unwrap()
    }

    fn same(a: &Vocabulary, b: &Vocabulary) -> bool {
        let nodes = |v: &Vocabulary| -> Vec<(u32, u16, u8, usize)> {
            let (trie, nodes) = (v.trie(), v.trie().nodes());
            let inner = nodes[..nodes.len() - 1].iter().enumerate();
            inner.map(|(at, n)| (n.end, n.depth, n.byte, trie.places_at(at).start)).collect()
        };
        a.fingerprint() == b.fingerprint()
            && (0..13).all(|id| a.token_bytes(id) == b.token_bytes(id) && a.is_text(id) == b.is_text(id))
            && a.trie().order() == b.trie().order()
            && nodes(a) == nodes(b)
    }

    /// The bytes with their checksum made right, as somebody would who wants to be believed.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() >= BODY {
            let sum = checksum(&bytes[BODY..]);
            bytes[BODY - 16..BODY].copy_from_slice(&sum);
        }
        bytes
    }

    #[test]
    fn what_is_saved_loads_the_same() {
        let vocabulary = vocabulary();
        assert!(same(&vocabulary, &Vocabulary::deserialize(&vocabulary.serialize()).unwrap()));
        let path = std::env::temp_dir().join(format!("bytewright-vocabulary-{}", std::process::id()));
        vocabulary.save(&path).unwrap();
        vocabulary.save(&path).unwrap();
        let loaded = Vocabulary::load(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(same(&vocabulary, &loaded.unwrap()));
        assert!(matches!(Vocabulary::load(&path), Err(Error::File { .. })));
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_an_error() {
        let whole = vocabulary().serialize();
        for length in 0..whole.len() {
            let cut = Vocabulary::deserialize(&whole[..length]);
            assert!(matches!(cut, Err(Error::Deserialize { .. })), "{length} bytes");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(matches!(Vocabulary::deserialize(&changed), Err(Error::Deserialize { .. })), "byte {at}");
        }
        assert!(Vocabulary::deserialize(&[whole, vec![0]].concat()).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        /// Files that are wrong in any way but their checksum: an error, or a vocabulary as `new` would make it.
        #[test]
        fn nothing_in_a_file_is_believed(
            changes in prop::collection::vec((0usize..400, 0u8..255, 0usize..4), 1..5),
        ) {
            let mut bytes = vocabulary().serialize();
            for (at, value, kind) in changes {
                let at = at % bytes.len();
                match kind {
                    0 => bytes[at] = value,
                    1 => bytes[at] = bytes[at].wrapping_add(1),
                    2 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, value),
                }
            }
            match Vocabulary::deserialize(&resealed(bytes)) {
                Err(Error::Deserialize { .. }) => {}
                Err(other) => prop_assert!(false, "{other}"),
                Ok(loaded) => {
                    let ids = 0..loaded.num_tokens() as u32;
                    let tokens: Vec<&[u8]> = ids.map(|id| loaded.token_bytes(id)).collect();
                    let options = VocabularyOptions {
                        vocab_size: Some(loaded.vocab_size()),
                        stop_token_ids: loaded.stop_token_ids().to_vec(),
                        special_token_ids: loaded.special_token_ids().to_vec(),
                    };
                    prop_assert!(same(&loaded, &Vocabulary::new(&tokens, options).unwrap()));
                }
            }
        }
    }
}
