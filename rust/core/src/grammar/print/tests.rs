//! What is printed is read back: the same text again, and the same language.

use super::super::reference::{Symbol, is_viable_prefix_of_symbols, matches_symbols};
use super::super::{ByteSet, ExprId, Grammar, GrammarBuilder, RuleId, TokenSet};
use crate::frontend::ebnf::{EbnfOptions, parse};
use proptest::prelude::*;

fn read(text: &str) -> Grammar {
    parse(text, &EbnfOptions::default()).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn prints_what_was_written() {
    for text in [
        "root ::= \"a\" root | \"b\"",
        "root ::= (\"a\" | \"b\")* \"c\"{2} \"d\"{2,} \"e\"{,3}",
        "root ::= [^\\n\"\\\\] [_a-zà-ü] . [\\-\\[-\\]] [\\u005ea]",
        "root ::= (\"a\"*)? (\"b\" \"c\")+ \"\"",
        "root ::= \"\\\"\\\\\\n\\r\\t\\u0000é\\u200b\"",
        "root ::= <think> !</think>* <[1-3, 7, \"[INST]\"]> !<[]>",
        "root ::= %\"\\xffa\" %[\\x80-\\xff] %[]",
        "root ::= a.b \"x\"\na.b ::= \"y\"",
    ] {
        let expected = text.replace("{,3}", "{0,3}");
        assert_eq!(read(text).to_string().trim_end(), expected);
    }
}

#[test]
fn odd_names_become_names() {
    let mut b = GrammarBuilder::new("");
    let names = ["#/$defs/a b", "root", "--/$defs/a b", "", "é", ".", "shared", "Token"];
    let rules: Vec<RuleId> = names.iter().map(|name| b.declare(name)).collect();
    for (i, &rule) in rules.iter().enumerate() {
        let text = b.literal(i.to_string());
        let next = rules.get(i + 1).map(|&next| b.rule_ref(next));
        let parts = [Some(text), next].into_iter().flatten().collect();
        let body = b.concat(parts);
        b.define(rule, body, None).unwrap();
    }
    let printed = b.build(rules[0]).unwrap().to_string();
    let names: Vec<&str> = printed.lines().map(|line| line.split(" ::=").next().unwrap()).collect();
    assert_eq!(
        names,
        ["root", "---defs-a-b", "root-2", "----defs-a-b", "rule", "-", "--2", "shared", "Token"]
    );
    assert!(matches_symbols(&read(&printed), &b"01234567".map(Symbol::Byte)));
}

#[test]
fn shared_and_deep_expressions_stay_small() {
    let mut b = GrammarBuilder::new("");
    let root = b.declare("root");
    let mut id = b.literal("a");
    for _ in 0..60 {
        id = b.concat(vec![id, id]);
    }
    b.define(root, id, None).unwrap();
    let printed = b.build(root).unwrap().to_string();
    assert!(printed.len() < 3000, "{}", printed.len());
    assert_eq!(read(&printed).rules().len(), 60);

    let mut b = GrammarBuilder::new("");
    let root = b.declare("root");
    let mut id = b.literal("a");
    for _ in 0..900 {
        id = b.repeat(id, 0, None);
    }
    b.define(root, id, None).unwrap();
    assert!(b.build(root).unwrap().to_string().len() > 900);
}

const TOKEN: Symbol<'static> = Symbol::Token { id: 7, text: "<t>" };

/// A recipe for one expression: (kind, two numbers that pick its parts).
type Step = (u8, u8, u8);

/// A grammar of three rules from recipes; every expression may use any earlier one.
fn build(steps: &[Step]) -> Grammar {
    let mut b = GrammarBuilder::new("");
    let rules = ["start", "root", "x y"].map(|name| b.declare(name));
    let mut exprs: Vec<ExprId> = vec![b.literal("a")];
    for &(kind, x, y) in steps {
        let pick = |n: u8| exprs[n as usize % exprs.len()];
        let (left, right) = (pick(x), pick(y));
        let id = match kind % 12 {
            0 => b.literal([[b'a', b'b', 0xC3, 0xA9, 0xFF, b'"'][x as usize % 6], b'b']),
            1 => b.literal(["b", "é", "", "\n"][x as usize % 4]),
            2 => b.class(ByteSet::range(x.min(y), x.max(y))),
            3 => b.chars(&[(u32::from(x), u32::from(x) + 100 * u32::from(y))]),
            4 => b.class(ByteSet::EMPTY),
            5 | 6 => b.concat(vec![left, right]),
            7 | 8 => b.choice(vec![left, right]),
            9 => b.repeat(left, u32::from(x % 3), (y % 2 == 0).then_some(u32::from(x % 3 + y % 3))),
            10 => b.rule_ref(rules[x as usize % 3]),
            _ => b.token(TokenSet {
                ids: if x % 2 == 0 { vec![(6, 8)] } else { vec![] },
                names: if y % 2 == 0 { vec!["<t>".into()] } else { vec![] },
                negated: x % 3 == 0,
            }),
        };
        exprs.push(id);
    }
    let n = exprs.len();
    for (i, rule) in rules.into_iter().enumerate() {
        b.define(rule, exprs[n - 1 - (i % n)], None).unwrap();
    }
    b.build(rules[0]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_language_is_read_back(
        steps in prop::collection::vec(any::<Step>(), 1..16),
        inputs in prop::collection::vec(prop::collection::vec(
            prop::sample::select(vec![
                Symbol::Byte(b'a'), Symbol::Byte(b'b'), Symbol::Byte(0xC3), Symbol::Byte(0xA9), Symbol::Byte(0xFF), TOKEN,
            ]), 0..5), 1..8),
    ) {
        let grammar = build(&steps);
        let printed = grammar.to_string();
        let back = read(&printed);
        // Names and their order settle down, so that printing does not grow.
        prop_assert_eq!(read(&back.to_string()).rules().len(), back.rules().len());
        for input in inputs {
            prop_assert_eq!(
                matches_symbols(&grammar, &input), matches_symbols(&back, &input), "{} on {:?}", printed, input
            );
            prop_assert_eq!(
                is_viable_prefix_of_symbols(&grammar, &input), is_viable_prefix_of_symbols(&back, &input),
                "{} after {:?}", printed, input
            );
        }
    }
}
