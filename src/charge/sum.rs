//! A compensated sum (Neumaier): within 1e-12 of the absolute amounts, in any order.

/// A sum and its compensation for lost low-order digits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    /// Adds a finite number.
    pub fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    /// The sum. Never a negative zero; on overflow the largest finite number.
    pub fn value(&self) -> f64 {
        let value = self.sum + self.lost;
        if value.is_finite() {
            value + 0.0
        } else {
            f64::MAX.copysign(self.sum)
        }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::default();
        for value in values {
            sum.add(value);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The exact sum of amounts given in units of 1e-6.
    fn exact(micros: &[i64]) -> i128 {
        micros.iter().map(|&amount| i128::from(amount)).sum()
    }

    #[test]
    fn half_cents_and_cancellation_survive() {
        for (amounts, want) in [
            (&[0.005; 3][..], 0.015),
            (&[1e16, 1.0, -1e16][..], 1.0),
            (&[1.0, 1e100, 1.0, -1e100][..], 2.0),
            (&[-0.0][..], 0.0),
            (&[][..], 0.0),
        ] {
            let sum: Sum = amounts.iter().copied().collect();
            assert_eq!(sum.value().to_bits(), f64::to_bits(want), "{amounts:?}");
        }
        let overflow: Sum = [f64::MAX, f64::MAX].into_iter().collect();
        assert!(overflow.value().is_finite());
    }

    proptest! {
        #[test]
        #[expect(clippy::cast_precision_loss, reason = "the reference is compared as f64")]
        fn order_of_rows_does_not_matter(
            mut micros in prop::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000, 0..400),
            turn in 0usize..400,
        ) {
            let want = exact(&micros) as f64 / 1e6;
            let gross = micros.iter().map(|amount| amount.unsigned_abs() as f64 / 1e6).sum::<f64>();
            let middle = turn % micros.len().max(1);
            if !micros.is_empty() {
                micros.rotate_left(middle);
            }
            let sum: Sum = micros.iter().map(|&amount| amount as f64 / 1e6).collect();
            prop_assert!((sum.value() - want).abs() <= gross * 1e-12);
        }
    }
}
