//! Datasets from tables: which columns are features, which are targets.

use chainrule_tensor::Tensor;

use super::{Column, Header, Table};
use crate::data::names::listed;
use crate::data::{Classes, Dataset};
use crate::{Error, Result};

impl Table {
    /// A dataset that predicts the class in the `target` column from all other columns, which are numbers.
    ///
    /// Each distinct text in the target column is a class; labels count the [`categories`](Table::categories). Another
    /// file of the same kind is read with [`classification_like`](Table::classification_like), so that its labels mean
    /// the same.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column or no other, [`Error::Cell`] for a cell that is not a
    /// finite number or a class that is missing.
    pub fn classification(&self, target: impl Into<Column>) -> Result<Dataset> {
        let target = target.into();
        let classes = self.categories(target.clone())?;
        self.classified("Table::classification", &target, &classes, None)
    }

    /// As [`classification`](Table::classification), with the classes of `known`, such as the training set, and its
    /// features: found by name and put in its order, where it knows their names.
    ///
    /// ```
    /// use chainrule_nn::data::{Header, Table};
    ///
    /// let read = |csv: &str| Table::parse(csv.as_bytes(), "fruit.csv", Header::Names);
    /// let train = read("size,kind\n1,fig\n2,kiwi\n3,lime\n")?.classification("kind")?;
    /// let test = read("size,kind\n2,kiwi\n3,lime\n")?.classification_like("kind", &train)?;
    /// assert_eq!(test.targets().as_slice::<i64>(), Some(&[1, 2][..]));
    /// # Ok::<(), chainrule_nn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`classification`](Table::classification); [`Error::Cell`] for a class that `known` lacks,
    /// [`Error::Argument`] if the features are others.
    pub fn classification_like(&self, target: impl Into<Column>, known: &Dataset) -> Result<Dataset> {
        let op = "Table::classification_like";
        let Some(classes) = known.classes() else {
            return Err(Error::argument(op, "the targets of the other data are numbers, not classes"));
        };
        self.classified(op, &target.into(), classes, Some(known))
    }

    fn classified(
        &self,
        op: &'static str,
        target: &Column,
        classes: &Classes,
        like: Option<&Dataset>,
    ) -> Result<Dataset> {
        let target = self.find(op, target)?;
        let others = self.others(op, &[target], like)?;
        let labels = Tensor::from_vec(self.labels(target, classes)?, self.rows())?;
        let data = Dataset::classification(self.numbers(&others)?, labels, classes)?;
        self.named(data, &others, like)
    }

    /// A dataset that predicts the numbers in the `targets` columns, (m, k), from all other columns.
    ///
    /// # Errors
    /// [`Error::Argument`] if there is no such column or no other, [`Error::Cell`] for a cell that is not a
    /// finite number.
    pub fn regression<C: Into<Column>>(&self, targets: impl IntoIterator<Item = C>) -> Result<Dataset> {
        self.measured("Table::regression", targets.into_iter().map(Into::into).collect(), None)
    }

    /// As [`regression`](Table::regression), with the features of `known`, such as the training set: found by name and
    /// put in its order, where it knows their names.
    ///
    /// # Errors
    /// As [`regression`](Table::regression); [`Error::Argument`] if the features are others.
    pub fn regression_like<C: Into<Column>>(
        &self,
        targets: impl IntoIterator<Item = C>,
        known: &Dataset,
    ) -> Result<Dataset> {
        self.measured("Table::regression_like", targets.into_iter().map(Into::into).collect(), Some(known))
    }

    fn measured(&self, op: &'static str, targets: Vec<Column>, like: Option<&Dataset>) -> Result<Dataset> {
        let targets: Vec<usize> =
            targets.iter().map(|column| self.find(op, column)).collect::<Result<_>>()?;
        let others = self.others(op, &targets, like)?;
        let data = Dataset::regression(self.numbers(&others)?, self.numbers(&targets)?)?;
        self.named(data, &others, like)
    }

    /// Data whose features are `columns`, with their names; positions are none, unless `like` has names.
    fn named(&self, data: Dataset, columns: &[usize], like: Option<&Dataset>) -> Result<Dataset> {
        let known = like.and_then(|data| data.names().features());
        match (self.header, known) {
            (Header::Names, _) => data.with_feature_names(columns.iter().map(|c| &self.names[*c])),
            (Header::None, Some(names)) => data.with_feature_names(names),
            (Header::None, None) => Ok(data),
        }
    }

    /// The columns that are no targets, in the order of the features that `like` names.
    fn others(&self, op: &'static str, targets: &[usize], like: Option<&Dataset>) -> Result<Vec<usize>> {
        let mut others: Vec<usize> = (0..self.columns.len()).filter(|at| !targets.contains(at)).collect();
        if others.is_empty() {
            let mut why = format!("{} has no column left to predict from", self.source);
            if let Some(mark) =
                self.names.iter().find_map(|name| name.chars().find(|c| matches!(c, ';' | '\t' | '|')))
            {
                why +=
                    &format!("; its cells seem to be separated by {mark:?}, which `parse_separated` reads");
            }
            return Err(Error::argument(op, why));
        }
        let Some(like) = like else { return Ok(others) };
        match like.names().features().filter(|_| self.header == Header::Names) {
            Some(wanted) => {
                let mut own: Vec<&String> = others.iter().map(|c| &self.names[*c]).collect();
                let place = |name: &String| self.names.iter().position(|n| n == name);
                let order: Option<Vec<usize>> = wanted.iter().map(place).collect();
                own.sort_unstable();
                let mut sorted: Vec<&String> = wanted.iter().collect();
                sorted.sort_unstable();
                match order {
                    Some(order) if own == sorted => others = order,
                    _ => {
                        let lacks: Vec<&String> =
                            sorted.iter().filter(|n| !own.contains(n)).copied().collect();
                        let more: Vec<&String> =
                            own.iter().filter(|n| !sorted.contains(n)).copied().collect();
                        let why = format!(
                            "{} has other features than the data it is to be like: it lacks {} and has besides {}",
                            self.source,
                            listed(&lacks),
                            listed(&more)
                        );
                        return Err(Error::argument(op, why));
                    }
                }
            }
            None => {
                let wanted = like.example_shape().size();
                if others.len() != wanted {
                    let why = format!("{} has {} features, not {wanted}", self.source, others.len());
                    return Err(Error::argument(op, why));
                }
            }
        }
        Ok(others)
    }
}
