//! Structural tags from JSON to a typed tree. Nothing that is not understood is passed over.

use crate::error::{Error, Result};
use crate::grammar::TokenSet;
use serde_json::{Map, Value};

/// How the value of a `json_schema` format is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Json,
    /// `<parameter=key>value</parameter>`
    Qwen,
    /// `<parameter name="key">value</parameter>`
    MiniMax,
    /// `<｜DSML｜parameter name="key" string="true">value</｜DSML｜parameter>`
    DeepSeek,
    /// `<arg_key>key</arg_key><arg_value>value</arg_value>`
    Glm,
}

/// Where a tag begins or ends.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// One of these texts.
    Texts(Vec<String>),
    Token(TokenSet),
}

#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) begin: Mark,
    pub(super) content: Box<Format>,
    pub(super) end: Mark,
    pub(super) pointer: String,
}

/// When free text gives way to something else.
#[derive(Clone, Debug)]
pub(super) struct Dispatch {
    /// A trigger, and what may follow it.
    pub(super) cases: Vec<(String, Vec<Format>)>,
    pub(super) excludes: Vec<String>,
    /// The text begins with one of the cases.
    pub(super) at_least_one: bool,
    /// Nothing comes after the first case.
    pub(super) stop_after_first: bool,
}

/// The same with tokens.
#[derive(Clone, Debug)]
pub(super) struct TokenDispatch {
    pub(super) cases: Vec<(TokenSet, Vec<Format>)>,
    /// Triggers and excluded tokens.
    pub(super) stops: TokenSet,
    pub(super) at_least_one: bool,
    pub(super) stop_after_first: bool,
    pub(super) pointer: String,
}

#[derive(Clone, Debug)]
pub(super) enum Format {
    Text(String),
    Json {
        schema: String,
        any_order: bool,
        max_whitespace: Option<u32>,
        style: Style,
        pointer: String,
    },
    Ebnf(String),
    Lark(String),
    Regex(String),
    AnyText {
        excludes: Vec<String>,
        max_chars: Option<u32>,
    },
    Token(TokenSet),
    /// Any tokens outside a set.
    AnyTokens {
        stops: TokenSet,
        pointer: String,
    },
    Sequence(Vec<Format>),
    Or(Vec<Format>),
    Repeat(Box<Format>, u32, Option<u32>),
    Tag(Tag),
    Separated {
        tags: Vec<Tag>,
        separator: String,
        at_least_one: bool,
        stop_after_first: bool,
    },
    Dispatch(Dispatch),
    TokenDispatch(TokenDispatch),
}

pub(super) fn invalid(pointer: &str, message: impl Into<String>, hint: &str) -> Error {
    Error::InvalidStructuralTag { message: message.into(), pointer: pointer.into(), hint: hint.into() }
}

/// Reads a structural tag.
pub(super) fn read(text: &str) -> Result<Format> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| invalid("", format!("not JSON: {error}"), ""))?;
    let Value::Object(fields) = &value else {
        return Err(invalid("", "a structural tag is an object", ""));
    };
    let mut object = Object::new(fields, String::new());
    match fields.get("type").and_then(Value::as_str) {
        Some("structural_tag") if fields.contains_key("structures") => {
            object.take("type");
            legacy(&mut object)
        }
        Some("structural_tag") => {
            object.take("type");
            let format = object.format("format")?;
            object.finish()?;
            Ok(format)
        }
        Some(_) => format(&value, ""),
        None if fields.contains_key("structures") => legacy(&mut object),
        None => Err(invalid("", "the `type` is missing", "write \"type\": \"structural_tag\"")),
    }
}

/// `structures` and `triggers`, the form before formats.
fn legacy(object: &mut Object<'_>) -> Result<Format> {
    let triggers = object.texts("triggers")?;
    let (structures, pointer) = object.list("structures")?;
    let mut tags = Vec::new();
    for (index, structure) in structures.iter().enumerate() {
        let mut one = Object::of(structure, format!("{pointer}/{index}"))?;
        let schema = one.schema("schema")?;
        let content = Box::new(Format::Json {
            schema,
            any_order: false,
            max_whitespace: None,
            style: Style::Json,
            pointer: format!("{}/schema", one.pointer),
        });
        let begin = Mark::Texts(vec![one.text("begin")?]);
        let end = Mark::Texts(vec![one.text("end")?]);
        let pointer = one.pointer.clone();
        one.finish()?;
        tags.push(Tag { begin, content, end, pointer });
    }
    object.finish()?;
    dispatch_of_tags(triggers, tags, Vec::new(), (false, false), "").map(Format::Dispatch)
}

