//! The covering tree against the definitions of `oracle`, and its laws.

use super::oracle::{Definition, Toy, mass, next_masses, sequence, vocabulary};
use super::*;
use crate::Error;
use crate::vocab::Vocabulary;
use proptest::prelude::*;
use std::sync::Arc;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

fn ranks(vocabulary: &Vocabulary) -> Vec<Option<u32>> {
    (0..vocabulary.num_tokens() as u32).map(|id| vocabulary.is_text(id).then_some(id)).collect()
}

fn canonical(vocabulary: &Arc<Vocabulary>, pattern: Option<&str>) -> Arc<Canonical> {
    let merges = MergeTable::from_ranks(vocabulary, &ranks(vocabulary)).unwrap();
    let splitter = pattern.map(|pattern| Splitter::new(pattern).unwrap());
    Arc::new(Canonical::new(Arc::clone(vocabulary), merges, splitter, false).unwrap())
}

fn tree(canonical: &Arc<Canonical>, mode: Mode) -> CoverTree {
    CoverTree::new(Arc::clone(canonical), TreeOptions { mode, ..Default::default() }).unwrap()
}

/// Answers what the tree needs. Returns how many contexts that were.
fn open(tree: &mut CoverTree, toy: &Toy, tolerance: f64) -> usize {
    let mut opened = 0;
    loop {
        let needed = tree.needed(tolerance);
        if needed.is_empty() {
            return opened;
        }
        opened += needed.len();
        for need in needed {
            let tokens = tree.tokens(need.node).unwrap();
            assert_eq!(tokens.last().copied(), need.token);
            tree.supply(need.node, &toy.logits(&tokens)).unwrap();
        }
    }
}

/// Reads a text, opening every node.
fn read(canonical: &Arc<Canonical>, toy: &Toy, mode: Mode, text: &[u8]) -> Option<CoverTree> {
    let mut tree = tree(canonical, mode);
    open(&mut tree, toy, 0.0);
    for &byte in text {
        if !tree.push(byte).unwrap() {
            return None;
        }
        open(&mut tree, toy, 0.0);
    }
    Some(tree)
}

fn close(got: f64, want: f64, tolerance: f64) -> bool {
    got == want || (got - want).abs() <= tolerance * want.abs().max(f64::MIN_POSITIVE)
}

fn assert_masses(next: &NextByte, want: &[f64], tolerance: f64, what: &str) {
    let total: f64 = want.iter().sum();
    for (outcome, &mass) in want.iter().enumerate() {
        let got = next.log_probs[outcome].exp();
        assert!(close(got, mass / total, tolerance), "{what}: outcome {outcome}: {got} for {}", mass / total);
    }
}

