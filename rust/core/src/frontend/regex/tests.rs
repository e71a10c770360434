//! What is read, what is refused and where; and anchors against a backtracking matcher.

use super::{RegexOptions, lower, parse};
use crate::error::Error;
use crate::grammar::reference::matches;
use crate::grammar::{Expr, Grammar, GrammarBuilder};
use proptest::prelude::*;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

fn check(pattern: &str, yes: &[&str], no: &[&str]) {
    let grammar = parse(pattern).unwrap_or_else(|error| panic!("{pattern:?}: {error}"));
    for text in yes {
        assert!(matches(&grammar, text.as_bytes()), "{pattern:?} should match {text:?}");
    }
    for text in no {
        assert!(!matches(&grammar, text.as_bytes()), "{pattern:?} should not match {text:?}");
    }
}

#[test]
fn whole_texts_match() {
    check("abc", &["abc"], &["", "ab", "abcd", "xabc"]);
    check("a|bc", &["a", "bc"], &["ac", "b"]);
    check("a{2,3}?b+?c*?", &["aab", "aaabbcc"], &["ab", "aaaab"]);
    check("(?P<year>[0-9]{4})-(?:0[1-9]|1[0-2])", &["2026-11"], &["2026-13"]);
    check(".", &["a", "é"], &["\n", ""]);
    check("(?s).", &["\n"], &[]);
    check("(?i)straße", &["STRAßE", "straẞe", "ſtraße"], &["strasse"]);
    check(r"\d\w\s", &["1a ", "٣é\u{a0}"], &["aa "]);
    check(r"(?-u:\d\w)", &["1a"], &["1é", "٣a"]);
    check(r"\p{Greek}+", &["αβ"], &["a"]);
    check(r"[^\x00-\x7f]", &["é", "😀"], &["a"]);
    check(r"\xff", &["ÿ"], &[]);
    check("", &[""], &["a"]);
    check(r"[^\s\S]|a", &["a"], &["", "b"]);
    assert!(matches(&parse(r"(?-u:\xff)").unwrap(), b"\xff"));
    assert!(!matches(&parse(r"(?s).").unwrap(), b"\xff"));
}

#[test]
fn anchors_hold_at_the_ends_and_nowhere_else() {
    for pattern in ["^abc$", r"\Aabc\z", "^^abc$$", "^(abc)$", "^abc|abc$", "(^abc$|^x$)", "a?^abc"] {
        check(pattern, &["abc"], &["", "aabc", "abcd"]);
    }
    check("a^b|c", &["c"], &["ab", "b", "a"]);
    check("a*^b", &["b"], &["ab"]);
    check("a$b*", &["a"], &["ab"]);
    check("(^|,)x(,|$)", &["x", ",x,", "x,", ",x"], &["", "xx"]);
    check("(^a|b)*", &["", "a", "b", "abb", "bb"], &["aa", "ba"]);
    check("(a$|b)*", &["", "a", "b", "bba"], &["aa", "ab"]);
    check("(^a|b$|c){2}", &["ac", "cb", "ab", "cc"], &["a", "ba", "aa", "aca"]);
    check("(^|a){3}", &["aaa", "aa", "a", ""], &["aaaa"]);
    check("(a|$){2,}", &["a", "", "aaa"], &["b"]);
    check("^*a", &["a"], &[""]);
    check("$^", &[""], &["a"]);
}

#[test]
fn searching_finds_the_pattern_anywhere() {
    let search = |pattern: &str| {
        let mut builder = GrammarBuilder::new("");
        let root = builder.declare("root");
        let options = RegexOptions { search: true, ..RegexOptions::default() };
        let body = lower(&mut builder, pattern, &options).unwrap();
        builder.define(root, body, None).unwrap();
        builder.build(root).unwrap()
    };
    for (pattern, yes, no) in [
        ("b", vec!["b", "abc", "\nb\n"], vec!["", "a"]),
        ("^b", vec!["b", "bc"], vec!["ab", ""]),
        ("b$", vec!["b", "ab"], vec!["bc"]),
        ("^b$", vec!["b"], vec!["ab", "bc", ""]),
        ("^a|b$", vec!["a", "ax", "xb"], vec!["xa", "bx"]),
        ("", vec!["", "a"], vec![]),
    ] {
        let grammar = search(pattern);
        yes.iter().for_each(|text| assert!(matches(&grammar, text.as_bytes()), "{pattern} {text}"));
        no.iter().for_each(|text| assert!(!matches(&grammar, text.as_bytes()), "{pattern} {text}"));
    }
}

#[test]
fn counts_are_kept() {
    let grammar = parse("a{5,4294967295}").unwrap();
    let body = grammar.expr(grammar.rule(grammar.root()).body);
    assert!(matches!(body, Expr::Repeat { min: 5, max: Some(u32::MAX), .. }), "{body:?}");
    assert!(parse("(?:(?:a{4000000000}){4000000000}){4000000000}").is_ok());
}