/// An object whose fields are taken one by one; those that are left over are an error.
struct Object<'v> {
    fields: &'v Map<String, Value>,
    taken: Vec<&'static str>,
    pointer: String,
}

impl<'v> Object<'v> {
    fn new(fields: &'v Map<String, Value>, pointer: String) -> Self {
        Self { fields, taken: Vec::new(), pointer }
    }

    fn of(value: &'v Value, pointer: String) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self::new(fields, pointer)),
            _ => Err(invalid(&pointer, "an object is needed here", "")),
        }
    }

    /// A field that is there and not null.
    fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        self.taken.push(name);
        self.fields.get(name).filter(|value| !value.is_null())
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    fn need(&mut self, name: &'static str) -> Result<&'v Value> {
        self.take(name).ok_or_else(|| invalid(&self.pointer, format!("`{name}` is missing"), ""))
    }

    fn wrong<T>(&self, name: &str, what: &str) -> Result<T> {
        Err(invalid(&self.at(name), format!("`{name}` must be {what}"), ""))
    }

    fn text(&mut self, name: &'static str) -> Result<String> {
        match self.need(name)? {
            Value::String(text) => Ok(text.clone()),
            _ => self.wrong(name, "a string"),
        }
    }

    fn flag(&mut self, name: &'static str, default: bool) -> Result<bool> {
        match self.take(name) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => self.wrong(name, "true or false"),
        }
    }

    fn count(&mut self, name: &'static str) -> Result<Option<u32>> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
                Some(n) => Ok(Some(n)),
                None => self.wrong(name, "an integer from 0 to 4294967295"),
            },
        }
    }

    fn list(&mut self, name: &'static str) -> Result<(&'v [Value], String)> {
        match self.need(name)? {
            Value::Array(items) => Ok((items, self.at(name))),
            _ => self.wrong(name, "a list"),
        }
    }

    /// A list of strings that are not empty; none if there is no such field.
    fn texts(&mut self, name: &'static str) -> Result<Vec<String>> {
        let Some(value) = self.take(name) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|i| i.as_str().filter(|t| !t.is_empty()).map(str::to_owned)).collect()
        });
        match texts {
            Some(texts) => Ok(texts),
            None => self.wrong(name, "a list of strings that are not empty"),
        }
    }

    fn format(&mut self, name: &'static str) -> Result<Format> {
        let value = self.need(name)?;
        format(value, &self.at(name))
    }

    fn formats(&mut self, name: &'static str) -> Result<Vec<Format>> {
        let (items, pointer) = self.list(name)?;
        items.iter().enumerate().map(|(i, item)| format(item, &format!("{pointer}/{i}"))).collect()
    }

    fn tags(&mut self) -> Result<Vec<Tag>> {
        let (items, pointer) = self.list("tags")?;
        let tags: Vec<Tag> = items
            .iter()
            .enumerate()
            .map(|(i, item)| tag(Object::of(item, format!("{pointer}/{i}"))?))
            .collect::<Result<_>>()?;
        if tags.is_empty() {
            return Err(invalid(&pointer, "there are no tags", "give at least one"));
        }
        Ok(tags)
    }

    /// A schema: an object, a boolean, or JSON text.
    fn schema(&mut self, name: &'static str) -> Result<String> {
        match self.need(name)? {
            Value::String(text) => Ok(text.clone()),
            value @ (Value::Object(_) | Value::Bool(_)) => Ok(value.to_string()),
            _ => self.wrong(name, "a JSON Schema"),
        }
    }

    fn tokens(&mut self, name: &'static str) -> Result<TokenSet> {
        let mut set = TokenSet { ids: Vec::new(), names: Vec::new(), negated: false };
        let Some(value) = self.take(name) else { return Ok(set) };
        let Value::Array(items) = value else { return self.wrong(name, "a list of tokens") };
        for (index, item) in items.iter().enumerate() {
            let one = token(item, &format!("{}/{index}", self.at(name)))?;
            set.ids.extend(one.ids);
            set.names.extend(one.names);
        }
        Ok(set)
    }

    /// What steers only XGrammar's token counting is refused, not ignored.
    fn refuse(&mut self, name: &'static str, hint: &str) -> Result<()> {
        match self.take(name) {
            Some(Value::Array(items)) if items.is_empty() => Ok(()),
            Some(_) => Err(invalid(&self.at(name), format!("`{name}` is not supported"), hint)),
            None => Ok(()),
        }
    }

    fn finish(&self) -> Result<()> {
        match self.fields.keys().find(|name| !self.taken.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let message = format!("`{name}` is unknown here");
                Err(invalid(&self.at(name), message, &format!("known are `{}`", self.taken.join("`, `"))))
            }
        }
    }
}

