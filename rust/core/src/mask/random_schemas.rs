//! For tests: random JSON Schemas, with masks beside stepping.
//!
//! Names, strings and numbers are short and few, so that keywords meet; tokens cross the borders of names and values, spell names whole, and
//! write characters as escapes. Walks take long tokens rather than others.

use super::stepping;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const NAMES: [&str; 7] = ["a", "ab", "abc", "b", "ba", "é", ""];

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned)
}

/// A schema with some of the keywords, each with one of its values.
fn keywords(parts: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let one = |(keyword, value): (&'static str, BoxedStrategy<Value>)| {
        prop::option::weighted(0.4, value)
            .prop_map(move |value| value.map(|value| (keyword.to_owned(), value)))
    };
    let all: Vec<_> = parts.into_iter().map(one).collect();
    all.prop_map(|parts| Value::Object(parts.into_iter().flatten().collect::<Map<_, _>>())).boxed()
}

fn with_type(kind: &'static str, schema: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let add = move |mut schema: Value| {
        schema["type"] = json!(kind);
        schema
    };
    schema.prop_map(add).boxed()
}

fn number(range: std::ops::Range<i64>) -> BoxedStrategy<Value> {
    range.prop_map(|n| json!(n)).boxed()
}

fn texts() -> BoxedStrategy<Value> {
    let pattern = prop::sample::select(vec![
        "^a",
        "b$",
        "^[ab]{1,2}$",
        "^a.?$",
        "^.$",
        "^(ab|ba)*$",
        "^[^a]",
        "^\\d{2}$",
        "a.*b",
        "^(?!a)",
        "^[ab]*é?$",
    ]);
    let format = prop::sample::select(vec!["date", "ipv4", "uri", "regex", "duration", "json-pointer"]);
    keywords(vec![
        ("minLength", number(0..3)),
        ("maxLength", number(0..4)),
        ("pattern", pattern.prop_map(|pattern| json!(pattern)).boxed()),
        (
            "format",
            prop::option::weighted(0.3, format).prop_map(|format| json!(format.unwrap_or("none"))).boxed(),
        ),
    ])
}

fn leaf() -> BoxedStrategy<Value> {
    let numbers = keywords(vec![
        ("minimum", number(-12..12)),
        ("exclusiveMaximum", number(0..120)),
        ("multipleOf", number(1..4)),
    ]);
    let values = prop::sample::subsequence(
        vec![
            json!("a"),
            json!("ab"),
            json!(""),
            json!(1),
            json!(11),
            json!(null),
            json!([]),
            json!({"a": 1}),
            json!(true),
        ],
        1..4,
    );
    prop_oneof![
        3 => with_type("string", texts()),
        1 => with_type("integer", numbers.clone()),
        1 => with_type("number", numbers),
        1 => values.prop_map(|values| json!({ "enum": values })),
        1 => prop::sample::select(vec![json!(true), json!({}), json!({"type": ["null", "boolean"]}), json!({"type": "string"})]),
        1 => name().prop_map(|name| json!({ "const": name })),
    ]
    .boxed()
}

fn object(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let map = |inner: BoxedStrategy<Value>| {
        prop::collection::btree_map(name(), inner, 0..4).prop_map(|map| json!(map)).boxed()
    };
    let pattern = prop::sample::select(vec!["^a", "b$", "^.$", "^[ab]{1,2}$", "^$"]).prop_map(str::to_owned);
    let by_pattern = prop::collection::btree_map(pattern, inner.clone(), 1..3).prop_map(|map| json!(map));
    let list = || prop::collection::btree_set(name(), 0..3).prop_map(|names| json!(names)).boxed();
    let needs = prop::collection::btree_map(name(), list(), 1..3).prop_map(|map| json!(map));
    let schema = keywords(vec![
        ("patternProperties", by_pattern.boxed()),
        ("additionalProperties", prop_oneof![Just(json!(false)), inner.clone()].boxed()),
        (
            "propertyNames",
            prop_oneof![texts(), name().prop_map(|name| json!({"not": {"const": name}}))].boxed(),
        ),
        ("required", list()),
        ("dependentRequired", needs.boxed()),
        ("minProperties", number(0..3)),
        ("maxProperties", number(1..4)),
    ]);
    let schema = (map(inner), schema).prop_map(|(properties, mut schema)| {
        schema["properties"] = properties;
        schema
    });
    with_type("object", schema.boxed())
}

fn array(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let prefix = prop::collection::vec(inner.clone(), 1..3).prop_map(|items| json!(items));
    let schema = keywords(vec![
        ("prefixItems", prefix.boxed()),
        ("items", inner.clone()),
        ("contains", inner),
        ("uniqueItems", Just(json!(true)).boxed()),
        ("minItems", number(0..3)),
        ("maxItems", number(1..4)),
    ]);
    with_type("array", schema)
}

