//! What is read, what is refused and where.

use super::{EbnfOptions, Unreachable, parse};
use crate::error::{Error, Location, Result};
use crate::grammar::reference::{Symbol, matches, matches_symbols};
use crate::grammar::{Expr, Grammar, TokenSet};
use proptest::prelude::*;

fn read(text: &str) -> Grammar {
    parse(text, &EbnfOptions::default()).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

/// Checks `grammar` against texts that match and texts that do not.
fn check(grammar: &str, yes: &[&str], no: &[&str]) {
    let read = read(grammar);
    for text in yes {
        assert!(matches(&read, text.as_bytes()), "{grammar:?} should match {text:?}");
    }
    for text in no {
        assert!(!matches(&read, text.as_bytes()), "{grammar:?} should not match {text:?}");
    }
}

#[test]
fn gbnf_is_read_as_llama_cpp_reads_it() {
    check("root ::= \"a\" | \"b\" |\n  \"c\"", &["a", "b", "c"], &["", "ab"]);
    check(
        "# note\nroot ::= (\n \"1. \" # first\n move \"\\n\"\n)+\nmove ::= [a-h] [1-8]",
        &["1. e4\n", "1. e4\n1. a1\n"],
        &[""],
    );
    check("root ::= [^a-c\\n]", &["d", "é", "😀"], &["a", "\n", "", "dd"]);
    check("root ::= [a-z-9_]", &["-", "9", "_", "q"], &["8"]);
    check("root ::= [-a] [a-]", &["--", "aa", "-a"], &["b-"]);
    check("root ::= [\"\\]\\[\\\\]", &["\"", "]", "[", "\\"], &["a"]);
    check("root ::= .", &["a", "\n", "é"], &["", "ab"]);
    check("root ::= \"ab\"*", &["", "abab"], &["aba", "a"]);
    check("root ::= \"a\"{2} \"b\"{1,} \"c\"{1,2} \"d\"{0,1}", &["aabc", "aabbbccd"], &["abc", "aabccc"]);
    check("root ::= \"a\"+?", &["", "a", "aa"], &["b"]);
    check("root ::= \"a\" { 1 , 2 }", &["a", "aa"], &["", "aaa"]);
    check("root ::= | \"x\"", &["", "x"], &["xx"]);
    check("root ::= \"x\" |", &["", "x"], &["xx"]);
    check("root ::=", &[""], &["x"]);
    check("root ::= a-1 b_2\r\na-1 ::= \"A\"\r\nb_2 ::= \"B\"\r\n", &["AB"], &[]);
    check("root ::= a\"x\"[0-9]a\na ::= \"a\"", &["ax0a"], &[]);
    check("root ::= \"\\x41\\u00e9\\U0001F600\\t\\\"\"", &["Aé😀\t\""], &[]);
    // \x above 0x7F is a code point in both dialects, not a byte.
    check("root ::= \"\\xe9\" [\\x80-\\xff]", &["éÿ"], &[]);
    assert!(!matches(&read("root ::= [\\xe9]"), b"\xe9"));
    check("root ::= x.y\nx ::= \"x\"\ny ::= \"y\"", &["x!y", "x\ny"], &["xy"]);
    check("root ::= \"a\nb\"", &["a\nb"], &[]);
    check("root::=\"a\"", &["a"], &[]);
    check("\u{feff}root ::= \"a\"", &["a"], &[]);
}

#[test]
fn xgrammar_is_read_as_it_is_documented() {
    check("root ::= \"a\"\n  | \"b\"\n  \"c\"\n*", &["a", "bc", "bccc", "b"], &["ab"]);
    check("root ::= a.b\na.b ::= \"x\"", &["x"], &[]);
    check("root ::= a.b.c\na.b ::= \"x\"\nc ::= \"c\"", &["x!c"], &["xc"]);
    check("root ::= \"\" | ( ) | (\"a\" (\"b\" | \"\"))", &["", "a", "ab"], &[]);
    check("root ::= [^]", &["a", "\n"], &[""]);
    check("root ::= [\\^\\$\\.\\*\\+\\?\\(\\)\\{\\}\\|\\/\\-]", &["^", "$", "-", "/"], &["a", "\\"]);
    check("root ::= \"\\a\\b\\e\\f\\v\\0\\'\\?\\/\"", &["\x07\x08\x1b\x0c\x0b\0'?/"], &[]);
    check("root ::= \"a\"{2, -1}", &["aa", "aaa"], &["a"]);
    check("root ::= \"a\"{0}", &[""], &["a"]);
    check("root ::= \"a\"{,2}", &["", "aa"], &["aaa"]);
    check("root\n ::= \"a\"", &["a"], &[]);
    check("root ::= root \"a\" | \"a\"", &["a", "aaaa"], &[""]);
    check(
        "root ::= \"ID-\" Regex(\"[0-9]{2}\") Regex(\".\") Regex(\".\", flags=\"u\")?",
        &["ID-12\n", "ID-12ab"],
        &["ID-12a\n"],
    );
    // A rule of a macro's name is a rule.
    check("root ::= Token (\"x\")\nToken ::= \"t\"", &["tx"], &[]);
}

#[test]
fn tokens_and_bytes() {
    let set = |text: &str| {
        let grammar = read(text);
        match grammar.expr(grammar.rule(grammar.root()).body) {
            Expr::Token(set) => set.clone(),
            other => panic!("{text:?}: {other:?}"),
        }
    };
    let token = |ids: &[(u32, u32)], names: &[&str], negated| TokenSet {
        ids: ids.to_vec(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        negated,
    };
    assert_eq!(set("root ::= <[123]>"), token(&[(123, 123)], &[], false));
    assert_eq!(set("root ::= !<[1]>"), token(&[(1, 1)], &[], true));
    assert_eq!(set("root ::= <|im_end|>"), token(&[], &["<|im_end|>"], false));
    assert_eq!(set("root ::= !</think>"), token(&[], &["</think>"], true));
    assert_eq!(set("root ::= <[1-3, 7, \"[INST]\"]>"), token(&[(1, 3), (7, 7)], &["[INST]"], false));
    assert_eq!(set("root ::= Token(5, 3,5)"), token(&[(3, 3), (5, 5)], &[], false));
    assert_eq!(set("root ::= ExcludeToken(4)"), token(&[(4, 4)], &[], true));
    let thought = read("root ::= <think> !</think>* </think>");
    let token = |text| Symbol::Token { id: 0, text };
    assert!(matches_symbols(&thought, &[token("<think>"), token("a"), token("</think>")]));
    assert!(!matches_symbols(&thought, &[token("<think>"), token("</think>"), token("</think>")]));

    let raw = read("root ::= %\"\\xff\\x00a\" %[\\x80-\\xff] %[^a-z]");
    assert!(matches(&raw, b"\xff\x00a\x90A") && !matches(&raw, b"\xff\x00a\x90b"));
    assert!(!matches(&read("root ::= %[] | \"a\""), b""));
}

#[test]
fn the_ready_grammars_take_their_samples() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../grammars");
    let samples = |name: &str, kind: &str| -> Vec<String> {
        let path = folder.join(format!("samples/{name}.{kind}"));
        let text = std::fs::read_to_string(&path).unwrap();
        let samples: Vec<_> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!samples.is_empty(), "{path:?}");
        samples
    };
    let mut found = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "ebnf") {
            continue;
        }
        found += 1;
        let name = path.file_stem().unwrap().to_str().unwrap();
        let grammar = read(&std::fs::read_to_string(&path).unwrap());
        assert!(grammar.annotations().is_empty(), "{name}: {:?}", grammar.annotations());
        let again = read(&grammar.to_string());
        for grammar in [grammar, again] {
            for text in samples(name, "accept") {
                assert!(matches(&grammar, text.as_bytes()), "{name} should match {text:?}");
            }
            for text in samples(name, "reject") {
                assert!(!matches(&grammar, text.as_bytes()), "{name} should not match {text:?}");
            }
        }
    }
    assert!(found >= 4, "{found} grammars in {folder:?}");
}