/// A token, by id or text.
fn token(value: &Value, pointer: &str) -> Result<TokenSet> {
    let mut set = TokenSet { ids: Vec::new(), names: Vec::new(), negated: false };
    match (value.as_str(), value.as_u64().and_then(|id| u32::try_from(id).ok())) {
        (Some(name), _) => set.names.push(name.to_owned()),
        (_, Some(id)) => set.ids.push((id, id)),
        _ => return Err(invalid(pointer, "a token is given by its id or its text", "")),
    }
    Ok(set)
}

/// The beginning or end of a tag.
fn mark(object: &mut Object<'_>, name: &'static str) -> Result<Mark> {
    let value = object.need(name)?;
    let pointer = object.at(name);
    match value {
        Value::String(text) => Ok(Mark::Texts(vec![text.clone()])),
        Value::Array(items) if name == "end" && !items.is_empty() => {
            match items.iter().map(|item| item.as_str().map(str::to_owned)).collect() {
                Some(texts) => Ok(Mark::Texts(texts)),
                None => object.wrong(name, "a string, a list of strings, or a token"),
            }
        }
        Value::Object(fields) => {
            let mut inner = Object::new(fields, pointer.clone());
            if inner.text("type")? != "token" {
                return object.wrong(name, "a string, a list of strings, or a token");
            }
            let set = token(inner.need("token")?, &inner.at("token"))?;
            inner.finish()?;
            Ok(Mark::Token(set))
        }
        _ => object.wrong(name, "a string, a list of strings, or a token"),
    }
}

fn tag(mut object: Object<'_>) -> Result<Tag> {
    if object.take("type").is_some_and(|kind| kind != "tag") {
        return object.wrong("type", "\"tag\"");
    }
    let begin = mark(&mut object, "begin")?;
    let end = mark(&mut object, "end")?;
    let content = Box::new(object.format("content")?);
    let pointer = object.pointer.clone();
    object.finish()?;
    Ok(Tag { begin, content, end, pointer })
}

/// Triggers and tags as cases: each tag has one trigger, which its beginning begins with.
fn dispatch_of_tags(
    triggers: Vec<String>,
    tags: Vec<Tag>,
    excludes: Vec<String>,
    (at_least_one, stop_after_first): (bool, bool),
    pointer: &str,
) -> Result<Dispatch> {
    let mut cases: Vec<(String, Vec<Format>)> =
        triggers.into_iter().map(|trigger| (trigger, Vec::new())).collect();
    for mut tag in tags {
        let Mark::Texts(begin) = &tag.begin else {
            return Err(invalid(
                &tag.pointer,
                "a tag with a trigger begins with a text",
                "use token_triggered_tags",
            ));
        };
        let begin = begin.first().cloned().unwrap_or_default();
        let mut fitting = cases.iter_mut().filter(|(trigger, _)| begin.starts_with(trigger.as_str()));
        let (Some((trigger, formats)), None) = (fitting.next(), fitting.next()) else {
            let message = format!("the beginning {begin:?} has no trigger, or several");
            return Err(invalid(&tag.pointer, message, "exactly one trigger must be a prefix of it"));
        };
        tag.begin = Mark::Texts(vec![begin[trigger.len()..].to_owned()]);
        formats.push(Format::Tag(tag));
    }
    if let Some((trigger, _)) = cases.iter().find(|(_, formats)| formats.is_empty()) {
        let message = format!("the trigger {trigger:?} has no tag");
        return Err(invalid(pointer, message, "remove it, or exclude the text with `excludes`"));
    }
    Ok(Dispatch { cases, excludes, at_least_one, stop_after_first })
}

