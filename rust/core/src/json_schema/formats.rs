//! The formats of 2020-12 validation, section 7.3, as patterns.
//!
//! All are regular but three, of which a regular part is taken, so that nothing invalid ever passes: `regex` up to groups
//! three deep; `hostname` and `idn-hostname` without `xn--` labels, whose validity hangs on Punycode arithmetic; `idn-hostname` with the
//! larger scripts.

use super::document::{Json, NodeId};
use super::engine::Engine;
use super::pattern::{self, Problem};
use super::shape::Name;
use crate::error::Result;
use crate::grammar::Annotation;
use crate::regular::{CodeSet, Regular, TermId};

const DATE: &str = concat!(
    r"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))",
    r"|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
);
/// Of a second.
const FRACTION: &str = r"(?:\.\d+)?";
const DURATION_TIME: &str = r"T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S)";
/// Up to 63 characters, no hyphen at either end, and not two at the third and fourth place (RFC 5891, section 4.2.3.1).
fn label(letters: &str) -> String {
    let (a, x) = (format!("[{letters}]"), format!("[{letters}-]"));
    format!("(?:{a}(?:{a}|{x}{a}(?:{x}{{0,59}}{a})?|{x}-{a}(?:{x}{{0,58}}{a})?)?)")
}
const LDH: &str = "A-Za-z0-9";
const OCTET: &str = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";
const UUID: &str = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
const POINTER: &str = r"(?:/(?:[^~/]|~[01])*)*";
/// RFC 6570, section 2.
const TEMPLATE: &str =
    r#"(?:[^\x00-\x20"<>\\^`{|}%\x7f]|%[0-9A-Fa-f]{2}|\{[+#./;?&=,!@|]?VARIABLE(?:,VARIABLE)*\})*"#;
const VARIABLE: &str =
    r"(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2})(?:\.?(?:[A-Za-z0-9_]|%[0-9A-Fa-f]{2}))*(?::[1-9]\d{0,3}|\*)?";
/// What RFC 3987 adds to the unreserved characters.
const UCS: &str = concat!(
    r"\u00A0-\uD7FF\uF900-\uFDCF\uFDF0-\uFFEF\u{10000}-\u{1FFFD}\u{20000}-\u{2FFFD}\u{30000}-\u{3FFFD}\u{40000}-\u{4FFFD}",
    r"\u{50000}-\u{5FFFD}\u{60000}-\u{6FFFD}\u{70000}-\u{7FFFD}\u{80000}-\u{8FFFD}\u{90000}-\u{9FFFD}\u{A0000}-\u{AFFFD}",
    r"\u{B0000}-\u{BFFFD}\u{C0000}-\u{CFFFD}\u{D0000}-\u{DFFFD}\u{E1000}-\u{EFFFD}"
);
const PRIVATE: &str = r"\uE000-\uF8FF\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}";

fn ipv4() -> String {
    format!(r"{OCTET}(?:\.{OCTET}){{3}}")
}

/// RFC 4291, section 2.2; the grammar is that of RFC 3986.
fn ipv6() -> String {
    let h = "[0-9A-Fa-f]{1,4}";
    let last = format!("(?:{h}:{h}|{})", ipv4());
    let mut options = vec![format!("(?:{h}:){{6}}{last}"), format!("::(?:{h}:){{5}}{last}")];
    for before in 1..=5 {
        let after = 5 - before;
        options.push(format!("(?:(?:{h}:){{0,{}}}{h})?::(?:{h}:){{{after}}}{last}", before - 1));
    }
    options.push(format!("(?:(?:{h}:){{0,5}}{h})?::{h}"));
    options.push(format!("(?:(?:{h}:){{0,6}}{h})?::"));
    format!("(?:{})", options.join("|"))
}