const ABC: &[&[u8]] = &[b"a", b"b", b"c", b"ab", b"ba", b"abc", b"aab", b"cc"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Oracle 3, both exact laws, and 4: the outcomes' masses are the text's.
    #[test]
    fn next_bytes_are_those_of_all_segmentations(seed in any::<u64>(), spread in 0.5f64..12.0, text in "[abc]{0,5}") {
        let vocabulary = vocabulary(ABC);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread };
        let canonical = canonical(&vocabulary, None);
        let merges = MergeTable::from_ranks(&vocabulary, &ranks(&vocabulary)).unwrap();
        let encode = |text: &[u8]| merges.encode(text).unwrap();
        let reencodes = |tokens: &[u32]| {
            let bytes: Vec<u8> = tokens.iter().flat_map(|&t| vocabulary.token_bytes(t).to_vec()).collect();
            encode(&bytes) == tokens
        };
        let text = text.as_bytes();
        for mode in [Mode::Canonical, Mode::All] {
            let keep: &dyn Fn(&[u32]) -> bool = match mode { Mode::All => &|_| true, _ => &reencodes };
            let next = read(&canonical, &toy, mode, text).unwrap().next_byte().unwrap();
            let want = next_masses(&toy, text, keep, keep);
            assert_masses(&next, &want, 1e-12, &format!("{mode:?} {text:?}"));
            let all = mass(&toy, text, keep);
            prop_assert!(close(next.log_mass.exp(), all, 1e-12), "{} {}", next.log_mass.exp(), all);
            prop_assert!(close(next.kept, want.iter().sum::<f64>() / all, 1e-12));
            if mode == Mode::All {
                prop_assert!((next.kept - 1.0).abs() < 1e-10, "{}", next.kept);
            }
            prop_assert_eq!((next.certificate, next.left_out), (0.0, 0.0));
        }
    }

    /// The same with a pre-tokenizer, whose lookahead makes prefixes of canonical sequences that are not canonical.
    #[test]
    fn pre_tokenizers_are_part_of_the_law(seed in any::<u64>(), text in "[ ab'1\t]{0,4}") {
        let texts: &[&[u8]] = &[b" ", b"a", b"b", b"1", b"'", b"\t", b"s", b"  ", b" a", b"\t\t", b"ab", b"'s"];
        let vocabulary = vocabulary(texts);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread: 3.0 };
        let canonical = canonical(&vocabulary, Some(GPT2));
        let merges = MergeTable::from_ranks(&vocabulary, &ranks(&vocabulary)).unwrap();
        let splitter = Splitter::new(GPT2).unwrap();
        let encode = |bytes: &[u8]| {
            let text = std::str::from_utf8(bytes).unwrap();
            let mut start = 0;
            let pieces = splitter.cuts(text).unwrap().into_iter();
            pieces.flat_map(|end| merges.encode(&bytes[std::mem::replace(&mut start, end)..end]).unwrap()).collect()
        };
        let alphabet = b" ab'1\ts";
        let one = alphabet.iter().map(|&a| vec![a]);
        let two = alphabet.iter().flat_map(|&a| alphabet.iter().map(move |&b| vec![a, b]));
        let continuations = [vec![]].into_iter().chain(one).chain(two).collect();
        let definition = Definition { vocabulary: &vocabulary, encode: &encode, continuations, known: Default::default() };
        let text = text.as_bytes();
        let next = read(&canonical, &toy, Mode::Canonical, text).unwrap().next_byte().unwrap();
        let want = next_masses(&toy, text, &|t| definition.viable(t), &|t| definition.complete(t));
        assert_masses(&next, &want, 1e-12, &format!("{text:?}"));
    }

    /// The same for Unigram, ties and characters in bytes among them.
    #[test]
    fn unigram_is_a_law_of_its_own(seed in any::<u64>(), text in "[abé]{0,3}") {
        let bytes: Vec<[u8; 1]> = (0..=u8::MAX).map(|byte| [byte]).collect();
        let pieces: [(&[u8], f32); 5] = [(b"a", -2.0), (b"b", -2.0), (b"ab", -4.0), (b"ba", -3.5), (b"bab", -5.0)];
        let texts: Vec<&[u8]> = pieces.iter().map(|piece| piece.0).chain(bytes.iter().map(|b| &b[..])).collect();
        let vocabulary = vocabulary(&texts);
        let mut scores: Vec<Option<f32>> = pieces.iter().map(|piece| Some(piece.1)).collect();
        scores.resize(texts.len() + 1, None);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread: 6.0 };
        let canonical = Arc::new(Canonical::from_scores(Arc::clone(&vocabulary), &scores).unwrap());
        let keep = |tokens: &[u32]| canonical.is_canonical(tokens).unwrap();
        let text = text.as_bytes();
        let next = read(&canonical, &toy, Mode::Canonical, text).unwrap().next_byte().unwrap();
        assert_masses(&next, &next_masses(&toy, text, &keep, &keep), 1e-12, &format!("{text:?}"));
        prop_assert!(close(next.log_mass.exp(), mass(&toy, text, &keep), 1e-12));
    }

    /// Oracle 5: it does not matter where reading without opening ends. Forks are independent.
    #[test]
    fn the_distribution_depends_on_the_text_alone(seed in any::<u64>(), text in "[abc]{1,12}", cut in 0usize..12) {
        let vocabulary = vocabulary(ABC);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread: 4.0 };
        let canonical = canonical(&vocabulary, None);
        let text = text.as_bytes();
        let want = read(&canonical, &toy, Mode::Canonical, text).unwrap().next_byte().unwrap();
        let mut late = tree(&canonical, Mode::Canonical);
        for (i, &byte) in text.iter().enumerate() {
            let mut fork = late.clone();
            prop_assert!(fork.push(b"cab"[i % 3]).unwrap());
            open(&mut fork, &toy, 0.0);
            prop_assert!(late.push(byte).unwrap());
            if i >= cut {
                open(&mut late, &toy, 0.0);
            }
        }
        open(&mut late, &toy, 0.0);
        let got = late.next_byte().unwrap();
        for outcome in 0..OUTCOMES {
            prop_assert!(close(got.log_probs[outcome].exp(), want.log_probs[outcome].exp(), 1e-9));
        }
    }

    /// Oracle 6: the true error is never above the certificate, which is never above the tolerance.
    #[test]
    fn the_certificate_bounds_the_error(seed in any::<u64>(), spread in 1.0f64..14.0, text in "[abc]{1,24}", exponent in 0.5f64..6.0) {
        let vocabulary = vocabulary(ABC);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread };
        let canonical = canonical(&vocabulary, None);
        let tolerance = 10f64.powf(-exponent);
        let (mut lazy, mut exact) = (tree(&canonical, Mode::Canonical), tree(&canonical, Mode::Canonical));
        let (mut opened, mut all) = (open(&mut lazy, &toy, tolerance), open(&mut exact, &toy, 0.0));
        for &byte in text.as_bytes() {
            prop_assert!(lazy.push(byte).unwrap() && exact.push(byte).unwrap());
            opened += open(&mut lazy, &toy, tolerance);
            all += open(&mut exact, &toy, 0.0);
            let (got, want) = (lazy.next_byte().unwrap(), exact.next_byte().unwrap());
            let apart = got.log_probs.iter().zip(&want.log_probs).map(|(a, b)| (a.exp() - b.exp()).abs());
            let error = apart.sum::<f64>() / 2.0;
            prop_assert!(error <= got.certificate + 1e-12, "{error} above {}", got.certificate);
            prop_assert!(got.certificate <= tolerance, "{} above {tolerance}", got.certificate);
        }
        prop_assert!(opened <= all);
    }

    /// A beam leaves mass out, says how much at most, and is exact once it is wide enough.
    #[test]
    fn a_beam_reports_what_it_leaves_out(seed in any::<u64>(), text in "[abc]{1,8}", beam in 1usize..6) {
        let vocabulary = vocabulary(ABC);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread: 6.0 };
        let canonical = canonical(&vocabulary, None);
        let options = TreeOptions { mode: Mode::All, beam: Some(beam), ..Default::default() };
        let mut narrow = CoverTree::new(Arc::clone(&canonical), options).unwrap();
        open(&mut narrow, &toy, 0.0);
        for (i, &byte) in text.as_bytes().iter().enumerate() {
            match narrow.push(byte) {
                Ok(pushed) => prop_assert!(pushed),
                // All that it kept may go on by other bytes.
                Err(error) => {
                    prop_assert!(error.to_string().contains("beam"), "{error}");
                    break;
                }
            }
            open(&mut narrow, &toy, 0.0);
            let got = narrow.next_byte().unwrap();
            let want = read(&canonical, &toy, Mode::All, &text.as_bytes()[..=i]).unwrap();
            let exact = want.next_byte().unwrap();
            let apart = got.log_probs.iter().zip(&exact.log_probs).map(|(a, b)| (a.exp() - b.exp()).abs());
            prop_assert!(apart.sum::<f64>() / 2.0 <= got.left_out + 1e-12);
            prop_assert_eq!(got.left_out, got.certificate);
            if got.left_out == 0.0 {
                prop_assert!(close(got.log_mass, exact.log_mass, 1e-12));
            }
        }
    }

    /// Covers and their shares, from the definition.
    #[test]
    fn covers_have_their_posterior(seed in any::<u64>(), text in "[abc]{1,6}") {
        let vocabulary = vocabulary(ABC);
        let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed, spread: 4.0 };
        let canonical = canonical(&vocabulary, None);
        let tree = read(&canonical, &toy, Mode::Canonical, text.as_bytes()).unwrap();
        let keep = |tokens: &[u32]| canonical.is_canonical(tokens).unwrap();
        let mut want = oracle::covers(&vocabulary, text.as_bytes(), &keep);
        let total: f64 = want.iter().map(|tokens| sequence(&toy, tokens)).sum();
        let covers = tree.covers().unwrap();
        for cover in &covers {
            let mut tokens = tree.tokens(cover.node).unwrap();
            tokens.extend(cover.token);
            let place = want.iter().position(|other| *other == tokens);
            prop_assert!(place.is_some(), "{tokens:?} is no cover");
            want.remove(place.unwrap());
            prop_assert!(close(cover.probability, sequence(&toy, &tokens) / total, 1e-12));
        }
        prop_assert!(want.is_empty());
    }
}

