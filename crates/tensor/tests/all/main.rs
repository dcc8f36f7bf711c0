//! The tensor library from outside, one subject a module.

mod arithmetic;
mod arrays;
mod files;
mod fuzz;
mod halves;
mod messages;
mod mutate;
mod numbers;
mod numpy;
mod randomness;
mod reductions;
mod safetensors;
mod samples;
mod saving;
mod umath;
