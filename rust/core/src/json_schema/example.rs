//! A document that goes through what most documents of a schema go through.
//!
//! Every declared name is written once, in the order of declaration, but those first that are required if any order will do, and
//! every value is short. Where a goal is met again, the next kind of value that it allows is written, and after the last one
//! only what is required or leads to something new. What a schema says of several names together is not looked at: an example may be
//! refused somewhere. It is there for the states that it comes to ([`crate::rehearsal`]), not to be a sentence.

use super::decimal::Decimal;
use super::engine::Engine;
use super::goal::{GoalId, Goals};
use super::number::{Numbers, Span};
use super::shape::{Arr, Name, Obj, Shape};
use super::spell::quoted;
use crate::automaton::Example;
use crate::error::Result;
use crate::regular::{Block, TermId};
use rustc_hash::{FxHashMap, FxHashSet};

/// Objects and arrays inside each other.
const MAX_DEPTH: usize = 16;
/// Longer texts are left out, characters.
const MAX_LENGTH: usize = 64;
/// Arrays that must have more items are left out.
const MAX_ITEMS: u32 = 16;
/// Conjunctions of one type that are tried.
const MAX_KINDS: usize = 8;
/// Numbers as texts have them; the first ones of some length.
const NUMBERS: [&str; 8] = ["10.5", "10", "1", "0", "-1", "0.5", "100", "1000"];
/// Where every second number is looked for from: no digit follows a zero at the beginning.
const ZERO: usize = 3;

/// What stands between the parts of a document, with its whitespace.
pub(super) struct Marks {
    pub(super) comma: String,
    pub(super) colon: String,
}

