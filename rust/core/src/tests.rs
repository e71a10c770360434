//! The engine against the oracle: random grammars, vocabularies and walks.

use crate::grammar::reference::{is_viable_prefix, matches};
use crate::grammar::{ByteSet, ExprId, GrammarBuilder, RuleId};
use crate::{
    Compiler, CompilerOptions, Error, Grammar, Matcher, MatcherOptions, Vocabulary, VocabularyOptions,
};
use proptest::prelude::*;
use std::fmt::Debug;
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A case that takes longer is taken for one that does not end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Limit of the stacks of a random grammar, bytes.
const MEMORY_LIMIT: usize = 32 << 20;

/// Runs a case; prints it and ends the process if it does not end: proptest prints only what fails.
fn watched<R>(case: &impl Debug, run: impl FnOnce() -> R) -> R {
    let (ended, end) = mpsc::channel::<()>();
    let text = format!("{case:#?}");
    std::thread::spawn(move || {
        if end.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("a case does not end within {PATIENCE:?}: {text}");
            std::process::abort();
        }
    });
    let result = run();
    drop(ended);
    result
}

/// A grammar expression before it has an arena.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Empty,
    Nothing,
    Text(&'static str),
    AnyOf(&'static [u8]),
    Rule(usize),
    Concat(Vec<Tree>),
    Choice(Vec<Tree>),
    Repeat(Box<Tree>, u32, Option<u32>),
}

const RULES: usize = 4;

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        1 => Just(Tree::Empty),
        1 => Just(Tree::Nothing),
        6 => prop::sample::select(vec!["a", "b", "c", "ab", "é", "aab"]).prop_map(Tree::Text),
        2 => prop::sample::select(vec![&b"ab"[..], b"abc", b"\xc3\xa9"]).prop_map(Tree::AnyOf),
        6 => (0..RULES).prop_map(Tree::Rule),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let bounds = prop_oneof![
            Just((0, None)),
            Just((1, None)),
            Just((0, Some(1))),
            Just((2, None)),
            (0u32..3, 0u32..3).prop_map(|(min, more)| (min, Some(min + more))),
            Just((0, Some(40))),
            Just((33, Some(34))),
            Just((0, Some(2000))),
        ];
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Concat),
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(Tree::Choice),
            2 => (inner, bounds).prop_map(|(body, (min, max))| Tree::Repeat(Box::new(body), min, max)),
        ]
    })
}

fn add(builder: &mut GrammarBuilder, rules: &[RuleId], tree: &Tree) -> ExprId {
    let all =
        |builder: &mut GrammarBuilder, trees: &[Tree]| trees.iter().map(|t| add(builder, rules, t)).collect();
    match tree {
        Tree::Empty => builder.empty(),
        Tree::Nothing => builder.class(ByteSet::EMPTY),
        Tree::Text(text) => builder.literal(text),
        Tree::AnyOf(bytes) => builder.class(bytes.iter().copied().collect()),
        Tree::Rule(rule) => builder.rule_ref(rules[*rule]),
        Tree::Concat(parts) => {
            let parts = all(builder, parts);
            builder.concat(parts)
        }
        Tree::Choice(options) => {
            let options = all(builder, options);
            builder.choice(options)
        }
        Tree::Repeat(body, min, max) => {
            let body = add(builder, rules, body);
            builder.repeat(body, *min, *max)
        }
    }
}

pub(crate) fn grammar_of(trees: &[Tree]) -> Grammar {
    let mut builder = GrammarBuilder::new("");
    let rules: Vec<RuleId> = (0..trees.len()).map(|i| builder.declare(&format!("r{i}"))).collect();
    for (&rule, tree) in rules.iter().zip(trees) {
        let body = add(&mut builder, &rules, tree);
        builder.define(rule, body, None).unwrap();
    }
    builder.build(rules[0]).unwrap()
}

fn vocabulary(mut tokens: Vec<Vec<u8>>) -> Arc<Vocabulary> {
    tokens.extend([b"a".to_vec(), b"b".to_vec(), vec![], b"</s>".to_vec()]);
    let stop_token_ids = vec![tokens.len() as u32 - 1];
    let options =
        VocabularyOptions { stop_token_ids, vocab_size: Some(tokens.len() + 3), ..Default::default() };
    Arc::new(Vocabulary::new(&tokens, options).unwrap())
}

