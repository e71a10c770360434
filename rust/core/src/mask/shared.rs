//! Finished masks that sets with the same content share.
//!
//! Each session has stacks of its own, so that threads do not wait for each other, and the stacks of an object with free names are
//! others after each name. The masks of the same text would be made once in each session, and once for each object's names. A
//! mask depends on nothing but what its set consists of, which can be said in words ([`crate::stack::Content`]) but for the values
//! collected: of those the mask says which may not be among them ([`crate::stack::NewValues`]).

use super::finished::FinishedMask;
use crate::stack::{Arena, Content, NewValues};
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Shared masks are kept up to this many bytes a grammar.
const LIMIT_BYTES: usize = 4 << 20;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SharedMasks(RwLock<Masks>);

#[derive(Debug, Default)]
struct Masks {
    by_content: FxHashMap<Box<[u32]>, (NewValues, Arc<FinishedMask>)>,
    bytes: usize,
}

impl SharedMasks {
    pub(super) fn get(&self, arena: &Arena, content: &Content) -> Option<Arc<FinishedMask>> {
        let masks = self.0.read();
        let (values, mask) = masks.by_content.get(&*content.words)?;
        arena.are_new(values, &content.registers).then(|| Arc::clone(mask))
    }

    /// Keeps a mask, for which so many values had to be new.
    pub(super) fn insert(&self, content: &Content, values: NewValues, mask: &Arc<FinishedMask>) {
        let entry = size_of::<(Box<[u32]>, NewValues, Arc<FinishedMask>)>() + values.memory_size_bytes();
        let bytes = size_of_val(&*content.words) + entry + mask.memory_size_bytes();
        let mut masks = self.0.write();
        if masks.bytes + bytes > LIMIT_BYTES {
            *masks = Masks::default();
        }
        masks.bytes += bytes;
        masks.by_content.insert((&*content.words).into(), (values, Arc::clone(mask)));
    }

    pub(super) fn memory_size_bytes(&self) -> usize {
        self.0.read().bytes
    }
}

#[cfg(test)]
mod tests {
    use crate::json_schema::JsonSchemaOptions;
    use crate::mask::stepping;
    use crate::vocab::VocabularyOptions;
    use crate::{Compiler, CompilerOptions, Grammar, Matcher, MatcherOptions, Vocabulary};
    use proptest::prelude::*;
    use std::sync::Arc;
    use std::time::Duration;

    const SCHEMA: &str =
        r#"{"type": "object", "properties": {"a": {"type": "array"}, "b": {"type": "integer"}}}"#;
    const TEXT: &[u8] = br#"{"b":1,"a":[{"a":[[[]]]}]}"#;

    #[test]
    fn a_session_finds_the_masks_of_another() {
        let bytes: Vec<[u8; 1]> = (0x20..0x7F).map(|byte| [byte]).collect();
        let vocabulary = Arc::new(Vocabulary::new(&bytes, VocabularyOptions::default()).unwrap());
        // What a rehearsal finds is known to one of them alone.
        let rehearsal_limit = Some(Duration::ZERO);
        let options = CompilerOptions { sessions: 2, rehearsal_limit, ..CompilerOptions::default() };
        let compiler = Compiler::new(Arc::clone(&vocabulary), options);
        let grammar = Grammar::from_json_schema(SCHEMA, &[], &JsonSchemaOptions::default()).unwrap();
        let compiled = compiler.compile(&grammar).unwrap();
        let matchers: [_; 2] =
            std::array::from_fn(|_| Matcher::new(Arc::clone(&compiled), MatcherOptions::default()).unwrap());
        let known = || compiled.mask_context().masks.shared.0.read().by_content.len();
        let sizes = matchers.map(|mut matcher| {
            let mut row = vec![0u32; vocabulary.mask_words()];
            for &byte in TEXT {
                matcher.fill_next_token_bitmask(&mut row).unwrap();
                assert!(matcher.accept_bytes(&[byte]).unwrap());
            }
            known()
        });
        assert!(sizes[0] > 8 && sizes[0] == sizes[1], "{sizes:?}");
    }

    /// Objects whose names are remembered, of which there are many, few, or none left at some point.
    const SCHEMAS: [&str; 7] = [
        r##"{"type": "object"}"##,
        r##"{"type": "object", "additionalProperties": {"anyOf": [{"$ref": "#"}, {"type": "integer"}]}}"##,
        r##"{"patternProperties": {"^[ab]?$": {"type": "integer"}}, "additionalProperties": false, "type": "object"}"##,
        r##"{"patternProperties": {"^[ab]{1,2}$": {}}, "additionalProperties": false, "minProperties": 3}"##,
        r##"{"type": "object", "maxProperties": 2, "additionalProperties": {"type": ["integer", "object"]}}"##,
        r##"{"properties": {"a": {"$ref": "#"}}, "propertyNames": {"maxLength": 1}, "type": "object"}"##,
        r##"{"type": "array", "uniqueItems": true, "items": {"type": "object", "additionalProperties": {"enum": [1, "a"]}}}"##,
    ];

    /// Tokens that read names whole, one or several, beside those that read a part of one.
    const TOKENS: [&str; 31] = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "1",
        "a",
        "b",
        "\\u0061",
        "{\"",
        "\":",
        "\":1",
        ",\"",
        "1,\"",
        "\":1,\"",
        "\"\":",
        "\"a",
        "a\":",
        ",\"\":1",
        ",\"a\":1",
        ",\"b\":1",
        "\"a\":1,\"b\":",
        "1,\"a\":",
        "{\"a\":1}",
        "},\"a\":{",
        "{\"\":{",
        ",\"ab\":1}",
        "},{",
        "}}",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn shared_masks_are_what_stepping_says(
            schema in prop::sample::select(SCHEMAS.to_vec()),
            walks in prop::collection::vec(prop::collection::vec(0usize..1000, 16), 1..8),
        ) {
            stepping::compare(schema, &TOKENS, &walks, stepping::any)?;
        }
    }

    /// A mask that was made where names were left must not serve where there are none: how many there are is not even asked while they are
    /// more than values have been seen.
    #[test]
    fn names_run_out() {
        let schema = r##"{"patternProperties": {"^[#-\\[\\]-~]$": {"type": "integer"}}, "additionalProperties": false, "type": "object"}"##;
        let bytes: Vec<[u8; 1]> = (0x20..0x7F).map(|byte| [byte]).collect();
        let names = || ('#'..='~').filter(|&name| name != '\\');
        let walk = |most| {
            let members: Vec<String> = names().take(most).map(|name| format!("\"{name}\":1")).collect();
            let text = format!("{{{}}}", members.join(","));
            text.bytes().map(|byte| usize::from(byte - 0x20)).collect::<Vec<_>>()
        };
        let walks = [2, 3, 40, names().count(), names().count(), 5].map(walk);
        stepping::compare(schema, &bytes, &walks, stepping::given).unwrap();
    }
}