/// Oracle 1: a first-order Markov chain over {a, b}, tokenized; all numbers are fractions, none is rounded.
mod markov {
    use super::*;

    /// Exact fractions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Fraction(i128, i128);

    impl Fraction {
        fn new(top: i128, bottom: i128) -> Self {
            let (mut a, mut b) = (top.abs(), bottom.abs());
            while b != 0 {
                (a, b) = (b, a % b);
            }
            Self(top / a.max(1), bottom / a.max(1))
        }
        fn times(self, other: Self) -> Self {
            Self::new(self.0 * other.0, self.1 * other.1)
        }
        fn plus(self, other: Self) -> Self {
            Self::new(self.0 * other.1 + other.0 * self.1, self.1 * other.1)
        }
        fn over(self, other: Self) -> Self {
            Self::new(self.0 * other.1, self.1 * other.0)
        }
    }

    const TEXTS: &[&[u8]] = &[b"a", b"b", b"ab", b"ba", b"bb", b"abab"];

    /// P(next | last), in tenths; the text is endless.
    fn step(last: Option<u8>, next: u8) -> Fraction {
        let to_a = match last {
            None => Fraction::new(1, 2),
            Some(b'a') => Fraction::new(4, 10),
            Some(_) => Fraction::new(7, 10),
        };
        if next == b'a' { to_a } else { Fraction::new(to_a.1 - to_a.0, to_a.1) }
    }

