//! From a graph to numbers: plan once, replay without allocation.
//!
//! In processing order: [`compile`] gathers what is wanted, [`passes`] is the list of what is done about it · [`fold`] computes what is
//! constant · [`fuse`] groups elementwise nodes and orders the work · [`lower`] makes a [`plan`] of [`call`]s of that, which is data ·
//! [`accumulate`] adds products where they are wanted · [`rows`] makes one step of those over the same rows · [`buffers`] has values share buffers. A [`machine`] replays it on an [`executor`]; [`cpu`] is one,
//! [`timed`] another around it, by which [`profile`] says where the time goes; [`work`] counts what a call is to do.

pub(crate) mod accumulate;
pub(crate) mod anomaly;
pub(crate) mod buffers;
pub(crate) mod call;
pub(crate) mod compile;
pub(crate) mod compiled;
pub(crate) mod cpu;
pub(crate) mod elementwise;
pub(crate) mod executor;
pub(crate) mod fits;
pub(crate) mod fold;
pub(crate) mod function;
pub(crate) mod fuse;
pub(crate) mod known;
pub(crate) mod lower;
pub(crate) mod machine;
pub(crate) mod operation;
pub(crate) mod passes;
pub(crate) mod plan;
pub(crate) mod profile;
pub(crate) mod rows;
pub(crate) mod text;
pub(crate) mod timed;
pub(crate) mod verify;
pub(crate) mod within;
pub(crate) mod work;
