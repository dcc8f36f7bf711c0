//! Training, development and test parts.

use chainrule_tensor::Key;

use super::Dataset;
use crate::{Error, Result};

impl Dataset {
    /// The same examples in an order drawn by `key`.
    pub fn shuffled(&self, key: Key) -> Result<Self> {
        self.select(&key.permutation(self.examples())?)
    }

    /// Parts of the given sizes (fractions that sum to 1), each example in exactly one, drawn by `key`.
    ///
    /// ```
    /// use chainrule_nn::data::digits;
    /// use chainrule_tensor::Key;
    ///
    /// let [train, dev, test] = digits()?.split([0.6, 0.2, 0.2], Key::new(1).named("split"))?;
    /// assert_eq!([train.examples(), dev.examples(), test.examples()], [1078, 360, 359]);
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for fractions that are not positive, do not sum to 1, or leave a part empty.
    pub fn split<const N: usize>(&self, fractions: [f64; N], key: Key) -> Result<[Self; N]> {
        self.cut("Dataset::split", fractions, &key.permutation(self.examples())?)
    }

    /// Like [`split`](Dataset::split), but each part has each class in the proportion of the whole, as
    /// nearly as whole examples allow: small parts of unbalanced data keep their rare classes.
    ///
    /// ```
    /// use chainrule_nn::data::iris;
    /// use chainrule_tensor::Key;
    ///
    /// let [train, test] = iris()?.split_stratified([0.8, 0.2], Key::new(1))?;
    /// assert_eq!(train.class_counts(), Some(vec![40, 40, 40]));
    /// assert_eq!(test.class_counts(), Some(vec![10, 10, 10]));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`split`](Dataset::split), and [`Error::Argument`] unless each example has one label.
    pub fn split_stratified<const N: usize>(&self, fractions: [f64; N], key: Key) -> Result<[Self; N]> {
        let op = "Dataset::split_stratified";
        let (Some(counts), [_], Some(labels)) =
            (self.class_counts(), self.targets().shape(), self.targets().as_slice::<i64>())
        else {
            return Err(Error::argument(
                op,
                "needs one class label an example; use `split` for other targets",
            ));
        };
        // Spread each class evenly over 0..1 and go through all classes by that position: then every
        // stretch of the order holds every class in proportion, wherever it is cut.
        let mut seen = vec![0_usize; counts.len()];
        let mut placed: Vec<(f64, usize)> = Vec::with_capacity(labels.len());
        for row in key.permutation(self.examples())? {
            let class = labels[row] as usize;
            placed.push(((seen[class] as f64 + 0.5) / counts[class] as f64, row));
            seen[class] += 1;
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0));
        let order: Vec<usize> = placed.into_iter().map(|(_, row)| row).collect();
        self.cut(op, fractions, &order)
    }

    fn cut<const N: usize>(
        &self,
        op: &'static str,
        fractions: [f64; N],
        order: &[usize],
    ) -> Result<[Self; N]> {
        let sum: f64 = fractions.iter().sum();
        if !fractions.iter().all(|f| *f > 0.0) || (sum - 1.0).abs() > 1e-6 {
            let why = format!("fractions {fractions:?} must be positive and sum to 1 (they sum to {sum})");
            return Err(Error::argument(op, why));
        }
        let m = order.len();
        let (mut parts, mut done, mut below) = (Vec::with_capacity(N), 0, 0.0);
        for fraction in fractions {
            below += fraction;
            let end = ((below * m as f64).round() as usize).min(m);
            if end == done {
                let why = format!("a fraction of {fraction} of {m} examples would be an empty part");
                return Err(Error::argument(op, why));
            }
            parts.push(self.select(&order[done..end])?);
            done = end;
        }
        parts.try_into().map_err(|_| Error::argument(op, "at least one fraction is needed"))
    }
}

#[cfg(test)]
mod tests {
    use chainrule_tensor::Tensor;
    use proptest::prelude::*;

    use super::*;

    /// Examples that carry their own number, so that every one can be found again.
    fn numbered(labels: &[i64], classes: usize) -> Dataset {
        let m = labels.len();
        let features = Tensor::from_vec((0..m).map(|i| i as f32).collect(), [m, 1]).unwrap();
        let labels = Tensor::from_vec(labels.to_vec(), m).unwrap();
        Dataset::classification(features, labels, classes).unwrap()
    }

    fn numbers(data: &Dataset) -> Vec<usize> {
        data.features().as_slice::<f32>().unwrap().iter().map(|x| *x as usize).collect()
    }

    proptest! {
        #[test]
        fn parts_hold_every_example_once_with_its_own_label(
            labels in proptest::collection::vec(0..4_i64, 20..200),
            seed in any::<u64>(),
            stratified in any::<bool>(),
        ) {
            let (data, key) = (numbered(&labels, 4), Key::new(seed));
            let fractions = [0.7, 0.2, 0.1];
            let parts =
                if stratified { data.split_stratified(fractions, key) } else { data.split(fractions, key) };
            let parts = parts.unwrap();
            for part in &parts {
                let own = part.targets().as_slice::<i64>().unwrap();
                prop_assert!(numbers(part).iter().zip(own).all(|(i, label)| labels[*i] == *label));
            }
            for (part, fraction) in parts.iter().zip(fractions) {
                prop_assert!((part.examples() as f64 - fraction * labels.len() as f64).abs() <= 1.0);
            }
            let mut all: Vec<usize> = parts.iter().flat_map(numbers).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        }

        #[test]
        fn stratified_parts_keep_the_proportions(
            labels in proptest::collection::vec(0..3_i64, 30..300),
            seed in any::<u64>(),
        ) {
            let data = numbered(&labels, 3);
            let fractions = [0.5, 0.3, 0.2];
            let whole = data.class_counts().unwrap();
            let parts = data.split_stratified(fractions, Key::new(seed)).unwrap();
            for (part, fraction) in parts.iter().zip(fractions) {
                for (count, of) in part.class_counts().unwrap().into_iter().zip(&whole) {
                    // Two cuts, each of which rounds every class.
                    prop_assert!((count as f64 - fraction * *of as f64).abs() <= 3.0);
                }
            }
        }

        #[test]
        fn the_key_decides(seed in any::<u64>()) {
            let data = numbered(&[0; 50], 1);
            let order = |seed| numbers(&data.shuffled(Key::new(seed)).unwrap());
            prop_assert_eq!(order(seed), order(seed));
            prop_assert_ne!(order(seed), order(seed ^ 1));
        }
    }

    #[test]
    fn fractions_are_checked() {
        let data = numbered(&[0; 10], 1);
        let error = |fractions: [f64; 2]| data.split(fractions, Key::new(0)).unwrap_err().to_string();
        assert!(error([0.8, 0.3]).contains("sum to 1"));
        assert!(error([1.5, -0.5]).contains("positive"));
        assert!(error([f64::NAN, 0.5]).contains("positive"));
        assert!(error([0.99, 0.01]).contains("0.01 of 10 examples would be an empty part"));
        assert!(data.split([], Key::new(0)).is_err());
    }

    #[test]
    fn only_labels_can_be_stratified() {
        let features = Tensor::from_vec(vec![0.0_f32; 4], [4, 1]).unwrap();
        let data = Dataset::regression(features.clone(), features).unwrap();
        let error = data.split_stratified([0.5, 0.5], Key::new(0)).unwrap_err();
        assert!(error.to_string().contains("use `split`"), "{error}");
    }
}
