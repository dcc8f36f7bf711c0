//! A small pool of threads that work on numbered tasks.
//!
//! A kernel cuts its work into tasks by a rule that looks at shapes only, never at the number of threads, and no
//! two tasks add into the same number. So the same bits come out whoever runs which task.
//!
//! Waking a sleeping thread costs tens of microseconds, posting to one that spins a third of one. So workers
//! spin for a while after each job, which keeps them warm through a replay, and sleep when nothing comes. The
//! caller works too and never waits for a worker that has not begun.

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a worker watches for the next job before it sleeps.
const SPIN: Duration = Duration::from_micros(50);
/// Looks at the state between two looks at the clock.
const LOOKS: usize = 64;
/// More threads than this are not used.
const MOST: usize = 1024;
/// Tasks of a job are in so many shares at most, one for each thread where there are no more than these.
const SHARES: usize = 16;

/// Chosen by [`set_threads`]; 0 while nobody has chosen.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

/// Sets how many threads kernels use from now on, the calling one included; 0 counts as 1.
///
/// Results do not depend on it.
pub fn set_threads(n: usize) {
    CHOSEN.store(n.clamp(1, MOST), Ordering::Relaxed);
}

/// How many threads kernels use, the calling one included.
///
/// Unless [`set_threads`] has been called, this is the environment variable `CHAINRULE_THREADS`, or without it
/// the parallelism that the operating system grants.
pub fn threads() -> usize {
    static DEFAULT: OnceLock<usize> = OnceLock::new();
    match CHOSEN.load(Ordering::Relaxed) {
        0 => *DEFAULT.get_or_init(|| {
            let named = std::env::var("CHAINRULE_THREADS").ok().and_then(|n| n.trim().parse().ok());
            let n = named.filter(|n| *n > 0).or_else(|| thread::available_parallelism().map(Into::into).ok());
            n.unwrap_or(1).min(MOST)
        }),
        n => n,
    }
}