/// The error of a text, as (kind, line, column, start of the snippet).
fn error(text: &str) -> (&'static str, u32, u32, String) {
    let (kind, at): (_, Location) = match parse(text, &EbnfOptions::default()) {
        Err(Error::Syntax { location, .. }) => ("syntax", location),
        Err(Error::Unsupported { location, .. }) => ("unsupported", location),
        Err(Error::UndefinedRule { location, .. }) => ("undefined", location),
        other => panic!("{text:?}: {other:?}"),
    };
    (kind, at.line, at.column, at.snippet.chars().take(6).collect())
}

#[test]
fn errors_have_their_place() {
    let cases = [
        ("root ::= \"a", "syntax", 1, 10, "\"a"),
        ("root ::= [a", "syntax", 1, 10, "[a"),
        ("root ::= (\"a\"\nb ::= \"x\"", "syntax", 1, 10, "(\"a\""),
        ("root ::= \"a\")", "syntax", 1, 13, ")"),
        ("root ::= *", "syntax", 1, 10, "*"),
        ("root ::= \"é\" | \n  $", "syntax", 2, 3, "$"),
        ("root ::= \"é\" x", "undefined", 1, 14, "x"),
        ("root = \"a\"", "syntax", 1, 6, "= \"a\""),
        ("root ::= \"a\"\nfoo: \"b\"", "syntax", 2, 4, ": \"b\""),
        ("::= \"a\"", "syntax", 1, 1, "::= \"a"),
        ("root ::= \"a\" b ::= \"b\"", "syntax", 1, 14, "b ::= "),
        ("root ::=\nb ::= \"b\"", "syntax", 2, 1, "b ::= "),
        ("root ::= b |\nb ::= \"b\"", "syntax", 2, 1, "b ::= "),
        ("root ::= \"a\"\nroot ::= \"b\"", "syntax", 2, 1, "root :"),
        ("root ::= []", "syntax", 1, 10, "[]"),
        ("root ::= [z-a]", "syntax", 1, 11, "z-a]"),
        ("root ::= \"\\q\"", "syntax", 1, 11, "\\q\""),
        ("root ::= [\\d]", "syntax", 1, 11, "\\d]"),
        ("root ::= \"\\x4\"", "syntax", 1, 11, "\\x4\""),
        ("root ::= \"\\ud800\"", "syntax", 1, 11, "\\ud800"),
        ("root ::= [\\U00110000]", "syntax", 1, 11, "\\U0011"),
        ("root ::= %\"é\"", "syntax", 1, 12, "é\""),
        ("root ::= %\"\\u0100\"", "syntax", 1, 12, "\\u0100"),
        ("root ::= %a", "syntax", 1, 11, "a"),
        ("root ::= \"a\"{3,2}", "syntax", 1, 13, "{3,2}"),
        ("root ::= \"a\"{4294967296}", "syntax", 1, 14, "429496"),
        ("root ::= \"a\"{x}", "syntax", 1, 14, "x}"),
        ("root ::= \"a\"{1", "syntax", 1, 15, "root :"),
        ("root ::= <a", "syntax", 1, 10, "<a"),
        ("root ::= !a", "syntax", 1, 11, "a"),
        ("root ::= <[1>", "syntax", 1, 13, ">"),
        ("root ::= <[3-1]>", "syntax", 1, 12, "3-1]>"),
        ("root ::= Token(x)", "syntax", 1, 16, "x)"),
        ("root ::= Regex(\"(\")", "syntax", 1, 16, "\"(\")"),
        ("root ::= Regex(\"a\", x=1)", "syntax", 1, 21, "x=1)"),
        ("root ::= Regex(\"(?=a)\")", "unsupported", 1, 16, "\"(?=a)"),
        ("root ::= Regex(\"a\", json_string=true)", "unsupported", 1, 21, "json_s"),
        ("root ::= \"a\" TagDispatch((\"a\", b))", "unsupported", 1, 14, "TagDis"),
        ("root ::= TokenTagDispatch()", "unsupported", 1, 10, "TokenT"),
        ("root ::= Substring(\"a\")", "unsupported", 1, 10, "Substr"),
        ("root ::= \"a\" (= \"b\")", "unsupported", 1, 14, "(= \"b\""),
        ("root ::= x\nx[capture, max_tokens=3] ::= \"a\"", "unsupported", 2, 2, "[captu"),
        ("a ::= \"a\"", "syntax", 1, 1, "a ::= "),
        ("", "syntax", 1, 1, ""),
    ];
    for (text, kind, line, column, snippet) in cases {
        assert_eq!(error(text), (kind, line, column, snippet.to_owned()), "{text:?}");
    }
}

