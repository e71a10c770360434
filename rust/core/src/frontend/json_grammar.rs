//! The grammar of JSON texts, RFC 8259.

use super::ebnf::{EbnfOptions, parse};
use crate::grammar::Grammar;

/// The grammar's source, `grammars/json.ebnf`.
const SOURCE: &str = include_str!("../../grammars/json.ebnf");

impl Grammar {
    /// Every JSON text and nothing else, by RFC 8259: any value at the top, any of the four whitespace characters around
    /// every token, no control characters in strings, no leading zeros.
    ///
    /// ```
    /// use bytewright::grammar::{Grammar, reference};
    /// let json = Grammar::builtin_json();
    /// assert!(reference::matches(&json, br#" {"a": [1, -0.5e+3, "\u00e9"]} "#));
    /// assert!(!reference::matches(&json, b"[01]"));
    /// ```
    #[allow(clippy::expect_used, reason = "the text is a constant, and a test reads it")]
    pub fn builtin_json() -> Self {
        parse(SOURCE, &EbnfOptions::default()).expect("grammars/json.ebnf is a valid grammar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar::reference::{is_viable_prefix, matches};

    #[test]
    fn takes_what_rfc_8259_takes() {
        let json = Grammar::builtin_json();
        let valid = [
            "0",
            "-0",
            "12",
            "1.50",
            "1e5",
            "1E+05",
            "-0.0e-0",
            "true",
            "false",
            "null",
            "\"\"",
            "[]",
            "{}",
            " [ ] ",
            "\t\r\n {\n} ",
            "[1,[2,[3]]]",
            r#"{"a":{"b":"\"\\\/\b\f\n\r\t\u12aF"}}"#,
            "\"é\u{7f}😀\"",
            r#"{"a":1,"a":2}"#,
            r#""\ud800""#,
        ];
        for text in valid {
            assert!(matches(&json, text.as_bytes()), "{text}");
        }
        let invalid = [
            "",
            " ",
            "01",
            "-",
            "+1",
            ".5",
            "1.",
            "1e",
            "0x1",
            "True",
            "nul",
            "'a'",
            "\"",
            "\"\n\"",
            "\"\u{1f}\"",
            r#""\x""#,
            r#""\u12g4""#,
            "[1,]",
            "[,1]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\"}",
            "[1 2]",
            "\u{a0}1",
            "1 2",
            "[1]]",
            "\u{feff}1",
        ];
        for text in invalid {
            assert!(!matches(&json, text.as_bytes()), "{text}");
        }
        assert!(!matches(&json, b"\"\xff\"") && !is_viable_prefix(&json, b"\"\xc0"));
        assert!(is_viable_prefix(&json, b"{\"a\" : [1, {") && !is_viable_prefix(&json, b"{\"a\","));
    }
}
