//! The grammars that can be imported without a file: `common` and `unicode`, with the terminals that Lark's have.

/// The text of a built-in grammar, by its path.
pub(super) fn text(path: &str) -> Option<&'static str> {
    match path {
        "common.lark" => Some(include_str!("../../../grammars/common.lark")),
        "unicode.lark" => Some(include_str!("../../../grammars/unicode.lark")),
        _ => None,
    }
}
