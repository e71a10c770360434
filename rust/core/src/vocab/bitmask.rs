//! One row of a token bitmask: bit `id % 32` of word `id // 32`, least significant bit first.

use std::ops::Range;

/// Number of 32-bit words that hold a bit for each of `vocab_size` tokens.
pub fn mask_words(vocab_size: usize) -> usize {
    vocab_size.div_ceil(32)
}

/// A set of token ids as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmask(Box<[u32]>);

impl Bitmask {
    /// An empty set for a vocabulary of this size.
    pub fn new(vocab_size: usize) -> Self {
        Self(vec![0; mask_words(vocab_size)].into())
    }

    /// Adds an id, which must be below the size.
    pub fn insert(&mut self, id: u32) {
        self.0[id as usize / 32] |= 1 << (id % 32);
    }

    /// Takes an id out, which must be below the size.
    pub fn remove(&mut self, id: u32) {
        self.0[id as usize / 32] &= !(1 << (id % 32));
    }

    /// Whether the id, which must be below the size, is in the set.
    pub fn contains(&self, id: u32) -> bool {
        self.0[id as usize / 32] >> (id % 32) & 1 == 1
    }

    /// The ids in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(i as u32 * 32 + bit)
            })
        })
    }

    /// The ids of a range, in ascending order.
    pub(crate) fn iter_in(&self, ids: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let words = ids.start / 32..ids.end.div_ceil(32);
        words.flat_map(move |i| {
            let mut rest = self.0[i] & bits_of(i, &ids);
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(i as u32 * 32 + bit)
            })
        })
    }

    /// Whether some id of a range is in the set.
    pub(crate) fn any_in(&self, ids: Range<usize>) -> bool {
        (ids.start / 32..ids.end.div_ceil(32)).any(|i| self.0[i] & bits_of(i, &ids) != 0)
    }

    /// The number of ids.
    pub fn count(&self) -> usize {
        count_bits(&self.0)
    }

    /// The words.
    pub fn as_words(&self) -> &[u32] {
        &self.0
    }

    /// The words, to write to.
    pub fn as_words_mut(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

/// The bits of a word that lie in a range of ids.
fn bits_of(word: usize, ids: &Range<usize>) -> u32 {
    let below = |id: usize| ((1u64 << id.saturating_sub(word * 32).min(32)) - 1) as u32;
    below(ids.end) & !below(ids.start)
}

/// The number of ids in a row. By pairs of words: half as long as by single ones without an instruction for it.
pub(crate) fn count_bits(row: &[u32]) -> usize {
    let (pairs, rest) = row.as_chunks::<2>();
    let ones = |&[lo, hi]: &[u32; 2]| (u64::from(hi) << 32 | u64::from(lo)).count_ones() as usize;
    pairs.iter().map(ones).sum::<usize>() + rest.iter().map(|word| word.count_ones() as usize).sum::<usize>()
}

/// Sets the bit of one id in a row.
#[inline]
pub(crate) fn set_bit(row: &mut [u32], id: u32) {
    row[id as usize / 32] |= 1 << (id % 32);
}

/// Clears the bit of a token in a row.
#[inline]
pub(crate) fn clear_bit(row: &mut [u32], id: u32) {
    row[id as usize / 32] &= !(1 << (id % 32));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_where_the_contract_says() {
        let mut mask = Bitmask::new(70);
        assert_eq!(mask.as_words().len(), 3);
        for id in [0, 31, 32, 69] {
            mask.insert(id);
        }
        assert_eq!(mask.as_words(), [1 | 1 << 31, 1, 1 << 5]);
        assert_eq!(mask.iter().collect::<Vec<_>>(), [0, 31, 32, 69]);
        for (start, end) in (0..=70).flat_map(|start| (0..=70).map(move |end| (start, end))) {
            let ids: Vec<u32> = [0, 31, 32, 69].into_iter().filter(|&id| start <= id && id < end).collect();
            let range = start as usize..end as usize;
            assert_eq!(mask.iter_in(range.clone()).collect::<Vec<_>>(), ids, "{range:?}");
            assert_eq!(mask.any_in(range), !ids.is_empty());
        }
        mask.remove(31);
        assert_eq!((mask.count(), mask.contains(31), mask.contains(69)), (3, false, true));
    }
}
