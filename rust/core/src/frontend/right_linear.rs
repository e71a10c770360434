//! Deterministic automata over characters as right-linear rules: a rule for each state, its calls all in tail position, so
//! that they leave no frame behind (see [`crate::automaton`]).

use crate::error::Result;
use crate::grammar::{ExprId, GrammarBuilder, RuleId};
use crate::regular::CodeSet;
use rustc_hash::FxHashMap;

/// For each state, disjoint sets of characters and where they lead; state 0 is the start.
pub(super) type Edges = Vec<Vec<(CodeSet, usize)>>;

/// Expressions of classes: the same for the same set.
pub(super) type Classes = FxHashMap<CodeSet, ExprId>;

/// What an automaton matches, where each state's exits say what may follow when the automaton is left there. States that
/// lead to no exit are left out.
pub(super) fn write(
    builder: &mut GrammarBuilder,
    classes: &mut Classes,
    name: &str,
    edges: &Edges,
    exits: &[Vec<ExprId>],
) -> Result<ExprId> {
    let alive = alive(edges, exits);
    let rules: Vec<Option<RuleId>> =
        alive.iter().map(|&alive| alive.then(|| builder.declare_fresh(name))).collect();
    for (state, rule) in rules.iter().enumerate() {
        let Some(rule) = rule else { continue };
        let mut options = exits[state].clone();
        let mut again = None;
        for (set, target) in &edges[state] {
            let Some(next) = rules[*target] else { continue };
            let class = class(builder, classes, set);
            if *target == state {
                again = Some(class);
            } else {
                let rest = builder.rule_ref(next);
                options.push(builder.concat(vec![class, rest]));
            }
        }
        let mut body = builder.choice(options);
        if let Some(class) = again {
            let loops = builder.repeat(class, 0, None);
            body = builder.concat(vec![loops, body]);
        }
        builder.define(*rule, body, None)?;
    }
    Ok(match rules.first().copied().flatten() {
        Some(start) => builder.rule_ref(start),
        None => builder.choice(Vec::new()),
    })
}

/// One character of a set.
pub(super) fn class(builder: &mut GrammarBuilder, classes: &mut Classes, set: &CodeSet) -> ExprId {
    if let Some(&expr) = classes.get(set) {
        return expr;
    }
    let expr = builder.chars(set.ranges());
    classes.insert(set.clone(), expr);
    expr
}

fn alive(edges: &Edges, exits: &[Vec<ExprId>]) -> Vec<bool> {
    let mut into: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (state, edges) in edges.iter().enumerate() {
        edges.iter().for_each(|&(_, target)| into[target].push(state));
    }
    let mut alive: Vec<bool> = exits.iter().map(|exits| !exits.is_empty()).collect();
    let mut todo: Vec<usize> = (0..alive.len()).filter(|&state| alive[state]).collect();
    while let Some(state) = todo.pop() {
        for &before in &into[state] {
            if !std::mem::replace(&mut alive[before], true) {
                todo.push(before);
            }
        }
    }
    alive
}
