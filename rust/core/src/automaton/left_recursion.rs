//! Taking left recursion out by a left-corner transform (Rosenkrantz & Lewis 1970) on the rules' automata.
//!
//! Rules that can call each other (or themselves) before consuming anything form a component of the *left-call graph*. For a
//! target rule `i` of such a component, a match of `i` begins with a left corner: the first letter of some rule `j` of the
//! component that is no left-recursive call. When a rule `j` is complete, either `j = i` and the match may end, or the parse
//! goes on in any rule `m` of the component right after its leading call of `j`. The new automaton of `i` therefore holds a
//! copy of every automaton of the component, with an empty edge from each final state of `j` to each state after a leading
//! call of `j`, and accepts at the final states of `i`. The language is unchanged; derivation trees are not, but
//! nobody looks at them.
//!
//! A counted repeat inside a component is first unrolled by one round, `B{m,n} = B B{m-1,n-1}`: its tail follows at
//! least one byte, so it is no longer in the component.

use super::determinise::{Dfa, determinise};
use super::lower::{Label, Nfa};
use super::{Budget, Counter, graph};
use crate::error::Result;
use crate::grammar::Span;

/// A rule between determinisation and assembly.
#[derive(Clone, Debug)]
pub(super) struct RuleDfa {
    pub(super) name: String,
    pub(super) span: Option<Span>,
    pub(super) counter: Option<Counter>,
    pub(super) dfa: Dfa,
}

/// Rewrites all left-recursive rules; rules must be trimmed, and no call may match the empty string.
pub(super) fn eliminate(rules: &mut Vec<RuleDfa>, budget: &mut Budget) -> Result<()> {
    let components = recursive_components(rules);
    for component in &components {
        for &rule in component {
            unroll_counter(rules, rule, budget)?;
        }
    }
    if components.is_empty() {
        return Ok(());
    }
    for component in recursive_components(rules) {
        let mut rewritten = Vec::with_capacity(component.len());
        for &target in &component {
            let nfa = left_corner(rules, &component, target, budget)?;
            rewritten.push(determinise(&nfa, &vec![false; rules.len()], budget)?);
        }
        for (&rule, dfa) in component.iter().zip(rewritten) {
            rules[rule].dfa = dfa;
        }
    }
    Ok(())
}

fn recursive_components(rules: &[RuleDfa]) -> Vec<Vec<usize>> {
    let left_calls = |rule: usize| rules[rule].dfa.states[0].calls.iter().map(|e| e.0 as usize);
    let mut components = graph::components(rules.len(), |rule, out| out.extend(left_calls(rule)));
    components.retain(|c| c.len() > 1 || left_calls(c[0]).any(|callee| callee == c[0]));
    components
}

/// Turns a counted repeat into one round followed by a shorter repeat.
fn unroll_counter(rules: &mut Vec<RuleDfa>, rule: usize, budget: &mut Budget) -> Result<()> {
    let Some(Counter { min, max }) = rules[rule].counter.take() else { return Ok(()) };
    let tail = rules.len() as u32;
    let mut nfa = Nfa::default();
    // A start of its own: the copy of the old one is then met only after a byte, as a final state must be.
    nfa.start = nfa.add_state(rules[rule].dfa.states[0].origin);
    nfa.accept = nfa.add_state(None);
    let base = copy_states(&mut nfa, &rules[rule].dfa, budget)?;
    let start = nfa.start;
    copy_edges(&mut nfa, &rules[rule].dfa, 0, start, base, |_| true);
    for (state, dfa_state) in rules[rule].dfa.states.iter().enumerate() {
        if !dfa_state.is_final {
            continue;
        }
        if min <= 1 {
            nfa.add_edge(base + state as u32, Label::Empty, nfa.accept);
        }
        if max > 1 {
            nfa.add_edge(base + state as u32, Label::Call(tail), nfa.accept);
        }
    }
    if max > 1 {
        let shorter = Counter {
            min: min.saturating_sub(1),
            max: if max == Counter::UNBOUNDED { max } else { max - 1 },
        };
        let mut copy = rules[rule].clone();
        copy.counter = Some(shorter);
        rules.push(copy);
    }
    rules[rule].dfa = determinise(&nfa, &vec![false; rules.len()], budget)?;
    Ok(())
}

/// Adds a copy of all states and edges of `dfa`; gives the number of its start state.
fn copy_states(nfa: &mut Nfa, dfa: &Dfa, budget: &mut Budget) -> Result<u32> {
    let base = nfa.len() as u32;
    for state in &dfa.states {
        budget.state()?;
        nfa.add_state(state.origin);
    }
    for source in 0..dfa.states.len() {
        copy_edges(nfa, dfa, source, base + source as u32, base, |_| true);
    }
    Ok(base)
}

/// Adds the edges of one state, from `from`; calls only of rules that `keep_call` lets pass.
fn copy_edges(nfa: &mut Nfa, dfa: &Dfa, state: usize, from: u32, base: u32, keep_call: impl Fn(u32) -> bool) {
    let state = &dfa.states[state];
    for &(lo, hi, target) in &state.bytes {
        nfa.add_edge(from, Label::Bytes(lo, hi), base + target);
    }
    for &(callee, target) in state.calls.iter().filter(|e| keep_call(e.0)) {
        nfa.add_edge(from, Label::Call(callee), base + target);
    }
    for &(set, target) in &state.tokens {
        nfa.add_edge(from, Label::Token(set), base + target);
    }
}

/// The automaton of `target` with the component's left recursion turned into loops.
fn left_corner(rules: &[RuleDfa], component: &[usize], target: usize, budget: &mut Budget) -> Result<Nfa> {
    let inside = |callee: u32| component.contains(&(callee as usize));
    let mut nfa = Nfa::default();
    nfa.start = nfa.add_state(rules[target].dfa.states[0].origin);
    nfa.accept = nfa.add_state(None);
    let mut bases = Vec::with_capacity(component.len());
    for &rule in component {
        let base = copy_states(&mut nfa, &rules[rule].dfa, budget)?;
        let start = nfa.start;
        copy_edges(&mut nfa, &rules[rule].dfa, 0, start, base, |callee| !inside(callee));
        bases.push(base);
    }
    for (&complete, &base) in component.iter().zip(&bases) {
        for (state, dfa_state) in rules[complete].dfa.states.iter().enumerate() {
            if !dfa_state.is_final {
                continue;
            }
            let at = base + state as u32;
            if complete == target {
                nfa.add_edge(at, Label::Empty, nfa.accept);
            }
            for (&user, &user_base) in component.iter().zip(&bases) {
                let leading = rules[user].dfa.states[0].calls.iter().find(|e| e.0 as usize == complete);
                if let Some(&(_, after)) = leading {
                    nfa.add_edge(at, Label::Empty, user_base + after);
                }
            }
        }
    }
    Ok(nfa)
}
