//! The automata against a matcher that tries everything.

use super::*;
use crate::automaton::Budget;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Tree {
    Text(&'static str),
    Class(&'static str),
    Concat(Vec<Tree>),
    Or(Vec<Tree>),
    And(Vec<Tree>),
    Not(Box<Tree>),
    Repeat(Box<Tree>, u32, Option<u32>),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["", "a", "b", "ab", "é"]).prop_map(Tree::Text),
        prop::sample::select(vec!["", "ab", "aé", "abé"]).prop_map(Tree::Class),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let many = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            many.clone().prop_map(Tree::Concat),
            many.clone().prop_map(Tree::Or),
            many.prop_map(Tree::And),
            inner.clone().prop_map(|t| Tree::Not(Box::new(t))),
            (inner, 0u32..3, prop::option::of(0u32..3)).prop_map(|(t, min, more)| Tree::Repeat(
                Box::new(t),
                min,
                more.map(|m| min + m)
            )),
        ]
    })
}

fn add(arena: &mut Regular, tree: &Tree) -> TermId {
    match tree {
        Tree::Text(text) => arena.literal(text),
        Tree::Class(chars) => arena.class(CodeSet::new(chars.chars().map(|c| (u32::from(c), u32::from(c))))),
        Tree::Concat(parts) => {
            let parts: Vec<TermId> = parts.iter().map(|p| add(arena, p)).collect();
            let empty = arena.empty();
            parts.into_iter().fold(empty, |all, part| arena.concat(all, part))
        }
        Tree::Or(parts) => {
            let parts: Vec<TermId> = parts.iter().map(|p| add(arena, p)).collect();
            arena.or(parts)
        }
        Tree::And(parts) => {
            let parts: Vec<TermId> = parts.iter().map(|p| add(arena, p)).collect();
            arena.and(parts)
        }
        Tree::Not(a) => {
            let a = add(arena, a);
            arena.not(a)
        }
        Tree::Repeat(a, min, max) => {
            let a = add(arena, a);
            arena.repeat(a, *min, *max)
        }
    }
}

/// Whether `text` is in the language, by trying every way to cut it.
fn matches(tree: &Tree, text: &[char]) -> bool {
    match tree {
        Tree::Text(want) => want.chars().eq(text.iter().copied()),
        Tree::Class(chars) => matches!(text, [c] if chars.contains(*c)),
        Tree::Concat(parts) => match parts.split_first() {
            None => text.is_empty(),
            Some((first, rest)) => (0..=text.len())
                .any(|i| matches(first, &text[..i]) && matches(&Tree::Concat(rest.to_vec()), &text[i..])),
        },
        Tree::Or(parts) => parts.iter().any(|p| matches(p, text)),
        Tree::And(parts) => parts.iter().all(|p| matches(p, text)),
        Tree::Not(a) => !matches(a, text),
        Tree::Repeat(a, min, max) => {
            let (min, max) = (*min as usize, max.map_or(text.len() + *min as usize, |max| max as usize));
            (min..=max).any(|n| matches(&Tree::Concat(vec![(**a).clone(); n]), text))
        }
    }
}

fn texts() -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = 0;
    for _ in 0..4 {
        let end = all.len();
        for i in last..end {
            all.extend(['a', 'b', 'é'].map(|c| format!("{}{c}", all[i])));
        }
        last = end;
    }
    all
}

