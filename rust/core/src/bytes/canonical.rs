//! Which token sequences a tokenizer itself produces.
//!
//! A sequence is *canonical* iff encoding its bytes gives it back, and *viable* iff it begins a canonical one. `encode` is
//! taken as it extends to all byte strings: see `scan` for bytes that are no characters.
//!
//! Two families of tokenizers are followed: byte-pair encoding ([`Bpe`]) and Unigram ([`Unigram`]). What may follow a viable
//! sequence depends on what is known at its end, its [`Place`].

use super::bpe::{Bpe, Reach};
use super::merges::MergeTable;
use super::scan::Boundary;
use super::segments::Segments;
use super::split::Splitter;
use super::unigram::{Lattice, Unigram};
use crate::error::Result;
use crate::vocab::{Bitmask, Vocabulary};
use std::sync::{Arc, OnceLock};

/// A tokenizer's rules.
#[derive(Debug)]
pub struct Canonical {
    vocabulary: Arc<Vocabulary>,
    rules: Rules,
    unreachable: Vec<u32>,
    segments: Arc<Segments>,
}

#[derive(Debug)]
enum Rules {
    Bpe(Box<Bpe>),
    Unigram(Unigram),
}

/// What is known where a token ends.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// The boundary, and the last token.
    Bpe(Boundary, Option<u32>),
    Unigram(Arc<Lattice>),
}

/// What may follow a place, to be asked again and again.
#[derive(Debug)]
pub(crate) struct Followers {
    place: Place,
    /// Empty for Unigram.
    reach: Option<Arc<Reach>>,
    /// By the trie's order; made with the row of logits.
    all: OnceLock<Bitmask>,
}

impl Canonical {
    /// Byte-pair encoding, from the merges, the pre-tokenizer (none: the whole text is one piece), and whether a piece that
    /// is a token stays one.
    ///
    /// # Errors
    /// [`Error::InvalidTokenizer`](crate::Error::InvalidTokenizer) when there is a pre-tokenizer for SentencePiece's merges,
    /// which have none.
    pub fn new(
        vocabulary: Arc<Vocabulary>,
        merges: MergeTable,
        splitter: Option<Splitter>,
        ignore_merges: bool,
    ) -> Result<Self> {
        let bpe = Bpe::new(Arc::clone(&vocabulary), merges, splitter, ignore_merges)?;
        let unreachable = bpe.unreachable().to_vec();
        Ok(Self::of(vocabulary, Rules::Bpe(Box::new(bpe)), unreachable))
    }

    /// SentencePiece's Unigram with byte fallback, from the score of each piece.
    ///
    /// # Errors
    /// As [`Unigram::new`].
    pub fn from_scores(vocabulary: Arc<Vocabulary>, scores: &[Option<f32>]) -> Result<Self> {
        let unigram = Unigram::new(Arc::clone(&vocabulary), scores)?;
        let unreachable = unigram.unreachable();
        Ok(Self::of(vocabulary, Rules::Unigram(unigram), unreachable))
    }

    fn of(vocabulary: Arc<Vocabulary>, rules: Rules, unreachable: Vec<u32>) -> Self {
        let segments = Arc::new(Segments::new(&vocabulary));
        Self { vocabulary, rules, unreachable, segments }
    }

    /// The tokens.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// How rows of logits are summed.
    pub(crate) fn segments(&self) -> &Arc<Segments> {
        &self.segments
    }

    /// Text tokens that the encoder never makes of their own bytes.
    pub fn unreachable(&self) -> &[u32] {
        &self.unreachable
    }

    /// Whether `right` may follow `left`: where the pre-tokenizer does not cut, or as the beginning of a text if what may
    /// follow depends on more than the last token.
    pub fn is_valid_pair(&self, left: u32, right: u32) -> bool {
        match &self.rules {
            Rules::Bpe(bpe) => bpe.is_valid_pair(left, right),
            Rules::Unigram(unigram) => {
                let first = unigram.after(&Lattice::default(), left);
                first.is_some_and(|first| unigram.after(&first, right).is_some())
            }
        }
    }

