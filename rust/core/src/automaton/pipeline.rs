//! The steps from grammar to [`Pda`], in order.

use super::determinise::{Dfa, determinise};
use super::lazy::LazyPart;
use super::left_recursion::{self, RuleDfa};
use super::lower::{self, Inlining, Lowered};
use super::machine::Machine;
use super::several::Several;
use super::{Budget, OwnEdges, Pda, PdaRule, State, StateId, minimise, trim};
use crate::error::{Error, Result};
use crate::grammar::Grammar;
use crate::json_schema::{JsonMachine, JsonSchema, SharedLanguages};
use crate::vocab::Vocabulary;
use rustc_hash::FxHashMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

impl Pda {
    /// Compiles a grammar. The vocabulary is needed only for its special tokens.
    ///
    /// # Errors
    /// [`Error::EmptyLanguage`] when nothing matches, [`Error::LimitExceeded`] and [`Error::Cancelled`] by the budget,
    /// and errors for special tokens that the vocabulary does not have.
    pub(crate) fn new(
        grammar: &Grammar,
        vocabulary: &Vocabulary,
        languages: &SharedLanguages,
        budget: &mut Budget,
    ) -> Result<Self> {
        let Automata { mut rules, nullable, token_sets, schemas } = automata(grammar, vocabulary, budget)?;
        let root = grammar.root().index();
        let root_nullable = nullable[root];
        let dfas: Vec<Dfa> = rules.iter_mut().map(|r| std::mem::take(&mut r.dfa)).collect();
        let productive = trim::productive_rules(&dfas, &token_sets);
        if !productive[root] && !root_nullable {
            return Err(empty_language(grammar, &productive));
        }
        for (rule, mut dfa) in rules.iter_mut().zip(dfas) {
            trim::trim(&mut dfa, &productive, &token_sets);
            rule.dfa = dfa;
        }
        left_recursion::eliminate(&mut rules, budget)?;
        let all = vec![true; rules.len()];
        for rule in &mut rules {
            budget.work()?;
            trim::trim(&mut rule.dfa, &all, &token_sets);
            minimise::minimise(&mut rule.dfa);
        }
        let mut pda = assemble(rules, root, root_nullable, token_sets);
        pda.add_machines(&schemas, languages, budget)?;
        Ok(pda)
    }

    /// Redirects the calls of rules that keep a place to the machines made of the schemas.
    fn add_machines(
        &mut self,
        schemas: &[(u32, JsonSchema)],
        languages: &SharedLanguages,
        budget: &Budget,
    ) -> Result<()> {
        let mut machines: Vec<Box<dyn Machine>> = Vec::new();
        for (_, schema) in schemas {
            let (machine, notes) = JsonMachine::new(schema, languages, budget.clone(), budget.state_limit())?;
            self.notes.extend(notes);
            machines.push(Box::new(machine));
        }
        if machines.is_empty() {
            return Ok(());
        }
        let several = Several::new(machines);
        let first = self.rules.len() as u32;
        let roots: FxHashMap<u32, u32> = schemas
            .iter()
            .enumerate()
            .map(|(i, (rule, _))| (self.number_of[*rule as usize], first + several.root(i)))
            .collect();
        for call in &mut self.call_edges {
            call.0 = roots.get(&call.0).copied().unwrap_or(call.0);
        }
        let (states, rules) = (self.states.len(), self.rules.len());
        let machine: Box<dyn Machine> = match several.into_only() {
            Ok(only) => only,
            Err(several) => Box::new(several),
        };
        self.lazy = LazyPart::new(machine, states, rules);
        Ok(())
    }
}

impl Pda {
    /// The automaton of a machine's first rule.
    #[cfg(test)]
    pub(crate) fn of_machine(machine: Box<dyn Machine>) -> Self {
        use super::determinise::DfaState;
        let call = DfaState { calls: vec![(1, 1)], ..DfaState::default() };
        let end = DfaState { is_final: true, ..DfaState::default() };
        let dfa = Dfa { states: vec![call, end] };
        let nothing = RuleDfa { name: String::new(), span: None, counter: None, dfa: Dfa::default() };
        let root = RuleDfa { name: "root".into(), dfa, ..nothing.clone() };
        let mut pda = assemble(vec![root, nothing], 0, false, Vec::new());
        // The second rule only kept the place of the machine's first.
        pda.rules.truncate(1);
        pda.lazy = LazyPart::new(machine, pda.states.len(), pda.rules.len());
        pda
    }
}

