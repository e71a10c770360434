//! The automaton against a backtracking matcher, which shares only the parsed pattern's text with it.

use super::*;
use proptest::prelude::*;

const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// GPT-2's pattern by hand: the longest run of each kind, first rule first.
fn gpt2_cuts(text: &str) -> Vec<usize> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let kind = |c: char| match c {
        c if c.is_whitespace() => 0,
        'a'..='z' | 'A'..='Z' | 'é' => 1,
        '0'..='9' => 2,
        _ => 3,
    };
    let end_of_run = |mut i: usize, k: u8| {
        while chars.get(i).is_some_and(|&(_, c)| kind(c) == k) {
            i += 1;
        }
        i
    };
    let (mut at, mut cuts) = (0, vec![]);
    while at < chars.len() {
        let rest = &text[chars[at].0..];
        let contraction =
            ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].into_iter().find(|c| rest.starts_with(c));
        let after_space = at + usize::from(chars[at].1 == ' ');
        let next = chars.get(after_space).map(|&(_, c)| kind(c)).filter(|&k| k > 0);
        at = match (contraction, next) {
            (Some(contraction), _) => at + contraction.len(),
            (None, Some(k)) => end_of_run(after_space, k),
            (None, None) => match end_of_run(at, 0) {
                end if end < chars.len() && end - at > 1 => end - 1,
                end => end,
            },
        };
        cuts.push(chars.get(at).map_or(text.len(), |&(offset, _)| offset));
    }
    cuts
}

#[test]
fn known_cuts() {
    let pieces = |pattern: &str, text: &str| {
        let cuts = Splitter::new(pattern).unwrap().cuts(text).unwrap();
        let mut start = 0;
        cuts.iter().map(|&end| text[std::mem::replace(&mut start, end)..end].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        pieces(GPT2, "I'll go  there\t\tx 12  "),
        ["I", "'ll", " go", " ", " there", "\t", "\t", "x", " 12", "  "]
    );
    assert_eq!(
        pieces(LLAMA3, "it'S 12345\n\n  x\t\ty"),
        ["it", "'S", " ", "123", "45", "\n\n", " ", " x", "\t", "\ty"]
    );
    assert_eq!(pieces(TEKKEN, "HelloWorld 12//\n."), ["Hello", "World", " ", "1", "2", "//\n", "."]);
    assert_eq!(pieces(GPT2, ""), Vec::<String>::new());
}

#[test]
fn a_lookahead_that_may_still_fail_keeps_both_guesses() {
    let splitter = Splitter::new(GPT2).unwrap();
    let mut walker = splitter.walker();
    let [space, letter] = [' ', 'x'].map(|c| walker.class_of(c));
    let one = walker.step(StateId::START, space, Cut::NotHere).unwrap();
    let (joined, cut) =
        (walker.step(one, space, Cut::NotHere).unwrap(), walker.step(one, space, Cut::Here).unwrap());
    assert!(joined != StateId::DEAD && cut != StateId::DEAD);
    assert!(walker.may_end(joined) && !walker.may_end(cut), "two spaces at the end are one piece");
    assert_eq!(walker.step(joined, letter, Cut::NotHere).unwrap(), StateId::DEAD);
    assert_ne!(walker.step(cut, letter, Cut::NotHere).unwrap(), StateId::DEAD);
    // With a cut before the second space, a third is no way on: the first two would have been one piece.
    assert_eq!(walker.step(cut, space, Cut::NotHere).unwrap(), StateId::DEAD);
}

#[test]
fn what_cannot_be_exact_is_refused() {
    for pattern in
        ["a*", "a", r"\p{L}++|.", r"(?<=a)b|(?s:.)", r"^a|(?s:.)", r"a(?!bc)|(?s:.)", "(", r"a(?=b)|(?s:.)"]
    {
        assert!(matches!(Splitter::new(pattern), Err(Error::UnsupportedTokenizer(_))), "{pattern}");
    }
}

proptest! {
    #[test]
    fn cuts_are_those_of_the_pattern(text in r"[ \tas'relvtmdx12.!é\n]{0,14}") {
        prop_assert_eq!(Splitter::new(GPT2).unwrap().cuts(&text).unwrap(), gpt2_cuts(&text));
    }

    /// Every prefix of the true cuts is alive, and no state is alive that no continuation saves.
    #[test]
    fn every_prefix_of_a_text_is_alive(text in r"[ \tas'L12.é\n]{0,10}") {
        for pattern in [GPT2, LLAMA3, TEKKEN] {
            let splitter = Splitter::new(pattern).unwrap();
            let cuts = splitter.cuts(&text).unwrap();
            prop_assert_eq!(cuts.last().copied().unwrap_or(0), text.len());
            let mut walker = splitter.walker();
            let mut state = StateId::START;
            for (at, c) in text.char_indices() {
                let cut = if cuts.contains(&at) { Cut::Here } else { Cut::NotHere };
                let class = walker.class_of(c);
                state = walker.step(state, class, cut).unwrap();
                prop_assert_ne!(state, StateId::DEAD);
            }
            prop_assert!(walker.may_end(state));
        }
    }
}
