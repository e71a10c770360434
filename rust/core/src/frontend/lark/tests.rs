//! What the Python tests, which have Lark itself to compare with, cannot see: shapes, places, the reference recogniser.

use super::{LarkOptions, parse};
use crate::error::Error;
use crate::grammar::reference::{is_viable_prefix, matches};
use crate::grammar::{Expr, Grammar};
use proptest::prelude::*;

fn read(text: &str) -> Grammar {
    parse(text, &LarkOptions::default(), &|_| Ok(None)).unwrap()
}

#[test]
fn ignored_text_stands_before_terminals_and_at_the_end() {
    let grammar = read("start: \"a\" B\nB: \"b\" \"c\"\n%ignore \" \"");
    for (text, fits) in [("abc", true), (" a bc ", true), ("ab c", false), ("  ", false)] {
        assert_eq!(matches(&grammar, text.as_bytes()), fits, "{text:?}");
    }
    assert!(is_viable_prefix(&grammar, b"  a ") && !is_viable_prefix(&grammar, b"a c"));
}

#[test]
fn without_lookaround_rules_stay_as_they_are() {
    let grammar = read("start: x~2..900 \"!\"\nx: WORD | start\nWORD: /[a-z]{3,5000}/");
    let names: Vec<&str> = grammar.rules().iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["sentence", "start", "x", "WORD"]);
    let repeats =
        grammar.exprs.iter().filter(|expr| matches!(expr, Expr::Repeat { max: Some(900 | 5000), .. }));
    assert_eq!(repeats.count(), 2);
}

#[test]
fn a_lookahead_at_the_end_holds_for_what_follows() {
    let grammar = read("start: (ZERO | DIGIT)+\nZERO: /0(?![1-9])/\nDIGIT: /[1-9]/\n%ignore \"_\"");
    for (text, fits) in
        [("0", true), ("00", true), ("10", true), ("01", false), ("0_1", true), ("00100", false)]
    {
        assert_eq!(matches(&grammar, text.as_bytes()), fits, "{text:?}");
    }
}

#[test]
fn errors_of_imports_have_their_own_places() {
    let load = |path: &str| Ok((path == "a.lark").then(|| "X: Y\n  Y: \"y\" (\n".to_owned()));
    match parse("start: X\n%import a.X", &LarkOptions::default(), &load) {
        Err(Error::Syntax { message, location, .. }) => {
            assert!(message.starts_with("in the imported grammar `a.lark`:"), "{message}");
            assert_eq!(location.line, 3);
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any text at all, and any text as a rule's body.
    #[test]
    fn no_text_breaks_the_reader(text in "\\PC{0,40}|[a-cA-C:|()\\[\\]{}\"/\\\\?*+~.,%&<>^$!=\\n -]{0,60}") {
        for text in [text.clone(), format!("start: {text}"), format!("start: /{text}/")] {
            let _ = parse(&text, &LarkOptions::default(), &|_| Ok(None));
        }
    }
}