/// What `lower` gives, with deterministic automata.
struct Automata {
    rules: Vec<RuleDfa>,
    nullable: Vec<bool>,
    token_sets: Vec<Vec<u32>>,
    schemas: Vec<(u32, JsonSchema)>,
}

/// The rules' automata: with all inlining that may pay, unless that multiplies states.
fn automata(grammar: &Grammar, vocabulary: &Vocabulary, budget: &mut Budget) -> Result<Automata> {
    let mut trial = budget.clone();
    if let Ok(automata) = automata_with(grammar, vocabulary, Inlining::Once, &mut trial) {
        budget.spend_as(&trial);
        return Ok(automata);
    }
    // Whatever went wrong, if it was not that, goes wrong again.
    automata_with(grammar, vocabulary, Inlining::Small, budget)
}

fn automata_with(
    grammar: &Grammar,
    vocabulary: &Vocabulary,
    inlining: Inlining,
    budget: &mut Budget,
) -> Result<Automata> {
    let Lowered { rules: nfas, token_sets, schemas } = lower::lower(grammar, vocabulary, inlining, budget)?;
    if inlining == Inlining::Once {
        let states: usize = nfas.iter().map(|rule| rule.nfa.len()).sum();
        budget.leave(2 * states + 64);
    }
    let nullable = trim::nullable_rules(&nfas);
    let mut rules = Vec::with_capacity(nfas.len());
    for (index, rule) in nfas.into_iter().enumerate() {
        let dfa = determinise(&rule.nfa, &nullable, budget)?;
        let mut counter = rule.counter;
        if let Some(counter) = &mut counter
            && nullable[index]
        {
            // Empty rounds count as well, so any number of rounds that are not empty will do.
            counter.min = 0;
        }
        rules.push(RuleDfa { name: rule.name, span: rule.span, counter, dfa });
    }
    Ok(Automata { rules, nullable, token_sets, schemas })
}

fn empty_language(grammar: &Grammar, productive: &[bool]) -> Error {
    let names: Vec<&str> = grammar
        .rules()
        .iter()
        .zip(productive)
        .filter(|(_, productive)| !**productive)
        .map(|(rule, _)| rule.name.as_str())
        .take(5)
        .collect();
    let root = &grammar.rule(grammar.root()).name;
    let reason = format!(
        "no derivation of `{root}` ever ends; rules without an end: {}. Give one of them an alternative that does not lead \
         back to itself",
        names.join(", ")
    );
    Error::EmptyLanguage { reason }
}

