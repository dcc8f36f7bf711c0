//! The workloads that are compared with other frameworks, and what it costs to plan one, without the other frameworks.
//!
//!     cargo bench --bench steps
//!
//! Absolute times mean little on a shared machine: compare only with what a peer gives for the same work in the same
//! minutes, by medians; `benches/peers/compare.py` does.

#[allow(dead_code, reason = "the comparison asks for more")]
#[path = "peers/workloads.rs"]
mod workloads;

use criterion::{Criterion, criterion_group, criterion_main};
use workloads::all;

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("step");
    for work in all() {
        let mut job = work.prepare().expect("a sound model");
        group.bench_function(format!("{} {} ({})", work.name, work.what, work.task.words()), |b| {
            b.iter(|| job.run().expect("sound data"));
        });
    }
    group.finish();
}

fn compiling(c: &mut Criterion) {
    for work in all().iter().filter(|work| work.name == "W3a-adam") {
        c.bench_function("record, differentiate and plan 784-512-256-10 with adam", |b| {
            b.iter(|| work.prepare().expect("a sound model"));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).warm_up_time(std::time::Duration::from_millis(500));
    targets = steps, compiling
}
criterion_main!(benches);
