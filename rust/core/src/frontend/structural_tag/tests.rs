//! Free text against a slow, obvious reading of its definition; what is refused, by its place.

use super::parse;
use crate::error::Error;
use crate::grammar::reference::matches;
use proptest::prelude::*;
use serde_json::json;

/// Whether a text is free text without the excluded strings, then a stop, with no stop complete before.
fn is_stopped(text: &str, stops: &[String], excludes: &[String]) -> bool {
    stops.iter().any(|stop| {
        let Some(before) = text.strip_suffix(stop.as_str()) else { return false };
        let earlier =
            (0..text.len()).any(|end| stops.iter().any(|stop| text[..end].ends_with(stop.as_str())));
        !earlier && !excludes.iter().any(|exclude| before.contains(exclude.as_str()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn free_text_ends_at_the_first_stop(
        stops in prop::collection::vec("[ab]{1,3}", 1..4),
        excludes in prop::collection::vec("[abc]{1,2}", 0..3),
        texts in prop::collection::vec("[abc]{0,6}", 8),
    ) {
        let tag = json!({"type": "tag", "begin": "", "end": stops, "content": {"type": "any_text", "excludes": excludes}});
        let grammar = parse(&tag.to_string()).unwrap();
        for text in texts.iter().chain(&stops) {
            prop_assert_eq!(matches(&grammar, text.as_bytes()), is_stopped(text, &stops, &excludes), "{}", text);
        }
    }

    #[test]
    fn any_json_gives_a_grammar_or_an_error(text in "[{}\\[\\]\":,a-z_0-9 ]{0,60}") {
        let _ = parse(&text);
        let _ = parse(&format!(r#"{{"type": "structural_tag", "format": {text}}}"#));
    }
}

#[test]
fn what_is_refused_is_named_by_its_place() {
    let text = json!({"type": "any_text"});
    let cases = [
        (json!(1), ""),
        (json!({"type": "nonsense"}), "/type"),
        (json!({"type": "any_text", "excluded": []}), "/excluded"),
        (json!({"type": "any_text", "max_tokens": 3}), "/max_tokens"),
        (json!({"type": "any_text", "excludes": [""]}), "/excludes"),
        (json!({"type": "sequence", "elements": [text, {"type": "regex"}]}), "/elements/1"),
        (json!({"type": "repeat", "min": 2, "max": 1, "content": text}), ""),
        (json!({"type": "json_schema", "json_schema": {}, "style": "cohere_xml"}), "/style"),
        (
            json!({"type": "tag", "begin": {"type": "token", "token": -1}, "content": text, "end": ""}),
            "/begin/token",
        ),
        (
            json!({"type": "triggered_tags", "triggers": ["<a"], "tags": [{"begin": "<b>", "content": text, "end": "x"}]}),
            "/tags/0",
        ),
        (
            json!({"type": "qwen_xml_parameter", "json_schema": {"properties": {"a": {"type": "string", "pattern": "x"}}}}),
            "/json_schema/properties/a",
        ),
        (json!({"type": "tag", "begin": "x", "content": {"type": "any_tokens"}, "end": "y"}), "/content"),
    ];
    for (tag, place) in cases {
        match parse(&tag.to_string()) {
            Err(Error::InvalidStructuralTag { pointer, .. }) => assert_eq!(pointer, place, "{tag}"),
            other => panic!("{tag}: {other:?}"),
        }
    }
    assert!(matches!(parse("{"), Err(Error::InvalidStructuralTag { .. })));
}
