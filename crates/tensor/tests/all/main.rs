//! The tensor library from outside, one subject a module.

mod arithmetic;
mod arrays;
mod files;
mod messages;
mod numpy;
mod randomness;
mod reductions;
mod safetensors;
mod samples;
mod umath;
