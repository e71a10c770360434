//! The JSON values of llguidance's directives.

use serde_json::Value;

/// What is wrong with a directive.
#[derive(Debug)]
pub(super) enum Problem {
    Invalid(String),
    Unsupported(String, &'static str),
}

/// `%llguidance {...}`: the names of options that only steer llguidance's own machinery.
pub(super) fn options(json: &str) -> Result<Vec<String>, Problem> {
    let Ok(Value::Object(options)) = serde_json::from_str(json) else {
        return Err(Problem::Invalid("`%llguidance` takes a JSON object".into()));
    };
    for (name, value) in &options {
        match (name.as_str(), value) {
            ("no_forcing" | "lexer_backtracking" | "allow_initial_skip", _) | (_, Value::Bool(false)) => {}
            _ => {
                return Err(Problem::Unsupported(
                    format!("the `%llguidance` option `{name}`"),
                    "remove it; the language is that of the grammar alone",
                ));
            }
        }
    }
    Ok(options.into_iter().map(|(name, _)| name).collect())
}

/// `%regex {"substring_chars": "..."}` and its kin: the pieces, of which any run matches.
pub(super) fn substring(json: &str) -> Result<Vec<String>, Problem> {
    let wrong = |what: &str| Problem::Invalid(format!("`%regex` takes {what}"));
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(json) else {
        return Err(wrong("a JSON object such as {\"substring_words\": \"some text\"}"));
    };
    let [(name, value)] = &object.into_iter().collect::<Vec<_>>()[..] else {
        return Err(wrong("one of substring_chars, substring_words and substring_chunks"));
    };
    match (name.as_str(), value) {
        ("substring_chars", Value::String(text)) => Ok(text.chars().map(String::from).collect()),
        ("substring_words", Value::String(text)) => Ok(words(text)),
        ("substring_chunks", Value::Array(chunks)) => chunks
            .iter()
            .map(|chunk| match chunk {
                Value::String(chunk) => Ok(chunk.clone()),
                _ => Err(wrong("a list of strings as substring_chunks")),
            })
            .collect(),
        ("substring_chars" | "substring_words" | "substring_chunks", _) => {
            Err(wrong("a string, or a list of strings as substring_chunks"))
        }
        _ => Err(Problem::Unsupported(
            format!("the `%regex` form `{name}`"),
            "substring_chars, substring_words and substring_chunks are known",
        )),
    }
}

/// A text cut into words and what is between them: runs of word characters, of blanks, and of others.
fn words(text: &str) -> Vec<String> {
    let kind = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            0
        } else if c.is_whitespace() {
            1
        } else {
            2
        }
    };
    let mut out: Vec<String> = Vec::new();
    let mut last = None;
    for c in text.chars() {
        match out.last_mut().filter(|_| last == Some(kind(c))) {
            Some(word) => word.push(c),
            None => out.push(c.to_string()),
        }
        last = Some(kind(c));
    }
    out
}
