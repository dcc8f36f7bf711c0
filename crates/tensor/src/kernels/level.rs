//! The SIMD level, found at run time: a plain build uses what the processor has.

use std::sync::OnceLock;

/// A set of instructions that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the architecture has.
    Baseline,
    /// AVX2 and fused multiply-add.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// The best level that this processor has.
    pub fn detected() -> Level {
        static FOUND: OnceLock<Level> = OnceLock::new();
        *FOUND.get_or_init(detect)
    }

    /// All levels that this processor has, the lowest first.
    pub fn available() -> impl Iterator<Item = Level> {
        [Level::Baseline, Level::Avx2, Level::Avx512].into_iter().filter(|l| *l <= Level::detected())
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        _ => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

/// Work that is compiled once for each SIMD level.
pub(super) trait Task {
    /// Does the work; `FMA` says whether the processor has fused multiply-add. Must be `#[inline(always)]`, and so
    /// must all that it calls in its loops, to be compiled for the level.
    fn run<const FMA: bool>(self);
}

impl Level {
    /// Runs `task` with the instructions of this level, or of the best one that the processor has if that is less.
    pub(super) fn run(self, task: impl Task) {
        match self.min(Level::detected()) {
            // SAFETY: `min` leaves no level that this processor lacks.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2(task) },
            _ => task.run::<false>(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2(task: impl Task) {
    task.run::<true>();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512(task: impl Task) {
    task.run::<true>();
}
