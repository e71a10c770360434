//! A text compared with a value, byte by byte.
//!
//! The text may spell the value in any way: other whitespace, escapes, numbers, an object's members in another order. What is open
//! of the value is a stack of [`Part`]s, so each byte costs the same however long the text is.

use super::values::{Value, Values};
use crate::grammar::ByteSet;
use crate::json_schema::decimal::Decimal;
use crate::json_schema::spell::short_escape;
use smallvec::{SmallVec, smallvec};

/// How a text compares with the spellings of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It is one, perhaps with one byte more.
    Is,
    /// It begins one. It may turn out not to.
    Begins,
    /// It begins none.
    Not,
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Comparison(SmallVec<[Part; 1]>);

/// The beginning of an escape, of two UTF-16 units at most.
type Escape = SmallVec<[u8; 12]>;

/// A value, as a number, of which a part is read.
#[derive(Clone, Debug)]
enum Part {
    /// Nothing of it.
    Start(u32),
    /// So many bytes of a word.
    Word(u32, usize),
    Number(u32, Vec<u8>),
    /// So many bytes of its text, and the beginning of an escape.
    String(u32, usize, Escape),
    /// So many items; whether the last is over.
    Array(u32, usize, bool),
    /// So many members, and where the next is.
    Object(u32, usize, Member),
}

#[derive(Clone, Debug)]
enum Member {
    /// Before a name, or the end if there is no other.
    Start,
    /// In a name, and the beginning of an escape.
    Name(Vec<u8>, Escape),
    /// Before the colon of this value.
    Colon(u32),
    /// Before a comma, or the end.
    End,
}

/// What a byte comes to.
enum Step {
    Fit(Fit),
    /// The part ended before it.
    Again,
}

impl Comparison {
    pub(super) fn new(value: u32) -> Self {
        Self(smallvec![Part::Start(value)])
    }

    /// Compares one more byte. After [`Fit::Is`] and [`Fit::Not`] none may come.
    pub(super) fn next(&mut self, values: &Values, byte: u8) -> Fit {
        loop {
            match self.step(values, byte) {
                Step::Fit(Fit::Is) => {
                    self.0.pop();
                    return if self.0.is_empty() { Fit::Is } else { Fit::Begins };
                }
                Step::Fit(fit) => return fit,
                Step::Again => {
                    self.0.pop();
                    if self.0.is_empty() {
                        return Fit::Is;
                    }
                }
            }
        }
    }

