//! What was used last, up to a bound: plans by signature, and values that were asked for.

use std::collections::HashMap;
use std::hash::Hash;

/// A map that holds no more than its capacity: what was not used for the longest time makes room.
///
/// ```
/// use chainrule_graph::Cache;
/// let mut squares = Cache::new(2);
/// for n in [3, 4, 3, 5] {
///     assert_eq!(*squares.get_or_make(&n, || Ok::<_, ()>(n * n)).expect("made"), n * n);
/// }
/// assert!(squares.len() == 2 && squares.get(&4).is_none()); // 3 was used after it
/// ```
#[derive(Debug)]
pub struct Cache<K, V> {
    /// Each value with the time of its last use.
    entries: HashMap<K, (u64, V)>,
    capacity: usize,
    time: u64,
}

impl<K: Hash + Eq + Clone, V> Cache<K, V> {
    /// An empty one for `capacity` entries, one at least.
    pub fn new(capacity: usize) -> Self {
        Cache { entries: HashMap::new(), capacity: capacity.max(1), time: 0 }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Another capacity, one at least; what has no place any more is forgotten.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.capacity = capacity.max(1);
        while self.entries.len() > self.capacity {
            self.forget_oldest();
        }
    }

    /// What is known for `key`, which is used by this.
    pub fn get(&mut self, key: &K) -> Option<&mut V> {
        self.time += 1;
        let (used, value) = self.entries.get_mut(key)?;
        *used = self.time;
        Some(value)
    }

    /// What is known for `key`, or what `make` gives, which is known from now on.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_make<E>(&mut self, key: &K, make: impl FnOnce() -> Result<V, E>) -> Result<&mut V, E> {
        if !self.entries.contains_key(key) {
            let value = make()?;
            self.insert(key.clone(), value);
        }
        match self.get(key) {
            Some(value) => Ok(value),
            None => unreachable!("inserted above"),
        }
    }

    /// Knows `value` for `key` from now on.
    pub fn insert(&mut self, key: K, value: V) {
        if !self.entries.contains_key(&key) && self.entries.len() == self.capacity {
            self.forget_oldest();
        }
        self.time += 1;
        self.entries.insert(key, (self.time, value));
    }

    /// Forgets the entries whose keys do not pass `keep`.
    pub(crate) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.entries.retain(|key, _| keep(key));
    }

    /// All entries, in no order; none is used by this.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (_, value))| (key, value))
    }

    fn forget_oldest(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, (used, _))| *used);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }
}

/// One for 64 entries.
impl<K: Hash + Eq + Clone, V> Default for Cache<K, V> {
    fn default() -> Self {
        Cache::new(64)
    }
}
