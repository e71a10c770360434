//! From formats to the grammar IR.
//!
//! Each format is lowered together with its [`Tail`], what must follow it in the tag around it. Free text needs to know: it ends
//! where the tail begins for the first time. Any other format is simply followed by its tail.

use super::format::{Dispatch, Format, Mark, Style, Tag, TokenDispatch, invalid};
use super::free_text::{self, Exits};
use super::parameters;
use crate::automaton::Budget;
use crate::error::Result;
use crate::frontend::right_linear::Classes;
use crate::frontend::{ebnf, lark, regex};
use crate::grammar::{ExprId, GrammarBuilder, TokenSet};
use crate::json_schema::{JsonSchema, JsonSchemaOptions, Whitespace};

/// What follows a format.
#[derive(Clone, Debug)]
pub(super) enum Tail {
    /// Nothing that belongs to it.
    None,
    /// One of these texts.
    Texts(Vec<String>),
    /// This, which is no text.
    Expr(ExprId),
}

pub(super) struct Lowering<'b> {
    pub(super) builder: &'b mut GrammarBuilder,
    classes: Classes,
    budget: Budget,
}

impl<'b> Lowering<'b> {
    pub(super) fn new(builder: &'b mut GrammarBuilder, budget: Budget) -> Self {
        Self { builder, classes: Classes::default(), budget }
    }

    pub(super) fn whole(&mut self, format: &Format) -> Result<ExprId> {
        self.lower(format, &Tail::None)
    }

    /// A format and its tail. As deep as the JSON nests, which its reader bounds.
    fn lower(&mut self, format: &Format, tail: &Tail) -> Result<ExprId> {
        let expr = match format {
            Format::AnyText { excludes, max_chars } => {
                return self.free(Vec::new(), excludes, *max_chars, tail);
            }
            Format::Dispatch(dispatch) => return self.dispatch(dispatch, tail),
            Format::TokenDispatch(dispatch) => return self.token_dispatch(dispatch, tail),
            Format::AnyTokens { stops, pointer } => return self.tokens(stops, pointer, tail),
            Format::Sequence(parts) => return self.sequence(parts, tail),
            Format::Or(options) => {
                let options = options.iter().map(|option| self.lower(option, tail)).collect::<Result<_>>()?;
                return Ok(self.builder.choice(options));
            }
            Format::Repeat(body, 0, Some(1)) => {
                let options = vec![self.end(tail), self.lower(body, tail)?];
                return Ok(self.builder.choice(options));
            }
            Format::Tag(tag) => return self.tag(tag, tail),
            Format::Text(text) => self.builder.literal(text),
            Format::Json { schema, any_order, max_whitespace, style: Style::Json, .. } => {
                self.json(schema.clone(), *any_order, *max_whitespace)
            }
            Format::Json { schema, any_order, style, pointer, .. } => {
                if *any_order {
                    let hint = "parameters come in the order of the schema";
                    return Err(invalid(pointer, "`any_order` is not supported with this style", hint));
                }
                parameters::lower(self, schema, *style, pointer)?
            }
            Format::Ebnf(text) => {
                let options = ebnf::EbnfOptions {
                    unreachable: ebnf::Unreachable::Ignore,
                    ..ebnf::EbnfOptions::default()
                };
                self.embed(&ebnf::parse(text, &options)?)?
            }
            Format::Lark(text) => {
                self.embed(&lark::parse(text, &lark::LarkOptions::default(), &|_| Ok(None))?)?
            }
            Format::Regex(pattern) => regex::lower(self.builder, pattern, &regex::RegexOptions::default())?,
            Format::Token(set) => self.builder.token(set.clone()),
            Format::Repeat(body, min, max) => {
                let body = self.lower(body, &Tail::None)?;
                self.builder.repeat(body, *min, *max)
            }
            Format::Separated { tags, separator, at_least_one, stop_after_first } => {
                let item = self.tags(tags)?;
                self.separated(item, separator, *at_least_one, *stop_after_first)
            }
        };
        let end = self.end(tail);
        Ok(self.builder.concat(vec![expr, end]))
    }

    fn embed(&mut self, grammar: &crate::grammar::Grammar) -> Result<ExprId> {
        let root = self.builder.embed(grammar)?;
        Ok(self.builder.rule_ref(root))
    }

    /// A tail alone.
    fn end(&mut self, tail: &Tail) -> ExprId {
        match tail {
            Tail::None => self.builder.empty(),
            Tail::Texts(texts) => self.one_of(texts),
            Tail::Expr(expr) => *expr,
        }
    }

    pub(super) fn one_of(&mut self, texts: &[String]) -> ExprId {
        let options = texts.iter().map(|text| self.builder.literal(text)).collect();
        self.builder.choice(options)
    }

    /// A JSON value; as in XGrammar, objects that do not say otherwise have no other properties than they list.
    pub(super) fn json(&mut self, schema: String, any_order: bool, max_whitespace: Option<u32>) -> ExprId {
        let mut options =
            JsonSchemaOptions { any_order, additional_properties: false, ..JsonSchemaOptions::default() };
        if let Some(max) = max_whitespace {
            options.whitespace = Whitespace::Any { max_run: Some(max) };
        }
        self.builder.json_schema(JsonSchema { schema, documents: Vec::new(), options })
    }

