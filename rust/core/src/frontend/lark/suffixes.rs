//! The suffix automaton of a sequence (Blumer, Blumer, Ehrenfeucht, Haussler, McConnell: "The smallest automaton recognizing
//! the subwords of a text", 1985): its paths from the start are the runs of the sequence, in at most twice as many states.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
struct State<'p> {
    length: usize,
    link: Option<usize>,
    edges: BTreeMap<&'p str, usize>,
}

/// For each state its edges: a piece and where it leads. State 0 is the start. Empty pieces are left out.
pub(super) fn automaton(pieces: &[String]) -> Vec<Vec<(String, usize)>> {
    let mut states = vec![State::default()];
    let mut last = 0;
    for piece in pieces.iter().map(String::as_str).filter(|piece| !piece.is_empty()) {
        let new = states.len();
        states.push(State { length: states[last].length + 1, link: Some(0), edges: BTreeMap::new() });
        let mut at = Some(last);
        while let Some(state) = at.filter(|&state| !states[state].edges.contains_key(piece)) {
            states[state].edges.insert(piece, new);
            at = states[state].link;
        }
        if let Some(state) = at {
            let target = states[state].edges[piece];
            let mut link = target;
            if states[state].length + 1 != states[target].length {
                link = states.len();
                let copy = State { length: states[state].length + 1, ..states[target].clone() };
                states.push(copy);
                states[target].link = Some(link);
                let mut at = Some(state);
                while let Some(state) = at.filter(|&state| states[state].edges.get(piece) == Some(&target)) {
                    states[state].edges.insert(piece, link);
                    at = states[state].link;
                }
            }
            states[new].link = Some(link);
        }
        last = new;
    }
    states
        .into_iter()
        .map(|state| state.edges.into_iter().map(|(piece, target)| (piece.to_owned(), target)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::automaton;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn paths_are_the_runs(text in "[ab]{0,12}", other in "[ab]{0,5}") {
            let pieces: Vec<String> = text.chars().map(String::from).collect();
            let states = automaton(&pieces);
            prop_assert!(states.len() <= 2 * text.len() + 1);
            let mut at = Some(0);
            for c in other.chars() {
                at = at.and_then(|s: usize| {
                    states[s].iter().find(|edge| edge.0 == c.to_string()).map(|edge| edge.1)
                });
            }
            prop_assert_eq!(at.is_some(), text.contains(&other));
        }
    }
}
