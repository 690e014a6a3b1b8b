//! One sort for all lists: that of the standard library is 4 kB of code for each type it sorts.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Sorts by `compare`; what it calls equal stays in its order.
pub fn by<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let order =
        order(items.len(), &|a, b| items.get(a).zip(items.get(b)).map(|(a, b)| compare(a, b)));
    let mut unsorted: Vec<Option<T>> = items.drain(..).map(Some).collect();
    items.extend(order.into_iter().filter_map(|at| unsorted.get_mut(at)?.take()));
}

/// A map of pairs; of those with an equal key the last. To collect a map sorts the pairs first, with
/// a sort for their type.
pub fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(pairs);
    map
}

/// The places of so many items in their new order.
fn order(items: usize, compare: &dyn Fn(usize, usize) -> Option<Ordering>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items).collect();
    order.sort_by(|a, b| compare(*a, *b).expect("it is the place of an item"));
    order
}

#[cfg(test)]
mod tests {
    #[test]
    fn equal_ones_stay_in_their_order() {
        let mut words = vec!["b2", "a2", "b1", "c", "a1"];
        super::by(&mut words, |a, b| a.chars().next().cmp(&b.chars().next()));
        assert_eq!(words, ["a2", "a1", "b2", "b1", "c"]);
    }
}
