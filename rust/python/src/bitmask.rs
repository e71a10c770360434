//! Applying bitmasks to logits on the CPU.
//!
//! The kernel never looks at the numbers: a logit is kept as it is or overwritten by the bit pattern of -inf, so one body
//! serves every float type of the same width.

use crate::array::{Bitmask, Rows};
use crate::convert::{optional_count, optional_counts};
use crate::error::{invalid_argument, invalid_bitmask};
use numpy::prelude::*;
use numpy::{Element, PyArrayDyn, PyUntypedArray};
use pyo3::prelude::*;

/// Overwrites with -inf the logits whose bit is 0; for `bytewright.apply_token_bitmask_inplace`, which documents it.
///
/// `logits` holds the bit patterns of the floats as unsigned integers; `minus_inf` is the pattern of -inf.
#[pyfunction]
#[pyo3(signature = (logits, bitmask, minus_inf, vocab_size, indices=None))]
pub(crate) fn apply_bitmask(
    logits: &Bound<'_, PyUntypedArray>,
    bitmask: &Bound<'_, PyAny>,
    minus_inf: u64,
    #[pyo3(from_py_with = optional_count)] vocab_size: Option<usize>,
    #[pyo3(from_py_with = optional_counts)] indices: Option<Vec<usize>>,
) -> PyResult<()> {
    let bitmask = Bitmask::readonly(bitmask)?;
    let vocab_size = vocab_size.unwrap_or(usize::MAX);
    if let Ok(logits) = logits.cast::<PyArrayDyn<u32>>() {
        apply(logits, &bitmask, minus_inf as u32, vocab_size, indices)
    } else if let Ok(logits) = logits.cast::<PyArrayDyn<u16>>() {
        apply(logits, &bitmask, minus_inf as u16, vocab_size, indices)
    } else if let Ok(logits) = logits.cast::<PyArrayDyn<u64>>() {
        apply(logits, &bitmask, minus_inf, vocab_size, indices)
    } else {
        Err(invalid_argument(format!("logits of dtype {} are not supported", logits.dtype())))
    }
}

fn apply<T: Element + Copy>(
    logits: &Bound<'_, PyArrayDyn<T>>,
    bitmask: &Bitmask<'_>,
    minus_inf: T,
    vocab_size: usize,
    indices: Option<Vec<usize>>,
) -> PyResult<()> {
    let py = logits.py();
    let mut logits = Rows::strided(logits).map_err(|why| invalid_argument(format!("logits: {why}")))?;
    if indices.is_none() && logits.len() != bitmask.len() {
        let (logits, masks) = (logits.len(), bitmask.len());
        let message = format!("it has {masks} rows for {logits} rows of logits; name the rows by `indices`");
        return Err(invalid_bitmask(message));
    }
    let indices = indices.unwrap_or_else(|| (0..logits.len()).collect());
    let rows = logits.rows_mut(&indices)?;
    let mask_of = |&index: &usize| {
        bitmask
            .row(index)
            .ok_or_else(|| invalid_bitmask(format!("it has no row {index}, which `indices` names")))
    };
    let masks = indices.iter().map(mask_of).collect::<PyResult<Vec<_>>>()?;
    py.detach(|| {
        for (row, mask) in rows.into_iter().zip(masks) {
            apply_row(row, mask, minus_inf, vocab_size);
        }
    });
    Ok(())
}

/// Overwrites each element from `vocab_size` on, past the end of `mask`, or whose bit in `mask` is 0.
fn apply_row<T: Copy>(logits: &mut [T], mask: &[u32], minus_inf: T, vocab_size: usize) {
    let covered = logits.len().min(vocab_size).min(mask.len().saturating_mul(32));
    let (logits, beyond) = logits.split_at_mut(covered);
    beyond.fill(minus_inf);
    let (whole, rest) = logits.as_chunks_mut::<32>();
    for (chunk, &word) in whole.iter_mut().zip(mask) {
        match word {
            u32::MAX => {}
            0 => chunk.fill(minus_inf),
            _ => apply_word(chunk, word, minus_inf),
        }
    }
    let word = mask.get(whole.len()).copied().unwrap_or(0);
    rest.iter_mut()
        .enumerate()
        .filter(|(bit, _)| word >> bit & 1 == 0)
        .for_each(|(_, logit)| *logit = minus_inf);
}

/// Masks 32 logits. The loop has a constant length and no branch, so that the compiler makes vector blends of it.
fn apply_word<T: Copy>(logits: &mut [T; 32], word: u32, minus_inf: T) {
    for (bit, logit) in logits.iter_mut().enumerate() {
        *logit = if word & (1 << bit) == 0 { minus_inf } else { *logit };
    }
}
