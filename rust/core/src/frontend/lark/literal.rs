//! The escapes of strings and regular expressions, as Lark evaluates them before anything else sees the text.
//!
//! `\n \f \t \r \xHH \uHHHH \UHHHHHHHH` and `\"` stand for a character; a backslash before anything else stays a backslash.
//! In strings `\\` is one backslash then; in regular expressions it stays two, for Python's `re` to read. So `/\x2b/` is the
//! pattern `+`, just as in Lark.

/// What the text between the quotes stands for, or what is wrong with it and at which byte.
pub(super) fn evaluate(raw: &str, is_regexp: bool) -> Result<String, (usize, String)> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let start = raw.len() - rest.len() + at;
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            return Err((start, "a backslash ends the text".into()));
        };
        rest = &rest[c.len_utf8()..];
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        match c {
            'n' => out.push('\n'),
            'f' => out.push('\u{c}'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '"' => out.push('"'),
            '\\' if is_regexp => out.push_str("\\\\"),
            '\\' => out.push('\\'),
            _ if digits > 0 => {
                let code = rest.get(..digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
                let Some(code) = code.and_then(|hex| u32::from_str_radix(hex, 16).ok()) else {
                    return Err((start, format!("the escape `\\{c}` needs {digits} hexadecimal digits")));
                };
                let Some(character) = char::from_u32(code) else {
                    return Err((start, format!("U+{code:04X} is no character")));
                };
                out.push(character);
                rest = &rest[digits..];
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn escapes_are_those_of_lark() {
        let cases = [
            (r"a\nb", "a\nb", "a\nb"),
            (r"\\", "\\", "\\\\"),
            (r"\\n", "\\n", "\\\\n"),
            (r"\d\/", "\\d\\/", "\\d\\/"),
            (r#"\""#, "\"", "\""),
            (r"\x2b\u00e9\U0001F600", "+é😀", "+é😀"),
            (r"\b", "\\b", "\\b"),
        ];
        for (raw, string, regexp) in cases {
            assert_eq!(evaluate(raw, false).as_deref(), Ok(string), "{raw}");
            assert_eq!(evaluate(raw, true).as_deref(), Ok(regexp), "{raw}");
        }
        assert_eq!(evaluate(r"ab\x4", false).unwrap_err().0, 2);
        assert!(evaluate(r"\ud800", false).is_err() && evaluate("\\", true).is_err());
    }
}
