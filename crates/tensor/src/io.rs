//! Files.
pub mod atomic;
pub use atomic::atomic_write;