fn schema() -> BoxedStrategy<Value> {
    let combine = |inner: BoxedStrategy<Value>| {
        let some = || prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            4 => object(inner.clone()),
            2 => array(inner.clone()),
            1 => some().prop_map(|all| json!({ "anyOf": all })),
            1 => some().prop_map(|all| json!({ "oneOf": all })),
            1 => some().prop_map(|all| json!({ "allOf": all })),
            1 => (object(inner.clone()), inner.clone()).prop_map(|(mut object, inner)| {
                object["not"] = inner;
                object
            }),
            1 => (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
        ]
        .boxed()
    };
    leaf().prop_recursive(3, 12, 3, combine).boxed()
}

/// Single bytes, and pieces of JSON that begin in one part and end in another.
fn tokens() -> Vec<Vec<u8>> {
    let mut pieces = BTreeSet::new();
    for name in NAMES {
        for end in ["", "\"", "\":", "\": ", "\":1", "\":\"", "\": \"", "\":{\"", "\":[]", "\",\"", "\"}"] {
            pieces.insert(format!("{name}{end}"));
        }
        for begin in ["\"", " \"", ",\"", ", \"", "{\"", "\n\"", "  ", "1,\"", "[\""] {
            pieces.insert(format!("{begin}{name}"));
            pieces.insert(format!("{begin}{name}\""));
        }
    }
    let others = "  \"|  |\n |,|, |:|: |{|[| {|\":|\",|\", |},|}}|}]|},{|}, {|1,|1}| 1|11|10|.5|-1|\"}|\"},|\"]|[]|{}|null|true|true,| true|\
        null}|\":null,|\":true,\"|\\u0061|\\u00|61|\\|u0062\"|\\u0061\"|b\\u0061\"|\\u00e9|\\u00E9\"|\\n|\"\":1|,\"\":|{\"a\":1}|,\"a\":1,\"b\":|]]|],[|\
        aaa|abab|12|-0|2020-|://| }|\n }|  }]|   |    |\t]";
    pieces.extend(others.split('|').map(str::to_owned));
    pieces.remove("");
    let bytes = (0x20..0x7F).chain("é\n".bytes()).map(|byte| vec![byte]);
    let long = pieces.into_iter().filter(|piece| piece.len() > 1).map(String::into_bytes);
    bytes.chain(long).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 2000, ..ProptestConfig::default() })]
    #[test]
    fn masks_of_random_schemas_are_what_stepping_says(
        schema in schema(),
        walks in prop::collection::vec(prop::collection::vec(0usize..1 << 16, 20), 1..5),
    ) {
        let tokens = tokens();
        let choose = |fitting: Vec<u32>, choice: usize| {
            let long: Vec<u32> = fitting.iter().copied().filter(|&token| tokens[token as usize].len() > 1).collect();
            stepping::any(if !choice.is_multiple_of(4) && !long.is_empty() { long } else { fitting }, choice / 4)
        };
        stepping::compare(&schema.to_string(), &tokens, &walks, choose)?;
    }
}

/// Items that all that may follow needs: found by the test above.
#[test]
fn items_that_leave_none_for_later_do_not_fit() {
    let of = |first: &str, second: &str| {
        format!(
            r#"{{"prefixItems": {first}, "items": {second}, "uniqueItems": true, "minItems": 2, "type": "array"}}"#
        )
    };
    let object = r#"[{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}]"#;
    let cases = [
        (of(r#"[{"type": "string"}]"#, r#"{"const": "a"}"#), r#"["a","a"]"#),
        (of(r#"[{"type": "string"}, {"const": "b"}]"#, r#"{"const": "a"}"#), r#"["a","b","a"]"#),
        (of(r#"[{"type": "integer", "minimum": 1, "maximum": 9}]"#, r#"{"const": 1}"#), r#"[1,1]"#),
        (of(object, r#"{"const": {"a": "a"}}"#), r#"[{"a":"a"},{"a":"a"}]"#),
        (of("[{}]", r#"{"enum": ["a"]}"#), r#"["a","a"]"#),
        // Tokens that begin with whitespace may end what was there before.
        (r#"{"uniqueItems": true, "type": "array"}"#.into(), r#"[{"a":"a"},{"a":"a","#),
        // What one way to read an array forbids is what another needs.
        (
            r#"{"contains": {"uniqueItems": true, "type": "array"}, "uniqueItems": true, "type": "array"}"#
                .into(),
            r#"["ba",["a","a"],[]]"#,
        ),
        // What follows a name has few ends if its value is one that is given.
        (
            r#"{"items": {"patternProperties": {"b$": {"type": "string"}}, "properties": {"a": {"const": "a"}}, "maxProperties": 1,
                "additionalProperties": false, "type": "object"}, "uniqueItems": true, "type": "array"}"#
                .into(),
            r#"[{"a":"a"},{""#,
        ),
    ];
    for (schema, text) in cases {
        let tokens = tokens();
        let place = |byte| tokens.iter().position(|token| token[..] == [byte]).expect("a token of one byte");
        stepping::compare(&schema, &tokens, &[text.bytes().map(place).collect()], stepping::given).unwrap();
    }
}
