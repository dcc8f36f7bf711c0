//! Matrix products of many shapes, each as a share of the multiplications and additions that this processor can do at
//! most, measured beside it.
//!
//!     cargo bench --bench products             # f32 and f64, one thread and all
//!     cargo bench --bench products -- 128x512  # shapes whose name holds this
//!
//! A share is the median of rounds, in each of which the product and the peak take turns, so that both meet the same
//! neighbours of a shared machine.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chainrule::tensor::kernels::{Level, matmul::MatMul, peak, threads};
use chainrule::tensor::{DType, Layout, Real};

/// Rows, columns and depth of the products of a layer of each size: forward, of the weights, of the layer before.
const LAYERS: [[usize; 3]; 8] = [
    [32, 128, 784],
    [32, 512, 784],
    [128, 10, 784],
    [128, 512, 784],
    [128, 256, 512],
    [64, 64, 64],
    [1024, 1024, 256],
    [512, 512, 512],
];
/// Others: squares, small and odd ones, one column, windows of an image times a kernel and its gradient.
const OTHERS: [(&str, [usize; 3]); 14] = [
    ("nn", [4, 4, 4]),
    ("nn", [16, 16, 16]),
    ("nn", [32, 32, 32]),
    ("nn", [128, 128, 128]),
    ("nn", [256, 256, 256]),
    ("nn", [1024, 1024, 1024]),
    ("nn", [2048, 2048, 2048]),
    ("nn", [97, 61, 43]),
    ("tt", [100, 200, 300]),
    ("nn", [200, 7, 33]),
    ("nn", [1024, 1, 1024]),
    ("nt", [128, 128, 32]),
    ("nn", [64, 6272, 576]),
    ("nt", [64, 576, 6272]),
];
const ROUNDS: usize = 15;
/// How long a product runs in a round, about.
const TURN: Duration = Duration::from_millis(3);

fn main() {
    let filter = std::env::args().skip(1).find(|a| !a.starts_with('-')).unwrap_or_default();
    let all = threads::threads();
    for threads in [1, all].into_iter().take(if all > 1 { 2 } else { 1 }) {
        threads::set_threads(threads);
        measure::<f32>(threads, &filter);
        measure::<f64>(threads, &filter);
    }
}

fn measure<T: Real>(threads: usize, filter: &str) {
    let ty = if T::DTYPE == DType::F32 { "f32" } else { "f64" };
    println!("{ty}, {threads} thread(s), {:?}: share of peak, GFLOP/s", Level::detected());
    let layers =
        LAYERS.iter().flat_map(|&[m, n, k]| [("nn", [m, n, k]), ("tn", [k, n, m]), ("nt", [m, k, n])]);
    let (mut logs, mut count) = (0.0, 0.0);
    for (form, [m, n, k]) in layers.chain(OTHERS) {
        let name = format!("{form} {m}x{n}x{k}");
        if name.contains(filter) {
            let (share, speed) = one::<T>(form, [m, n, k], threads);
            println!("  {name:22} {:5.1} % {speed:8.1}", 100.0 * share);
            (logs, count) = (logs + share.ln(), count + 1.0);
        }
    }
    println!("  geometric mean         {:5.1} %", 100.0 * (logs / f64::max(count, 1.0)).exp());
}

/// The share of the peak that a product reaches, and its speed.
fn one<T: Real>(form: &str, [m, n, k]: [usize; 3], threads: usize) -> (f64, f64) {
    let side = |turned: bool, rows, columns| match turned {
        true => Layout::contiguous([columns, rows]).permute(&[1, 0]),
        false => Layout::contiguous([rows, columns]),
    };
    let product = MatMul::new(side(form.starts_with('t'), m, k), side(form.ends_with('t'), k, n));
    let product = product.expect("shapes that fit");
    let numbers = |n: usize| (0..n).map(|i| T::lit((i % 1013) as f64 / 1013.0 - 0.5)).collect::<Vec<T>>();
    let (a, b, mut out) = (numbers(m * k), numbers(k * n), numbers(m * n));
    let mut run = || product.run(black_box(&a), black_box(&b), &mut out);
    run();
    let start = Instant::now();
    run();
    let calls = (TURN.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-8)).clamp(1.0, 1e5) as usize;
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            (0..calls).for_each(|_| run());
            let speed = (calls * m * n * k) as f64 / start.elapsed().as_secs_f64();
            (speed / most::<T>(threads), 2e-9 * speed)
        })
        .collect();
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    rounds[ROUNDS / 2]
}

/// Multiplications with additions that all threads together do in a second.
fn most<T: Real>(threads: usize) -> f64 {
    const ROUNDS: usize = 100_000;
    let done = AtomicUsize::new(0);
    let start = Instant::now();
    threads::parallel(threads, &|_| {
        done.fetch_add(peak::multiply_add::<T>(Level::detected(), ROUNDS), Ordering::Relaxed);
    });
    done.into_inner() as f64 / start.elapsed().as_secs_f64()
}