/// Dot-string or quoted string (RFC 5321, section 4.1.2), with more characters for RFC 6531.
fn email(more: &str, host: &str) -> String {
    let atom = format!(r"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{more}-]+");
    let quoted = format!(r#""(?:[ !#-\[\]-~{more}]|\\[ -~{more}])*""#);
    let literal = format!(r"\[(?:{}|IPv6:{}|[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+)\]", ipv4(), ipv6());
    format!(r"(?:{atom}(?:\.{atom})*|{quoted})@(?:{host}|{literal})")
}

/// RFC 3986, appendix A, and RFC 3987, section 2.2, where `more` are the characters that it adds.
fn uri(more: &str, private: &str, is_reference: bool) -> String {
    let escaped = "%[0-9A-Fa-f]{2}";
    let pchar = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@{more}-]|{escaped})");
    let no_colon = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;=@{more}-]|{escaped})");
    let userinfo = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;=:{more}-]|{escaped})*");
    let name = format!(r"(?:[A-Za-z0-9._~!$&'()*+,;={more}-]|{escaped})*");
    let literal = format!(r"\[(?:{}|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]", ipv6());
    let authority = format!(r"(?:{userinfo}@)?(?:{literal}|{name})(?::\d*)?");
    let rest = format!("(?:/{pchar}*)*");
    let query = format!(r"(?:\?(?:{pchar}|[/?{private}])*)?(?:#(?:{pchar}|[/?])*)?");
    let absolute = format!("//{authority}{rest}|/(?:{pchar}+{rest})?");
    let full = format!("[A-Za-z][A-Za-z0-9+.-]*:(?:{absolute}|{pchar}+{rest}|){query}");
    if is_reference { format!("{full}|(?:{absolute}|{no_colon}+{rest}|){query}") } else { full }
}

/// Two numbers below 100, the second no less than the first (ECMA-262 refuses others), with a comma between; or one below 100
/// and one of three digits.
fn ascending() -> String {
    let mut out = vec![r"\d,[1-9]\d{1,2}".to_owned(), r"[1-9]\d,[1-9]\d{2}".to_owned()];
    out.extend((0..10).map(|low| format!("{low},[{low}-9]")));
    for tens in 1..10 {
        out.extend((tens < 9).then(|| format!(r"{tens}\d,[{}-9]\d", tens + 1)));
        let units: Vec<String> = (0..10).map(|low| format!("{low},{tens}[{low}-9]")).collect();
        out.push(format!("{tens}(?:{})", units.join("|")));
    }
    out.join("|")
}

/// Patterns with groups up to so many deep; made of languages, as a text each level would hold the next several times.
fn regex(regular: &mut Regular, depth: u32) -> Result<TermId, Problem> {
    let in_class = r"(?:[^\\\]\[-]|\[|\\(?:[dDwWsStnvfrb^$\\.*+?()\[\]{}|/-]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|p\{[A-Z][a-z]?\}|P\{[A-Z][a-z]?\}))";
    // Ranges ascend; those between letters and digits of one kind are nearly all that are written.
    let of_kind =
        |(first, last): (char, char)| (first..=last).map(move |low| format!("{low}-[{low}-{last}]"));
    let ranges: Vec<String> = [('a', 'z'), ('A', 'Z'), ('0', '9')].into_iter().flat_map(of_kind).collect();
    let class = format!(r"\[\^?-?(?:{in_class}|{}|A-z|[ !]-~)*-?\]", ranges.join("|"));
    let character = pattern::language(
        regular,
        &format!(
            r"^(?:[^\\()\[\]{{}}|*+?^$]|\\(?:[dDwWsStnvfr^$\\.*+?()\[\]{{}}|/-]|x[0-9A-Fa-f]{{2}}|u[0-9A-Fa-f]{{4}}|[pP]\{{[A-Z][a-z]?\}}|c[A-Za-z])|{class})$"
        ),
    )?;
    let quantifier = format!(r"^(?:(?:[*+?]|\{{(?:\d{{1,3}},?|{})\}})\??)?$", ascending());
    let quantifier = pattern::language(regular, &quantifier)?;
    let assertion = pattern::language(regular, r"^(?:[\^$]|\\[bB])$")?;
    let open = pattern::language(regular, r"^\((?:\?:)?$")?;
    let (close, bar) = (regular.literal(")"), regular.literal("|"));
    let sequence = |regular: &mut Regular, atom: TermId| {
        let repeated = regular.concat(atom, quantifier);
        let part = regular.or([repeated, assertion]);
        let option = regular.repeat(part, 0, None);
        let more = regular.concat(bar, option);
        let more = regular.repeat(more, 0, None);
        regular.concat(option, more)
    };
    let mut atom = character;
    for _ in 0..depth {
        let inside = sequence(regular, atom);
        let rest = regular.concat(inside, close);
        let group = regular.concat(open, rest);
        atom = regular.or([character, group]);
    }
    Ok(sequence(regular, atom))
}

