//! A vocabulary that looks like a real byte-level BPE one, made by a seeded generator: nothing is downloaded, and it is the
//! same on every machine.
//!
//! What masks cost depends on the shape of the byte trie: how many tokens begin with a space, a quote or a letter, how they
//! share prefixes, how long runs get, and that some tokens cut characters in two. The generator grows words from
//! syllables, each word from a shorter one, as merges do, and mixes the classes roughly as Llama-3's vocabulary has them.

use bytewright::{Vocabulary, VocabularyOptions};
use std::collections::HashSet;

/// SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Small numbers much more often than large ones.
    fn skewed(&mut self, n: usize) -> usize {
        self.below(n).min(self.below(n)).min(self.below(n))
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// Words of prose, code and data, which the benchmarks' texts use too.
const WORDS: &[&str] = &[
    "the",
    "and",
    "name",
    "value",
    "type",
    "data",
    "state",
    "order",
    "line",
    "token",
    "string",
    "number",
    "object",
    "array",
    "true",
    "false",
    "null",
    "return",
    "function",
    "class",
    "import",
    "from",
    "with",
    "id",
    "date",
    "time",
    "email",
    "address",
    "street",
    "city",
    "country",
    "price",
    "quantity",
    "status",
    "description",
    "title",
    "version",
    "items",
    "tags",
    "user",
    "active",
    "created",
    "updated",
    "report",
    "quick",
    "brown",
    "select",
    "where",
    "group",
    "join",
    "table",
    "item",
    "text",
    "node",
    "left",
    "right",
    "key",
    "index",
    "count",
    "size",
    "length",
    "path",
    "file",
    "error",
    "message",
    "code",
    "result",
];

const ONSETS: &[&str] = &[
    "", "b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "v", "w", "st", "tr", "pr", "ch",
    "sh", "th", "pl", "cr", "br", "j", "k", "y", "qu", "z",
];
const NUCLEI: &[&str] = &["a", "e", "i", "o", "u", "ea", "io", "ou", "ie", "ai"];
const CODAS: &[&str] = &["", "n", "r", "s", "t", "l", "m", "d", "ng", "st", "nt", "ck", "x", "p"];

const SIGNS: &[&str] = &[
    "\"", ":", ",", "{", "}", "[", "]", "(", ")", ";", "=", "-", "/", "*", ".", "<", ">", "_", "'", "\\",
    "+", "#", "!", "?", "&", "|", "@", "$", "%", "^", "~", "`",
];
const AFTER_SIGNS: &[&str] = &["", "", "", "", " ", "\n", "\n\n", "\r\n", "\t"];

/// First and last characters of the blocks that words of other scripts are made of, and how long these words get.
const SCRIPTS: &[(char, char, usize)] = &[
    ('\u{430}', '\u{44f}', 6),     // Cyrillic
    ('\u{4e00}', '\u{5fff}', 3),   // Han
    ('\u{ac00}', '\u{b7ff}', 2),   // Hangul
    ('\u{621}', '\u{64a}', 5),     // Arabic
    ('\u{e0}', '\u{fc}', 3),       // Latin with accents
    ('\u{3041}', '\u{3093}', 4),   // Hiragana
    ('\u{905}', '\u{939}', 3),     // Devanagari
    ('\u{3b1}', '\u{3c9}', 5),     // Greek
    ('\u{1f300}', '\u{1f64f}', 1), // Emoji
];

/// Ids at the end that are special; the first of them is the stop token.
const SPECIALS: usize = 256;

/// The raw bytes of `size` tokens, the last 256 of them special.
pub fn synthetic_tokens(size: usize) -> Vec<Vec<u8>> {
    let mut maker =
        Maker { random: Random(20_240_517), seen: HashSet::new(), tokens: Vec::new(), words: Vec::new() };
    maker.bytes_and_runs();
    while maker.tokens.len() + SPECIALS < size {
        match maker.random.below(100) {
            0..=62 => maker.word(),
            63..=72 => maker.signs(),
            73..=94 => maker.foreign(),
            _ => maker.cut(),
        }
    }
    maker.tokens.truncate(size - SPECIALS);
    maker.tokens.extend((0..SPECIALS).map(|i| format!("<|special_{i}|>").into_bytes()));
    maker.tokens
}

/// [`synthetic_tokens`] as a vocabulary.
pub fn synthetic(size: usize) -> bytewright::Result<Vocabulary> {
    let special: Vec<u32> = (size as u32 - SPECIALS as u32..size as u32).collect();
    let options =
        VocabularyOptions { vocab_size: None, stop_token_ids: vec![special[0]], special_token_ids: special };
    Vocabulary::new(&synthetic_tokens(size), options)
}

struct Maker {
    random: Random,
    seen: HashSet<Vec<u8>>,
    tokens: Vec<Vec<u8>>,
    /// Lower-case words that longer words grow from.
    words: Vec<String>,
}

impl Maker {
    fn add(&mut self, token: impl Into<Vec<u8>>) {
        let token = token.into();
        if self.seen.insert(token.clone()) {
            self.tokens.push(token);
        }
    }

    /// All bytes, runs of whitespace, numbers of up to three digits, and the known words.
    fn bytes_and_runs(&mut self) {
        (0..=255u8).for_each(|byte| self.add([byte]));
        for length in (2..=16).chain([20, 24, 32, 48, 64, 80]) {
            for run in [" ", "\n", "\t", "-", "=", "*", "#", "/", "_", "."] {
                self.add(run.repeat(length));
            }
            self.add(format!("\n{}", " ".repeat(length)));
        }
        (0..1000).for_each(|n| self.add(n.to_string()));
        (0..100).for_each(|n| self.add(format!("{n:02}")));
        (0..1000).for_each(|n| self.add(format!("{n:03}")));
        for word in WORDS {
            self.forms(word);
            self.words.push((*word).to_owned());
        }
    }

    /// A word in the forms that text has it in.
    fn forms(&mut self, word: &str) {
        let capital = word[..1].to_uppercase() + &word[1..];
        self.add(format!(" {word}"));
        self.add(word);
        match self.random.below(12) {
            0..=2 => self.add(format!(" {capital}")),
            3..=4 => self.add(capital),
            5 => self.add(word.to_uppercase()),
            6 => self.add(format!("_{word}")),
            7 => self.add(format!(".{word}")),
            8 => self.add(format!("\"{word}")),
            9 => self.add(format!("({word}")),
            _ => {}
        }
    }

    fn syllable(&mut self) -> String {
        let onset = ONSETS[self.random.skewed(ONSETS.len())];
        let nucleus = NUCLEI[self.random.skewed(NUCLEI.len())];
        format!("{onset}{nucleus}{}", CODAS[self.random.skewed(CODAS.len())])
    }

    fn word(&mut self) {
        let mut word = match self.random.below(4) {
            0 => String::new(),
            _ => self.words[self.random.skewed(self.words.len())].clone(),
        };
        word += &self.syllable();
        if word.len() <= 16 {
            self.forms(&word);
            self.words.push(word);
        }
    }

    fn signs(&mut self) {
        let mut run = String::from(if self.random.below(4) == 0 { " " } else { "" });
        for _ in 0..2 + self.random.skewed(4) {
            run += SIGNS[self.random.skewed(SIGNS.len())];
        }
        run += self.random.pick(AFTER_SIGNS);
        self.add(run);
    }

    fn foreign(&mut self) {
        let (first, last, most) = SCRIPTS[self.random.skewed(SCRIPTS.len())];
        let span = last as usize - first as usize + 1;
        let mut word = String::from(if self.random.below(3) == 0 { " " } else { "" });
        for _ in 0..1 + self.random.below(most) {
            let code = first as usize + self.random.skewed(span);
            word.extend(char::from_u32(code as u32));
        }
        self.add(word);
    }

    /// A character's beginning, or a word with one behind it, as merges of bytes leave them.
    fn cut(&mut self) {
        let (first, last, _) = SCRIPTS[self.random.below(SCRIPTS.len())];
        let code = first as usize + self.random.below(last as usize - first as usize + 1);
        let whole: Vec<u8> = char::from_u32(code as u32).into_iter().collect::<String>().into_bytes();
        let at = 1 + self.random.below(whole.len() - 1);
        let token = match self.random.below(3) {
            0 => [b" ", &whole[..at]].concat(),
            1 => whole[at..].to_vec(),
            _ => [&whole, &whole[..at]].concat(),
        };
        self.add(token);
    }
}

/// Cuts texts into tokens, the longest first: not what merges give, but of much the same lengths.
pub struct Tokenizer {
    by_bytes: std::collections::HashMap<Vec<u8>, u32>,
    longest: usize,
}

impl Tokenizer {
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let ids = (0..vocabulary.num_tokens() as u32).filter(|&id| vocabulary.is_text(id));
        let by_bytes: std::collections::HashMap<_, _> =
            ids.map(|id| (vocabulary.token_bytes(id).to_vec(), id)).collect();
        let longest = by_bytes.keys().map(Vec::len).max().unwrap_or(1);
        Self { by_bytes, longest }
    }

    pub fn encode(&self, text: &[u8]) -> Vec<u32> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let longest = (1..=self.longest.min(text.len() - at)).rev();
            let found = longest
                .filter_map(|length| self.by_bytes.get(&text[at..at + length]).map(|&id| (length, id)))
                .next();
            let Some((length, id)) = found else { break };
            out.push(id);
            at += length;
        }
        out
    }
}