    fn text_probability(text: &[u8]) -> Fraction {
        let mut last = None;
        text.iter().fold(Fraction::new(1, 1), |p, &c| p.times(step(last.replace(c), c)))
    }

    /// What the tokenized source gives a next token: the texts that are encoded so, over those encoded as the context.
    /// Canonical texts of a chain without memory beyond a byte: look ahead as far as tokens can still change.
    fn token_mass(canonical: &Canonical, tokens: &[u32]) -> Fraction {
        let vocabulary = canonical.vocabulary();
        let text: Vec<u8> = tokens.iter().flat_map(|&t| vocabulary.token_bytes(t).to_vec()).collect();
        let merges = MergeTable::from_ranks(vocabulary, &ranks(vocabulary)).unwrap();
        let mut total = Fraction::new(0, 1);
        // All continuations of 8 bytes: twice the longest token, so that the first tokens are settled.
        for more in 0..256u32 {
            let more: Vec<u8> = (0..8).map(|i| if more >> i & 1 == 0 { b'a' } else { b'b' }).collect();
            let whole = [text.as_slice(), &more].concat();
            if merges.encode(&whole).unwrap().starts_with(tokens) {
                total = total.plus(text_probability(&whole));
            }
        }
        total
    }

    #[test]
    fn exact_fractions_and_the_bias_of_tokens() {
        let vocabulary = vocabulary(TEXTS);
        let canonical = canonical(&vocabulary, None);
        let id = |text: &[u8]| TEXTS.iter().position(|t| *t == text).unwrap() as u32;
        let mut checked = 0;
        for bits in 1..64u32 {
            let len = 31 - bits.leading_zeros();
            let text: Vec<u8> = (0..len).map(|i| if bits >> i & 1 == 0 { b'a' } else { b'b' }).collect();
            for next in [b'a', b'b'] {
                let longer = [text.as_slice(), &[next]].concat();
                let cover_mass = |text: &[u8]| {
                    let keep = |tokens: &[u32]| canonical.is_canonical(tokens).unwrap();
                    let covers = oracle::covers(&vocabulary, text, &keep);
                    covers
                        .iter()
                        .fold(Fraction::new(0, 1), |sum, tokens| sum.plus(token_mass(&canonical, tokens)))
                };
                assert_eq!(cover_mass(&text), text_probability(&text), "{text:?}");
                let exact = cover_mass(&longer).over(cover_mass(&text));
                assert_eq!(exact, step(text.last().copied(), next), "{longer:?}");
                checked += 1;
            }
        }
        assert_eq!(checked, 126);
        // The bias: after "a" the naive way asks what follows the token "a". Never a "b", for "ab" is a token.
        let naive = |context: &[u32], first: u8| {
            let starts = (0..TEXTS.len() as u32).filter(|&t| TEXTS[t as usize][0] == first);
            let mass = starts.fold(Fraction::new(0, 1), |sum, t| {
                sum.plus(token_mass(&canonical, &[context, &[t]].concat()))
            });
            mass.over(token_mass(&canonical, context))
        };
        assert_eq!(step(Some(b'a'), b'b'), Fraction::new(6, 10));
        assert_eq!(naive(&[id(b"a")], b'b'), Fraction::new(0, 1));
    }
}

