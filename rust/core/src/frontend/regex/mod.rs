//! Regular expressions, matched against the *whole* text.
//!
//! `regex-syntax` parses; this module lowers its HIR to the IR. Counted repeats keep their counts, capture groups are
//! ignored, lazy and greedy quantifiers are the same language, classes are Unicode unless `(?-u)` says otherwise, `.` leaves
//! out the line feed unless `(?s)`.
//!
//! The anchors `^ \A $ \z` hold exactly where they stand: at the ends of the text they are no-ops, anywhere else they make
//! their branch match nothing, so `a*^b` is `b` and `(^|,)a` is `a`. See [`lower`](self::lower()) and the module `anchors`.
//!
//! What is no regular language over the whole text, or not expressible here, is refused by name and place: lookaround,
//! backreferences, word boundaries (`\b`), line anchors (`(?m)^`).

mod anchors;
mod lower;
#[cfg(test)]
mod tests;

use crate::error::{Error, Location, Result};
use crate::grammar::{ExprId, Grammar, GrammarBuilder, Span};
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{self, Hir, Look};

/// How deep groups, repeats and classes may nest.
pub const NESTING_DEPTH: u32 = 500;

/// How long a pattern may be, in bytes.
pub const PATTERN_BYTES: usize = 1 << 20;

/// How many escapes such as `\w` and `\p{L}` a pattern may have; each stands for up to some 800 ranges.
const UNICODE_CLASSES: usize = 10_000;

/// Options of [`lower`](self::lower()); the default is that of [`parse`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegexOptions {
    /// As if the pattern began with `(?s)`.
    pub dot_matches_new_line: bool,
    /// As if the pattern began with `(?i)`.
    pub case_insensitive: bool,
    /// Match when the pattern is found *anywhere* in the text (as JSON Schema's `pattern` does), not the whole text.
    pub search: bool,
}

/// The grammar of a pattern: a single rule `root`, and helper rules where anchors need them.
///
/// ```
/// let date = bytewright::frontend::regex::parse(r"\A[0-9]{4}-[0-9]{2}\z")?;
/// assert!(bytewright::grammar::reference::matches(&date, b"2026-11"));
/// # Ok::<(), bytewright::Error>(())
/// ```
///
/// # Errors
/// [`Error::Syntax`] and [`Error::Unsupported`] with their place in the pattern; [`Error::LimitExceeded`].
pub fn parse(pattern: &str) -> Result<Grammar> {
    let mut builder = GrammarBuilder::new(pattern);
    let root = builder.declare("root");
    let body = lower(&mut builder, pattern, &RegexOptions::default())?;
    builder.define(root, body, Some(Span { start: 0, end: pattern.len() as u32 }))?;
    builder.build(root)
}

/// Adds the expression of a pattern to a grammar under construction.
///
/// # Errors
/// As [`parse`]; places are those in `pattern`, not in the builder's source.
pub fn lower(builder: &mut GrammarBuilder, pattern: &str, options: &RegexOptions) -> Result<ExprId> {
    let hir = translate(pattern, options)?;
    Ok(lower::Lowering::new(builder).whole(&hir))
}

fn translate(pattern: &str, options: &RegexOptions) -> Result<Hir> {
    check_size(pattern)?;
    let ast = ast::parse::ParserBuilder::new()
        .nest_limit(NESTING_DEPTH)
        .build()
        .parse(pattern)
        .map_err(|error| ast_error(pattern, &error))?;
    let hir = hir::translate::TranslatorBuilder::new()
        .utf8(false)
        .dot_matches_new_line(options.dot_matches_new_line)
        .case_insensitive(options.case_insensitive)
        .build()
        .translate(pattern, &ast)
        .map_err(|error| {
            let location = Location::new(pattern, error.span().start.offset);
            Error::Syntax { message: error.kind().to_string(), location, hint: String::new() }
        })?;
    refuse_looks(pattern, &ast, &hir)?;
    if !options.search {
        return Ok(hir);
    }
    let any = Hir::repetition(hir::Repetition {
        min: 0,
        max: None,
        greedy: true,
        sub: Box::new(Hir::dot(hir::Dot::AnyChar)),
    });
    Ok(Hir::concat(vec![any.clone(), hir, any]))
}