fn token() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(b"abc\xc3\xa9".to_vec()), 1..5),
        prop::sample::select(vec!["ab", "é", "aaaa", "bab", "aé"]).prop_map(|t| t.as_bytes().to_vec()),
    ]
}

fn mask(matcher: &mut Matcher) -> Result<Vec<u32>, Error> {
    let mut row = vec![u32::MAX; matcher.compiled_grammar().vocabulary().mask_words()];
    matcher.fill_next_token_bitmask(&mut row)?;
    Ok((0..row.len() as u32 * 32).filter(|id| row[*id as usize / 32] >> (id % 32) & 1 == 1).collect())
}

/// What a matcher may refuse for good reason: of 100,000 random grammars one is so ambiguous. Too many of them fail the test.
fn refusal(error: Error) -> TestCaseError {
    match error {
        Error::LimitExceeded { limit: "matcher_memory_limit", .. } => TestCaseError::reject("too ambiguous"),
        other => TestCaseError::fail(other.to_string()),
    }
}

/// What the oracle allows after `text`.
fn expected(grammar: &Grammar, vocabulary: &Vocabulary, text: &[u8]) -> Vec<u32> {
    let stop = vocabulary.stop_token_ids()[0];
    (0..vocabulary.vocab_size() as u32)
        .filter(|&id| match vocabulary.token_bytes(id) {
            _ if id == stop => matches(grammar, text),
            [] => false,
            bytes => is_viable_prefix(grammar, &[text, bytes].concat()),
        })
        .collect()
}

fn check(trees: &[Tree], tokens: Vec<Vec<u8>>, choices: &[usize], heavy: bool) -> Result<(), TestCaseError> {
    let grammar = grammar_of(trees);
    let vocabulary = vocabulary(tokens);
    let options = CompilerOptions { matcher_memory_limit: MEMORY_LIMIT, sessions: 2, ..Default::default() };
    let compiler = Compiler::new(Arc::clone(&vocabulary), options);
    let compiled = match compiler.compile(&grammar) {
        Ok(compiled) => compiled,
        Err(Error::EmptyLanguage { .. }) => {
            prop_assert!(!is_viable_prefix(&grammar, b""));
            return Ok(());
        }
        Err(other) => panic!("{other}"),
    };
    prop_assert!(is_viable_prefix(&grammar, b""));
    if heavy {
        compiled.treat_all_states_as_heavy();
    }
    let mut matcher = Matcher::new(Arc::clone(&compiled), MatcherOptions::default()).unwrap();
    // Of the other session, which has only this text in it, and takes the masks from the first.
    let mut other = Matcher::new(compiled, MatcherOptions::default()).unwrap();
    let mut text = Vec::new();
    for &choice in choices {
        let allowed = mask(&mut matcher).map_err(refusal)?;
        prop_assert_eq!(
            &allowed,
            &expected(&grammar, &vocabulary, &text),
            "after {:?}",
            text.escape_ascii().to_string()
        );
        prop_assert_eq!(&mask(&mut other).map_err(refusal)?, &allowed);
        prop_assert_eq!(matcher.is_completed(), matches(&grammar, &text));
        for id in 0..vocabulary.vocab_size() as u32 {
            let mut fork = matcher.fork();
            prop_assert_eq!(fork.accept_token(id).map_err(refusal)?, allowed.contains(&id), "token {}", id);
            if vocabulary.is_text(id) {
                let fits = matcher.fork().accept_bytes(vocabulary.token_bytes(id)).map_err(refusal)?;
                prop_assert_eq!(fits, allowed.contains(&id));
            }
            prop_assert_eq!(matcher.explain_token(id).map_err(refusal)?.is_none(), allowed.contains(&id));
        }
        let texts: Vec<u32> = allowed.iter().copied().filter(|&id| vocabulary.is_text(id)).collect();
        if texts.is_empty() || text.len() > 40 {
            break;
        }
        let token = texts[choice % texts.len()];
        prop_assert!(matcher.accept_token(token).map_err(refusal)?);
        matcher.rollback(1).unwrap();
        prop_assert_eq!(&mask(&mut matcher).map_err(refusal)?, &allowed);
        prop_assert!(matcher.accept_token(token).map_err(refusal)?);
        prop_assert!(other.accept_token(token).map_err(refusal)?);
        text.extend_from_slice(vocabulary.token_bytes(token));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, max_shrink_iters: 4000, ..ProptestConfig::default() })]
    #[test]
    fn masks_are_the_language(
        trees in prop::collection::vec(tree(), RULES),
        tokens in prop::collection::vec(token(), 1..12),
        choices in prop::collection::vec(0usize..100, 1..8),
        heavy: bool,
    ) {
        let case = (&trees, &tokens, &choices, heavy);
        watched(&case, || check(&trees, tokens.clone(), &choices, heavy))?;
    }
}

