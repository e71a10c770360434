use super::*;

fn matches(pattern: &str, text: &str) -> bool {
    let mut regular = Regular::new();
    let language = language(&mut regular, pattern).unwrap_or_else(|p| panic!("{pattern}: {p:?}"));
    regular.matches(language, text)
}

#[test]
fn patterns_mean_what_they_mean_in_ecmascript() {
    for (pattern, yes, no) in [
        ("a", &["a", "xay"][..], &["", "b"][..]),
        ("^a*$", &["", "aaa"], &["ab", "b"]),
        ("^a|b$", &["ax", "xb"], &["xa", "bx"]),
        ("(^a|b)c", &["ac", "xbc"], &["xac"]),
        ("^(?!foo)", &["", "fo", "xfoo"], &["foo", "foobar"]),
        ("^(?=.*\\d)(?=.*[a-z]).{4,}$", &["abc1", "1bcde"], &["abcd", "a1", "1234"]),
        ("^((?!ab).)*$", &["", "a", "ba", "aab".split_at(2).0], &["ab", "xaby"]),
        ("\\bcat\\b", &["cat", "a cat.", "-cat-"], &["cats", "concat"]),
        ("\\Bcat", &["concat"], &["cat", " cat"]),
        ("^x{2,3}?$", &["xx", "xxx"], &["x", "xxxx"]),
        ("^\\d{3}-\\w+\\s$", &["123-ab ", "123-a\u{feff}"], &["12-a ", "１23-a "]),
        ("^[^]$", &["\n", "é"], &["", "ab"]),
        ("^.$", &["\u{1F600}", "a"], &["\n", "\u{2028}"]),
        ("^\\p{Letter}+$", &["é", "π"], &["1", ""]),
        ("^\\u{1F600}\\uD83D\\uDE00$", &["\u{1F600}\u{1F600}"], &["\u{1F600}"]),
        ("a{,2}", &["a{,2}"], &["aa"]),
        ("^[\\w-.]$", &["-", ".", "z"], &["+"]),
        ("(?<=a)b", &["ab", "xab"], &["b", "cb"]),
        ("^(?<!a)b", &["b", "bc"], &["ab"]),
        ("(?<!a)b", &["b", "cb"], &["ab"]),
        ("^(?:$|a)", &["", "ab"], &["b"]),
        ("\\cA", &["\u{1}"], &["A"]),
        ("^(a($|/))+$", &["a", "a/a", "a/"], &["", "aa", "/"]),
        ("^(a$|b)*c?$", &["", "bba", "bbc", "c"], &["ab", "ac"]),
    ] {
        yes.iter().for_each(|text| assert!(matches(pattern, text), "{pattern} {text:?}"));
        no.iter().for_each(|text| assert!(!matches(pattern, text), "{pattern} {text:?}"));
    }
}

#[test]
fn what_is_no_pattern_is_refused() {
    let mut regular = Regular::new();
    for pattern in
        ["(", ")", "[", "a**", "*", "\\Z", "\\", "a{2,1}", "[b-a]", "\\p{Nope}", "(?<>a)", "{1}", "\\x1"]
    {
        let result = language(&mut regular, pattern);
        assert!(matches!(result, Err(Problem::Invalid(_))), "{pattern} {result:?}");
    }
    for pattern in ["(a)\\1", "(?i)a", "((?=a)b)*c", "(?:(?<=a)b)+"] {
        let result = language(&mut regular, pattern);
        assert!(matches!(result, Err(Problem::Unsupported(_))), "{pattern} {result:?}");
    }
}
