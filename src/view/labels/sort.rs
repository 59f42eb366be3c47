//! A counting sort of label sets.

/// The order of label sets, given the text numbers of each set and how many texts each label has: one stable counting
/// sort for each label, from the last to the first.
pub(in crate::view) fn in_order(numbers: &[u32], counts: Vec<usize>) -> Vec<u32> {
    let width = counts.len().max(1);
    let mut order: Vec<u32> = (0u32..).take(numbers.len() / width).collect();
    let mut sorted = vec![0; order.len()];
    for (label, count) in counts.into_iter().enumerate().rev() {
        let number = |set: u32| numbers[set as usize * width + label] as usize;
        let mut starts = vec![0_usize; count + 1];
        for &set in &order {
            starts[number(set) + 1] += 1;
        }
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        for &set in &order {
            let position = &mut starts[number(set)];
            sorted[*position] = set;
            *position += 1;
        }
        std::mem::swap(&mut order, &mut sorted);
    }
    order
}