    /// The rest of the outermost value, if that is a string and no escape is begun in it.
    pub(super) fn rest<'a>(&self, values: &'a Values) -> Option<&'a str> {
        let [Part::String(value, at, escape)] = &self.0[..] else { return None };
        let Value::String(wanted) = values.get(*value) else { return None };
        wanted.get(*at..).filter(|_| escape.is_empty())
    }

    /// The same after so many bytes more of that rest.
    pub(super) fn further(&self, bytes: usize) -> Self {
        let mut further = self.clone();
        if let Some(Part::String(_, at, _)) = further.0.last_mut() {
            *at += bytes;
        }
        further
    }

    /// The bytes that may go on, and perhaps more; cheap.
    pub(super) fn bytes(&self, values: &Values) -> ByteSet {
        match self.0.last() {
            Some(Part::String(value, at, escape)) => {
                let Value::String(wanted) = values.get(*value) else { return ByteSet::FULL };
                if escape.is_empty() {
                    let next = wanted.as_bytes().get(*at).copied().unwrap_or(b'"');
                    return ByteSet::single(next).union(&ByteSet::single(b'\\'));
                }
                let next = wanted.get(*at..).and_then(|rest| rest.chars().next());
                next.map_or(ByteSet::EMPTY, |c| escape_bytes(escape, c))
            }
            Some(&Part::Start(value)) if self.0.len() == 1 => first_bytes(values.get(value)),
            Some(&Part::Start(value)) => first_bytes(values.get(value)).union(&spaces()),
            Some(Part::Word(value, at)) => values.get(*value).word().get(*at).copied().into_iter().collect(),
            Some(Part::Array(value, index, is_over)) => {
                let Value::Array(items) = values.get(*value) else { return ByteSet::EMPTY };
                let next = match items.get(*index) {
                    Some(_) if *is_over => ByteSet::single(b','),
                    Some(&item) => first_bytes(values.get(item)),
                    None => ByteSet::single(b']'),
                };
                next.union(&spaces())
            }
            Some(Part::Object(value, count, member)) => {
                let Value::Object(members) = values.get(*value) else { return ByteSet::EMPTY };
                let (is_first, is_last) = (*count == 0, *count == members.len());
                let next = match member {
                    Member::Name(name, escape) if escape.is_empty() => return bytes_of_name(members, name),
                    Member::Name(..) => return ByteSet::FULL,
                    Member::Colon(_) => b':',
                    Member::Start if is_first && is_last => b'}',
                    Member::Start => b'"',
                    Member::End if is_last => b'}',
                    Member::End => b',',
                };
                ByteSet::single(next).union(&spaces())
            }
            // What follows a number ends it.
            Some(Part::Number(..)) | None => ByteSet::FULL,
        }
    }

    /// Whether a byte makes no difference: whitespace between two parts.
    pub(super) fn passes_over(&self, byte: u8) -> bool {
        is_space(byte)
            && match self.0.last() {
                Some(Part::Start(_)) => self.0.len() > 1,
                Some(Part::Object(_, _, member)) => !matches!(member, Member::Name(..)),
                Some(Part::Array(..)) => true,
                _ => false,
            }
    }

    fn step(&mut self, values: &Values, byte: u8) -> Step {
        let is_space = is_space(byte);
        let Some(part) = self.0.last_mut() else { return Step::Again };
        match part {
            &mut Part::Start(value) => self.start(values, value, byte),
            Part::Word(value, at) => Step::Fit(word(values.get(*value).word(), at, byte)),
            Part::Number(value, read) => {
                if byte.is_ascii_digit() || b"+-.eE".contains(&byte) {
                    read.push(byte);
                    let Value::Number(wanted) = values.get(*value) else { return Step::Fit(Fit::Not) };
                    return Step::Fit(if wanted.may_begin_with(read) { Fit::Begins } else { Fit::Not });
                }
                let read = std::str::from_utf8(read).ok().and_then(Decimal::parse).map(Value::Number);
                if read.as_ref() == Some(values.get(*value)) { Step::Again } else { Step::Fit(Fit::Not) }
            }
            Part::String(value, at, escape) => {
                let Value::String(wanted) = values.get(*value) else { return Step::Fit(Fit::Not) };
                Step::Fit(in_string(wanted.as_bytes(), at, escape, byte))
            }
            Part::Array(value, index, is_over) => {
                let Value::Array(items) = values.get(*value) else { return Step::Fit(Fit::Not) };
                let is_last = *index == items.len();
                match byte {
                    _ if is_space => {}
                    b']' if is_last && (*is_over || items.is_empty()) => return Step::Fit(Fit::Is),
                    b',' if *is_over && !is_last => *is_over = false,
                    _ if !*is_over && !is_last => {
                        let item = items[*index];
                        (*index, *is_over) = (*index + 1, true);
                        self.0.push(Part::Start(item));
                        return self.start(values, item, byte);
                    }
                    _ => return Step::Fit(Fit::Not),
                }
                Step::Fit(Fit::Begins)
            }
            Part::Object(value, count, member) => {
                let Value::Object(members) = values.get(*value) else { return Step::Fit(Fit::Not) };
                let is_last = *count == members.len();
                match (&mut *member, byte) {
                    (Member::Name(name, escape), _) => match in_name(members, name, escape, byte) {
                        Ok(Some(value)) => *member = Member::Colon(value),
                        Ok(None) => {}
                        Err(()) => return Step::Fit(Fit::Not),
                    },
                    _ if is_space => {}
                    (Member::Start, b'"') if !is_last => *member = Member::Name(Vec::new(), Escape::new()),
                    (Member::Start, b'}') if members.is_empty() => return Step::Fit(Fit::Is),
                    (&mut Member::Colon(value), b':') => {
                        (*count, *member) = (*count + 1, Member::End);
                        self.0.push(Part::Start(value));
                    }
                    (Member::End, b'}') if is_last => return Step::Fit(Fit::Is),
                    (Member::End, b',') if !is_last => *member = Member::Start,
                    _ => return Step::Fit(Fit::Not),
                }
                Step::Fit(Fit::Begins)
            }
        }
    }

    /// The first byte of a value.
    fn start(&mut self, values: &Values, value: u32, byte: u8) -> Step {
        // Whitespace is before a member's value; before the outermost value there is none.
        if self.0.len() > 1 && is_space(byte) {
            return Step::Fit(Fit::Begins);
        }
        let (mark, part) = match values.get(value) {
            Value::String(_) => (b'"', Part::String(value, 0, Escape::new())),
            Value::Array(_) => (b'[', Part::Array(value, 0, false)),
            Value::Object(_) => (b'{', Part::Object(value, 0, Member::Start)),
            Value::Number(_) => (byte, Part::Number(value, Vec::new())),
            _ => (byte, Part::Word(value, 0)),
        };
        self.0.pop();
        self.0.push(part);
        match values.get(value) {
            Value::String(_) | Value::Array(_) | Value::Object(_) => {
                Step::Fit(if byte == mark { Fit::Begins } else { Fit::Not })
            }
            Value::Number(_) if !byte.is_ascii_digit() && byte != b'-' => Step::Fit(Fit::Not),
            _ => self.step(values, byte),
        }
    }
}