    /// Free text up to a stop or the tail.
    pub(super) fn free(
        &mut self,
        mut stops: Vec<(String, ExprId)>,
        excludes: &[String],
        max_chars: Option<u32>,
        tail: &Tail,
    ) -> Result<ExprId> {
        let empty = self.builder.empty();
        let end = match tail {
            Tail::None => Some(empty),
            Tail::Expr(expr) => Some(*expr),
            Tail::Texts(texts) => {
                let ends = texts.iter().filter(|text| !text.is_empty());
                stops.extend(ends.map(|text| (text.clone(), empty)));
                texts.iter().any(String::is_empty).then_some(empty)
            }
        };
        let exits = Exits { stops: &stops, end, excludes, max_chars };
        free_text::write(self.builder, &mut self.classes, &exits, &mut self.budget)
    }

    fn sequence(&mut self, parts: &[Format], tail: &Tail) -> Result<ExprId> {
        let Some((last, firsts)) = parts.split_last() else { return Ok(self.end(tail)) };
        let mut out = Vec::with_capacity(parts.len());
        for part in firsts {
            out.push(self.lower(part, &Tail::None)?);
        }
        out.push(self.lower(last, tail)?);
        Ok(self.builder.concat(out))
    }

    fn tags(&mut self, tags: &[Tag]) -> Result<ExprId> {
        let options = tags.iter().map(|tag| self.tag(tag, &Tail::None)).collect::<Result<_>>()?;
        Ok(self.builder.choice(options))
    }

    fn separated(&mut self, item: ExprId, separator: &str, at_least_one: bool, only_one: bool) -> ExprId {
        let mut expr = item;
        if !only_one {
            let separator = self.builder.literal(separator);
            let more = self.builder.concat(vec![separator, item]);
            let more = self.builder.repeat(more, 0, None);
            expr = self.builder.concat(vec![item, more]);
        }
        if at_least_one { expr } else { self.builder.repeat(expr, 0, Some(1)) }
    }

    fn tag(&mut self, tag: &Tag, tail: &Tail) -> Result<ExprId> {
        let begin = match &tag.begin {
            Mark::Texts(texts) => self.one_of(texts),
            Mark::Token(set) => self.builder.token(set.clone()),
        };
        let own = match &tag.end {
            // A tag without an end is not closed by itself: what is around it does.
            Mark::Texts(texts) if texts.iter().all(String::is_empty) => {
                let content = self.lower(&tag.content, tail)?;
                return Ok(self.builder.concat(vec![begin, content]));
            }
            Mark::Texts(texts) => Tail::Texts(texts.clone()),
            Mark::Token(set) => Tail::Expr(self.builder.token(set.clone())),
        };
        let content = self.lower(&tag.content, &own)?;
        let end = self.end(tail);
        Ok(self.builder.concat(vec![begin, content, end]))
    }

    /// Free text and cases in turn: `F = text up to (trigger case F | tail)`.
    fn dispatch(&mut self, dispatch: &Dispatch, tail: &Tail) -> Result<ExprId> {
        let again = self.builder.declare_fresh("text_and_tags");
        let mut stops = Vec::new();
        for (trigger, formats) in &dispatch.cases {
            let options =
                formats.iter().map(|format| self.lower(format, &Tail::None)).collect::<Result<_>>()?;
            let case = self.builder.choice(options);
            let after = if dispatch.stop_after_first { self.end(tail) } else { self.builder.rule_ref(again) };
            stops.push((trigger.clone(), self.builder.concat(vec![case, after])));
        }
        let body = self.free(stops.clone(), &dispatch.excludes, None, tail)?;
        self.builder.define(again, body, None)?;
        if !dispatch.at_least_one {
            return Ok(self.builder.rule_ref(again));
        }
        let mut options = Vec::new();
        for (trigger, case) in stops {
            let trigger = self.builder.literal(trigger);
            options.push(self.builder.concat(vec![trigger, case]));
        }
        Ok(self.builder.choice(options))
    }

    /// A tail that a run of tokens can come before: no text, for tokens are not looked into.
    fn token_tail(&mut self, pointer: &str, tail: &Tail) -> Result<ExprId> {
        match tail {
            Tail::Texts(texts) if texts.iter().any(|text| !text.is_empty()) => {
                let message = "tokens that nothing but a text ends";
                Err(invalid(pointer, message, "end the tag around them with a token, or use any_text"))
            }
            tail => Ok(self.end(tail)),
        }
    }

    fn tokens(&mut self, stops: &TokenSet, pointer: &str, tail: &Tail) -> Result<ExprId> {
        let end = self.token_tail(pointer, tail)?;
        let one = self.builder.token(TokenSet { negated: true, ..stops.clone() });
        let all = self.builder.repeat(one, 0, None);
        Ok(self.builder.concat(vec![all, end]))
    }

    fn token_dispatch(&mut self, dispatch: &TokenDispatch, tail: &Tail) -> Result<ExprId> {
        let end = self.token_tail(&dispatch.pointer, tail)?;
        let again = self.builder.declare_fresh("tokens_and_tags");
        let mut cases = Vec::new();
        for (trigger, formats) in &dispatch.cases {
            let trigger = self.builder.token(trigger.clone());
            let options =
                formats.iter().map(|format| self.lower(format, &Tail::None)).collect::<Result<_>>()?;
            let case = self.builder.choice(options);
            let after = if dispatch.stop_after_first { end } else { self.builder.rule_ref(again) };
            cases.push(self.builder.concat(vec![trigger, case, after]));
        }
        let first = self.builder.choice(cases.clone());
        let one = self.builder.token(TokenSet { negated: true, ..dispatch.stops.clone() });
        let all = self.builder.repeat(one, 0, None);
        let rest = self.builder.choice(cases.into_iter().chain([end]).collect());
        let body = self.builder.concat(vec![all, rest]);
        self.builder.define(again, body, None)?;
        Ok(if dispatch.at_least_one { first } else { self.builder.rule_ref(again) })
    }
}