#[test]
fn texts_without_covers_are_refused_and_change_nothing() {
    let vocabulary = vocabulary(ABC);
    let toy = Toy { vocabulary: Arc::clone(&vocabulary), seed: 1, spread: 1.0 };
    let mut tree = read(&canonical(&vocabulary, None), &toy, Mode::Canonical, b"ab").unwrap();
    let before = tree.next_byte().unwrap();
    assert!(!tree.push(b'x').unwrap());
    assert_eq!((tree.len(), tree.next_byte().unwrap().log_probs), (2, before.log_probs));
    assert!(tree.push(b'c').unwrap());
}

#[test]
fn bad_logits_are_named() {
    let vocabulary = vocabulary(ABC);
    let mut tree = tree(&canonical(&vocabulary, None), Mode::Canonical);
    let root = tree.needed(0.0)[0].node;
    let good = vec![0.0f32; vocabulary.vocab_size()];
    for (index, value) in [(3, f32::NAN), (0, f32::INFINITY)] {
        let mut bad = good.clone();
        bad[index] = value;
        assert!(matches!(tree.supply(root, &bad), Err(Error::InvalidLogits(_))));
    }
    assert!(matches!(tree.supply(root, &good[1..]), Err(Error::InvalidLogits(_))));
    assert!(matches!(tree.supply(root, &[f32::NEG_INFINITY; 9]), Err(Error::InvalidLogits(_))));
    assert!(matches!(tree.supply(u64::MAX, &good), Err(Error::InvalidArgument(_))));
    let mut none = vec![f32::NEG_INFINITY; vocabulary.vocab_size()];
    none[8] = 0.0; // the end alone
    tree.supply(root, &none).unwrap();
    assert_eq!(tree.next_byte().unwrap().log_probs[END], 0.0);
}

#[test]
fn many_covers_are_a_limit_and_a_beam_bounds_them() {
    let vocabulary = vocabulary(&[b"a", b"aa", b"aaa"]);
    let canonical = canonical(&vocabulary, None);
    let options = TreeOptions { mode: Mode::All, beam: None, max_nodes: 100 };
    let mut tree = CoverTree::new(Arc::clone(&canonical), options).unwrap();
    let outcome = (0..20).map(|_| tree.push(b'a')).find(|pushed| pushed.is_err());
    assert!(matches!(outcome, Some(Err(Error::LimitExceeded { limit: "max_nodes", .. }))));
    let options = TreeOptions { beam: Some(4), ..options };
    let toy = Toy { vocabulary, seed: 3, spread: 2.0 };
    let mut tree = CoverTree::new(Arc::clone(&canonical), options).unwrap();
    for _ in 0..200 {
        open(&mut tree, &toy, 0.0);
        assert!(tree.push(b'a').unwrap());
        assert!(tree.num_nodes() < 40, "{}", tree.num_nodes());
    }
    let options = TreeOptions { mode: Mode::Canonical, beam: Some(4), ..options };
    assert!(matches!(CoverTree::new(canonical, options), Err(Error::InvalidArgument(_))));
}

#[test]
fn long_texts_settle_and_drop_without_recursion() {
    let vocabulary = vocabulary(&[b"a", b"b"]);
    let canonical = canonical(&vocabulary, None);
    let mut tree = tree(&canonical, Mode::Canonical);
    for _ in 0..200_000 {
        assert!(tree.push(b'a').unwrap());
        assert_eq!(tree.num_nodes(), 1);
    }
    drop(tree);
}
