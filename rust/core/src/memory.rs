//! Counting memory, and taking it in time.

use smallvec::{Array, SmallVec};

/// What a list takes beside the structure that it stands in, bytes: nothing while it is short.
pub(crate) fn spilled_bytes<A: Array>(list: &SmallVec<A>) -> usize {
    if list.spilled() { list.capacity() * size_of::<A::Item>() } else { 0 }
}

/// Tables with fewer entries grow in no time.
pub(crate) const LARGE_TABLE: usize = 1024;

/// Lets each of some tables grow now if a quarter more entries would make it: a large one that grows while a text waits is a pause of
/// up to a millisecond.
macro_rules! make_room {
    ($($table:expr),+ $(,)?) => {
        $({
            let table = &mut $table;
            let (len, most) = (table.len(), table.capacity());
            if len >= $crate::memory::LARGE_TABLE && most - len < len / 4 {
                table.reserve(len);
            }
        })+
    };
}
pub(crate) use make_room;
