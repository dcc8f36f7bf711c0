//! Einstein summation: products of any number of values, with axes named by letters.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::{Error, Shape};

use crate::error::ErrorKind;
use crate::ir::Graph;
use crate::var::Var;

/// An axis: a letter of the user's, or position `-i` of an ellipsis, counted from its end.
type Label = i32;

/// A value with a label for each axis.
#[derive(Clone)]
struct Term<'g> {
    value: Var<'g>,
    labels: Vec<Label>,
}

impl Graph {
    /// Einstein summation over `operands`: `spec` names each axis by a letter, as in `bij,bjk->bik` for a batch of
    /// matrix products. Letters that the result lacks are summed over; a letter twice in one operand takes the
    /// diagonal; `...` stands for further axes, which broadcast. Without `->` the result has the letters that occur
    /// once, in alphabetical order, behind `...`.
    ///
    /// Operands are multiplied from left to right, each time as one batched matrix product.
    ///
    /// ```
    /// use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let (a, b) = (g.leaf("a", [[1.0, 2.0], [3.0, 4.0]]), g.leaf("b", [[1.0, 1.0], [0.0, 1.0]]));
    /// assert_eq!(g.einsum("ij,kj->ik", &[a, b]).value()?, a.matmul(b.t()).value()?);
    /// assert_eq!(g.einsum("ii", &[a]).value()?.item::<f64>()?, 5.0); // the trace
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn einsum<'g>(&'g self, spec: &str, operands: &[Var<'g>]) -> Var<'g> {
        let _here = self.blame("einsum", Location::caller());
        if let Some(refused) = self.refused("einsum", operands) {
            return refused;
        }
        if let (true, Some(other)) = (operands.len() > 1, operands.iter().find(|o| o.kind() != Kind::Real)) {
            let why = format!("does not multiply {}; cast it with .real() first", other.ty());
            return other.fail(ErrorKind::Kind { op: "einsum", why });
        }
        match parse(spec, operands) {
            Ok((terms, output)) => contract(terms, &output),
            Err(why) => {
                let shapes: Vec<Shape> = operands.iter().map(|o| o.shape()).collect();
                let shapes: Vec<&[usize]> = shapes.iter().map(|s| &s[..]).collect();
                let error = crate::Error::new(Error::shape("einsum", shapes, format!("`{spec}`: {why}")));
                self.poison(error.placed(self.origin(Location::caller())))
            }
        }
    }
}

/// The operands with their labels, and the labels of the result.
fn parse<'g>(spec: &str, operands: &[Var<'g>]) -> Result<(Vec<Term<'g>>, Vec<Label>), String> {
    let spec: String = spec.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match spec.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (&spec[..], None),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() != operands.len() {
        return Err(format!("names {} operands, but {} are given", inputs.len(), operands.len()));
    }
    let mut longest = 0;
    let mut terms = Vec::new();
    for (input, value) in inputs.iter().zip(operands) {
        let rank = value.rank();
        let letters = input.replace("...", "").chars().count();
        let free = if input.contains("...") { rank.checked_sub(letters) } else { Some(0) };
        let labels = labels(input, free.unwrap_or(0))?;
        if labels.len() != rank {
            return Err(format!("`{input}` names {letters} axes of an operand that has {rank}"));
        }
        longest = longest.max(free.unwrap_or(0));
        terms.push(Term { value: *value, labels });
    }
    let output = match output {
        Some(output) => labels_of_output(output, longest, &terms)?,
        None => {
            let mut once: Vec<Label> =
                terms.iter().flat_map(|t| t.labels.clone()).filter(|l| *l > 0).collect();
            once.sort_unstable();
            let all = once.clone();
            once.retain(|l| all.iter().filter(|k| *k == l).count() == 1);
            ellipsis(longest).chain(once).collect()
        }
    };
    lengths_agree(&terms)?;
    Ok((terms, output))
}

fn ellipsis(n: usize) -> impl Iterator<Item = Label> {
    (1..=n as Label).rev().map(|i| -i)
}

fn labels(text: &str, free: usize) -> Result<Vec<Label>, String> {
    let mut out = Vec::new();
    let (before, after) = text.split_once("...").unwrap_or((text, ""));
    let letters = |part: &str, out: &mut Vec<Label>| {
        for c in part.chars() {
            if !c.is_ascii_alphabetic() {
                return Err(format!("`{c}` is not a letter"));
            }
            out.push(c as Label);
        }
        Ok(())
    };
    letters(before, &mut out)?;
    if text.contains("...") {
        out.extend(ellipsis(free));
    }
    letters(after, &mut out)?;
    Ok(out)
}

