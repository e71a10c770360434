//! Parameters as marked-up text: the styles `qwen_xml`, `minimax_xml`, `deepseek_xml` and `glm_xml`.
//!
//! ```text
//! <parameter=city>Paris</parameter><parameter=days>3</parameter>
//! <parameter name="city">Paris</parameter><parameter name="days">3</parameter>
//! <｜DSML｜parameter name="city" string="true">Paris</｜DSML｜parameter>
//! <arg_key>city</arg_key><arg_value>Paris</arg_value>
//! ```
//!
//! Properties come in the order of the schema; blanks may stand around them. A string stands as it is, up to its end mark; any
//! other value is JSON; `True` and `False` are read where the template of the models writes them. A schema that is no plain list of properties, or a string with conditions, is refused.

use super::format::{Style, invalid};
use super::lower::{Lowering, Tail};
use crate::error::Result;
use crate::grammar::{ByteSet, ExprId};
use serde_json::{Map, Value};

/// Keywords that say nothing about values.
const ANNOTATIONS: [&str; 11] = [
    "title",
    "description",
    "default",
    "examples",
    "$schema",
    "$id",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "strict",
];

/// How deep references and alternatives may lead.
const MAX_DEPTH: usize = 64;

struct Parameters<'l, 'b> {
    lowering: &'l mut Lowering<'b>,
    root: Map<String, Value>,
    style: Style,
    close: &'static str,
}

/// The parameters of an object's schema.
pub(super) fn lower(
    lowering: &mut Lowering<'_>,
    schema: &str,
    style: Style,
    pointer: &str,
) -> Result<ExprId> {
    let pointer = format!("{pointer}/json_schema");
    let value: Value = serde_json::from_str(schema)
        .map_err(|error| invalid(&pointer, format!("the schema is not JSON: {error}"), ""))?;
    let Value::Object(root) = value else {
        let hint = "list the parameters in `properties`";
        return Err(invalid(&pointer, "this style needs the schema of an object", hint));
    };
    let close = match style {
        Style::DeepSeek => "</｜DSML｜parameter>",
        Style::Glm => "</arg_value>",
        _ => "</parameter>",
    };
    Parameters { lowering, root: root.clone(), style, close }.object(&root, &pointer)
}

fn is_annotation(name: &str) -> bool {
    ANNOTATIONS.contains(&name)
}

