//! The order of the cells within each layer, with few crossings.

use crate::layers::Layers;

/// Sweeps over all layers; more of them seldom help.
const SWEEPS: usize = 16;

/// Orders the cells of each layer by the mean place of their neighbours, sweeping right and left; the order with
/// the fewest crossings is kept.
pub(crate) fn arrange(layers: &mut Layers) {
    let mut place = places(layers);
    let mut best = (crossings(layers, &place), layers.rows.clone());
    for sweep in 0..SWEEPS {
        if best.0 == 0 {
            break;
        }
        let rightward = sweep % 2 == 0;
        for step in 0..layers.rows.len() {
            let r = if rightward { step } else { layers.rows.len() - 1 - step };
            let mean = |c: usize| mean(layers, &place, c, rightward);
            let mut keyed: Vec<(f64, usize)> = layers.rows[r].iter().map(|&c| (mean(c), c)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers.rows[r] = keyed.into_iter().map(|(_, c)| c).collect();
            layers.rows[r].iter().enumerate().for_each(|(i, &c)| place[c] = i as f64);
        }
        let found = crossings(layers, &place);
        if found < best.0 {
            best = (found, layers.rows.clone());
        }
    }
    layers.rows = best.1;
}

fn places(layers: &Layers) -> Vec<f64> {
    let mut place = vec![0.0; layers.cells.len()];
    for row in &layers.rows {
        row.iter().enumerate().for_each(|(i, &c)| place[c] = i as f64);
    }
    place
}

/// Where on its cell a wire is fastened, as a fraction of a place in the order.
fn fraction(layers: &Layers, cell: usize, height: f64) -> f64 {
    let whole = layers.cells[cell].height;
    if whole > 0.0 { 0.9 * height / whole } else { 0.45 }
}

/// The mean place of the neighbours of `c` on one side; its own if it has none.
fn mean(layers: &Layers, place: &[f64], c: usize, left: bool) -> f64 {
    let links = if left { &layers.before[c] } else { &layers.after[c] };
    let far = |&l: &usize| {
        let link = &layers.links[l];
        let (cell, height) = if left { (link.from, link.out) } else { (link.to, link.into) };
        place[cell] + fraction(layers, cell, height)
    };
    if links.is_empty() {
        return place[c] + 0.45;
    }
    links.iter().map(far).sum::<f64>() / links.len() as f64
}

/// The number of pairs of links that cross.
fn crossings(layers: &Layers, place: &[f64]) -> usize {
    let mut total = 0;
    for row in &layers.rows {
        let ends = |&l: &usize| {
            let link = &layers.links[l];
            let from = place[link.from] + fraction(layers, link.from, link.out);
            (from, place[link.to] + fraction(layers, link.to, link.into))
        };
        let mut links: Vec<(f64, f64)> = row.iter().flat_map(|&c| &layers.after[c]).map(ends).collect();
        links.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut ends: Vec<f64> = links.into_iter().map(|l| l.1).collect();
        total += inversions(&mut ends);
    }
    total
}

/// The number of pairs in falling order, by merge sort from the bottom up.
fn inversions(values: &mut Vec<f64>) -> usize {
    let (mut count, mut width) = (0, 1);
    while width < values.len() {
        let mut merged = Vec::with_capacity(values.len());
        for pair in values.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some(l), Some(r)) = (left.first(), right.first()) {
                if r < l {
                    count += left.len();
                    merged.push(*r);
                    right = &right[1..];
                } else {
                    merged.push(*l);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *values = merged;
        width *= 2;
    }
    count
}