/// Memory after each quarter of a text that is followed byte by byte, masks included.
fn memory_by_quarter(source: &str, text: &str) -> Vec<usize> {
    let tokens: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
    let vocabulary = Arc::new(Vocabulary::new(&tokens, VocabularyOptions::default()).unwrap());
    let grammar = crate::frontend::ebnf::parse(source, &Default::default()).unwrap();
    let compiled = Compiler::new(vocabulary, CompilerOptions::default()).compile(&grammar).unwrap();
    let mut matcher = Matcher::new(Arc::clone(&compiled), MatcherOptions::default()).unwrap();
    let mut row = [0; 8];
    let mut step = |byte: &u8| {
        matcher.fill_next_token_bitmask(&mut row).unwrap();
        assert!(matcher.accept_bytes(&[*byte]).unwrap());
    };
    let quarters = text.as_bytes().chunks(text.len().div_ceil(4));
    quarters
        .map(|quarter| {
            quarter.iter().for_each(&mut step);
            compiled.memory_size_bytes()
        })
        .collect()
}

/// Long lists, deep nesting and texts with many trees: a byte late in the text takes no more memory than an early one.
#[test]
fn memory_does_not_grow_faster_than_the_text() {
    let arithmetic = r#"root ::= sum
        sum ::= product | sum [+-] product
        product ::= factor | product [*/] factor
        factor ::= [0-9]+ | "(" sum ")""#;
    let nested = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    for (source, text) in [
        (r#"root ::= "a" root | "b""#, "a".repeat(20_000)),
        (r#"root ::= root "a" | "b""#, "b".to_owned() + &"a".repeat(20_000)),
        (arithmetic, nested),
        (arithmetic, "1+2*(3)-".repeat(1500)),
        (r#"root ::= root root | "a" | "b""#, "ab".repeat(300)),
        (r#"root ::= root "+" root | "(" root ")" | [0-9]"#, "1+(2)+".repeat(100)),
    ] {
        let memory = memory_by_quarter(source, &text);
        let (early, late) = (memory[1], memory[3]);
        assert!(late < early * 5 / 2, "{source}: {memory:?} bytes after each quarter");
        assert!(late < 100_000 + text.len() * 1500, "{source}: {memory:?} bytes after each quarter");
    }
}

/// Rules that repeat themselves, with bounds: each byte can end any number of repetitions, each with any count. The first took
/// three times as long with every byte while each union of stacks had a bound of its own, and random tests found it.
#[test]
fn bounded_repetitions_of_themselves_stay_shared() {
    let first = r#"root ::= once "a"
        once ::= many | [abc] | ""
        many ::= [abc] | "b"* | "ab" | many{33,34}"#;
    let second = r#"root ::= (root | "a"){0,2000} | [bc]"#;
    for (source, text) in [(first, "abcabacbabcbab".repeat(12)), (second, "a".repeat(40))] {
        let grammar = crate::frontend::ebnf::parse(source, &Default::default()).unwrap();
        let compiled =
            Compiler::new(vocabulary(vec![]), CompilerOptions::default()).compile(&grammar).unwrap();
        let mut matcher = Matcher::new(Arc::clone(&compiled), MatcherOptions::default()).unwrap();
        for (at, byte) in text.bytes().enumerate() {
            assert!(matcher.accept_bytes(&[byte]).unwrap());
            let memory = compiled.memory_size_bytes();
            assert!(memory < 8 << 20, "{source}: {memory} bytes after {at}");
        }
    }
}
