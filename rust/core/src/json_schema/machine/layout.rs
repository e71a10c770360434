//! Whitespace between the tokens of a document.

use super::{JsonMachine, Kind, Local};
use crate::automaton::MachineEdges;
use crate::error::{Error, Result};
use crate::json_schema::example::Marks;
use crate::json_schema::options::Whitespace;
use std::sync::Arc;

/// Where whitespace may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    AfterOpen,
    BeforeComma,
    AfterComma,
    BeforeColon,
    AfterColon,
    BeforeClose,
}

/// The options' whitespace, taken apart.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    Any(Option<u32>),
    Fixed { indent: Option<String>, comma: (String, String), colon: (String, String) },
}

/// What stands at a place.
pub(super) enum Gap {
    None,
    Optional(u32),
    Required(u32),
}

impl Layout {
    pub(super) fn new(whitespace: &Whitespace) -> Result<Self> {
        match whitespace {
            Whitespace::Any { max_run: Some(0) } => {
                Ok(Self::Fixed { indent: None, comma: Default::default(), colon: Default::default() })
            }
            Whitespace::Any { max_run } => Ok(Self::Any(*max_run)),
            Whitespace::Fixed { indent, item_separator, key_separator } => {
                let is_space = |text: &str| text.chars().all(|c| " \t\n\r".contains(c));
                let around = |text: &str, mark: char| match text.split_once(mark) {
                    Some((before, after)) if is_space(before) && is_space(after) => {
                        Ok((before.to_owned(), after.to_owned()))
                    }
                    _ => Err(Error::InvalidArgument(format!(
                        "the separator {text:?} has to be {mark:?} with whitespace around it"
                    ))),
                };
                if indent.as_deref().is_some_and(|indent| !is_space(indent)) {
                    return Err(Error::InvalidArgument(format!("the indent {indent:?} is not whitespace")));
                }
                let (comma, colon) = (around(item_separator, ',')?, around(key_separator, ':')?);
                Ok(Self::Fixed { indent: indent.clone(), comma, colon })
            }
        }
    }

    /// The marks of an example, if they are the same at any depth; where whitespace is free, as most texts have it.
    pub(super) fn marks(&self) -> Option<Marks> {
        match self {
            Self::Any(_) => Some(Marks { comma: ", ".into(), colon: ": ".into() }),
            Self::Fixed { indent: Some(_), .. } => None,
            Self::Fixed { comma, colon, .. } => Some(Marks {
                comma: format!("{},{}", comma.0, comma.1),
                colon: format!("{}:{}", colon.0, colon.1),
            }),
        }
    }

    pub(super) fn max_run(&self) -> Option<u32> {
        if let Self::Any(max) = self { *max } else { None }
    }

    /// How deep the parts of something this deep are, as far as it matters.
    pub(super) fn deeper(&self, depth: u32) -> u32 {
        if matches!(self, Self::Fixed { indent: Some(_), .. }) { depth + 1 } else { 0 }
    }
}

impl JsonMachine {
    pub(super) fn gap(&mut self, place: Place, depth: u32) -> Gap {
        let text = match &self.layout {
            Layout::Any(_) => return Gap::Optional(self.rule(Kind::Space)),
            Layout::Fixed { indent, comma, colon } => {
                let line = |depth: u32| {
                    indent.as_ref().map(|i| format!("\n{}", i.repeat(depth as usize))).unwrap_or_default()
                };
                match place {
                    Place::AfterOpen => line(depth + 1),
                    Place::BeforeComma => comma.0.clone(),
                    // Before a line break no space is written.
                    Place::AfterComma if indent.is_some() => line(depth + 1),
                    Place::AfterComma => comma.1.clone(),
                    Place::BeforeColon => colon.0.clone(),
                    Place::AfterColon => colon.1.clone(),
                    Place::BeforeClose => line(depth),
                }
            }
        };
        if text.is_empty() { Gap::None } else { Gap::Required(self.rule(Kind::Gap(Arc::from(text)))) }
    }

    /// The edges of a state where whitespace may stand before those of `after`.
    pub(super) fn gapped(
        &mut self,
        rule: u32,
        place: Place,
        depth: u32,
        after: Local,
    ) -> Result<MachineEdges> {
        match self.gap(place, depth) {
            Gap::None => self.edges_of(rule, after),
            Gap::Optional(space) => {
                let mut edges = self.edges_of(rule, after)?;
                let call = (space, self.state(rule, after));
                edges.calls.push(call);
                edges.optional = Some(call);
                Ok(edges)
            }
            Gap::Required(space) => Ok(MachineEdges::call(space, self.state(rule, after))),
        }
    }

    /// Whether the layout leaves no choice.
    pub(super) fn is_fixed(&self) -> bool {
        matches!(self.layout, Layout::Fixed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::super::languages::SharedLanguages;
    use super::JsonMachine;
    use crate::automaton::{Budget, CancelToken, Machine};
    use crate::json_schema::{JsonSchema, JsonSchemaOptions};

    const SCHEMA: &str = r##"{
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"$ref": "#"}, "uniqueItems": true, "contains": {"type": "object"}},
            "b": {"enum": ["x", {"c": [1, null]}]},
            "c": {"oneOf": [{"required": ["a"]}, {"maxProperties": 1}, {"type": "integer"}]}
        },
        "patternProperties": {"^d": {"type": "string", "minLength": 3}},
        "anyOf": [{"required": ["a"]}, {"properties": {"b": {"type": "string"}}}]
    }"##;

    #[test]
    fn past_optional_whitespace_a_state_has_the_other_edges() {
        let (schema, options) = (SCHEMA.to_owned(), JsonSchemaOptions::default());
        let schema = JsonSchema { schema, documents: Vec::new(), options };
        let budget = Budget::new(None, usize::MAX, CancelToken::default());
        let (mut machine, _) =
            JsonMachine::new(&schema, &SharedLanguages::default(), budget, usize::MAX).unwrap();
        let (mut state, mut number) = (0, 0);
        while state < machine.states().len().min(3000) {
            let mut edges = machine.edges(state as u32).unwrap();
            if let Some(optional) = edges.optional.take() {
                edges.calls.retain(|call| *call != optional);
                assert_eq!(machine.edges(optional.1), Ok(edges), "{:?}", machine.locals[state]);
                number += 1;
            }
            state += 1;
        }
        assert!(number > 40, "{number}");
    }
}
