//! Exponentials of many numbers at once.
//!
//! A row of logits asks for one exponential for each token, so this is written without branches and calls: compilers then
//! compute several at a time, and more where the processor has AVX2. With fused multiplication and addition the last bit may
//! be another, as it may with every `ln`.

/// How many are computed together.
pub(crate) const LANES: usize = 32;

/// The exponential of a number that is not positive, within an ulp: `x = k ln 2 + r`, a polynomial for `r`, and `k` as the
/// exponent's bits. Below -708 it is 0.
#[inline(always)]
fn exp<const FUSED: bool>(x: f64) -> f64 {
    /// Adding it rounds to an integer, which stands in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// ln 2 in two parts: the first times `k` is exact.
    const LN_2: (f64, f64) = (0.693_147_180_369_123_8, 1.908_214_929_270_587_7e-10);
    /// `(e^r - 1 - r) / r^2` for `|r| <= ln 2 / 2`, the lowest power first: interpolated at Chebyshev's points, so that
    /// `e^r` is off by 1.6e-17 at most.
    const C: [f64; 10] = [
        0.500_000_000_000_000_1,
        0.166_666_666_666_666_69,
        0.041_666_666_666_624_13,
        0.008_333_333_333_330_062,
        0.001_388_888_891_721_371_7,
        0.000_198_412_698_630_536_18,
        2.480_152_129_595_437_6e-5,
        2.755_726_845_999_706_4e-6,
        2.762_008_844_540_974_6e-7,
        2.510_038_549_551_032e-8,
    ];
    let add = add_product::<FUSED>;
    let clamped = if x > -708.0 { x } else { -708.0 };
    let shifted = add(ROUND, clamped, std::f64::consts::LOG2_E);
    let k = shifted - ROUND;
    let r = add(add(clamped, k, -LN_2.0), k, -LN_2.1);
    // By halves, as steps that wait for each other take longer than steps.
    let (r2, r4) = (r * r, (r * r) * (r * r));
    let low = add(add(C[0], C[1], r), add(C[2], C[3], r), r2);
    let high = add(add(C[4], C[5], r), add(C[6], C[7], r), r2);
    let p = add(low, add(high, add(C[8], C[9], r), r4), r4);
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    let value = (1.0 + add(r, r2, p)) * power;
    if x < -708.0 { 0.0 } else { value }
}

/// `a + b * c`, rounded once or twice.
#[inline(always)]
fn add_product<const FUSED: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FUSED { b.mul_add(c, a) } else { a + b * c }
}

/// Whether every processor of this kind fuses.
const ALWAYS_FUSED: bool = cfg!(target_feature = "fma") || cfg!(target_arch = "aarch64");

/// Writes `exp(logits[ids[i]] - max)` to `weights[i]`, or 0 where bit `i` of `allowed` is not set, and returns the sum of all
/// exponentials, those included. No logit is above `max`.
///
/// # Panics
/// For ids past the logits. `weights` is as long as `ids`, and `allowed` as many words as cover it.
pub(crate) fn weigh<T: Copy + Into<f64>>(
    logits: &[T],
    ids: &[u32],
    max: f64,
    allowed: Option<&[u32]>,
    weights: &mut [f64],
) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        // SAFETY: the processor has both.
        return unsafe { weigh_avx2(logits, ids, max, allowed, weights) };
    }
    weigh_by_lanes::<ALWAYS_FUSED, T>(logits, ids, max, allowed, weights)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn weigh_avx2<T: Copy + Into<f64>>(
    logits: &[T],
    ids: &[u32],
    max: f64,
    allowed: Option<&[u32]>,
    weights: &mut [f64],
) -> f64 {
    weigh_by_lanes::<true, T>(logits, ids, max, allowed, weights)
}

#[inline(always)]
fn weigh_by_lanes<const FUSED: bool, T: Copy + Into<f64>>(
    logits: &[T],
    ids: &[u32],
    max: f64,
    allowed: Option<&[u32]>,
    weights: &mut [f64],
) -> f64 {
    let mut sums = [0.0; LANES];
    let chunks = ids.chunks(LANES).zip(weights.chunks_mut(LANES));
    for (chunk, (ids, weights)) in chunks.enumerate() {
        let word = allowed.map_or(u32::MAX, |allowed| allowed[chunk]);
        // What is missing in the last chunk weighs nothing.
        let mut lanes = [f64::NEG_INFINITY; LANES];
        for (lane, &id) in lanes.iter_mut().zip(ids) {
            *lane = logits[id as usize].into();
        }
        for i in 0..LANES {
            let value = exp::<FUSED>(lanes[i] - max);
            sums[i] += value;
            let keep = u64::from(word >> i & 1).wrapping_neg();
            lanes[i] = f64::from_bits(value.to_bits() & keep);
        }
        weights.copy_from_slice(&lanes[..weights.len()]);
    }
    sum(&sums)
}