fn format(value: &Value, pointer: &str) -> Result<Format> {
    let mut object = Object::of(value, pointer.to_owned())?;
    let kind = object.text("type")?;
    let format = match kind.as_str() {
        "const_string" => Format::Text(object.text("value")?),
        "json_schema" | "qwen_xml_parameter" => json(&mut object, kind == "qwen_xml_parameter")?,
        "grammar" => Format::Ebnf(object.text("grammar")?),
        "lark" => Format::Lark(object.text("grammar")?),
        "regex" => Format::Regex(object.text("pattern")?),
        "any_text" => {
            object.refuse(
                "max_tokens",
                "how many tokens spell a text is the tokenizer's matter; use max_chars",
            )?;
            Format::AnyText { excludes: object.texts("excludes")?, max_chars: object.count("max_chars")? }
        }
        "token" => {
            let value = object.need("token")?;
            Format::Token(token(value, &object.at("token"))?)
        }
        "exclude_token" => Format::Token(TokenSet { negated: true, ..object.tokens("exclude_tokens")? }),
        "any_tokens" => {
            object.refuse("max_tokens", "repeat an exclude_token instead")?;
            Format::AnyTokens { stops: object.tokens("exclude_tokens")?, pointer: pointer.into() }
        }
        "sequence" => Format::Sequence(object.formats("elements")?),
        "or" => Format::Or(object.formats("elements")?),
        "optional" => Format::Repeat(Box::new(object.format("content")?), 0, Some(1)),
        "plus" => Format::Repeat(Box::new(object.format("content")?), 1, None),
        "star" => Format::Repeat(Box::new(object.format("content")?), 0, None),
        "repeat" => repeat(&mut object)?,
        "tag" => return tag(object).map(Format::Tag),
        "triggered_tags" => {
            let (triggers, tags) = (object.texts("triggers")?, object.tags()?);
            let flags = (object.flag("at_least_one", false)?, object.flag("stop_after_first", false)?);
            let excludes = object.texts("excludes")?;
            Format::Dispatch(dispatch_of_tags(triggers, tags, excludes, flags, pointer)?)
        }
        "tags_with_separator" => Format::Separated {
            tags: object.tags()?,
            separator: object.text("separator")?,
            at_least_one: object.flag("at_least_one", false)?,
            stop_after_first: object.flag("stop_after_first", false)?,
        },
        "dispatch" => dispatch(&mut object)?,
        "token_triggered_tags" => token_tags(&mut object)?,
        "token_dispatch" => token_dispatch(&mut object)?,
        _ => return Err(invalid(&object.at("type"), format!("unknown format {kind:?}"), "")),
    };
    object.finish()?;
    Ok(format)
}

fn json(object: &mut Object<'_>, is_qwen: bool) -> Result<Format> {
    let schema = object.schema("json_schema")?;
    let style = match object.take("style").map(|style| style.as_str().unwrap_or_default()) {
        _ if is_qwen => Style::Qwen,
        None | Some("json") => Style::Json,
        Some("qwen_xml") => Style::Qwen,
        Some("minimax_xml") => Style::MiniMax,
        Some("deepseek_xml") => Style::DeepSeek,
        Some("glm_xml") => Style::Glm,
        Some(other) => {
            let message = format!("the style {other:?} is not supported");
            return Err(invalid(
                &object.at("style"),
                message,
                "json, qwen_xml, minimax_xml, deepseek_xml and glm_xml are",
            ));
        }
    };
    object.refuse("excludes", "exclude with `not` and `pattern` in the schema")?;
    Ok(Format::Json {
        schema,
        any_order: object.flag("any_order", false)?,
        max_whitespace: object.count("max_whitespace_cnt")?,
        style,
        pointer: object.pointer.clone(),
    })
}