fn is_space(byte: u8) -> bool {
    b" \t\n\r".contains(&byte)
}

/// The bytes of whitespace (RFC 8259, section 2).
pub(crate) fn spaces() -> ByteSet {
    b" \t\n\r".iter().copied().collect()
}

/// The first bytes of a value.
fn first_bytes(value: &Value) -> ByteSet {
    match value {
        Value::String(_) => ByteSet::single(b'"'),
        Value::Array(_) => ByteSet::single(b'['),
        Value::Object(_) => ByteSet::single(b'{'),
        Value::Number(_) => ByteSet::range(b'0', b'9').union(&ByteSet::single(b'-')),
        _ => value.word().first().copied().into_iter().collect(),
    }
}

/// The bytes that may follow the beginning of a member's name.
fn bytes_of_name(members: &[(String, u32)], begun: &[u8]) -> ByteSet {
    let rests = members.iter().filter_map(|(name, _)| name.as_bytes().strip_prefix(begun));
    rests.map(|rest| rest.first().copied().unwrap_or(b'"')).chain([b'\\']).collect()
}

fn word(word: &[u8], at: &mut usize, byte: u8) -> Fit {
    if word.get(*at) != Some(&byte) {
        return Fit::Not;
    }
    *at += 1;
    if *at == word.len() { Fit::Is } else { Fit::Begins }
}

/// A byte in a string after its opening quote; without escapes the first difference decides.
fn in_string(wanted: &[u8], at: &mut usize, escape: &mut Escape, byte: u8) -> Fit {
    if !escape.is_empty() || byte == b'\\' {
        escape.push(byte);
        let Some(read) = read_escape(escape) else { return Fit::Begins };
        escape.clear();
        return match read.filter(|read| wanted[*at..].starts_with(read.as_bytes())) {
            Some(read) => {
                *at += read.len();
                Fit::Begins
            }
            None => Fit::Not,
        };
    }
    match wanted.get(*at) {
        None if byte == b'"' => Fit::Is,
        Some(&next) if next == byte && byte != b'"' => {
            *at += 1;
            Fit::Begins
        }
        _ => Fit::Not,
    }
}

/// A byte in a member's name: the member's value once the name is over.
fn in_name(
    members: &[(String, u32)],
    name: &mut Vec<u8>,
    escape: &mut Escape,
    byte: u8,
) -> Result<Option<u32>, ()> {
    if escape.is_empty() && byte == b'"' {
        let found = members.iter().find(|(known, _)| known.as_bytes() == &**name);
        return found.map(|&(_, value)| Some(value)).ok_or(());
    }
    if !escape.is_empty() || byte == b'\\' {
        escape.push(byte);
        let Some(read) = read_escape(escape) else { return Ok(None) };
        name.extend_from_slice(read.ok_or(())?.as_bytes());
        escape.clear();
    } else {
        name.push(byte);
    }
    let begins = members.iter().any(|(known, _)| known.as_bytes().starts_with(name));
    begins.then_some(None).ok_or(())
}

/// The text of an escape (`None` inside if it is none); `None` if it is not all there.
fn read_escape(escape: &[u8]) -> Option<Option<String>> {
    let is_long = escape.get(1) == Some(&b'u');
    if is_long && !escape[2..].iter().take(4).all(u8::is_ascii_hexdigit) {
        return Some(None);
    }
    if let (false, Some(&byte)) = (is_long, escape.get(1)) {
        return Some(short_escape(byte).map(String::from));
    }
    let is_high = escape.get(2..4).is_some_and(|d| {
        matches!(d[0], b'd' | b'D') && matches!(d[1], b'8' | b'9' | b'a' | b'A' | b'b' | b'B')
    });
    let length = if is_high { 12 } else { 6 };
    let quoted = [b"\"", escape.get(..length)?, b"\""].concat();
    Some(serde_json::from_slice::<String>(&quoted).ok())
}

