//! Heights that bring neighbours into line without changing the order within a layer.

use crate::layers::Layers;

/// The least distance between two boxes, and from a waypoint to its neighbours, one above the other.
const SEPARATION: [f64; 2] = [20.0, 11.0];

/// How much more a straight stretch between two waypoints counts than a straight wire between boxes.
const STRAIGHT: f64 = 6.0;

/// The top of each cell.
pub(crate) fn assign(layers: &Layers) -> Vec<f64> {
    let mut y = vec![0.0; layers.cells.len()];
    for row in &layers.rows {
        fit(layers, row, &mut y, |_, _| (0.0, 1.0));
    }
    for round in 0..14 {
        let (left, right) = match round {
            0..10 => (round % 2 == 0, round % 2 == 1),
            _ => (true, true),
        };
        for step in 0..layers.rows.len() {
            let r = if right && !left { layers.rows.len() - 1 - step } else { step };
            fit(layers, &layers.rows[r], &mut y, |c, y| wish(layers, c, y, left, right));
        }
    }
    let top = y.iter().copied().fold(f64::INFINITY, f64::min);
    y.iter_mut().for_each(|v| *v -= top);
    y
}

/// Where a cell would stand if it were alone, and how much that counts.
fn wish(layers: &Layers, c: usize, y: &[f64], left: bool, right: bool) -> (f64, f64) {
    let (mut sum, mut weight) = (0.0, 0.0);
    let mut add = |other: usize, target: f64| {
        let straight = layers.cells[c].waypoint && layers.cells[other].waypoint;
        let w = if straight { STRAIGHT } else { 1.0 };
        sum += w * target;
        weight += w;
    };
    for l in layers.before[c].iter().filter(|_| left).map(|&l| layers.links[l]) {
        add(l.from, y[l.from] + l.out - l.into);
    }
    for l in layers.after[c].iter().filter(|_| right).map(|&l| layers.links[l]) {
        add(l.to, y[l.to] + l.into - l.out);
    }
    if weight > 0.0 { (sum / weight, weight) } else { (y[c], 0.05) }
}

/// The heights nearest to the wishes (least squares) that keep the order and the distances: after taking off the
/// distances this is isotonic regression, solved by pooling neighbours whose wishes contradict their order.
fn fit(layers: &Layers, row: &[usize], y: &mut [f64], wish: impl Fn(usize, &[f64]) -> (f64, f64)) {
    // Each pool: the mean wish, its weight, and how many cells it holds.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = Vec::with_capacity(row.len());
    let mut offset = 0.0;
    for (i, &c) in row.iter().enumerate() {
        if i > 0 {
            let above = row[i - 1];
            let near = layers.cells[above].waypoint || layers.cells[c].waypoint;
            offset += layers.cells[above].height + SEPARATION[usize::from(near)];
        }
        offsets.push(offset);
        let (target, weight) = wish(c, y);
        let mut pool = (target - offset, weight, 1);
        while let Some(last) = pools.pop_if(|last| last.0 > pool.0) {
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
        }
        pools.push(pool);
    }
    let tops = pools.into_iter().flat_map(|(top, _, count)| std::iter::repeat_n(top, count));
    for ((top, offset), &c) in tops.zip(offsets).zip(row) {
        y[c] = top + offset;
    }
}