impl Parameters<'_, '_> {
    fn object(&mut self, schema: &Map<String, Value>, pointer: &str) -> Result<ExprId> {
        let known = |name: &str| {
            is_annotation(name) || ["type", "properties", "required", "$defs", "definitions"].contains(&name)
        };
        for (name, value) in schema {
            let closed = name == "additionalProperties" && *value == Value::Bool(false);
            if !known(name) && !closed {
                let here = format!("{pointer}/{name}");
                let hint = "list the parameters in `properties` and `required` alone";
                return Err(invalid(&here, format!("`{name}` is not supported with this style"), hint));
            }
        }
        if schema.get("type").is_some_and(|kind| kind != "object") {
            let hint = "list the parameters in `properties`";
            return Err(invalid(pointer, "this style needs the schema of an object", hint));
        }
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).collect());
        if let Some(name) = required.iter().find(|name| !properties.contains_key(**name)) {
            let message = format!("the required property {name:?} is not listed");
            return Err(invalid(&format!("{pointer}/required"), message, "add it to `properties`"));
        }
        let mut parts = Vec::new();
        for (name, schema) in properties {
            let element = self.element(name, schema, &format!("{pointer}/properties/{name}"))?;
            let is_required = required.contains(&name.as_str());
            let least = u32::from(is_required);
            parts.push(if is_required {
                element
            } else {
                self.lowering.builder.repeat(element, least, Some(1))
            });
        }
        parts.push(self.blanks());
        Ok(self.lowering.builder.concat(parts))
    }

    fn blanks(&mut self) -> ExprId {
        let set = b" \t\r\n".iter().fold(ByteSet::EMPTY, |set, &byte| set.union(&ByteSet::single(byte)));
        let class = self.lowering.builder.class(set);
        self.lowering.builder.repeat(class, 0, None)
    }

    fn element(&mut self, name: &str, schema: &Value, pointer: &str) -> Result<ExprId> {
        let mut parts = vec![self.blanks()];
        let open = match self.style {
            Style::MiniMax => format!("<parameter name=\"{name}\">"),
            // What kind of value it is stands before the value: see `opened`.
            Style::DeepSeek => format!("<｜DSML｜parameter name=\"{name}\" string=\""),
            Style::Glm => format!("<arg_key>{name}</arg_key>"),
            _ => format!("<parameter={name}>"),
        };
        parts.push(self.lowering.builder.literal(open));
        if self.style == Style::Glm {
            parts.push(self.blanks());
            parts.push(self.lowering.builder.literal("<arg_value>"));
        }
        parts.push(self.value(schema, pointer, 0)?);
        Ok(self.lowering.builder.concat(parts))
    }

    /// The rest of the mark before a value, where it says whether that is a string.
    fn opened(&mut self, is_text: bool, value: ExprId) -> ExprId {
        if self.style != Style::DeepSeek {
            return value;
        }
        let mark = self.lowering.builder.literal(if is_text { "true\">" } else { "false\">" });
        self.lowering.builder.concat(vec![mark, value])
    }

    /// A value and its end mark.
    fn value(&mut self, schema: &Value, pointer: &str, depth: usize) -> Result<ExprId> {
        if depth > MAX_DEPTH {
            return Err(invalid(pointer, "references lead too far, or in a circle", ""));
        }
        let Value::Object(fields) = schema else { return self.anything() };
        let conditions: Vec<&str> =
            fields.keys().map(String::as_str).filter(|name| !is_annotation(name)).collect();
        if let Some(Value::String(reference)) = fields.get("$ref")
            && conditions.len() == 1
        {
            let target = reference.strip_prefix('#').and_then(|path| self.target(path));
            let Some(target) = target else {
                return Err(invalid(pointer, format!("{reference:?} leads to no part of the schema"), ""));
            };
            return self.value(&target, pointer, depth + 1);
        }
        for name in ["anyOf", "oneOf"] {
            if let (Some(Value::Array(options)), [_]) = (fields.get(name), &conditions[..]) {
                let options = options
                    .iter()
                    .map(|option| self.value(option, pointer, depth + 1))
                    .collect::<Result<_>>()?;
                return Ok(self.lowering.builder.choice(options));
            }
        }
        match fields.get("type") {
            Some(Value::Array(kinds)) => {
                let mut options = Vec::new();
                for kind in kinds {
                    let mut one = fields.clone();
                    one.insert("type".into(), kind.clone());
                    options.push(self.value(&Value::Object(one), pointer, depth + 1)?);
                }
                Ok(self.lowering.builder.choice(options))
            }
            Some(Value::String(kind)) if kind != "string" => self.json(fields),
            _ => self.text(fields, &conditions, pointer),
        }
    }

    /// What a local reference leads to.
    fn target(&self, path: &str) -> Option<Value> {
        let root = Value::Object(self.root.clone());
        root.pointer(path).cloned()
    }

    /// A string, or a value of any kind.
    fn text(&mut self, fields: &Map<String, Value>, conditions: &[&str], pointer: &str) -> Result<ExprId> {
        let listed = match (fields.get("enum"), fields.get("const")) {
            (Some(Value::Array(values)), None) => Some(values.clone()),
            (None, Some(value)) => Some(vec![value.clone()]),
            _ => None,
        };
        let others = conditions.iter().filter(|name| !["type", "enum", "const"].contains(*name));
        if let Some(name) = others.into_iter().next() {
            let message = format!("`{name}` is not supported for a string that stands as it is");
            return Err(invalid(pointer, message, "list the values in `enum`, or use the style json"));
        }
        let Some(values) = listed else {
            return if fields.contains_key("type") { self.raw() } else { self.anything() };
        };
        let (texts, others): (Vec<Value>, Vec<Value>) = values.into_iter().partition(Value::is_string);
        let mut options = Vec::new();
        for (values, is_text) in [(texts, true), (others, false)] {
            let spelled: Vec<String> = values
                .iter()
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            if !spelled.is_empty() {
                let parts = vec![self.blanks(), self.lowering.one_of(&spelled), self.blanks()];
                let close = self.lowering.builder.literal(self.close);
                let value = self.lowering.builder.concat(parts.into_iter().chain([close]).collect());
                options.push(self.opened(is_text, value));
            }
        }
        Ok(self.lowering.builder.choice(options))
    }

    /// A string.
    fn raw(&mut self) -> Result<ExprId> {
        let text = self.lowering.free(Vec::new(), &[], None, &Tail::Texts(vec![self.close.into()]))?;
        Ok(self.opened(true, text))
    }

    /// A value of any kind: where nothing marks strings, any text is one.
    fn anything(&mut self) -> Result<ExprId> {
        let mut options = vec![self.raw()?];
        if self.style == Style::DeepSeek {
            let others = serde_json::json!({"type": ["number", "boolean", "null", "array", "object"]});
            options.push(self.json(others.as_object().unwrap_or(&Map::new()))?);
        }
        Ok(self.lowering.builder.choice(options))
    }

    fn json(&mut self, fields: &Map<String, Value>) -> Result<ExprId> {
        let mut schema = fields.clone();
        for name in ["$defs", "definitions"] {
            if let Some(definitions) = self.root.get(name) {
                schema.entry(name).or_insert_with(|| definitions.clone());
            }
        }
        let before = self.blanks();
        let is_plain_bool = fields.get("type").is_some_and(|kind| kind == "boolean")
            && fields.keys().all(|name| name == "type" || is_annotation(name));
        let mut value = self.lowering.json(Value::Object(schema).to_string(), false, None);
        if self.style == Style::Qwen && is_plain_bool {
            let words = self.lowering.one_of(&["True".into(), "False".into()]);
            value = self.lowering.builder.choice(vec![value, words]);
        }
        let after = self.blanks();
        let close = self.lowering.builder.literal(self.close);
        let value = self.lowering.builder.concat(vec![before, value, after, close]);
        Ok(self.opened(false, value))
    }
}