fn labels_of_output(text: &str, longest: usize, terms: &[Term<'_>]) -> Result<Vec<Label>, String> {
    let found = labels(text, longest)?;
    for (i, label) in found.iter().enumerate() {
        let letter = char::from_u32((*label).max(0) as u32).unwrap_or('?');
        if found[..i].contains(label) {
            return Err(format!("`{letter}` stands twice in the result"));
        }
        if !terms.iter().any(|t| t.labels.contains(label)) {
            return Err(format!("`{letter}` of the result stands in no operand"));
        }
    }
    Ok(found)
}

/// Axes of one letter have one length; those of an ellipsis broadcast.
fn lengths_agree(terms: &[Term<'_>]) -> Result<(), String> {
    let mut known: Vec<(Label, usize)> = Vec::new();
    for term in terms {
        for (label, &n) in term.labels.iter().zip(term.value.shape().iter()) {
            match known.iter_mut().find(|(l, _)| l == label) {
                None => known.push((*label, n)),
                Some((_, m)) if *m == n || (*label < 0 && n == 1) => {}
                Some((_, m)) if *label < 0 && *m == 1 => *m = n,
                Some((_, m)) if *label < 0 => return Err(format!("axes of `...` are {m} and {n} long")),
                Some((_, m)) => {
                    let letter = char::from_u32(*label as u32).unwrap_or('?');
                    return Err(format!("axes named `{letter}` are {m} and {n} long"));
                }
            }
        }
    }
    Ok(())
}

fn contract<'g>(terms: Vec<Term<'g>>, output: &[Label]) -> Var<'g> {
    let mut rest = terms.into_iter().map(Term::diagonals);
    let Some(mut left) = rest.next() else { unreachable!("a spec names at least one operand") };
    let mut rest: Vec<Term<'g>> = rest.collect();
    while !rest.is_empty() {
        let right = rest.remove(0);
        let later = |l: &Label| output.contains(l) || rest.iter().any(|t| t.labels.contains(l));
        left = product(left, right, &later);
        if left.value.is_poisoned() {
            return left.value;
        }
    }
    let left = left.keep(&|l| output.contains(l));
    left.ordered(output)
}

impl<'g> Term<'g> {
    fn length(&self, label: Label) -> usize {
        self.labels.iter().position(|l| *l == label).map_or(1, |i| self.value.shape()[i])
    }

    /// Repeated labels made one: the diagonal of their axes.
    fn diagonals(mut self) -> Self {
        while let Some(i) = (0..self.labels.len()).find(|i| self.labels[..*i].contains(&self.labels[*i])) {
            let label = self.labels[i];
            let Some(first) = self.labels.iter().position(|l| *l == label) else { break };
            let others = (0..self.labels.len()).filter(|a| *a != first && *a != i);
            let order: Vec<usize> = others.chain([first, i]).collect();
            self.value = self.value.permute(order.iter().map(|a| *a as isize).collect::<Vec<_>>()).diagonal();
            self.labels = order[..order.len() - 1].iter().map(|a| self.labels[*a]).collect();
        }
        self
    }

    /// Sums over the axes whose label does not satisfy `wanted`.
    fn keep(self, wanted: &dyn Fn(&Label) -> bool) -> Self {
        let axes: Vec<isize> =
            (0..self.labels.len()).filter(|i| !wanted(&self.labels[*i])).map(|i| i as isize).collect();
        if axes.is_empty() {
            return self;
        }
        Term { value: self.value.sum(&axes), labels: self.labels.into_iter().filter(wanted).collect() }
    }

    /// The value with its axes in the order of `labels`, all of which it has.
    fn ordered(&self, labels: &[Label]) -> Var<'g> {
        let place = |l: &Label| self.labels.iter().position(|k| k == l).map(|i| i as isize);
        self.value.permute(labels.iter().filter_map(place).collect::<Vec<_>>())
    }
}

/// The product of two terms, summed over the labels that are not needed `later`.
fn product<'g>(left: Term<'g>, right: Term<'g>, later: &dyn Fn(&Label) -> bool) -> Term<'g> {
    // An axis of an ellipsis that has length 1 on one side only broadcasts: drop it there.
    let dropped = |a: Term<'g>, b: &Term<'g>| {
        let broadcasts = |l: &Label| *l < 0 && b.labels.contains(l) && a.length(*l) == 1 && b.length(*l) != 1;
        let gone: Vec<Label> = a.labels.iter().copied().filter(|l| broadcasts(l)).collect();
        a.keep(&|l| !gone.contains(l))
    };
    let left = dropped(left, &right);
    let right = dropped(right, &left);
    let left_needs = |l: &Label| later(l) || right.labels.contains(l);
    let left = left.clone().keep(&left_needs);
    let right_needs = |l: &Label| later(l) || left.labels.contains(l);
    let right = right.clone().keep(&right_needs);

    let shared = |l: &&Label| right.labels.contains(l);
    let batch: Vec<Label> = left.labels.iter().filter(shared).filter(|l| later(l)).copied().collect();
    let inner: Vec<Label> = left.labels.iter().filter(shared).filter(|l| !later(l)).copied().collect();
    let only = |a: &Term<'g>, b: &Term<'g>| -> Vec<Label> {
        a.labels.iter().filter(|l| !b.labels.contains(l)).copied().collect()
    };
    let (rows, columns) = (only(&left, &right), only(&right, &left));
    let sizes = |term: &Term<'g>, labels: &[Label]| -> Vec<usize> {
        labels.iter().map(|l| term.length(*l)).collect()
    };
    let size = |term: &Term<'g>, labels: &[Label]| -> usize { sizes(term, labels).iter().product() };
    let matrix = |term: &Term<'g>, first: &[Label], second: &[Label]| {
        let order: Vec<Label> = batch.iter().chain(first).chain(second).copied().collect();
        let shape: Shape =
            sizes(term, &batch).into_iter().chain([size(term, first), size(term, second)]).collect();
        term.ordered(&order).reshape_to(shape)
    };
    let value = matrix(&left, &rows, &inner).matmul(matrix(&right, &inner, &columns));
    let lengths = sizes(&left, &batch).into_iter().chain(sizes(&left, &rows)).chain(sizes(&right, &columns));
    Term {
        value: value.reshape_to(lengths.collect()),
        labels: batch.iter().chain(&rows).chain(&columns).copied().collect(),
    }
}
