//! Which compiled grammars a compiler keeps.
//!
//! Most grammars of some services come once, and those of others again and again. So the room is dealt out as Johnson and Shasha do
//! ("2Q: A low overhead high performance buffer management replacement algorithm", VLDB 1994): a grammar that was asked for once stays in
//! a small part of it, and one that is asked for again, there or soon after it was dropped, in all of it. What comes once neither pushes
//! out what does not, nor spreads over memory that has left the processor's caches when the next grammar is made of it.
//!
//! Grammars are found by a digest and compared whole, never by the digest alone.

use crate::compile::CompiledGrammar;
use crate::grammar::Grammar;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::sync::Arc;

/// What is asked of the allocator is less than what it takes, and not all is counted: over the schemas of MaskBench, a half.
const UNCOUNTED: usize = 2;
/// Grammars that were asked for once have one part of so many.
const PARTS: usize = 6;
/// Grammars measured again for each one that is added.
const MEASURED: usize = 2;
/// So many grammars that were dropped are known when they come again, about as many as there is room for. Those that stay lie among those that go
/// and keep their pages of memory: of the schemas of MaskBench 1,024 took 12 MiB more.
const MOST_DROPPED: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// By a digest of the grammar; grammars with equal digests stand side by side.
    compiled: FxHashMap<u64, SmallVec<[Cached; 1]>>,
    clock: u64,
    /// Bytes, as far as measured: of grammars that were asked for once, and of the others.
    bytes: [usize; 2],
    /// The grammar to measure next.
    next: u64,
    /// The digests of grammars that were dropped, the last ones last.
    dropped: VecDeque<u64>,
}

#[derive(Debug)]
struct Cached {
    digest: u64,
    compiled: Arc<CompiledGrammar>,
    last_used: u64,
    /// Whether it was asked for again.
    again: bool,
    /// Bytes when it was last looked at: grammars grow while they are used.
    bytes: usize,
}

impl Cached {
    fn measure(&mut self) -> usize {
        let bytes = self.compiled.memory_size_bytes();
        self.bytes = bytes + bytes / UNCOUNTED;
        self.bytes
    }
}

impl Cache {
    /// What was compiled from a grammar, if that is kept.
    pub(crate) fn find(&mut self, grammar: &Grammar) -> Option<Arc<CompiledGrammar>> {
        self.clock += 1;
        let list = self.compiled.get_mut(&grammar.digest())?;
        let found = list.iter_mut().find(|cached| cached.compiled.grammar() == grammar)?;
        self.bytes[usize::from(found.again)] -= found.bytes;
        self.bytes[1] += found.bytes;
        (found.last_used, found.again) = (self.clock, true);
        Some(Arc::clone(&found.compiled))
    }

    /// Keeps a grammar that was not found; gives those that go, as `room` is for so many bytes.
    pub(crate) fn add(&mut self, compiled: &Arc<CompiledGrammar>, room: usize) -> Vec<Arc<CompiledGrammar>> {
        self.clock += 1;
        let digest = compiled.grammar().digest();
        let before = self.dropped.iter().position(|&dropped| dropped == digest);
        let again = before.and_then(|place| self.dropped.remove(place)).is_some();
        let compiled = Arc::clone(compiled);
        let mut cached = Cached { digest, compiled, last_used: self.clock, again, bytes: 0 };
        self.bytes[usize::from(again)] += cached.measure();
        self.measure_some();
        self.compiled.entry(digest).or_default().push(cached);
        std::iter::from_fn(|| self.drop_one(room)).collect()
    }

    /// Heap memory, bytes, approximately, with all grammars measured again.
    pub(crate) fn size_bytes(&mut self) -> usize {
        self.bytes = [0; 2];
        for cached in self.compiled.values_mut().flatten() {
            self.bytes[usize::from(cached.again)] += cached.measure();
        }
        self.bytes.iter().sum()
    }

    /// Measures a few grammars again, round and round: one that is used for long has grown since it was added.
    fn measure_some(&mut self) {
        for _ in 0..MEASURED.min(self.compiled.len()) {
            let later = self.compiled.values_mut().flatten().filter(|c| c.last_used > self.next);
            let Some(cached) = later.min_by_key(|c| c.last_used) else {
                self.next = 0;
                return;
            };
            self.next = cached.last_used;
            let bytes = &mut self.bytes[usize::from(cached.again)];
            *bytes -= cached.bytes;
            *bytes += cached.measure();
        }
    }