fn dfa(arena: &mut Regular, id: TermId) -> Dfa {
    Dfa::new(arena, id, &mut Budget::unlimited()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn automata_are_the_language(tree in tree()) {
        let mut arena = Regular::new();
        let id = add(&mut arena, &tree);
        let dfa = dfa(&mut arena, id);
        for text in texts() {
            let chars: Vec<char> = text.chars().collect();
            prop_assert_eq!(dfa.matches(&text), matches(&tree, &chars), "{:?}", text);
        }
        for state in &dfa.states {
            for (i, (set, _)) in state.edges.iter().enumerate() {
                prop_assert!(state.edges[i + 1..].iter().all(|(other, _)| set.intersection(other).is_empty()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn a_string_is_found_if_there_is_one(parts in prop::collection::vec(tree(), 2..4)) {
        let mut arena = Regular::new();
        let ids: Vec<TermId> = parts.iter().map(|part| add(&mut arena, part)).collect();
        let all = arena.and(ids);
        let is_inhabited = arena.is_inhabited(all, &mut Budget::unlimited()).unwrap();
        prop_assert_eq!(is_inhabited, !dfa(&mut arena, all).is_empty());
    }
}

/// Where a language goes on by what its blocks' derivatives say.
fn targets_by_blocks(arena: &mut Regular, id: TermId) -> Vec<(u32, u32, TermId)> {
    let mut ranges: Vec<(u32, u32, TermId)> = Vec::new();
    for block in arena.blocks(id).iter() {
        let after = arena.derivative(id, block.first());
        if after != arena.nothing() {
            ranges.extend(block.ranges().map(|(lo, hi)| (lo, hi, after)));
        }
    }
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let is_next = last.2 == next.2 && last.1 + 1 == next.0;
        if is_next {
            last.1 = next.1;
        }
        is_next
    });
    ranges
}

/// Compares for a language and those that follow.
fn compare_targets(arena: &mut Regular, language: TermId) -> Result<(), TestCaseError> {
    let mut order = indexmap::IndexSet::from([language]);
    let mut at = 0;
    while at < order.len().min(40) {
        let targets = arena.targets(order[at]);
        prop_assert_eq!(targets.to_vec(), targets_by_blocks(arena, order[at]));
        order.extend(targets.iter().map(|target| target.2));
        at += 1;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn targets_are_all_derivatives(tree in tree(), whole in tree(), end in tree()) {
        let mut arena = Regular::new();
        let [tree, whole, end] = [tree, whole, end].map(|tree| add(&mut arena, &tree));
        compare_targets(&mut arena, tree)?;
        let before = arena.before(tree, whole, end, &mut Budget::unlimited()).unwrap();
        compare_targets(&mut arena, before)?;
    }
}

#[test]
fn targets_of_patterns_are_all_derivatives() {
    let patterns = [
        "^[a-c]*a?b?$|x",
        "(^|,)[0-9]+(,|$)",
        "^a?b?c?d?e?f?g?h?(a|b)*$",
        r"^(\w+-)*\d{2,4}$",
        "^(red|green|grey|blue)+$",
        r"^[^a-f]*[^\u{d000}-\u{f000}]$",
        "^(?:[a-z]-[a-z]|[^-])*-?$",
    ];
    for pattern in patterns {
        let mut arena = Regular::new();
        let hir = regex_syntax::parse(pattern).unwrap();
        for search in [true, false] {
            let id = arena.from_hir(&hir, pattern, search).unwrap();
            compare_targets(&mut arena, id).unwrap();
        }
    }
}

#[test]
fn targets_of_many_optional_parts_are_found_without_recursion() {
    let mut arena = Regular::new();
    let hir = regex_syntax::parse(&"a?b?".repeat(2_000)).unwrap();
    let id = arena.from_hir(&hir, "", false).unwrap();
    let targets = arena.targets(id);
    let expected = [u32::from('a'), u32::from('b')].map(|c| (c, c, arena.derivative(id, c)));
    assert_eq!(targets[..], expected);
}

/// How many words an automaton has, of the lengths that tell whether there are more than so many.
fn number_of_words(dfa: &Dfa, most: usize) -> usize {
    let mut ways = vec![0usize; dfa.states.len()];
    ways.iter_mut().take(1).for_each(|ways| *ways = 1);
    let mut number = 0usize;
    for _ in 0..=dfa.states.len() * (most + 1) {
        let ends = dfa.states.iter().zip(&ways).filter(|(state, _)| state.is_final);
        number = ends.fold(number, |number, (_, &ways)| number.saturating_add(ways));
        let mut next = vec![0usize; ways.len()];
        for (state, &ways) in dfa.states.iter().zip(&ways) {
            for (set, to) in &state.edges {
                let symbols: u32 = set.ranges().iter().map(|(lo, hi)| hi - lo + 1).sum();
                let to = &mut next[*to as usize];
                *to = to.saturating_add(ways.saturating_mul(symbols as usize));
            }
        }
        ways = next;
    }
    number
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]
    #[test]
    fn few_words_are_all_there_are(parts in prop::collection::vec(tree(), 1..4), most in 0usize..12) {
        let mut arena = Regular::new();
        let ids: Vec<TermId> = parts.iter().map(|part| add(&mut arena, part)).collect();
        let all = arena.and(ids);
        let words = arena.few_words(all, most, &mut Budget::unlimited()).unwrap();
        let dfa = dfa(&mut arena, all);
        let number = number_of_words(&dfa, most);
        prop_assert_eq!(words.is_some(), number <= most, "{}", number);
        if let Some(words) = words {
            prop_assert_eq!(words.len(), number);
            prop_assert!(words.iter().all(|word| dfa.matches(word)));
            prop_assert!(words.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]
    #[test]
    fn what_is_found_to_be_within_is(parts in prop::collection::vec(tree(), 3)) {
        let mut arena = Regular::new();
        let ids: Vec<TermId> = parts.iter().map(|part| add(&mut arena, part)).collect();
        let (either, any) = (arena.or([ids[0], ids[1]]), arena.or(ids.iter().copied()));
        let (both, all) = (arena.and([ids[0], ids[1]]), arena.and(ids.iter().copied()));
        let option = arena.repeat(ids[0], 0, Some(1));
        let (following, after_option) = (arena.concat(ids[0], ids[1]), arena.concat(option, ids[1]));
        let languages = [ids[0], ids[1], either, any, both, all, following, after_option];
        for (a, b) in languages.iter().flat_map(|&a| languages.map(|b| (a, b))) {
            if arena.is_within(a, b) {
                let not = arena.not(b);
                let beyond = arena.and([a, not]);
                prop_assert!(dfa(&mut arena, beyond).is_empty());
            }
        }
    }
}

#[test]
fn what_follows_an_option_is_within() {
    let mut arena = Regular::new();
    // As after a letter that could begin a range of letters.
    let (letter, range) = (arena.words(["a", "b"]), arena.words(["", "-b"]));
    let letters = arena.repeat(letter, 0, None);
    let after_letter = arena.concat(range, letters);
    assert!(arena.is_within(letters, after_letter) && !arena.is_within(after_letter, letters));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn what_stands_before_an_end(
        body in tree(),
        whole in tree(),
        ends in prop::collection::vec(prop::sample::select(vec!["", "a", "b", "ab", "ba", "aa"]), 1..4),
    ) {
        let mut arena = Regular::new();
        let (body_id, whole_id) = (add(&mut arena, &body), add(&mut arena, &whole));
        let end = arena.words(ends.iter().copied());
        let before = arena.before(body_id, whole_id, end, &mut Budget::unlimited()).unwrap();
        let dfa = dfa(&mut arena, before);
        for text in texts() {
            let chars: Vec<char> = text.chars().collect();
            let completed = |end: &&str| matches(&whole, &[&chars[..], &end.chars().collect::<Vec<_>>()].concat());
            let expected = matches(&body, &chars) && ends.iter().any(completed);
            prop_assert_eq!(dfa.matches(&text), expected, "{:?}", text);
        }
    }
}

fn pattern(pattern: &str, search: bool) -> Dfa {
    let mut arena = Regular::new();
    let hir = regex_syntax::parse(pattern).unwrap();
    let id = arena.from_hir(&hir, pattern, search).unwrap();
    dfa(&mut arena, id)
}

#[test]
fn anchors_hold_where_they_stand() {
    for (text, whole) in [("", true), ("b", true), ("ab", false)] {
        assert_eq!(pattern("b?", false).matches(text), whole);
    }
    let found = |p: &str, text: &str| pattern(p, true).matches(text);
    for (p, yes, no) in [
        ("a*^b", "ba", "ab"),
        ("(^|,)a", "b,a", "ba"),
        ("^a$|^$", "", "aa"),
        ("$^", "", "a"),
        ("^$^$", "", "a"),
        ("a($|,)", "ba", "ab"),
        ("^(a|b$)+$", "aab", "aba"),
        ("", "xyz", "\u{0}none"),
    ] {
        assert!(found(p, yes), "{p:?} should be found in {yes:?}");
        assert!(p.is_empty() || !found(p, no), "{p:?} should not be found in {no:?}");
    }
    assert!(pattern("a^b", true).is_empty());
}

#[test]
fn contradictions_are_seen() {
    let mut arena = Regular::new();
    let digits = arena.from_hir(&regex_syntax::parse("^[0-9]+$").unwrap(), "", true).unwrap();
    let letters = arena.from_hir(&regex_syntax::parse("^[a-z]+$").unwrap(), "", true).unwrap();
    let both = arena.and([digits, letters]);
    assert!(dfa(&mut arena, both).is_empty());
    let neither = arena.or([digits, letters]);
    let neither = arena.not(neither);
    let neither = dfa(&mut arena, neither);
    assert!(neither.matches("a1") && neither.matches("") && !neither.matches("11"));
}

#[test]
fn long_patterns_do_not_overflow_the_stack() {
    let optional = "a?".repeat(3_000);
    assert!(pattern(&optional[..600], false).matches("aaa"));
    let mut arena = Regular::new();
    let id = arena.literal(&"x".repeat(200_000));
    let id = arena.concat(id, id);
    assert!(!arena.is_nullable(id));
}