#[test]
fn errors_have_their_place() {
    let cases = [
        ("é(?=a)", "unsupported", 2),
        ("(?<!a)b", "unsupported", 1),
        (r"(a)\1", "unsupported", 4),
        (r"é\bx", "unsupported", 2),
        (r"a\B", "unsupported", 2),
        ("a(?m)b$", "unsupported", 7),
        ("(?m:^a)", "unsupported", 5),
        ("(?m)^", "unsupported", 5),
        ("a(b", "syntax", 2),
        ("a)", "syntax", 2),
        ("[a", "syntax", 1),
        ("*", "syntax", 1),
        ("a{3,2}", "syntax", 2),
        ("a{4294967296}", "syntax", 3),
        (r"\q", "syntax", 1),
        (r"\p{Nope}", "syntax", 1),
    ];
    for (pattern, kind, column) in cases {
        let found = match parse(pattern) {
            Err(Error::Syntax { location, .. }) => ("syntax", location.column),
            Err(Error::Unsupported { location, .. }) => ("unsupported", location.column),
            other => panic!("{pattern:?}: {other:?}"),
        };
        assert_eq!(found, (kind, column), "{pattern:?}");
    }
}

#[test]
fn limits_are_errors() {
    let limit = |pattern: &str| match parse(pattern) {
        Err(Error::LimitExceeded { limit, .. }) => limit,
        other => panic!("{:?}", other.map(|_| ())),
    };
    assert_eq!(limit(&format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000))), "nesting_depth");
    assert_eq!(limit(&format!("{}a{}", "(".repeat(3000), ")".repeat(3000))), "nesting_depth");
    assert_eq!(limit(&format!("a{}", "*".repeat(3000))), "nesting_depth");
    assert_eq!(limit(&"a".repeat(super::PATTERN_BYTES + 1)), "pattern_bytes");
    assert_eq!(limit(&r"\w".repeat(20_000)), "unicode_classes");
    let deep = format!("{}a*^b{}", "(x?".repeat(100), ")*".repeat(100));
    assert!(parse(&deep).unwrap().rules().len() < 5_000);
}

/// The set of ends of matches of `hir` in `text` from `start`: the definition of a regular expression with anchors.
fn ends(hir: &Hir, text: &[u8], start: usize) -> Vec<usize> {
    let mut found = match hir.kind() {
        HirKind::Empty => vec![start],
        HirKind::Literal(literal) => {
            if text[start..].starts_with(&literal.0) {
                vec![start + literal.0.len()]
            } else {
                vec![]
            }
        }
        HirKind::Class(class) => {
            let fits = |byte: u8| match class {
                Class::Unicode(class) => {
                    class.iter().any(|r| (r.start()..=r.end()).contains(&char::from(byte)))
                }
                Class::Bytes(class) => class.iter().any(|r| (r.start()..=r.end()).contains(&byte)),
            };
            text.get(start).filter(|&&byte| fits(byte)).map(|_| start + 1).into_iter().collect()
        }
        HirKind::Look(Look::Start) => (start == 0).then_some(start).into_iter().collect(),
        HirKind::Look(_) => (start == text.len()).then_some(start).into_iter().collect(),
        HirKind::Capture(capture) => ends(&capture.sub, text, start),
        HirKind::Alternation(options) => {
            options.iter().flat_map(|option| ends(option, text, start)).collect()
        }
        HirKind::Concat(parts) => parts.iter().fold(vec![start], |from, part| {
            let mut to: Vec<usize> = from.iter().flat_map(|&at| ends(part, text, at)).collect();
            to.sort_unstable();
            to.dedup();
            to
        }),
        HirKind::Repetition(repetition) => {
            let mut found = Vec::new();
            let mut from = vec![start];
            // After more copies than there are bytes (and `min`), nothing new can be found.
            for count in 0..=repetition.max.unwrap_or(u32::MAX).min(repetition.min + text.len() as u32 + 1) {
                if count >= repetition.min {
                    found.extend(&from);
                }
                from = from.iter().flat_map(|&at| ends(&repetition.sub, text, at)).collect();
                from.sort_unstable();
                from.dedup();
            }
            found
        }
    };
    found.sort_unstable();
    found.dedup();
    found
}

fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["a", "b", "^", "$", "", "[ab]"]).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.concat())),
            2 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner, prop::sample::select(vec!["*", "+", "?", "{2}", "{1,2}", "{2,3}", "{2,}"]))
                .prop_map(|(part, operator)| format!("(?:{part}){operator}")),
        ]
    })
}

fn texts() -> impl Iterator<Item = Vec<u8>> {
    (0..=4u32).flat_map(|len| {
        (0..1u32 << len).map(move |bits| (0..len).map(|i| b"ab"[(bits >> i & 1) as usize]).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn anchors_mean_what_they_say(pattern in pattern()) {
        let hir = super::translate(&pattern, &RegexOptions::default()).unwrap();
        let grammar: Grammar = parse(&pattern).unwrap();
        prop_assert!(grammar.annotations().is_empty(), "{:?}: {:?}", pattern, grammar.annotations());
        for text in texts() {
            let expected = ends(&hir, &text, 0).contains(&text.len());
            prop_assert_eq!(matches(&grammar, &text), expected, "{:?} on {:?}", pattern, text);
        }
    }

    #[test]
    fn any_text_gives_a_grammar_or_an_error(text in "\\PC*|[ -~]*") {
        let _ = parse(&text);
    }

    #[test]
    fn near_patterns_too(pieces in prop::collection::vec(prop::sample::select(vec![
        "a", "(", ")", "[", "]", "{", "}", "1", ",", "*", "?", "|", "^", "$", "\\", "d", "(?i)", "(?-u)", "(?m)", "é", "\\xff",
        "\\p{L}", "-", "&&",
    ]), 0..20)) {
        let _ = parse(&pieces.concat());
    }
}