    /// Whether the tokenizer makes exactly these tokens of their bytes.
    ///
    /// # Errors
    /// [`Error::TokenOutOfRange`](crate::Error::TokenOutOfRange);
    /// [`Error::UnsupportedTokenizer`](crate::Error::UnsupportedTokenizer) when the pattern needs an absurd number of states.
    pub fn is_canonical(&self, tokens: &[u32]) -> Result<bool> {
        let Some(end) = self.place_after(tokens)? else { return Ok(false) };
        Ok(self.may_end(&end)?
            && match &self.rules {
                Rules::Bpe(bpe) => bpe.keeps_whole_pieces(tokens)?,
                Rules::Unigram(_) => true,
            })
    }

    /// Whether some continuation makes them the first tokens of a canonical sequence.
    ///
    /// # Errors
    /// As [`Self::is_canonical`].
    pub fn is_viable(&self, tokens: &[u32]) -> Result<bool> {
        Ok(self.place_after(tokens)?.is_some())
    }

    fn place_after(&self, tokens: &[u32]) -> Result<Option<Place>> {
        let mut place = self.start();
        for &token in tokens {
            self.vocabulary.check_id(token)?;
            match self.after(&place, token)? {
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
        Ok(Some(place))
    }

    /// The beginning of a text.
    pub(crate) fn start(&self) -> Place {
        match &self.rules {
            Rules::Bpe(_) => Place::Bpe(Boundary::start(), None),
            Rules::Unigram(_) => Place::Unigram(Arc::default()),
        }
    }

    /// The place behind a token; `None` where it may not follow.
    pub(crate) fn after(&self, at: &Place, token: u32) -> Result<Option<Place>> {
        Ok(match (&self.rules, at) {
            (Rules::Bpe(bpe), Place::Bpe(at, last)) => {
                bpe.after(*at, *last, token)?.map(|next| Place::Bpe(next, Some(token)))
            }
            (Rules::Unigram(unigram), Place::Unigram(at)) => {
                unigram.after(at, token).map(|next| Place::Unigram(Arc::new(next)))
            }
            // A place of other rules.
            (Rules::Bpe(_), Place::Unigram(_)) | (Rules::Unigram(_), Place::Bpe(..)) => None,
        })
    }

    /// Whether a text may end at a place.
    pub(crate) fn may_end(&self, at: &Place) -> Result<bool> {
        match (&self.rules, at) {
            (Rules::Bpe(bpe), Place::Bpe(at, _)) => bpe.may_end(*at),
            // What is best up to the end of the text is best.
            _ => Ok(true),
        }
    }

    /// What may follow a place.
    pub(crate) fn followers(&self, place: Place) -> Result<Followers> {
        let reach = match (&self.rules, &place) {
            (Rules::Bpe(bpe), Place::Bpe(at, _)) => Some(bpe.reach(*at)?),
            _ => None,
        };
        Ok(Followers { place, reach, all: OnceLock::new() })
    }

    /// The places, in the trie's order, of all tokens that may follow.
    pub(crate) fn all<'a>(&self, followers: &'a Followers) -> &'a Bitmask {
        followers.all.get_or_init(|| match (&self.rules, &followers.place, &followers.reach) {
            (Rules::Bpe(bpe), Place::Bpe(_, last), Some(reach)) => bpe.filter(reach, *last),
            (Rules::Unigram(unigram), Place::Unigram(at), _) => unigram.followers(at),
            // A place of other rules.
            _ => Bitmask::new(self.vocabulary.trie().order().len()),
        })
    }

    /// Whether any token may follow whose text goes on from a node of the trie.
    pub(crate) fn any_below(&self, followers: &Followers, node: usize) -> bool {
        let places = self.vocabulary.trie().places_below(node);
        if let Some(all) = followers.all.get() {
            return all.any_in(places);
        }
        // One is found soon, mostly.
        let found = match (&self.rules, &followers.place, &followers.reach) {
            (Rules::Unigram(unigram), Place::Unigram(at), _) => Some(unigram.any_below(at, node)),
            (Rules::Bpe(bpe), Place::Bpe(_, last), Some(reach)) => {
                bpe.any_allowed(reach, *last, places.clone())
            }
            _ => None,
        };
        found.unwrap_or_else(|| self.all(followers).any_in(places))
    }
}
