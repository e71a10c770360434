//! Counting memory.

use smallvec::{Array, SmallVec};

/// What a list takes beside the structure that it stands in, bytes: nothing while it is short.
pub(crate) fn spilled_bytes<A: Array>(list: &SmallVec<A>) -> usize {
    if list.spilled() { list.capacity() * size_of::<A::Item>() } else { 0 }
}
