//! Classes of characters as Python's `re` has them: `\d \w \s`, with and without the flag `a`, and letters without case.

use crate::regular::CodeSet;
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};
use std::sync::OnceLock;

fn ranges(of: &[(u32, u32)]) -> CodeSet {
    CodeSet::new(of.iter().copied())
}

/// The characters of a class that `regex-syntax` knows, e.g. `\p{Nd}`.
fn unicode(pattern: &str) -> CodeSet {
    match regex_syntax::parse(pattern).map(regex_syntax::hir::Hir::into_kind) {
        Ok(HirKind::Class(Class::Unicode(class))) => of_class(&class),
        // The patterns are constants of this module, and its tests look at what they give.
        _ => CodeSet::default(),
    }
}

fn of_class(class: &ClassUnicode) -> CodeSet {
    let ranges = class.ranges().iter().map(|r| (u32::from(r.start()), u32::from(r.end())));
    CodeSet::new(ranges).intersection(&CodeSet::all())
}

/// `\d`: decimal digits (category Nd).
pub(super) fn digit(ascii: bool) -> CodeSet {
    if ascii { ranges(&[(0x30, 0x39)]) } else { unicode(r"\p{Nd}") }
}

/// `\s`: what `str.isspace` says, the four information separators included.
pub(super) fn space(ascii: bool) -> CodeSet {
    let ascii_space = ranges(&[(0x09, 0x0D), (0x20, 0x20)]);
    if ascii {
        return ascii_space;
    }
    ascii_space.union(&ranges(&[
        (0x1C, 0x1F),
        (0x85, 0x85),
        (0xA0, 0xA0),
        (0x1680, 0x1680),
        (0x2000, 0x200A),
        (0x2028, 0x2029),
        (0x202F, 0x202F),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
    ]))
}

/// `\w`: what `str.isalnum` says (letters and numbers, no marks), and the underscore.
pub(super) fn word(ascii: bool) -> CodeSet {
    static UNICODE: OnceLock<CodeSet> = OnceLock::new();
    if ascii {
        return ranges(&[(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]);
    }
    UNICODE.get_or_init(|| unicode(r"[\p{L}\p{N}_]")).clone()
}

/// The same without case: by simple case folding, and what `re` adds for the dotted and dotless i.
pub(super) fn without_case(set: &CodeSet, ascii: bool) -> CodeSet {
    let letters = ranges(&[(0x41, 0x5A), (0x61, 0x7A)]);
    let (folded, rest) =
        if ascii { (set.intersection(&letters), set.clone()) } else { (set.clone(), CodeSet::default()) };
    let chars = |lo, hi| char::from_u32(lo).zip(char::from_u32(hi));
    let mut class = ClassUnicode::new(
        folded
            .ranges()
            .iter()
            .filter_map(|&(lo, hi)| chars(lo, hi))
            .map(|(lo, hi)| ClassUnicodeRange::new(lo, hi)),
    );
    // It fails only where the tables of Unicode are left out of the build.
    let known = class.try_case_fold_simple().is_ok();
    debug_assert!(known);
    let mut out = of_class(&class);
    if ascii {
        out = out.intersection(&letters);
    } else if [0x49, 0x69, 0x130, 0x131].iter().any(|&c| set.contains(c)) {
        out = out.union(&ranges(&[(0x49, 0x49), (0x69, 0x69), (0x130, 0x131)]));
    }
    out.union(&rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_what_python_has() {
        let has = |set: &CodeSet, c: char| set.contains(u32::from(c));
        let word_set = word(false);
        assert!(has(&word_set, 'é') && has(&word_set, '²') && has(&word_set, '½') && has(&word_set, 'Ⅷ'));
        assert!(!has(&word_set, '\u{301}') && !has(&word_set, '‿') && !has(&word(true), 'é'));
        assert!(has(&digit(false), '٣') && !has(&digit(true), '٣') && !has(&digit(false), '²'));
        assert!(
            has(&space(false), '\u{1c}') && !has(&space(true), '\u{1c}') && !has(&space(false), '\u{200b}')
        );
        let i = without_case(&CodeSet::single(u32::from('i')), false);
        assert!(has(&i, 'I') && has(&i, 'ı') && has(&i, 'İ'));
        let k = CodeSet::single(u32::from('k'));
        assert!(has(&without_case(&k, false), '\u{212a}') && !has(&without_case(&k, true), '\u{212a}'));
    }
}
