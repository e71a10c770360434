//! What is nullable, what is productive, and taking away what is not.

use super::determinise::{Dfa, DfaState};
use super::graph::least_fixpoint;
use super::lower::{Label, RuleNfa};

/// Which rules match the empty string.
pub(super) fn nullable_rules(rules: &[RuleNfa]) -> Vec<bool> {
    least_fixpoint(rules.len(), |rule, known, waits_for| {
        let RuleNfa { nfa, counter, .. } = &rules[rule];
        if counter.is_some_and(|c| c.min == 0) {
            return true;
        }
        let mut seen = vec![false; nfa.len()];
        let mut todo = vec![nfa.start];
        while let Some(state) = todo.pop() {
            if std::mem::replace(&mut seen[state as usize], true) {
                continue;
            }
            for edge in nfa.edges(state) {
                match edge.label {
                    Label::Empty => todo.push(edge.target),
                    Label::Call(callee) if known[callee as usize] => todo.push(edge.target),
                    Label::Call(callee) => waits_for.push(callee as usize),
                    Label::Bytes(..) | Label::Token(_) => {}
                }
            }
        }
        seen[nfa.accept as usize]
    })
}

/// Which rules match some string that is not empty. `token_sets` says which token sets have a token at all.
pub(super) fn productive_rules(dfas: &[Dfa], token_sets: &[Vec<u32>]) -> Vec<bool> {
    least_fixpoint(dfas.len(), |rule, known, waits_for| {
        let dfa = &dfas[rule];
        let mut seen = vec![false; dfa.states.len()];
        let mut todo = vec![0];
        let mut done = false;
        while let Some(state) = todo.pop() {
            let DfaState { bytes, calls, tokens, .. } = &dfa.states[state as usize];
            let bytes = bytes.iter().map(|e| e.2);
            let tokens = tokens.iter().filter(|e| !token_sets[e.0 as usize].is_empty()).map(|e| e.1);
            waits_for.extend(calls.iter().map(|e| e.0 as usize).filter(|&callee| !known[callee]));
            let calls = calls.iter().filter(|e| known[e.0 as usize]).map(|e| e.1);
            for target in bytes.chain(tokens).chain(calls) {
                done |= dfa.states[target as usize].is_final;
                if !std::mem::replace(&mut seen[target as usize], true) {
                    todo.push(target);
                }
            }
        }
        done
    })
}

/// Takes away calls of unproductive rules and empty token sets, then every state that does not lead to the end.
pub(super) fn trim(dfa: &mut Dfa, productive: &[bool], token_sets: &[Vec<u32>]) {
    for state in &mut dfa.states {
        state.calls.retain(|e| productive[e.0 as usize]);
        state.tokens.retain(|e| !token_sets[e.0 as usize].is_empty());
    }
    let n = dfa.states.len();
    let mut sources: Vec<Vec<u32>> = vec![Vec::new(); n];
    for (source, state) in dfa.states.iter().enumerate() {
        state.targets().for_each(|target| sources[target as usize].push(source as u32));
    }
    let mut useful = vec![false; n];
    let mut todo: Vec<u32> = (0..n as u32).filter(|&s| dfa.states[s as usize].is_final).collect();
    while let Some(state) = todo.pop() {
        if !std::mem::replace(&mut useful[state as usize], true) {
            todo.append(&mut sources[state as usize]);
        }
    }
    for state in &mut dfa.states {
        state.bytes.retain(|e| useful[e.2 as usize]);
        state.calls.retain(|e| useful[e.1 as usize]);
        state.tokens.retain(|e| useful[e.1 as usize]);
    }
    keep_reachable(dfa);
}

/// Renumbers the states that the start reaches, in the order they are met; drops the others.
fn keep_reachable(dfa: &mut Dfa) {
    const UNSEEN: u32 = u32::MAX;
    let mut number = vec![UNSEEN; dfa.states.len()];
    let mut order = vec![0u32];
    number[0] = 0;
    let mut next = 0;
    while next < order.len() {
        for target in dfa.states[order[next] as usize].targets() {
            if number[target as usize] == UNSEEN {
                number[target as usize] = order.len() as u32;
                order.push(target);
            }
        }
        next += 1;
    }
    let mut states = Vec::with_capacity(order.len());
    for &old in &order {
        let mut state = std::mem::take(&mut dfa.states[old as usize]);
        state.bytes.iter_mut().for_each(|e| e.2 = number[e.2 as usize]);
        state.calls.iter_mut().for_each(|e| e.1 = number[e.1 as usize]);
        state.tokens.iter_mut().for_each(|e| e.1 = number[e.1 as usize]);
        states.push(state);
    }
    dfa.states = states;
}