/// The bytes that may go on with an escape, if it is to be that of a character, and perhaps more.
fn escape_bytes(escape: &[u8], c: char) -> ByteSet {
    let digit = |digit: u8| {
        ByteSet::single(digit.to_ascii_lowercase()).union(&ByteSet::single(digit.to_ascii_uppercase()))
    };
    match escape {
        [_] => {
            let stands_for = |&byte: &u8| short_escape(byte) == Some(c);
            let mut bytes = ByteSet::single(b'u');
            b"\"\\/bfnrt".iter().copied().filter(stands_for).for_each(|byte| bytes.insert(byte));
            bytes
        }
        [_, b'u', digits @ ..] if digits.len() < 4 => {
            let unit = c.encode_utf16(&mut [0; 2])[0];
            digit(format!("{unit:04x}").as_bytes()[digits.len()])
        }
        _ => ByteSet::FULL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_compared_as_far_as_it_goes() {
        let mut values = Values::default();
        let mut fit = |value: &str, text: &str| {
            let number = values.read(value.as_bytes());
            let mut comparison = Comparison::new(number);
            let (mut fit, mut may_be) = (Fit::Begins, true);
            for (at, byte) in text.bytes().enumerate() {
                assert_eq!(fit, Fit::Begins, "{text} goes on at {at}");
                may_be &= comparison.bytes(&values).contains(byte);
                let passed = comparison.passes_over(byte).then(|| format!("{comparison:?}"));
                fit = comparison.next(&values, byte);
                assert!(
                    passed.is_none_or(|passed| fit == Fit::Begins && passed == format!("{comparison:?}"))
                );
            }
            assert!(may_be || fit == Fit::Not, "{text} is {value}");
            fit
        };
        assert_eq!(fit("\"abc\"", "\"ab"), Fit::Begins);
        assert_eq!(fit("\"abc\"", "\"\\u0061b\\u00"), Fit::Begins);
        assert_eq!(fit("\"abc\"", "\"abc\""), Fit::Is);
        assert_eq!(fit("\"abc\"", "\"abd"), Fit::Not);
        assert_eq!(fit("\"a\"", "\"a\\u0022"), Fit::Not);
        assert_eq!(fit("\"a\"", "\"\\u00g"), Fit::Not);
        assert_eq!(fit("\"a\"", "\"\\a"), Fit::Not);
        assert_eq!(fit("\"\\u0008\\u000c\\n\\r\\t/\\\\\"", "\"\\b\\f\\n\\r\\t\\/\\\\\""), Fit::Is);
        assert_eq!(fit("\"\\\"\"", "\"\\\"\""), Fit::Is);
        assert_eq!((fit("1", "1"), fit("1", "1.0]"), fit("1", "2")), (Fit::Begins, Fit::Is, Fit::Not));
        assert_eq!(
            (fit("null", "nul"), fit("true", "true"), fit("1", "x")),
            (Fit::Begins, Fit::Is, Fit::Not)
        );
        assert_eq!(
            (fit("[]", "[ ]"), fit("[1]", "[]"), fit("[[], 1]", "[[ ],1 ]")),
            (Fit::Is, Fit::Not, Fit::Is)
        );
        assert_eq!(
            (fit("[1,2]", "[1 ,"), fit("[1,2]", "[1]"), fit("{}", "{ }")),
            (Fit::Begins, Fit::Not, Fit::Is)
        );
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{ \"b\" : [2"), Fit::Begins);
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{ \"b\" : [2 ],\"a\":1}"), Fit::Is);
        assert_eq!(fit("{\"a\":1,\"b\":[2]}", "{\"b\":[3"), Fit::Not);
        assert_eq!(fit("{\"a\":1}", "{\"a\":1,"), Fit::Not);
        assert_eq!(fit("{\"a\":1}", "{\"b"), Fit::Not);
        assert_eq!(fit("{\"é\":\"é😀\"}", "{\"\\u00e9\": \"\\u00e9\\uD83D\\uDE00\"}"), Fit::Is);
        assert_eq!(fit("\"é😀\"", "\"é😀\""), Fit::Is);
    }
}