/// The largest logit; or the place of one that is NaN or plus infinity.
pub(crate) fn largest<T: Copy + Into<f64>>(logits: &[T]) -> Result<f64, usize> {
    let mut largest = [f64::NEG_INFINITY; 16];
    let mut wrong = [0; 16];
    for chunk in logits.chunks(16) {
        for ((&logit, largest), wrong) in chunk.iter().zip(&mut largest).zip(&mut wrong) {
            let logit: f64 = logit.into();
            *wrong |= u64::from(is_wrong(logit));
            *largest = if logit > *largest { logit } else { *largest };
        }
    }
    if wrong != [0; 16] {
        return Err(logits.iter().position(|&logit| is_wrong(logit.into())).unwrap_or(0));
    }
    Ok(largest.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

fn is_wrong(logit: f64) -> bool {
    logit.is_nan() | (logit == f64::INFINITY)
}

/// A sum in eight parts, which do not wait for each other.
#[inline]
pub(crate) fn sum(values: &[f64]) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut parts = [0.0; 8];
    for chunk in chunks {
        for i in 0..8 {
            parts[i] += chunk[i];
        }
    }
    for (i, value) in rest.iter().enumerate() {
        parts[i] += value;
    }
    ((parts[0] + parts[4]) + (parts[2] + parts[6])) + ((parts[1] + parts[5]) + (parts[3] + parts[7]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn exp_is_the_exponential(far in -708.0f64..0.0, near in -1.0f64..0.0) {
            for x in [far, near] {
                for got in [exp::<false>(x), exp::<true>(x)] {
                    prop_assert!((got / x.exp() - 1.0).abs() < 4.5e-16, "{got} for {}", x.exp());
                }
            }
        }
    }

    #[test]
    fn exp_at_its_ends() {
        for exp in [exp::<false>, exp::<true>] {
            let values = [0.0, -0.0, f64::NEG_INFINITY, -1e9, -708.5].map(exp);
            assert_eq!(values, [1.0, 1.0, 0.0, 0.0, 0.0]);
            assert!(exp(-708.0) > 0.0);
        }
    }

    proptest! {
        /// Of all lengths, with and without bits.
        #[test]
        fn weighing_is_what_it_says(
            logits in prop::collection::vec(-800.0f32..800.0, 1..100),
            picks in prop::collection::vec(0usize..1000, 0..100),
            words in prop::collection::vec(any::<u32>(), 4),
        ) {
            let ids: Vec<u32> = picks.iter().map(|pick| (pick % logits.len()) as u32).collect();
            let max = largest(&logits).unwrap();
            prop_assert_eq!(max, f64::from(logits.iter().copied().fold(f32::MIN, f32::max)));
            for allowed in [None, Some(words.as_slice())] {
                for weigh in [weigh, weigh_by_lanes::<false, f32>, weigh_by_lanes::<true, f32>] {
                    let mut weights = vec![9.0; ids.len()];
                    let total = weigh(&logits, &ids, max, allowed, &mut weights);
                    let values: Vec<f64> =
                        ids.iter().map(|&id| (f64::from(logits[id as usize]) - max).max(-750.0).exp()).collect();
                    let close = |got: f64, want: f64| (got - want).abs() <= 1e-14 * want + 1e-300;
                    prop_assert!(close(total, values.iter().sum()));
                    for (i, (&weight, &value)) in weights.iter().zip(&values).enumerate() {
                        let keeps = allowed.is_none_or(|words| words[i / 32] >> (i % 32) & 1 == 1);
                        let is_right = if keeps { close(weight, value) } else { weight == 0.0 };
                        prop_assert!(is_right, "{weight} for {value}");
                    }
                }
            }
        }
    }

    #[test]
    fn wrong_logits_are_found() {
        for wrong in [f64::NAN, f64::INFINITY] {
            for at in [0, 31, 32, 39] {
                let mut logits = [0.5; 40];
                logits[at] = wrong;
                assert_eq!(largest(&logits), Err(at));
            }
        }
        assert_eq!(largest(&[f64::NEG_INFINITY; 40]), Ok(f64::NEG_INFINITY));
        assert_eq!(largest::<f64>(&[]), Ok(f64::NEG_INFINITY));
    }
}
