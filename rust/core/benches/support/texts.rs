//! Grammars and texts of the benchmarks. The schemas stand for kinds of schema that real requests have.

use super::vocabulary::Random;

pub const ARITHMETIC: &str = r#"
root ::= sum
sum ::= product (("+" | "-") product)*
product ::= factor (("*" | "/") factor)*
factor ::= [0-9]+ | "(" sum ")"
"#;

/// As ambiguous as a grammar gets: n letters have as many trees as there are ways to bracket them.
pub const AMBIGUOUS: &str = r#"root ::= root root | "a" | "b""#;

pub const REGEX: &str =
    r"[A-Za-z0-9._%+-]{1,64}@([a-z0-9-]{1,63}\.){1,4}[a-z]{2,24}(;20\d\d-(0[1-9]|1[0-2])-\d\d)*";
pub const REGEX_TEXT: &str = "jane.doe+reports@mail.example-company.org;2024-05-17;2024-11-30;2025-01-02";

pub struct Schema {
    pub name: &'static str,
    pub schema: &'static str,
    pub text: &'static str,
}

pub const SCHEMAS: &[Schema] = &[
    Schema {
        name: "flat",
        schema: r#"{"type": "object", "properties": {
            "id": {"type": "integer", "minimum": 1}, "name": {"type": "string", "minLength": 1, "maxLength": 80},
            "email": {"type": "string", "format": "email"}, "active": {"type": "boolean"},
            "created": {"type": "string", "format": "date-time"}, "price": {"type": "number", "minimum": 0},
            "status": {"enum": ["open", "closed", "waiting", null]}},
            "required": ["id", "name", "status"], "additionalProperties": false}"#,
        text: r#"{"id": 1042, "name": "The quick brown report", "email": "jane@example.org", "active": true, "created": "2024-05-17T08:30:00Z", "price": 19.95, "status": "open"}"#,
    },
    Schema {
        name: "recursive",
        schema: r##"{"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "properties": {
            "value": {"type": ["number", "string"]}, "left": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            "right": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}, "required": ["value"]}}}"##,
        text: r#"{"value": 1, "left": {"value": "two", "left": null, "right": {"value": 3.5e2}}, "right": {"value": "four", "left": {"value": -5}}}"#,
    },
    Schema {
        name: "arrays",
        schema: r#"{"type": "object", "properties": {"order": {"type": "array", "minItems": 1, "maxItems": 50, "items": {
            "type": "object", "properties": {"item": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3,5}$"},
            "quantity": {"type": "integer", "minimum": 1, "maximum": 999}, "tags": {"type": "array", "items": {"type": "string"},
            "uniqueItems": true}}, "required": ["item", "quantity"]}}}}"#,
        text: r#"{"order": [{"item": "AB-123", "quantity": 12, "tags": ["new", "old", "blue"]}, {"item": "XY-98765", "quantity": 7}, {"item": "QQ-4040", "quantity": 999, "tags": []}]}"#,
    },
    Schema {
        name: "maps",
        schema: r#"{"type": "object", "properties": {"version": {"const": 2}}, "patternProperties": {"^x-": {"type": "string"}},
            "additionalProperties": {"type": "object", "additionalProperties": {"oneOf": [{"type": "integer"},
            {"type": "array", "items": {"type": "string", "maxLength": 10}}]}, "minProperties": 1}}"#,
        text: r#"{"version": 2, "x-note": "hidden", "line": {"state": ["a", "bc", "def"], "count": 17}, "größe": {"naïve": 3}, "token": {"index": [], "size": 4, "length": 5}}"#,
    },
    Schema {
        name: "calls",
        schema: r#"{"oneOf": [
            {"type": "object", "properties": {"name": {"const": "get_weather"}, "arguments": {"type": "object", "properties":
                {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"], "additionalProperties": false}},
                "required": ["name", "arguments"], "additionalProperties": false},
            {"type": "object", "properties": {"name": {"const": "send_mail"}, "arguments": {"type": "object", "properties":
                {"to": {"type": "array", "items": {"type": "string"}}, "subject": {"type": "string"}, "body": {"type": "string"}},
                "required": ["to", "body"], "additionalProperties": false}}, "required": ["name", "arguments"],
                "additionalProperties": false}]}"#,
        text: r#"{"name": "send_mail", "arguments": {"to": ["jane@example.org", "order@example.org"], "subject": "Report", "body": "The quick brown fox\njumps over the \"lazy\" dog."}}"#,
    },
];

pub const SQL_TEXT: &str = "SELECT a, b AS c, t1.* FROM t1, main.t2 AS x WHERE a = b AND NOT c <> 5 GROUP BY a \
     ORDER BY 1 DESC, b LIMIT 10 OFFSET 5;";

/// A JSON text of about `bytes` bytes, nested, with escapes and several scripts.
pub fn json(bytes: usize) -> String {
    let mut random = Random(7);
    let mut out = String::from("[");
    while out.len() < bytes {
        if out.len() > 1 {
            out += ", ";
        }
        value(&mut random, 0, &mut out);
    }
    out + "]"
}

const PHRASES: &[&str] = &[
    "the quick brown report",
    "größe",
    "東京",
    "state of the order",
    "tab\\there",
    "quote\\\"d",
    "λ-term",
    "café",
    "path/to/file",
    "user@example.org",
    "2024-05-17T08:30:00Z",
    "\\u00e9",
    "",
    "🙂",
];

fn value(random: &mut Random, depth: usize, out: &mut String) {
    match random.below(if depth < 4 { 7 } else { 5 }) {
        0 | 1 => *out += &format!("\"{}\"", random.pick(PHRASES)),
        2 => *out += &format!("{}", random.below(2_000_000) as i64 - 1_000_000),
        3 => *out += &format!("{}.{}e-{}", random.below(100), random.below(1000), random.below(9)),
        4 => *out += random.pick(&["true", "false", "null"]),
        5 => {
            *out += "{";
            for i in 0..random.below(6) {
                *out += if i > 0 { ", " } else { "" };
                *out += &format!("\"field_{i}\": ");
                value(random, depth + 1, out);
            }
            *out += "}";
        }
        _ => {
            *out += "[";
            for i in 0..random.below(6) {
                *out += if i > 0 { ", " } else { "" };
                value(random, depth + 1, out);
            }
            *out += "]";
        }
    }
}

/// `depth` brackets around a number.
pub fn nested(depth: usize) -> String {
    format!("{}1+2{}", "(".repeat(depth), ")*3".repeat(depth))
}

/// Letters of the ambiguous grammar.
pub fn letters(count: usize) -> String {
    let mut random = Random(11);
    (0..count).map(|_| if random.below(2) == 0 { 'a' } else { 'b' }).collect()
}