/// Code points of internationalised labels (RFC 5892): those of the larger scripts that are their own NFKC fold.
const IDN: &str = concat!(
    r"a-z0-9\u00b7\u00df-\u00f6\u00f8-\u00ff\u0101-\u02af\u0300-\u033f\u0346-\u034e\u0375\u03ac-\u03ce\u0430-\u045f",
    r"\u05d0-\u05ea\u05f3\u05f4\u0620-\u063f\u0641-\u064a\u0660-\u0669\u066e-\u0674\u0679-\u06bf\u06f0-\u06fc\u06fd\u06fe",
    r"\u0900-\u0957\u0960-\u0963\u0966-\u096f\u0e01-\u0e32\u0e34-\u0e3a\u0e40-\u0e4e\u0f0b\u200c\u200d\u3005-\u3007",
    r"\u3041-\u3096\u309d\u309e\u30a1-\u30fe\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
);
/// Letters that are written from right to left, and what else may stand among them (RFC 5893, section 2).
const RIGHT: &str =
    r"\u05d0-\u05ea\u05f3\u05f4\u0620-\u063f\u0641-\u064a\u066e-\u0674\u0679-\u06bf\u06fa-\u06fc\u06fd\u06fe";

/// Texts of internationalised labels and dots, up to 20 characters a label, so that no A-label is too long; the contextual rules are
/// those of RFC 5892, appendix A.
fn idn_hostname(regular: &mut Regular, ascii: &str) -> Result<TermId, Problem> {
    let required = [
        format!("^[{IDN}-]{{1,20}}$"),
        "^(?!-)(?!..--).*[^-]$".to_owned(),
        r"^[^\u0300-\u036f\u0900-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962\u0963\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]".into(),
    ];
    let forbidden = [
        r"(?:^|[^l])\u00b7|\u00b7(?:$|[^l])".to_owned(),
        r"\u0375(?:$|[^\u0370-\u03ff])".into(),
        r"(?:^|[^\u0590-\u05ff])[\u05f3\u05f4]".into(),
        r"(?:^|[^\u094d])[\u200c\u200d]".into(),
        r"^[^\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3005\u3007\u3400-\u9fff]*\u30fb[^\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3005\u3007\u3400-\u9fff]*$".into(),
        r"[\u0660-\u0669].*[0-9\u06f0-\u06f9]|[0-9\u06f0-\u06f9].*[\u0660-\u0669]".into(),
    ];
    let mut all = Vec::new();
    for pattern in required {
        all.push(pattern::language(regular, &pattern)?);
    }
    for pattern in forbidden {
        let language = pattern::language(regular, &pattern)?;
        all.push(regular.not(language));
    }
    let any = regular.and(all);
    let has_right = pattern::language(regular, &format!("[{RIGHT}\\u0660-\\u0669]"))?;
    let left = regular.not(has_right);
    let left = regular.and([any, left]);
    let right = format!(r"^[{RIGHT}][{RIGHT}0-9\u0660-\u0669\u06f0-\u06f9-]*$");
    let right = pattern::language(regular, &right)?;
    let right = regular.and([any, right]);
    let ascii = pattern::language(regular, &format!("^{ascii}$"))?;
    let left = regular.or([left, ascii]);
    // Beside a label from right to left every label begins with a letter.
    let letter = pattern::language(regular, "^[^0-9]")?;
    let beside = regular.and([left, letter]);
    let beside = regular.or([beside, right]);
    let domains = [left, beside].map(|label| {
        let dot = CodeSet::new([0x2E, 0x3002, 0xFF0E, 0xFF61].map(|dot| (dot, dot)));
        let dot = regular.class(dot);
        let more = regular.concat(dot, label);
        let more = regular.repeat(more, 0, None);
        regular.concat(label, more)
    });
    let domain = regular.or(domains);
    let short = regular.class(CodeSet::all());
    let short = regular.repeat(short, 1, Some(253));
    Ok(regular.and([domain, short]))
}

impl Engine {
    /// Notes the keywords that say something of a value and are not asserted.
    pub(super) fn annotate(&mut self) {
        let mut unknown: Vec<Name> = Vec::new();
        for schema in std::mem::take(&mut self.documents.annotated) {
            if self.options.assert_content {
                self.annotate_content(schema);
            }
            let Some(node) = self.documents.get(schema, "format").filter(|_| self.options.assert_formats)
            else {
                continue;
            };
            let Json::String(format) = self.documents.json(node) else { continue };
            if FORMATS.contains(&&**format) || unknown.contains(format) {
                continue;
            }
            unknown.push(format.clone());
            let message = format!(
                "the format {format:?} is not known, and not asserted (at {})",
                self.documents.pointer(node)
            );
            self.annotations.push(Annotation { kind: "unknown-format".into(), message });
        }
    }

    /// The language of a format if it is known and asserted.
    pub(super) fn format(&mut self, node: NodeId, format: &str) -> Result<Option<TermId>> {
        if !self.options.assert_formats {
            return Ok(None);
        }
        if let Some(&known) = self.formats.get(format) {
            return Ok(known);
        }
        let language = match language(&mut self.regular, format) {
            Ok(language) => language,
            Err(problem) => return Err(self.documents.unsupported(node, "format", format!("{problem:?}"))),
        };
        self.formats.insert(format.into(), language);
        Ok(language)
    }

