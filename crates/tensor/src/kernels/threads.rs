//! shim
/// shim
pub fn parallel(tasks: usize, run: &(dyn Fn(usize) + Sync)) { (0..tasks).for_each(run); }
