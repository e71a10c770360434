//! The ready grammars: texts in `rust/core/grammars/`, built into the engine and found by name.
//!
//! Each file says at its top which standard it follows, what it leaves out and what it takes beyond it. The list is complete:
//! a test compares it with the folder.

use super::ebnf::{EbnfOptions, parse};
use crate::error::{Error, Result};
use crate::grammar::Grammar;

macro_rules! ready {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../grammars/", $name, ".ebnf")))),*]
    };
}

/// The name and the text of each, sorted by name.
const READY: &[(&str, &str)] = ready![
    "arithmetic",
    "c",
    "chess",
    "cron",
    "csv",
    "email",
    "graphql",
    "html_lite",
    "ipv4",
    "ipv6",
    "iso8601",
    "iso8601_date",
    "javascript_expressions",
    "json",
    "json_lines",
    "latex_math",
    "markdown_table",
    "pgn",
    "python",
    "regex",
    "san",
    "semver",
    "sql",
    "toml",
    "uri",
    "xml",
    "yaml_lite",
];

impl Grammar {
    /// The ready grammar of this name, e.g. `semver`.
    ///
    /// ```
    /// use bytewright::grammar::{Grammar, reference};
    /// let version = Grammar::builtin("semver")?;
    /// assert!(reference::matches(&version, b"1.0.0-rc.1"));
    /// # Ok::<(), bytewright::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is none; the message has all names.
    pub fn builtin(name: &str) -> Result<Self> {
        let Ok(at) = READY.binary_search_by_key(&name, |&(name, _)| name) else {
            let names: Vec<_> = Self::builtin_names().collect();
            return Err(Error::InvalidArgument(format!(
                "no ready grammar has the name {name:?}; there are: {}",
                names.join(", ")
            )));
        };
        parse(READY[at].1, &EbnfOptions::default())
    }

    /// The names of the ready grammars, sorted.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        READY.iter().map(|&(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("grammars");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "ebnf"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        assert_eq!(Grammar::builtin_names().collect::<Vec<_>>(), files);
        for name in files {
            assert_eq!(Grammar::builtin(&name).unwrap().annotations(), [], "{name}");
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = Grammar::builtin("semvar").unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)));
        assert!(error.to_string().contains("\"semvar\"") && error.to_string().contains("semver"), "{error}");
    }
}
