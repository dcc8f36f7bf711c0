use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use chainrule::data::Batch;
use chainrule::loss::{binary_cross_entropy_with_logits, softmax_cross_entropy};
use chainrule::prelude::*;
use chainrule::tensor::kernels::threads::set_threads;

/// Counts the allocations of a thread while it asks for it.
struct Counting;

thread_local! {
    static COUNT: Cell<Option<usize>> = const { Cell::new(None) };
}

fn note() {
    // A thread that is ending has no counter any more.
    let _ = COUNT.try_with(|count| count.set(count.get().map(|n| n + 1)));
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(run: impl FnOnce()) -> usize {
    COUNT.set(Some(0));
    run();
    COUNT.take().unwrap_or(0)
}

fn digits<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Linear::new(128).forward(&s.at("hidden1"), x).relu();
    let h = Dropout::keep(0.9).forward(&s.at("hidden1"), h);
    let h = Linear::new(64).forward(&s.at("hidden2"), h).relu();
    Linear::new(10).forward(&s.at("output"), h)
}

fn logistic<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    Linear::new(1).forward(s, x)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1; 100]))), 1);
}

#[test]
fn a_replayed_training_step_does_not_allocate() {
    let _turn = crate::alone();
    set_threads(2);
    let key = Key::new(1);
    let uniform = |shape: [usize; 2]| Tensor::uniform(key, shape, 0.0..1.0, DType::F32).expect("a range");
    let labels = Tensor::from((0..64).map(|i| i % 10).collect::<Vec<i64>>());
    let images = Batch { features: uniform([64, 64]), targets: labels };
    let trainer =
        Trainer::new(digits, softmax_cross_entropy).penalty(Penalty::l2(0.5)).optimiser(Adam::new(0.001));
    let deep = (trainer.step(Params::new(), &images, 1000).expect("compiles"), images);

    let cells = Batch { features: uniform([569, 30]), targets: uniform([569, 1]) };
    let trainer = Trainer::new(logistic, binary_cross_entropy_with_logits).optimiser(Momentum::new(0.1));
    let flat = (trainer.step(Params::new(), &cells, 569).expect("compiles"), cells);

    for (mut step, batch) in [deep, flat] {
        // The first runs make registers and threads.
        let mut run = |times: usize| (0..times).map(|_| step.run(&batch).expect("runs")).sum::<f64>();
        assert!(run(3).is_finite());
        let count = allocations(|| assert!(run(100).is_finite()));
        assert_eq!(count, 0, "{}", step.plan());
    }
}

#[test]
fn a_loop_replays_without_allocation_and_is_made_with_as_few_for_any_length() {
    let _turn = crate::alone();
    set_threads(2);
    let count = |steps: usize| {
        let mut made = None;
        let making = allocations(|| {
            let g = Graph::new();
            let x = g.input("x", [4, steps, 8], Kind::Real);
            let s = Scope::root(&g, Params::new(), Mode::Train, 1);
            let y = Recurrent::lstm(8).forward(&s, x).square().mean(..);
            let parameters: Vec<Var<'_>> = s.traced().into_iter().map(|(_, var)| var).collect();
            let d = y.grad(&parameters).expect("connected");
            made = Some(g.compile(&[x], &[&[y], &d[..]].concat()).expect("plans"));
        });
        let mut net = made.expect("was made");
        let x = [Tensor::zeros([4, steps, 8], net.precision().dtype())];
        let mut run = |times: usize| (0..times).for_each(|_| assert!(!net.run(&x).expect("runs").is_empty()));
        run(3);
        (making, allocations(|| run(5)))
    };
    let ((few, replayed), (many, again)) = (count(100), count(2_000));
    assert_eq!((replayed, again), (0, 0));
    // What a plan holds grows by no step; a page of an allocator may.
    assert!(many <= few + few / 100, "{few} allocations for 100 steps, {many} for 2,000");
}