fn check_size(pattern: &str) -> Result<()> {
    if pattern.len() > PATTERN_BYTES {
        let message = format!("the regular expression has {} bytes", pattern.len());
        return Err(Error::LimitExceeded { limit: "pattern_bytes", message });
    }
    let bytes = pattern.as_bytes();
    let classes = bytes.windows(2).filter(|w| w[0] == b'\\' && b"wWdDsSpP".contains(&w[1])).count();
    // In a negated or case-insensitive class every character can stand for many ranges, but never for more than four each.
    if classes > UNICODE_CLASSES {
        let message = format!("the regular expression has {classes} Unicode classes");
        return Err(Error::LimitExceeded { limit: "unicode_classes", message });
    }
    Ok(())
}

fn ast_error(pattern: &str, error: &ast::Error) -> Error {
    use ast::ErrorKind;
    let location = Location::new(pattern, error.span().start.offset);
    let unsupported = |feature: &str, hint: &str| Error::Unsupported {
        feature: feature.into(),
        location: location.clone(),
        hint: hint.into(),
    };
    match error.kind() {
        ErrorKind::NestLimitExceeded(limit) => Error::LimitExceeded {
            limit: "nesting_depth",
            message: format!("the regular expression nests deeper than {limit} ({location})"),
        },
        ErrorKind::UnsupportedLookAround => unsupported(
            "lookaround",
            "write the alternatives out, or a Lark grammar: `start: /a(?=b).*/` (`Grammar.from_lark`)",
        ),
        ErrorKind::UnsupportedBackreference => unsupported(
            "a backreference",
            "no context-free grammar can say it; list the alternatives if they are few",
        ),
        kind => {
            let hint = match kind {
                ErrorKind::GroupUnclosed => "add the missing `)`, or write `\\(`",
                ErrorKind::GroupUnopened => "remove it, or write `\\)`",
                ErrorKind::ClassUnclosed => "add the missing `]`, or write `\\[`",
                ErrorKind::RepetitionMissing => "write what is repeated first, or escape it with a backslash",
                ErrorKind::RepetitionCountInvalid => "write the smaller count first",
                ErrorKind::EscapeUnrecognized => "a backslash itself is written `\\\\`",
                _ => "",
            };
            Error::Syntax { message: kind.to_string(), location, hint: hint.into() }
        }
    }
}

/// Refuses the looks that depend on more than the ends of the text.
fn refuse_looks(pattern: &str, ast: &Ast, hir: &Hir) -> Result<()> {
    let set = hir.properties().look_set();
    let Some(look) = set.iter().find(|look| !matches!(look, Look::Start | Look::End)) else {
        return Ok(());
    };
    let is_line = matches!(look, Look::StartLF | Look::EndLF | Look::StartCRLF | Look::EndCRLF);
    // Visiting cannot fail: the visitor's error type is empty.
    let offset = match ast::visit(ast, FirstLook { is_line, multi_line: false, found: 0 }) {
        Ok(offset) => offset,
        Err(never) => match never {},
    };
    let location = Location::new(pattern, offset);
    let (feature, hint) = if is_line {
        ("a line anchor (`^` or `$` under `(?m)`)", "match the line feeds themselves, as in `(\\n|\\A)`")
    } else {
        ("a word boundary (`\\b` and its kin)", "name the characters that may stand beside the word")
    };
    Err(Error::Unsupported { feature: feature.into(), location, hint: hint.into() })
}

/// Finds where the first line anchor or word boundary stands.
struct FirstLook {
    is_line: bool,
    multi_line: bool,
    found: usize,
}

impl FirstLook {
    fn flags(&mut self, flags: &ast::Flags) {
        self.multi_line |= flags.flag_state(ast::Flag::MultiLine) == Some(true);
    }
}

impl ast::Visitor for FirstLook {
    type Output = usize;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<usize, Self::Err> {
        Ok(self.found)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        use ast::AssertionKind::{EndLine, EndText, StartLine, StartText};
        match ast {
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Group(group) => {
                if let Some(flags) = group.flags() {
                    self.flags(flags);
                }
            }
            // No offset is 0 after a flag or another character, and 0 is right for a look at the very start.
            Ast::Assertion(assertion) if self.found == 0 => {
                let wanted = match assertion.kind {
                    StartLine | EndLine => self.is_line && self.multi_line,
                    StartText | EndText => false,
                    _ => !self.is_line,
                };
                if wanted {
                    self.found = assertion.span.start.offset;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