#[test]
fn a_missing_root_names_the_rules() {
    let Err(error) = parse("a ::= b\nb ::= \"\"", &EbnfOptions::default()) else { panic!() };
    let message = error.to_string();
    assert!(message.contains("`root` is not defined") && message.contains("`a`, `b`"), "{message}");
    let options = EbnfOptions { root_rule_name: "b".into(), ..EbnfOptions::default() };
    let grammar = parse("a ::= b\nb ::= \"\"", &options).unwrap();
    assert_eq!(grammar.rule(grammar.root()).name, "b");
}

#[test]
fn unreachable_rules_are_noted_refused_or_ignored() {
    let text = "root ::= \"a\"\nb ::= c\nc ::= \"c\"";
    let with = |unreachable| parse(text, &EbnfOptions { unreachable, ..EbnfOptions::default() });
    let notes: Vec<_> = read(text).annotations().iter().map(|note| note.message.clone()).collect();
    assert_eq!(notes.len(), 2);
    assert!(notes[0].contains("`b`") && notes[0].contains("line 2, column 1"), "{notes:?}");
    match with(Unreachable::Error) {
        Err(Error::UnreachableRule { name, location }) => {
            assert_eq!((name.as_str(), location.line, location.column), ("b", 2, 1));
        }
        other => panic!("{other:?}"),
    }
    assert!(with(Unreachable::Ignore).unwrap().annotations().is_empty());
}

#[test]
fn escapes_that_the_dialects_read_differently_are_noted() {
    let grammar = read("root ::= \"\\x1F600\"");
    assert!(matches(&grammar, b"\x1f600"));
    let [note] = grammar.annotations() else { panic!("{:?}", grammar.annotations()) };
    assert!(note.kind == "ambiguous-escape" && note.message.contains("line 1, column 11"), "{note:?}");
    assert!(read("root ::= [\\x00-\\x1F] \"\\x41g\"").annotations().is_empty());
}