/// A kind of value.
enum Sort<'a> {
    Object(&'a Obj),
    Array(&'a Arr),
    String(TermId),
    Number(&'a Numbers),
    Literal(&'static str),
}

struct Writer<'a> {
    engine: &'a mut Engine,
    marks: Marks,
    out: Example,
    /// So many bytes are enough.
    enough: usize,
    /// The goals of the values that are being written.
    path: Vec<GoalId>,
    /// How many kinds of a goal's values are written.
    written: FxHashMap<GoalId, usize>,
    /// Goals below which nothing is left.
    spent: FxHashSet<GoalId>,
    words: FxHashMap<TermId, Option<String>>,
    /// So many numbers were written, those taken back again included.
    numbers: usize,
}

impl Engine {
    /// An example of a goal, or the beginning of one once so many bytes are written; `None` if none comes to mind.
    ///
    /// # Errors
    /// Those of the schema's parts and of the budget.
    pub(super) fn example(&mut self, goal: GoalId, marks: Marks, enough: usize) -> Result<Option<Example>> {
        let mut writer = Writer {
            engine: self,
            marks,
            out: Example::default(),
            enough,
            path: Vec::new(),
            written: FxHashMap::default(),
            spent: FxHashSet::default(),
            words: FxHashMap::default(),
            numbers: 0,
        };
        Ok(writer.value(goal)?.map(|_| writer.out))
    }
}

impl Writer<'_> {
    /// Writes a value and says whether anything in it is new; `None`, and nothing written, if none comes to mind.
    fn value(&mut self, goal: GoalId) -> Result<Option<bool>> {
        if self.is_enough() {
            return Ok(Some(true));
        }
        if self.path.len() > MAX_DEPTH || !self.engine.is_inhabited(goal)? {
            return Ok(None);
        }
        let shape = self.engine.shape(goal)?;
        let sorts = self.sorts(goal, &shape)?;
        let before = self.written.get(&goal).copied().unwrap_or(0);
        let is_inside_itself = self.path.contains(&goal);
        let from = self.out.text.len();
        for turn in 0..sorts.len() {
            let at = before + turn;
            let is_first = at < sorts.len();
            if is_first {
                self.written.insert(goal, at + 1);
            }
            let is_spent = !is_first && (is_inside_itself || self.spent.contains(&goal));
            self.path.push(goal);
            let is_new = self.sort(&sorts[at % sorts.len()], is_first, is_spent)?;
            self.path.pop();
            match is_new {
                Some(false) if !is_first && !is_inside_itself => {
                    self.spent.insert(goal);
                    return Ok(Some(false));
                }
                Some(is_new) => return Ok(Some(is_new || is_first)),
                None => self.cut(from),
            }
        }
        Ok(None)
    }

    /// The kinds of values that a goal has, those with parts first.
    fn sorts<'b>(&mut self, goal: GoalId, shape: &'b Shape) -> Result<Vec<Sort<'b>>> {
        if goal == Goals::TRUE {
            return Ok(vec![Sort::String(shape.strings.term)]);
        }
        let mut sorts = Vec::new();
        sorts.extend(shape.objects.iter().take(MAX_KINDS).map(Sort::Object));
        sorts.extend(shape.arrays.iter().take(MAX_KINDS).map(Sort::Array));
        if self.engine.has_string(shape.strings.term)? {
            sorts.push(Sort::String(shape.strings.term));
        }
        if self.engine.has_number(&shape.numbers)? {
            sorts.push(Sort::Number(&shape.numbers));
        }
        let literals = [(shape.yes, "true"), (shape.no && !shape.yes, "false"), (shape.null, "null")];
        sorts.extend(
            literals.into_iter().filter(|(is_there, _)| *is_there).map(|(_, text)| Sort::Literal(text)),
        );
        Ok(sorts)
    }

    /// As [`Self::value`]. The first value of a kind has all that it may have, what is spent only what it needs.
    fn sort(&mut self, sort: &Sort<'_>, is_first: bool, is_spent: bool) -> Result<Option<bool>> {
        match *sort {
            Sort::Object(obj) => return self.object(obj, is_first, is_spent),
            Sort::Array(arr) => return self.array(arr, is_first, is_spent),
            Sort::String(term) => match self.word(term)? {
                Some(text) => self.text(&text),
                None => return Ok(None),
            },
            Sort::Number(numbers) => {
                let from = if self.numbers.is_multiple_of(2) { 0 } else { ZERO };
                let Some(text) = a_number(numbers, from)? else { return Ok(None) };
                self.numbers += 1;
                self.out.text.extend_from_slice(text.as_bytes());
            }
            Sort::Literal(text) => self.out.text.extend_from_slice(text.as_bytes()),
        }
        Ok(Some(false))
    }

    fn object(&mut self, obj: &Obj, is_first: bool, is_spent: bool) -> Result<Option<bool>> {
        self.out.text.push(b'{');
        let (mut number, mut any_new) = (0, false);
        let mut props: Vec<(&Name, GoalId, bool)> =
            obj.props.iter().map(|(name, &goal)| (name, goal, obj.required.contains(name))).collect();
        if self.engine.options.any_order {
            props.sort_by_key(|&(.., is_required)| !is_required);
        }
        for (name, goal, is_required) in props {
            if self.is_enough() {
                return Ok(Some(true));
            }
            let is_full = obj.max.is_some_and(|max| number + obj.required.len() as u32 >= max);
            if !is_required && (is_spent || is_full) {
                continue;
            }
            let from = self.out.text.len();
            match self.member(name, goal, number > 0)? {
                Some(is_new) if is_new || is_first || is_required => {
                    number += 1;
                    any_new |= is_new;
                }
                Some(_) => self.cut(from),
                None if is_required => return Ok(None),
                None => {}
            }
        }
        if is_first || number < obj.min {
            self.free_names(obj, &mut number)?;
        }
        if self.is_enough() {
            return Ok(Some(true));
        }
        self.out.text.push(b'}');
        Ok((number >= obj.min).then_some(any_new))
    }

    /// Writes members with names that are not declared: two where nothing is declared, and else one where their values are something special.
    fn free_names(&mut self, obj: &Obj, number: &mut u32) -> Result<()> {
        let wanted = if obj.props.is_empty() { 2 } else { 1 }.max(obj.min.saturating_sub(*number));
        let most = wanted.min(obj.max.unwrap_or(u32::MAX).saturating_sub(*number)).min(MAX_ITEMS);
        let everything = self.engine.regular.everything();
        let mut made = 0;
        for &(language, goal) in &obj.rest {
            if goal == Goals::FALSE {
                continue;
            }
            let words = match self.word(language)? {
                Some(_) if language == everything => ["a", "b", "c", "d"].map(Name::from).to_vec(),
                Some(word) => vec![word.into()],
                None => continue,
            };
            for name in words {
                if made >= most || obj.props.contains_key(&name) {
                    continue;
                }
                let Engine { goals, regular, .. } = &mut *self.engine;
                let goal = obj.property(&name, goals, regular);
                if self.member(&name, goal, *number > 0)?.is_some() {
                    *number += 1;
                    made += 1;
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, name: &Name, goal: GoalId, is_later: bool) -> Result<Option<bool>> {
        let from = self.out.text.len();
        if is_later {
            self.out.text.extend_from_slice(self.marks.comma.as_bytes());
        }
        self.text(name);
        self.out.text.extend_from_slice(self.marks.colon.as_bytes());
        let written = self.value(goal)?;
        match written {
            None => self.cut(from),
            Some(_) if is_later => self.out.optional.push(from..self.out.text.len()),
            Some(_) => {}
        }
        Ok(written)
    }

    /// Whether the rest is not wanted; then nothing is closed, nor taken back, any more.
    fn is_enough(&self) -> bool {
        self.out.text.len() >= self.enough
    }

    /// Takes back what was written from a place on.
    fn cut(&mut self, from: usize) {
        self.out.text.truncate(from);
        let kept = self.out.optional.partition_point(|part| part.end <= from);
        self.out.optional.truncate(kept);
    }

    fn array(&mut self, arr: &Arr, is_first: bool, is_spent: bool) -> Result<Option<bool>> {
        if arr.min > MAX_ITEMS {
            return Ok(None);
        }
        self.out.text.push(b'[');
        let usual = if is_spent { 0 } else { (arr.prefix.len() as u32).max(if arr.unique { 1 } else { 2 }) };
        let most = usual.max(arr.min).min(arr.max.unwrap_or(u32::MAX)).min(MAX_ITEMS);
        let mut any_new = false;
        for index in 0..most {
            if self.is_enough() {
                return Ok(Some(true));
            }
            let from = self.out.text.len();
            if index > 0 {
                self.out.text.extend_from_slice(self.marks.comma.as_bytes());
            }
            let item = self.value(arr.item(index as usize))?;
            let is_needed = index < arr.min;
            match item {
                Some(is_new) if is_new || is_first || is_needed => any_new |= is_new,
                None if is_needed => return Ok(None),
                _ => {
                    self.cut(from);
                    break;
                }
            }
        }
        if self.is_enough() {
            return Ok(Some(true));
        }
        self.out.text.push(b']');
        Ok(Some(any_new))
    }

    fn text(&mut self, text: &str) {
        self.out.text.append(&mut quoted(text));
    }

    /// A short text of a language, if one is found at once.
    fn word(&mut self, language: TermId) -> Result<Option<String>> {
        if let Some(known) = self.words.get(&language) {
            return Ok(known.clone());
        }
        let word = self.engine.a_word(language)?;
        self.words.insert(language, word.clone());
        Ok(word)
    }
}

impl Engine {
    /// A short text of a language: each character is one after which the end is near, or where the language has not been.
    fn a_word(&mut self, language: TermId) -> Result<Option<String>> {
        let Self { regular, budget, .. } = self;
        if language == regular.everything() {
            return Ok(Some("a".into()));
        }
        if !regular.is_inhabited(language, budget)? {
            return Ok(None);
        }
        let mut text = String::new();
        let mut met = vec![language];
        let mut term = language;
        while !regular.is_nullable(term) || text.is_empty() {
            let mut best: Option<((u32, bool), char, TermId)> = None;
            for block in regular.blocks(term).iter() {
                let Some(c) = a_character(block) else { continue };
                let after = regular.derivative(term, u32::from(c));
                if !regular.is_inhabited(after, budget)? {
                    continue;
                }
                let shortest = regular.distance(after).map_or(u32::MAX, |distance| distance.shortest);
                let rank = (shortest, met.contains(&after));
                if best.is_none_or(|(least, ..)| rank < least) {
                    best = Some((rank, c, after));
                }
            }
            match best {
                Some((_, c, after)) if text.len() < MAX_LENGTH => {
                    text.push(c);
                    met.push(after);
                    term = after;
                }
                Some(_) => return Ok(None),
                None => break,
            }
        }
        Ok(regular.is_nullable(term).then_some(text))
    }
}

/// A character of a block that texts have more often than others.
fn a_character(block: Block<'_>) -> Option<char> {
    let is_in = |c: &char| block.ranges().any(|(lo, hi)| (lo..=hi).contains(&u32::from(*c)));
    let usual = ['a', 'A', '1'].into_iter().find(is_in);
    let others = block.ranges().flat_map(|(lo, hi)| [lo.max(0x20), hi]);
    usual.or_else(|| others.filter_map(char::from_u32).find(is_in))
}

/// The spelling of a number of a set, the first one of [`NUMBERS`] from a place on and round if one is in it.
fn a_number(numbers: &Numbers, from: usize) -> Result<Option<String>> {
    for text in NUMBERS.into_iter().cycle().skip(from).take(NUMBERS.len()) {
        let point = Decimal::parse(text).map(|value| Numbers(vec![Span::point(value)]));
        if let Some(point) = point
            && numbers.and(&point)?.few(1).is_some_and(|few| !few.is_empty())
        {
            return Ok(Some(text.to_owned()));
        }
    }
    let bounds = numbers.0.iter().flat_map(|span| [&span.lo, &span.hi]).flatten();
    let whole = bounds.filter(|(value, is_inside)| *is_inside && value.is_integer());
    Ok(whole.map(|(value, _)| spelled(value)).next())
}

/// A whole number in digits.
fn spelled(value: &Decimal) -> String {
    let digits = String::from_utf8_lossy(&value.abs().digits().0).into_owned();
    if value.is_negative() { format!("-{digits}") } else { digits }
}

#[cfg(test)]
mod tests {
    use super::Marks;
    use crate::automaton::{Budget, Example};
    use crate::json_schema::JsonSchema;
    use crate::json_schema::engine::Engine;

    fn example_of(schema: &str) -> Option<Example> {
        beginning_of(schema, usize::MAX)
    }

    fn beginning_of(schema: &str, enough: usize) -> Option<Example> {
        let schema = JsonSchema { schema: schema.into(), documents: Vec::new(), options: Default::default() };
        let (mut engine, root) = Engine::new(&schema, Budget::unlimited()).unwrap();
        engine.example(root, Marks { comma: ", ".into(), colon: ": ".into() }, enough).unwrap()
    }

    #[test]
    fn examples_are_short_and_have_every_name() {
        for (schema, example) in [
            (r#"{"type": "string", "pattern": "^[0-9]{3}-[a-f]+$"}"#, r#""111-a""#),
            (r#"{"type": "string", "format": "email"}"#, r#""a@a""#),
            (r#"{"type": "integer", "minimum": 7000}"#, "7000"),
            (r#"{"enum": [-12, "x"]}"#, r#""x""#),
            (r#"{"type": "array", "items": {"type": ["null", "number", "string"]}}"#, r#"["a", 10.5]"#),
            (r#"{"type": "array", "items": {"type": "boolean"}, "minItems": 3}"#, "[true, true, true]"),
            (r#"{"type": "array", "items": {"type": "integer"}, "minItems": 3}"#, "[10, 0, 10]"),
            (r#"{"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}}"#, "[10.5, 0.5]"),
            (r#"{"type": "object", "additionalProperties": {"type": "null"}}"#, r#"{"a": null, "b": null}"#),
            (
                r#"{"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": ["integer", "null"]}, "c": false},
                    "additionalProperties": false}"#,
                r#"{"b": "a", "a": 10}"#,
            ),
            // What is met inside itself has only what it needs.
            (
                r##"{"type": "object", "properties": {"v": {"type": "null"}, "next": {"$ref": "#"}}, "required": ["v"],
                    "additionalProperties": false}"##,
                r#"{"v": null, "next": {"v": null}}"#,
            ),
        ] {
            let found = example_of(schema).map(|example| String::from_utf8(example.text).unwrap());
            assert_eq!(found.as_deref(), Some(example), "{schema}");
        }
    }

    #[test]
    fn what_may_be_left_out_leaves_a_document() {
        let schema = r#"{"type": "object", "properties": {"a": {"type": "null"}, "b": {
            "type": "object", "properties": {"c": {"type": "null"}, "d": {"type": "null"}}, "additionalProperties": false}},
            "additionalProperties": false}"#;
        let Example { text, optional } = example_of(schema).unwrap();
        let left_out: Vec<String> = optional
            .into_iter()
            .map(|part| {
                let rest = [&text[..part.start], &text[part.end..]].concat();
                String::from_utf8(rest).unwrap()
            })
            .collect();
        assert_eq!(left_out, [r#"{"a": null, "b": {"c": null}}"#, r#"{"a": null}"#]);
    }

    #[test]
    fn the_beginning_of_an_example_is_enough() {
        // All of it is required: what is tried and left out again may stand where one ends.
        let schema = r#"{"type": "object", "properties": {"a": {"enum": ["xyz"]}, "b": {"type": "array", "items": {
            "type": "object", "properties": {"c": {"type": "null"}, "d": {"type": "integer"}}, "required": ["c", "d"]}, "minItems": 3},
            "e": {"type": "boolean"}}, "required": ["a", "b"], "additionalProperties": false}"#;
        let whole = example_of(schema).unwrap();
        for enough in 1..whole.text.len() + 8 {
            let found = beginning_of(schema, enough).unwrap();
            assert!(found.text.len() >= enough.min(whole.text.len()), "{enough}");
            assert!(
                whole.text.starts_with(&found.text),
                "{enough}: {}",
                String::from_utf8_lossy(&found.text)
            );
            assert!(found.text.len() < enough + 16, "{enough}");
            assert!(found.optional.iter().all(|part| part.end <= found.text.len()));
        }
    }

    #[test]
    fn what_has_no_short_value_has_no_example() {
        assert_eq!(example_of(r#"{"type": "string", "minLength": 1000}"#), None);
        assert_eq!(example_of(r#"{"type": "array", "minItems": 1000}"#), None);
    }
}
