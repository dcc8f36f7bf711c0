//! A run that is asked to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Asks a training to end: after the batch that is under way it saves, if it has [checkpoints](crate::Checkpoints), and is over; a run that
/// is started again goes on from there. Clones ask the same training; so a signal, another thread or a
/// [progress](crate::progress::Progress) of one's own may ask.
///
/// With the crate `signal-hook`, Ctrl-C saves and stops, and a second one kills as ever:
///
/// ```ignore
/// let stop = Stop::new();
/// signal_hook::flag::register_conditional_default(SIGINT, stop.flag())?;
/// signal_hook::flag::register(SIGINT, stop.flag())?;
/// let trainer = trainer.checkpoints(Checkpoints::to("run")).stop(&stop);
/// ```
///
/// ```
/// use chainrule_nn::{Linear, Params, Stop, Trainer, data::iris, loss};
/// let stop = Stop::new();
/// let trainer = Trainer::new(Linear::new(3), loss::softmax_cross_entropy).epochs(100).stop(&stop);
/// let iris = iris()?;
/// let mut run = trainer.start(Params::new(), &iris, None)?;
/// let mut epochs = 0;
/// for epoch in run.by_ref() {
///     epochs = epoch?.number;
///     if epochs == 3 {
///         stop.now();
///     }
/// }
/// assert_eq!(epochs, 3);
/// # Ok::<(), chainrule_nn::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Asks.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it is asked for.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What is true when it is asked for: for what sets flags, such as a handler of signals.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}