#[test]
fn limits_are_errors_and_never_overflow() {
    let limit = |text: &str| match parse(text, &EbnfOptions::default()) {
        Err(Error::LimitExceeded { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let nested = |n: usize| format!("root ::= {}\"a\"{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(499), &EbnfOptions::default()).is_ok());
    assert_eq!(limit(&nested(501)), "nesting_depth");
    assert_eq!(limit(&nested(1_000_000)), "nesting_depth");
    assert_eq!(limit(&format!("root ::= \"a\"{}", "*".repeat(100_000))), "nesting_depth");
    let few = EbnfOptions { expressions: 10, ..EbnfOptions::default() };
    assert!(parse("root ::= [a] [b] [c]", &few).is_ok());
    assert!(matches!(
        parse("root ::= [é] [^é] \"a\"", &few),
        Err(Error::LimitExceeded { limit: "expressions", .. })
    ));
    let small = EbnfOptions { text_bytes: 10, ..EbnfOptions::default() };
    assert!(matches!(
        parse("root ::= \"abc\"", &small),
        Err(Error::LimitExceeded { limit: "text_bytes", .. })
    ));
}

#[test]
fn long_texts_take_linear_time() {
    let started = std::time::Instant::now();
    for text in [
        format!("root ::= {}", "a ".repeat(300_000)) + "\na ::= \"\"",
        format!("root ::= {}", ". ".repeat(300_000)),
        format!("root ::= {}\na.b ::= \"\"\na ::= \"\"", "a.".repeat(200_000)),
        (0..40_000).map(|i| format!("r{i} ::= \"\"\n")).collect::<String>() + "root ::= \"\"",
        format!("root ::= \"{}\"", "\\x411".repeat(100_000)),
        format!("root ::= {}", "\"a\" | ".repeat(200_000)),
    ] {
        parse(&text, &EbnfOptions::default()).unwrap();
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn spans_point_at_the_text() {
    let text = "root ::= x (\"b\"* | [cd])\nx ::= \"é\"";
    let grammar = read(text);
    let slice = |span: crate::grammar::Span| &text[span.start as usize..span.end as usize];
    let rules: Vec<_> = grammar.rules().iter().map(|rule| slice(rule.span.unwrap())).collect();
    assert_eq!(rules, ["root ::= x (\"b\"* | [cd])", "x ::= \"é\""]);
    let body = grammar.rule(grammar.root()).body;
    assert_eq!(slice(grammar.span(body).unwrap()), "x (\"b\"* | [cd])");
    let Expr::Concat(parts) = grammar.expr(body) else { panic!() };
    let parts: Vec<_> = parts.iter().map(|&part| slice(grammar.span(part).unwrap())).collect();
    assert_eq!(parts, ["x", "\"b\"* | [cd]"]);
}

/// Text that looks like a grammar often enough to reach deep into the parser.
fn grammar_like() -> impl Strategy<Value = String> {
    let pieces = [
        "root ::= ",
        "root",
        "a",
        "::=",
        "\n",
        " ",
        "|",
        "(",
        ")",
        "*",
        "+",
        "?",
        "{",
        "}",
        "1",
        ",",
        "\"",
        "\"a\"",
        "[",
        "]",
        "^",
        "-",
        "\\",
        "\\x41",
        "%",
        "<",
        ">",
        "<[1]>",
        "!",
        ".",
        "#",
        "Regex(",
        "Token(",
        "é",
        "a ::= ",
        "(=",
        "[a]",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

fn parse_checked(text: &str) -> Result<Grammar> {
    let result = parse(text, &EbnfOptions::default());
    if let Err(
        Error::Syntax { location, .. }
        | Error::Unsupported { location, .. }
        | Error::UndefinedRule { location, .. },
    ) = &result
    {
        let lines = text.split('\n').count() as u32;
        assert!((1..=lines).contains(&location.line), "{text:?}: {location}");
        let line = text.split('\n').nth(location.line as usize - 1).unwrap();
        assert!(location.column as usize <= line.chars().count() + 1, "{text:?}: {location}");
    }
    result
}

proptest! {
    #[test]
    fn any_text_gives_a_grammar_or_an_error(text in "\\PC*|[ -~\\n]*") {
        let _ = parse_checked(&text);
        let _ = parse_checked(&format!("root ::= {text}"));
    }

    #[test]
    fn near_grammars_too(text in grammar_like()) {
        if let Ok(grammar) = parse_checked(&text) {
            let printed = grammar.to_string();
            prop_assert!(parse(&printed, &EbnfOptions::default()).is_ok(), "{text:?} -> {printed:?}");
        }
    }
}
