//! Trees of draft tokens, as speculative decoding proposes them.
//!
//! A tree is three arrays by node. Each node is visited at most once, which is checked before anything is filled: arrays
//! with a cycle, or a node with two parents, are refused.

use crate::error::invalid_argument;
use bytewright::{Matcher, Result};
use pyo3::prelude::*;
use std::time::{Duration, Instant};

/// A checked tree: nodes in an order where parents come first.
pub(crate) struct DraftTree {
    /// `(node, index of its parent in this list)`; the root, which has no parent, is not in it.
    order: Vec<(usize, usize)>,
    tokens: Vec<i64>,
}

impl DraftTree {
    /// Reads arrays (NumPy, torch, or any sequence) of equal length.
    pub(crate) fn new(
        first_child: &Bound<'_, PyAny>,
        next_sibling: &Bound<'_, PyAny>,
        tokens: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (children, siblings, tokens) =
            (integers(first_child)?, integers(next_sibling)?, integers(tokens)?);
        let nodes = tokens.len();
        if nodes == 0 || children.len() != nodes || siblings.len() != nodes {
            let message = "the three arrays of a draft tree must have one length, at least 1";
            return Err(invalid_argument(message));
        }
        let mut seen = vec![false; nodes];
        seen[0] = true;
        let mut order = vec![(0, 0)];
        let mut next = 0;
        while let Some(&(parent, _)) = order.get(next) {
            let mut child = children[parent];
            while child != -1 {
                let node = usize::try_from(child).ok().filter(|&node| node < nodes && !seen[node]);
                let Some(node) = node else {
                    let message =
                        format!("draft tree: node {child} does not exist or has two places in the tree");
                    return Err(invalid_argument(message));
                };
                seen[node] = true;
                order.push((node, next));
                child = siblings[node];
            }
            next += 1;
        }
        Ok(Self { order, tokens })
    }

    /// Number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Fills the row of every node that is allowed and not terminated. `false` if the time was over first.
    pub(crate) fn fill(
        &self,
        root: Matcher,
        mut rows: Vec<&mut [u32]>,
        limit: Option<Duration>,
    ) -> Result<bool> {
        let start = Instant::now();
        let mut matchers: Vec<Option<Matcher>> = Vec::with_capacity(self.order.len());
        let mut root = Some(root);
        for &(node, parent) in &self.order {
            if limit.is_some_and(|limit| start.elapsed() > limit) {
                return Ok(false);
            }
            let mut matcher = match root.take() {
                Some(root) => Some(root),
                None => matchers[parent]
                    .as_ref()
                    .map(|parent| child(parent, self.tokens[node]))
                    .transpose()?
                    .flatten(),
            };
            if let Some(matcher) = matcher.as_mut().filter(|matcher| !matcher.is_terminated()) {
                matcher.fill_next_token_bitmask(rows[node])?;
            }
            matchers.push(matcher.filter(|matcher| !matcher.is_terminated()));
        }
        Ok(true)
    }
}

/// The matcher after a token, if the token is allowed. Ids that no vocabulary has are not.
fn child(parent: &Matcher, token: i64) -> Result<Option<Matcher>> {
    let Ok(token) = u32::try_from(token) else { return Ok(None) };
    let mut matcher = parent.fork();
    if token as usize >= matcher.compiled_grammar().vocabulary().vocab_size() {
        return Ok(None);
    }
    Ok(matcher.accept_token(token)?.then_some(matcher))
}

fn integers(array: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    let list = match array.getattr_opt("tolist")? {
        Some(tolist) => tolist.call0()?,
        None => array.clone(),
    };
    list.extract()
        .map_err(|_| invalid_argument("a draft tree is given by one-dimensional arrays of integers"))
}