/// Lays the rules that the root reaches out in the flat arrays, the root first.
fn assemble(rules: Vec<RuleDfa>, root: usize, root_nullable: bool, token_sets: Vec<Vec<u32>>) -> Pda {
    const UNSEEN: u32 = u32::MAX;
    let mut number = vec![UNSEEN; rules.len()];
    let mut order = vec![root];
    number[root] = 0;
    let mut next = 0;
    while next < order.len() {
        for state in &rules[order[next]].dfa.states {
            for &(callee, _) in &state.calls {
                if number[callee as usize] == UNSEEN {
                    number[callee as usize] = order.len() as u32;
                    order.push(callee as usize);
                }
            }
        }
        next += 1;
    }
    let mut pda = Pda {
        states: Vec::new(),
        edges: Vec::new(),
        byte_edges: Vec::new(),
        call_edges: Vec::new(),
        token_edges: Vec::new(),
        rules: Vec::new(),
        token_sets,
        root_nullable,
        has_counters: order.iter().any(|&rule| rules[rule].counter.is_some()),
        expanded: Vec::new(),
        heavy: Vec::new(),
        lazy: LazyPart::default(),
        notes: Vec::new(),
        number_of: Vec::new(),
    };
    for &index in &order {
        let rule = &rules[index];
        let base = pda.states.len() as u32;
        let at = |target: u32| StateId(base + target);
        for state in &rule.dfa.states {
            let starts = (pda.byte_edges.len(), pda.call_edges.len(), pda.token_edges.len());
            pda.byte_edges.extend(state.bytes.iter().map(|&(lo, hi, t)| (lo, hi, at(t))));
            pda.call_edges.extend(state.calls.iter().map(|&(r, t)| (number[r as usize], at(t))));
            pda.token_edges.extend(state.tokens.iter().map(|&(s, t)| (s, at(t))));
            pda.states.push(State { rule: pda.rules.len() as u32, is_final: state.is_final });
            pda.edges.push(OwnEdges {
                bytes: (starts.0 as u32, pda.byte_edges.len() as u32),
                calls: (starts.1 as u32, pda.call_edges.len() as u32),
                tokens: (starts.2 as u32, pda.token_edges.len() as u32),
                origin: state.origin,
            });
        }
        let (name, span, counter) = (rule.name.clone(), rule.span, rule.counter);
        let start = StateId(base);
        pda.rules.push(PdaRule {
            name: name.into(),
            span,
            start,
            counter,
            follow: None,
            is_leaf: true,
            is_split: false,
            progresses: None,
            texts: None,
        });
    }
    pda.expanded = (0..pda.states.len()).map(|_| OnceLock::new()).collect();
    pda.number_of = number;
    pda.heavy = (0..pda.states.len()).map(|_| AtomicBool::new(false)).collect();
    pda
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::automaton::CancelToken;
    use crate::frontend::ebnf::{EbnfOptions, parse};
    use crate::vocab::VocabularyOptions;

    fn compile(text: &str, state_limit: usize) -> Result<Pda> {
        let grammar = parse(text, &EbnfOptions::default())?;
        let bytes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        let vocabulary = Vocabulary::new(&bytes, VocabularyOptions::default())?;
        let mut budget = Budget::new(None, state_limit, CancelToken::default());
        Pda::new(&grammar, &vocabulary, &SharedLanguages::default(), &mut budget)
    }

    fn rules(text: &str) -> Vec<String> {
        let pda = compile(text, usize::MAX).unwrap();
        pda.own_rules().iter().map(|rule| rule.name.to_string()).collect()
    }

    #[test]
    fn rules_with_one_user_are_part_of_it() {
        let long = r#"long ::= "a long literal" | "another one""#;
        assert_eq!(rules(&format!("root ::= \"x\" long\n{long}")), ["root"]);
        assert_eq!(rules(&format!("root ::= \"x\" long | \"y\" long\n{long}")), ["root", "long"]);
        let recursive = r#"root ::= list
list ::= "[" (list ("," list)*)? "] and so on""#;
        assert_eq!(rules(recursive), ["root", "list"]);
        let text = r#"root ::= "say" text
text ::= "a text " [^"]* "ends here""#;
        assert_eq!(rules(text), ["root", "text"], "its masks are shared with other grammars");
    }

    #[test]
    fn rules_that_nest_deeply_are_not_inlined_in_each_other() {
        // On a small stack: each rule is some hundred groups deep, and has one user.
        let mut text = String::from("root ::= r0\n");
        for rule in 0..100 {
            let (open, close) = ("(".repeat(90), ")?".repeat(90));
            text += &format!("r{rule} ::= {open}r{} \"x\"{close}\n", rule + 1);
        }
        text += "r100 ::= \"z\"";
        let thread = std::thread::Builder::new().stack_size(1 << 20);
        let compiled = thread.spawn(move || compile(&text, usize::MAX).map(|pda| pda.num_rules())).unwrap();
        assert!(compiled.join().unwrap().unwrap() > 30);
    }

    #[test]
    fn inlining_does_not_multiply_states() {
        // In one automaton each of the places where the tail may have begun would be told apart: 2^20 states.
        let tail = "[ab] ".repeat(20);
        let pda = compile(&format!("root ::= [ab]* \"a\" tail\ntail ::= {tail}"), 500).unwrap();
        assert_eq!(pda.num_rules(), 2);
        assert!(pda.num_states() < 50);
    }
}