    /// The strings that a pattern is found in.
    pub(super) fn pattern(&mut self, node: NodeId, pattern: &str) -> Result<TermId> {
        if let Some(&known) = self.patterns.get(pattern) {
            return Ok(known);
        }
        self.budget.work()?;
        let language = pattern::language(&mut self.regular, pattern).map_err(|problem| match problem {
            Problem::Invalid(what) => self.documents.invalid(
                node,
                format!("{pattern:?} is no regular expression: {what}"),
                "see ECMA-262",
            ),
            Problem::Unsupported(what) => {
                self.documents.unsupported(node, "pattern", format!("{what} (in {pattern:?})"))
            }
        })?;
        self.patterns.insert(pattern.into(), language);
        Ok(language)
    }
}

/// The formats of the standard.
const FORMATS: [&str; 19] = [
    "date",
    "time",
    "date-time",
    "duration",
    "email",
    "idn-email",
    "hostname",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "uri",
    "uri-reference",
    "iri",
    "iri-reference",
    "uri-template",
    "uuid",
    "json-pointer",
    "relative-json-pointer",
    "regex",
];

/// The language of a format; `None` if there is no such format.
fn language(regular: &mut Regular, format: &str) -> Result<Option<TermId>, Problem> {
    let pattern = match format {
        "date" => DATE.to_owned(),
        "time" => return time(regular).map(Some),
        "date-time" => {
            let date = pattern::language(regular, &format!("^{DATE}[Tt]$"))?;
            let time = time(regular)?;
            return Ok(Some(regular.concat(date, time)));
        }
        "duration" => format!(
            r"P(?:\d+W|(?:\d+D|\d+M(?:\d+D)?|\d+Y(?:\d+M(?:\d+D)?)?)(?:{DURATION_TIME})?|{DURATION_TIME})"
        ),
        "email" => email("", &format!(r"{0}(?:\.{0})*", label(LDH))),
        "idn-email" => {
            let host = format!(
                r"{0}(?:\.{0})*",
                label(r"A-Za-z0-9\u00a0-\ud7ff\uf900-\ufdcf\ufdf0-\uff0d\uff10-\uffef")
            );
            email(r"\u0080-\u{10FFFF}", &host)
        }
        "hostname" => format!(r"(?=.{{1,253}}$){0}(?:\.{0})*", label(LDH)),
        "idn-hostname" => return idn_hostname(regular, &label(LDH)).map(Some),
        "ipv4" => ipv4(),
        "ipv6" => ipv6(),
        "uri" => uri("", "", false),
        "uri-reference" => uri("", "", true),
        "iri" => uri(UCS, PRIVATE, false),
        "iri-reference" => uri(UCS, PRIVATE, true),
        "uri-template" => TEMPLATE.replace("VARIABLE", VARIABLE),
        "uuid" => UUID.to_owned(),
        "json-pointer" => POINTER.to_owned(),
        "relative-json-pointer" => format!(r"(?:0|[1-9]\d*)(?:#|{POINTER})"),
        "regex" => return regex(regular, 3).map(Some),
        _ => return Ok(None),
    };
    pattern::language(regular, &format!("^(?:{pattern})$")).map(Some)
}

/// RFC 3339, section 5.6. A leap second is one where the time in UTC is 23:59:60.
fn time(regular: &mut Regular) -> Result<TermId, Problem> {
    let plain =
        format!(r"^(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d{FRACTION}(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$");
    let plain = pattern::language(regular, &plain)?;
    let utc = pattern::language(regular, &format!("^23:59:60{FRACTION}[Zz]$"))?;
    let elsewhere = leap_seconds_elsewhere(regular)?;
    Ok(regular.or([plain, utc, elsewhere]))
}

