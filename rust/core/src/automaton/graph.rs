//! Two graph helpers that never recurse, so that no input can overflow the call stack.

/// Strongly connected components of a graph over `0..n` (Tarjan 1972), in reverse topological order: a component comes
/// after all components that it has edges to.
pub(super) fn components(n: usize, mut successors: impl FnMut(usize, &mut Vec<usize>)) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let mut index = vec![UNSEEN; n];
    let mut low = vec![0; n];
    let mut on_stack = vec![false; n];
    let mut stack = Vec::new();
    let mut out = Vec::new();
    let mut next_index = 0;
    // One frame an open node: (node, its successors, how many of them are done). `pending` keeps all successor lists.
    let mut frames: Vec<(usize, usize, usize)> = Vec::new();
    let mut pending: Vec<usize> = Vec::new();
    let mut scratch = Vec::new();
    for root in 0..n {
        if index[root] != UNSEEN {
            continue;
        }
        let mut enter = Some(root);
        loop {
            if let Some(node) = enter.take() {
                index[node] = next_index;
                low[node] = next_index;
                next_index += 1;
                stack.push(node);
                on_stack[node] = true;
                scratch.clear();
                successors(node, &mut scratch);
                frames.push((node, pending.len(), pending.len()));
                pending.extend_from_slice(&scratch);
            }
            let Some(frame) = frames.last_mut() else { break };
            let (node, begin, position) = *frame;
            if position < pending.len() {
                frame.2 += 1;
                let next = pending[position];
                if index[next] == UNSEEN {
                    enter = Some(next);
                } else if on_stack[next] {
                    low[node] = low[node].min(index[next]);
                }
                continue;
            }
            pending.truncate(begin);
            frames.pop();
            if let Some(&(parent, ..)) = frames.last() {
                low[parent] = low[parent].min(low[node]);
            }
            if low[node] == index[node] {
                let at = stack.iter().rposition(|&x| x == node).unwrap_or(0);
                let component = stack.split_off(at);
                component.iter().for_each(|&x| on_stack[x] = false);
                out.push(component);
            }
        }
    }
    out
}

/// The least set over `0..n` closed under `check(item, known, &mut waits_for)`: an item joins when its check says so, and is
/// checked again whenever one of the items it said it waits for has joined.
pub(super) fn least_fixpoint(
    n: usize,
    mut check: impl FnMut(usize, &[bool], &mut Vec<usize>) -> bool,
) -> Vec<bool> {
    let mut known = vec![false; n];
    let mut waiters: Vec<Vec<usize>> = vec![Vec::new(); n];
    let mut todo: Vec<usize> = (0..n).rev().collect();
    let mut waits_for = Vec::new();
    while let Some(item) = todo.pop() {
        if known[item] {
            continue;
        }
        waits_for.clear();
        if check(item, &known, &mut waits_for) {
            known[item] = true;
            todo.append(&mut waiters[item]);
        } else {
            for &other in &waits_for {
                waiters[other].push(item);
            }
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(n: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
        let mut out = components(n, |x, out| out.extend(edges.iter().filter(|e| e.0 == x).map(|e| e.1)));
        out.iter_mut().for_each(|c| c.sort_unstable());
        out
    }

    #[test]
    fn components_come_after_what_they_lead_to() {
        assert_eq!(sorted(3, &[(0, 1), (1, 2)]), [[2], [1], [0]]);
        assert_eq!(
            sorted(5, &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 3), (4, 0)]),
            [vec![3], vec![0, 1, 2], vec![4]]
        );
        assert_eq!(
            components(100_000, |x, out| out.extend((x + 1 < 100_000).then_some(x + 1))).len(),
            100_000
        );
    }

    #[test]
    fn fixpoints_wake_those_who_wait() {
        // Item i joins when i + 1 has; the last one joins by itself; item 0 waits for itself and never joins.
        let known = least_fixpoint(10, |i, known, waits| {
            let on = if i == 0 { 0 } else { i + 1 };
            waits.push(on.min(9));
            i == 9 || known[on]
        });
        assert_eq!(known, [false, true, true, true, true, true, true, true, true, true]);
    }
}