    /// Drops a grammar if there is no room for all, the one that was asked for least recently: of those that were asked for once if these
    /// have more than their part (the last one may be larger than that), else of the others.
    fn drop_one(&mut self, room: usize) -> Option<Arc<CompiledGrammar>> {
        let [once, again] = self.bytes;
        let all = || self.compiled.values().flatten();
        let of_once = all().filter(|cached| !cached.again);
        let goes = if once > room / PARTS && of_once.clone().nth(1).is_some() {
            of_once.min_by_key(|cached| cached.last_used)
        } else if once + again > room {
            all().min_by_key(|cached| (!cached.again, cached.last_used))
        } else {
            None
        }?;
        let (digest, last_used) = (goes.digest, goes.last_used);
        let list = self.compiled.get_mut(&digest)?;
        let dropped = list.remove(list.iter().position(|cached| cached.last_used == last_used)?);
        if list.is_empty() {
            self.compiled.remove(&digest);
        }
        self.bytes[usize::from(dropped.again)] -= dropped.bytes;
        if self.dropped.len() == MOST_DROPPED {
            self.dropped.pop_front();
        }
        self.dropped.push_back(digest);
        Some(dropped.compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_schema::JsonSchemaOptions;
    use crate::{Compiler, CompilerOptions, Vocabulary, VocabularyOptions};

    fn compiler(cache_limit_bytes: usize) -> Compiler {
        let bytes: Vec<[u8; 1]> = (0..=255u8).map(|byte| [byte]).collect();
        let vocabulary = Vocabulary::new(&bytes, VocabularyOptions::default()).expect("a vocabulary");
        let rehearsal_limit = Some(std::time::Duration::ZERO);
        let options = CompilerOptions { cache_limit_bytes, rehearsal_limit, ..CompilerOptions::default() };
        Compiler::new(Arc::new(vocabulary), options)
    }

    fn ask(compiler: &Compiler, number: usize) -> Arc<CompiledGrammar> {
        let schema = format!(r#"{{"const": {number}}}"#);
        let grammar = Grammar::from_json_schema(&schema, &[], &JsonSchemaOptions::default());
        compiler.compile(&grammar.expect("a schema")).expect("a grammar")
    }

    /// Room for so many grammars that were asked for once.
    fn compiler_for(number: usize) -> Compiler {
        let of_one = compiler(1 << 30);
        ask(&of_one, 10);
        compiler(of_one.cache_size_bytes() * number * PARTS * 4)
    }

    #[test]
    fn what_was_asked_for_again_outlasts_what_comes_once() {
        let compiler = compiler_for(8);
        let first = ask(&compiler, 10);
        assert!(Arc::ptr_eq(&first, &ask(&compiler, 10)));
        (100..400).for_each(|number| drop(ask(&compiler, number)));
        assert!(Arc::ptr_eq(&first, &ask(&compiler, 10)));
    }

    #[test]
    fn what_comes_again_after_it_was_dropped_stays() {
        let compiler = compiler_for(8);
        let first = ask(&compiler, 10);
        (100..130).for_each(|number| drop(ask(&compiler, number)));
        assert_eq!(Arc::strong_count(&first), 1, "it was dropped");
        let second = ask(&compiler, 10);
        (200..400).for_each(|number| drop(ask(&compiler, number)));
        assert!(Arc::ptr_eq(&second, &ask(&compiler, 10)));
        // One that was dropped long ago is like any other.
        let compiler = compiler_for(8);
        drop(ask(&compiler, 10));
        (400..420 + MOST_DROPPED).for_each(|number| drop(ask(&compiler, number)));
        let third = ask(&compiler, 10);
        (100..130).for_each(|number| drop(ask(&compiler, number)));
        assert_eq!(Arc::strong_count(&third), 1);
    }

    #[test]
    fn all_together_have_the_whole_room() {
        let compiler = compiler_for(8);
        let all: Vec<_> =
            (100..400).map(|number| (ask(&compiler, number), ask(&compiler, number)).0).collect();
        let kept = all.iter().filter(|grammar| Arc::strong_count(grammar) > 1).count();
        assert!((8 * (PARTS - 1)..=8 * PARTS).contains(&kept), "{kept}");
    }

    #[test]
    fn one_that_is_larger_than_its_part_stays_until_the_next() {
        let words: Vec<String> = (0..300).map(|number| format!("\"{number}\"")).collect();
        let schema = format!(r#"{{"enum": [{}]}}"#, words.join(","));
        let grammar = Grammar::from_json_schema(&schema, &[], &JsonSchemaOptions::default());
        let grammar = grammar.expect("a schema");
        let unbounded = compiler(1 << 30);
        unbounded.compile(&grammar).expect("a grammar");
        // Room for two of it.
        let compiler = compiler(unbounded.cache_size_bytes() * 2 * 4);
        let large = compiler.compile(&grammar).expect("a grammar");
        assert_eq!(Arc::strong_count(&large), 2, "it is kept");
        drop(ask(&compiler, 10));
        assert_eq!(Arc::strong_count(&large), 1);
        // Without any room nothing stays.
        assert_eq!(Arc::strong_count(&ask(&self::compiler(0), 10)), 1);
    }
}
