//! From a graph to numbers: plan once, replay without allocation.
//!
//! In processing order: [`compile`] gathers what is wanted · [`fold`] computes what is constant · [`fuse`]
//! groups elementwise nodes and orders the work · [`lower`] turns it into steps over virtual buffers ·
//! [`rows`] makes one step of those over the same rows · [`buffers`] gives those steps real buffers, reused as soon as they are free · [`machine`] replays.

pub(crate) mod anomaly;
pub(crate) mod buffers;
pub(crate) mod cache;
pub(crate) mod compile;
pub(crate) mod elementwise;
pub(crate) mod expand;
pub(crate) mod fold;
pub(crate) mod function;
pub(crate) mod fuse;
pub(crate) mod kernel;
pub(crate) mod known;
pub(crate) mod lower;
pub(crate) mod machine;
pub(crate) mod merge;
pub(crate) mod operation;
pub(crate) mod rewrite;
pub(crate) mod rows;
pub(crate) mod verify;
pub(crate) mod within;