fn repeat(object: &mut Object<'_>) -> Result<Format> {
    let min = object.count("min")?.unwrap_or(0);
    let max = if object.fields.get("max").and_then(Value::as_i64) == Some(-1) {
        object.take("max");
        None
    } else {
        object.count("max")?
    };
    if max.is_some_and(|max| max < min) {
        return Err(invalid(&object.pointer, "`max` is less than `min`", "exchange them"));
    }
    Ok(Format::Repeat(Box::new(object.format("content")?), min, max))
}

/// Pairs of a trigger and a format.
fn pairs<'v>(object: &mut Object<'v>) -> Result<Vec<(&'v Value, Format, String)>> {
    let (items, pointer) = object.list("rules")?;
    let mut out = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let here = format!("{pointer}/{index}");
        match item.as_array().map(Vec::as_slice) {
            Some([trigger, content]) => out.push((trigger, format(content, &format!("{here}/1"))?, here)),
            _ => return Err(invalid(&here, "a rule is a list of a pattern and a format", "")),
        }
    }
    Ok(out)
}

fn dispatch(object: &mut Object<'_>) -> Result<Format> {
    let mut cases: Vec<(String, Vec<Format>)> = Vec::new();
    for (trigger, content, pointer) in pairs(object)? {
        let Some(trigger) = trigger.as_str().filter(|text| !text.is_empty()) else {
            return Err(invalid(&pointer, "a pattern is a string that is not empty", ""));
        };
        match cases.iter_mut().find(|(known, _)| known == trigger) {
            Some((_, formats)) => formats.push(content),
            None => cases.push((trigger.to_owned(), vec![content])),
        }
    }
    let stop_after_first = !object.flag("loop", true)?;
    let excludes = object.texts("excludes")?;
    Ok(Format::Dispatch(Dispatch { cases, excludes, at_least_one: false, stop_after_first }))
}

fn token_tags(object: &mut Object<'_>) -> Result<Format> {
    let triggers = object.tokens("trigger_tokens")?;
    let mut cases = Vec::new();
    for mut tag in object.tags()? {
        let Mark::Token(begin) = &tag.begin else {
            return Err(invalid(
                &tag.pointer,
                "a tag with a trigger token begins with a token",
                "use triggered_tags",
            ));
        };
        let is_trigger = begin.ids.iter().all(|id| triggers.ids.contains(id))
            && begin.names.iter().all(|name| triggers.names.contains(name));
        if !is_trigger {
            return Err(invalid(
                &tag.pointer,
                "the tag's first token is no trigger",
                "list it in trigger_tokens",
            ));
        }
        let begin = begin.clone();
        tag.begin = Mark::Texts(vec![String::new()]);
        cases.push((begin, vec![Format::Tag(tag)]));
    }
    let excluded = object.tokens("exclude_tokens")?;
    Ok(Format::TokenDispatch(TokenDispatch {
        cases,
        stops: union(triggers, excluded),
        at_least_one: object.flag("at_least_one", false)?,
        stop_after_first: object.flag("stop_after_first", false)?,
        pointer: object.pointer.clone(),
    }))
}

fn token_dispatch(object: &mut Object<'_>) -> Result<Format> {
    let mut cases = Vec::new();
    let mut stops = object.tokens("exclude_tokens")?;
    for (trigger, content, pointer) in pairs(object)? {
        let trigger = token(trigger, &pointer)?;
        stops = union(stops, trigger.clone());
        cases.push((trigger, vec![content]));
    }
    let stop_after_first = !object.flag("loop", true)?;
    let pointer = object.pointer.clone();
    Ok(Format::TokenDispatch(TokenDispatch { cases, stops, at_least_one: false, stop_after_first, pointer }))
}

fn union(mut a: TokenSet, b: TokenSet) -> TokenSet {
    a.ids.extend(b.ids);
    a.names.extend(b.names);
    a
}