/// Runs `run(0)`, …, `run(tasks - 1)`, each once, in any order, on up to [`threads`] threads; returns when all
/// are done.
///
/// A call from inside a task, or while another thread's call is under way, runs its tasks on the calling thread
/// alone. Nothing is allocated once the workers exist.
///
/// # Panics
/// If a task panics, the first panic goes on in the caller, once no task is running any more. The pool survives.
pub fn parallel(tasks: usize, run: &(dyn Fn(usize) + Sync)) {
    let workers = (threads() - 1).min(tasks.saturating_sub(1));
    if workers == 0 || POOL.busy.swap(true, Ordering::Acquire) {
        (0..tasks).for_each(run);
        return;
    }
    let outcome = POOL.run(workers, tasks, run);
    POOL.busy.store(false, Ordering::Release);
    if let Some(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Cuts `out` into pieces of `chunk` elements (the last may be shorter) and calls `run(i, piece)` for each, on up
/// to [`threads`] threads.
///
/// # Panics
/// If `chunk` is 0, and as [`parallel`] does.
pub fn for_chunks<T: Send>(out: &mut [T], chunk: usize, run: impl Fn(usize, &mut [T]) + Sync) {
    assert!(chunk > 0, "a chunk has at least one element");
    let len = out.len();
    let base = Pieces::new(out);
    parallel(len.div_ceil(chunk), &|i| {
        let start = i * chunk;
        // SAFETY: pieces of different tasks are disjoint, each task runs once, all lie inside `out`, and `out`
        // stays exclusively borrowed until `parallel` returns.
        let piece = unsafe { std::slice::from_raw_parts_mut(base.at(start), chunk.min(len - start)) };
        run(i, piece);
    });
}

/// A buffer of which each task touches its own part.
pub(super) struct Pieces<T>(*mut T);

// SAFETY: a task that touches only its own part of a buffer of `Send` elements may do so on any thread; that it
// does so is the promise of whoever calls `at` and writes there.
unsafe impl<T: Send> Sync for Pieces<T> {}

impl<T> Pieces<T> {
    pub(super) fn new(out: &mut [T]) -> Self {
        Pieces(out.as_mut_ptr())
    }

    /// The address of element `i`.
    ///
    /// # Safety
    /// `i` is at most the length of the buffer, which is still borrowed.
    pub(super) unsafe fn at(&self, i: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(i) }
    }
}

type Panic = Box<dyn Any + Send>;

/// What the workers are to do. Valid for as long as a worker is counted in the pool's state.
#[derive(Clone, Copy)]
struct Job {
    run: *const (dyn Fn(usize) + Sync),
    tasks: usize,
    /// How many shares of neighbours the tasks are in.
    shares: usize,
}

impl Job {
    /// The first task of a share, that is, the end of the one before.
    fn start(&self, share: usize) -> usize {
        (self.tasks as u128 * share as u128 / self.shares as u128) as usize
    }
}

/// One pool for the process.
///
/// `state` holds all that a worker must know to join a job, in one word, so that joining is one
/// compare-and-swap: the number of the job (32 bits), whether it can be joined (1), how many workers may join
/// (15), how many are in (16).
struct Pool {
    state: Line<AtomicU64>,
    /// Of each share, how many tasks are taken.
    taken: [Line<AtomicUsize>; SHARES],
    job: UnsafeCell<Option<Job>>,
    /// Whether a caller is using the pool.
    busy: AtomicBool,
    /// Whether a worker may be asleep and must be woken.
    asleep: AtomicBool,
    spawned: AtomicUsize,
    bed: Mutex<()>,
    bell: Condvar,
    panic: Mutex<Option<Panic>>,
}

/// Alone in its cache lines, so that threads which write to neighbours do not disturb each other.
#[repr(align(128))]
struct Line<T>(T);

// SAFETY: `job` is written only by the caller that holds `busy` while no worker is counted in `state`, and read
// only by workers that are.
unsafe impl Sync for Pool {}

static POOL: Pool = Pool {
    state: Line(AtomicU64::new(0)),
    taken: [const { Line(AtomicUsize::new(0)) }; SHARES],
    job: UnsafeCell::new(None),
    busy: AtomicBool::new(false),
    asleep: AtomicBool::new(false),
    spawned: AtomicUsize::new(0),
    bed: Mutex::new(()),
    bell: Condvar::new(),
    panic: Mutex::new(None),
};

const INSIDE: u64 = 0xffff;
const OPEN: u64 = 1 << 31;

fn number(state: u64) -> u64 {
    state >> 32
}

/// Whether worker `index`, who has seen job `seen`, may join.
fn invites(state: u64, index: usize, seen: u64) -> bool {
    let places = (state >> 16 & 0x7fff) as usize;
    state & OPEN != 0 && number(state) != seen && index < places
}

impl Pool {
    /// Runs a job. The caller holds `busy`.
    fn run(&'static self, workers: usize, tasks: usize, run: &(dyn Fn(usize) + Sync)) -> Option<Panic> {
        for index in self.spawned.load(Ordering::Relaxed)..workers {
            // Without the thread the others do its share.
            let Ok(_) =
                thread::Builder::new().name(format!("kernel-{}", index + 1)).spawn(move || self.work(index))
            else {
                break;
            };
            self.spawned.store(index + 1, Ordering::Relaxed);
        }
        // SAFETY: only the lifetime changes. No worker uses the job after `close` has returned, and the
        // reference lives until then.
        let run: *const (dyn Fn(usize) + Sync) =
            unsafe { std::mem::transmute(run as *const (dyn Fn(usize) + Sync + '_)) };
        let job = Job { run, tasks, shares: (workers + 1).min(SHARES) };
        // SAFETY: the last job is closed and no worker is in, so nobody reads this; `busy` keeps other callers out.
        unsafe { *self.job.get() = Some(job) };
        self.taken[..job.shares].iter().for_each(|taken| taken.0.store(0, Ordering::Relaxed));
        let number = number(self.state.0.load(Ordering::Relaxed)).wrapping_add(1);
        self.state.0.store(number << 32 | OPEN | (workers as u64) << 16, Ordering::SeqCst);
        // Either this sees that a worker is going to sleep, or that worker sees the new state: both are SeqCst.
        if self.asleep.load(Ordering::SeqCst) {
            let _bed = lock(&self.bed);
            self.asleep.store(false, Ordering::SeqCst);
            self.bell.notify_all();
        }
        self.take_tasks(job, 0);
        self.close();
        lock(&self.panic).take()
    }

    /// Lets nobody join any more and waits for those who are in.
    fn close(&self) {
        let mut state = self.state.0.fetch_and(!OPEN, Ordering::Acquire);
        let mut looks = 0;
        while state & INSIDE != 0 {
            // A worker that the system has put aside needs the core more than this loop does.
            if looks < 100 * LOOKS {
                spin_loop()
            } else {
                thread::yield_now()
            }
            looks += 1;
            state = self.state.0.load(Ordering::Acquire);
        }
    }

    /// Takes tasks until none is left or one panics: those of this thread's own share first, which are the same ones
    /// whenever a job like this runs, so that their numbers may be in this core's cache.
    fn take_tasks(&self, job: Job, thread: usize) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            for share in (thread..thread + job.shares).map(|i| i % job.shares) {
                let (start, end) = (job.start(share), job.start(share + 1));
                loop {
                    let i = start + self.taken[share].0.fetch_add(1, Ordering::Relaxed);
                    if i >= end {
                        break;
                    }
                    // SAFETY: `run` outlives the job, and this thread is the caller or counted in the state.
                    unsafe { (*job.run)(i) };
                }
            }
        }));
        if let Err(panic) = outcome {
            lock(&self.panic).get_or_insert(panic);
        }
    }

    /// The life of a worker.
    fn work(&self, index: usize) {
        let mut seen = 0;
        loop {
            let state = self.wait(index, seen);
            let join = self.state.0.compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed);
            if join.is_err() {
                continue;
            }
            // SAFETY: this worker is counted in the state, so the job was written before and stays until it
            // leaves.
            if let Some(job) = unsafe { *self.job.get() } {
                self.take_tasks(job, index + 1);
            }
            seen = number(state);
            self.state.0.fetch_sub(1, Ordering::Release);
        }
    }

    /// Watches, then sleeps, until there is a job to join; gives the state that says so.
    fn wait(&self, index: usize, seen: u64) -> u64 {
        let start = Instant::now();
        loop {
            for _ in 0..LOOKS {
                let state = self.state.0.load(Ordering::Relaxed);
                if invites(state, index, seen) {
                    return state;
                }
                spin_loop();
            }
            if start.elapsed() > SPIN {
                break;
            }
        }
        let mut bed = lock(&self.bed);
        loop {
            self.asleep.store(true, Ordering::SeqCst);
            let state = self.state.0.load(Ordering::SeqCst);
            if invites(state, index, seen) {
                return state;
            }
            bed = self.bell.wait(bed).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The lock, poisoned or not: nothing that it guards can be left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    fn each_once(tasks: usize) {
        let runs: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
        parallel(tasks, &|i| {
            runs[i].fetch_add(1, Ordering::Relaxed);
        });
        assert!(runs.iter().all(|n| n.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn every_task_runs_once_with_any_number_of_threads() {
        for n in [1, 2, 3, 5, 2] {
            set_threads(n);
            for tasks in [0, 1, 2, 3, 7, 100] {
                (0..200).for_each(|_| each_once(tasks));
            }
        }
        // Workers that have gone to sleep wake up again.
        for _ in 0..20 {
            thread::sleep(4 * SPIN);
            each_once(10);
        }
    }

    #[test]
    fn calls_from_inside_a_task_and_from_many_threads_finish() {
        set_threads(3);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        parallel(5, &|_| each_once(4));
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_in_a_task_reaches_the_caller_and_the_pool_survives() {
        set_threads(3);
        for bad in 0..8 {
            let caught = catch_unwind(|| parallel(8, &|i| assert!(i != bad, "task {i}")));
            let message = *caught.unwrap_err().downcast::<String>().unwrap();
            assert_eq!(message, format!("task {bad}"));
            each_once(8);
        }
    }

    #[test]
    fn chunks_cover_a_slice() {
        set_threads(3);
        for (len, chunk) in [(0, 3), (1, 3), (3, 3), (100, 7), (5, 100)] {
            let mut out = vec![usize::MAX; len];
            for_chunks(&mut out, chunk, |i, piece| {
                assert!(piece.len() == chunk || (i + 1) * chunk > len);
                (0..).zip(piece).for_each(|(j, x)| *x = i * chunk + j);
            });
            assert!(out.into_iter().eq(0..len));
        }
    }
}
