//! Front ends: grammar languages that lower to the one IR in [`crate::grammar`].