/// Leap seconds with an offset: local time and a minute is the offset, or falls short of a day by it. That is said of the hours, which depend
/// on whether the minute carries, and of the minutes.
fn leap_seconds_elsewhere(regular: &mut Regular) -> Result<TermId, Problem> {
    let second = pattern::language(regular, &format!("^:60{FRACTION}$"))?;
    let (any, before) = (pattern::language(regular, r"^\d\d:$")?, pattern::language(regular, "^:$")?);
    let after = pattern::language(regular, r"^:\d\d$")?;
    let carries = regular.literal("59");
    let others = pattern::language(regular, r"^(?:[0-4]\d|5[0-8])$")?;
    let hours: Vec<(u32, TermId)> = (0..24)
        .map(|local| {
            let minutes = [(others, 0), (carries, 1)].map(|(minute, carry)| {
                let ahead = (local + carry) % 24;
                let signs = [('+', ahead), ('-', (23 + carry - ahead) % 24)].map(|(sign, offset)| {
                    let offset = regular.literal(&format!("{sign}{offset:02}"));
                    regular.concat(offset, after)
                });
                let signs = regular.or(signs);
                let rest = regular.concat(second, signs);
                regular.concat(minute, rest)
            });
            let minutes = regular.or(minutes);
            (local, regular.concat(before, minutes))
        })
        .collect();
    let minutes: Vec<(u32, TermId)> = (0..60)
        .map(|local| {
            let ahead = (local + 1) % 60;
            let signs = [('+', ahead), ('-', (60 - ahead) % 60)].map(|(sign, offset)| {
                let (sign, offset) =
                    (regular.literal(&sign.to_string()), regular.literal(&format!("{offset:02}")));
                let offset = regular.concat(any, offset);
                regular.concat(sign, offset)
            });
            let signs = regular.or(signs);
            (local, regular.concat(second, signs))
        })
        .collect();
    let (hours, minutes) = (two_digits(regular, &hours), two_digits(regular, &minutes));
    let minutes = regular.concat(any, minutes);
    Ok(regular.and([hours, minutes]))
}

/// Numbers of two digits, each with what follows it: a tree, so that a derivative costs no more than the branches there.
fn two_digits(regular: &mut Regular, numbers: &[(u32, TermId)]) -> TermId {
    let digit = |regular: &mut Regular, digit: u32, rest: TermId| {
        let digit = regular.literal(&digit.to_string());
        regular.concat(digit, rest)
    };
    let mut tens = Vec::new();
    for group in numbers.chunk_by(|a, b| a.0 / 10 == b.0 / 10) {
        let units: Vec<TermId> =
            group.iter().map(|&(number, rest)| digit(regular, number % 10, rest)).collect();
        let units = regular.or(units);
        tens.push(digit(regular, group[0].0 / 10, units));
    }
    regular.or(tens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_groups_three_deep() {
        let mut regular = Regular::new();
        let patterns = regex(&mut regular, 3).unwrap();
        for pattern in [
            "",
            "a",
            "^[a-zA-Z0-9_-]{3,16}$",
            "(a|b)*|c??",
            r"\d+(?:\.\d+)?",
            "((a)|(b(c)))+",
            r"[^\]]",
            "x{2}",
            "x{2,}",
            "x{2,10}?",
            "|",
            "a||b",
            r"\bword\B",
            r"\p{L}\u00e9",
            "[a-]",
            "[-a]",
            "[]",
            "é.",
        ] {
            assert!(regular.matches(patterns, pattern), "{pattern}");
        }
        for pattern in [
            "(",
            ")",
            "a)",
            "((((a))))",
            "[a",
            "*",
            "a**",
            "x{2",
            "x{3,2}",
            r"\",
            "[z-a]",
            "(?<=a)b",
            "(?<n>a)",
            "a|*",
            "{1}",
        ] {
            assert!(!regular.matches(patterns, pattern), "{pattern}");
        }
    }

    /// Every local time at every offset that is a leap second there, and beside it.
    #[test]
    fn leap_seconds_are_at_midnight_of_utc() {
        let mut regular = Regular::new();
        let times = time(&mut regular).unwrap();
        for minute in 0..24 * 60 {
            // Local time is that of UTC and the offset.
            let ahead = (minute + 1) % (24 * 60);
            for (sign, offset) in [('+', ahead), ('-', (24 * 60 - ahead) % (24 * 60))] {
                for (wrong, second) in [(0, 60), (0, 59), (1, 60), (60, 60), (61, 60), (720, 60)] {
                    let offset = (offset + wrong) % (24 * 60);
                    let local = format!("{:02}:{:02}:{second}", minute / 60, minute % 60);
                    let text = format!("{local}{sign}{:02}:{:02}", offset / 60, offset % 60);
                    assert_eq!(regular.matches(times, &text), wrong == 0 || second < 60, "{text}");
                }
            }
        }
        for (text, is_time) in
            [("23:59:60Z", true), ("23:59:60.5z", true), ("23:58:60Z", false), ("15:59:60.123-08:00", true)]
        {
            assert_eq!(regular.matches(times, text), is_time, "{text}");
        }
    }

    #[test]
    fn every_format_of_the_list_has_a_language() {
        for format in FORMATS {
            assert!(language(&mut Regular::new(), format).unwrap().is_some(), "{format}");
        }
        assert!(language(&mut Regular::new(), "color").unwrap().is_none());
    }
}
