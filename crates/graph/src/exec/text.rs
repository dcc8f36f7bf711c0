//! Plans as text that says everything: [`read`] makes the same plan of it.
//!
//! A line for each buffer, constant, argument and state; one for each step, below it its programs and the plans within; and one
//! for each result. A layout is `shape:strides+offset`, a shape `4x3`; `-` has no axis, and what lies row-major is told by
//! its shape alone.

mod read;
mod words;

use std::fmt::{self, Display, Formatter, Write};

use chainrule_tensor::kernels::decompose::Decomposition;
use chainrule_tensor::kernels::elementwise::{Definition, Program};
use chainrule_tensor::kernels::gather::Lengths;
use chainrule_tensor::kernels::linear_algebra::{Determinant, Part};
use chainrule_tensor::kernels::order::Order;
use chainrule_tensor::{Format, Layout, Tensor};

use super::call::{Call, RowWork};
use super::plan::{Plan, Room, Slot};
use super::within::{Cycle, Output};
use crate::precision::Precision;
use crate::prim::range::Range;
use words::{compound, kind, layout, list, place, scalar, shape};

/// All of it, so that [`Plan::parse`] gives it back; `println!("{f}")` of the compiled function is shorter.
impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_plan(self, f, 0)
    }
}

fn write_plan(plan: &Plan, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
    let pad = "  ".repeat(depth);
    let slot = |s: &Slot| match plan.buffers[s.buffer].len == s.len {
        true => format!("b{}", s.buffer),
        false => format!("b{}[{}]", s.buffer, s.len),
    };
    let slots = |all: &[Slot]| list(all.iter().map(slot));
    let precision = match plan.precision {
        Precision::F32 => "f32",
        Precision::F64 => "f64",
    };
    writeln!(f, "{pad}plan {precision}")?;
    for (b, Room { kind: k, format, len }) in plan.buffers.iter().enumerate() {
        let format = format.map_or("", Format::name);
        writeln!(f, "{}", format!("{pad}  buffer b{b} {} {len} {format}", kind(*k)).trim_end())?;
    }
    for (b, value, name) in &plan.constants {
        write!(f, "{pad}  constant b{b} ")?;
        match name {
            Some(name) => write!(f, "{name:?} ")?,
            None => write!(f, "- ")?,
        }
        writeln!(f, "{}", elements(value))?;
    }
    for (b, name, ty, _) in &plan.inputs {
        writeln!(f, "{pad}  argument b{b} {name:?} {} {}", kind(ty.kind), shape(&ty.shape))?;
    }
    for ((b, start), name) in plan.state.iter().zip(&plan.state_names) {
        writeln!(f, "{pad}  state b{b} {name:?} {}", elements(start))?;
    }
    for step in &plan.steps {
        let (to, from) = (slots(&step.outputs), slots(&step.inputs));
        let call = attributes(&step.call);
        writeln!(f, "{pad}  {} of{} to{} {:?}", call.trim_end(), from, to, step.about.label)?;
        match &step.call {
            Call::Map { program, layouts, in_place, .. } => {
                write_program(program, layouts, in_place, f, depth + 2)?;
            }
            Call::Rows { steps, .. } => {
                for step in steps {
                    let places = |all: &[_]| list(all.iter().map(place));
                    let (from, to) = (places(&step.reads), places(&step.writes));
                    match &step.work {
                        RowWork::Map { program, shape: over, layouts } => {
                            writeln!(f, "{pad}    map {} of{from} to{to}", shape(over))?;
                            write_program(program, layouts, &vec![None; layouts.len()], f, depth + 3)?;
                        }
                        RowWork::Reduce(op) => writeln!(f, "{pad}    {} of{from} to{to}", op.name())?,
                    }
                }
                writeln!(f, "{pad}    end")?;
            }
            call => call.within().iter().try_for_each(|plan| write_plan(plan, f, depth + 2))?,
        }
    }
    for (from, to) in &plan.carries {
        writeln!(f, "{pad}  carry {} to b{to}", slot(from))?;
    }
    for (from, ty) in &plan.outputs {
        writeln!(f, "{pad}  result {} {} {}", slot(from), kind(ty.kind), shape(&ty.shape))?;
    }
    writeln!(f, "{pad}end")
}

fn write_program(
    program: &Program,
    layouts: &[Layout],
    in_place: &[Option<usize>],
    f: &mut Formatter<'_>,
    depth: usize,
) -> fmt::Result {
    let pad = "  ".repeat(depth);
    for (i, (definition, k)) in program.values().enumerate() {
        write!(f, "{pad}%{i} = ")?;
        match definition {
            Definition::Input(input) => {
                write!(f, "input {} {}", kind(k), layout(&layouts[input]))?;
                if let Some(j) = in_place[input] {
                    write!(f, " in {j}")?;
                }
            }
            Definition::Constant(x) => write!(f, "{} {}", kind(k), scalar(x))?,
            Definition::Unary(op, x) => write!(f, "{} %{}", op.name(), x.index())?,
            Definition::Binary(op, x, y) => write!(f, "{} %{} %{}", op.name(), x.index(), y.index())?,
            Definition::Compare(op, x, y) => write!(f, "{} %{} %{}", op.name(), x.index(), y.index())?,
            Definition::Select(c, x, y) => {
                write!(f, "select %{} %{} %{}", c.index(), x.index(), y.index())?;
            }
            Definition::Cast(x) => write!(f, "cast %{} {}", x.index(), kind(k))?,
        }
        writeln!(f)?;
    }
    writeln!(f, "{pad}give{}", list(program.outputs().iter().map(|r| format!("%{}", r.index()))))
}

/// What a step does, but for its programs and plans.
fn attributes(call: &Call) -> String {
    let gather = |l: &Lengths| format!("{} {} {} {}", l.batch, l.n, l.picked, l.inner);
    match call {
        Call::Map { shape: over, .. } => format!("map {}", shape(over)),
        Call::Rows { dims, .. } => format!("rows {}", shape(dims)),
        Call::MatMul { a, b } | Call::Convolve { a, b } => {
            format!("{} {} {}", call.name(), compound(a), compound(b))
        }
        Call::AddMatMul { a, b, in_place } => {
            format!(
                "{} {} {} {}",
                call.name(),
                compound(a),
                compound(b),
                if *in_place { "held" } else { "apart" }
            )
        }
        Call::Reduce { op, dims } => format!("{} {}", op.name(), shape(dims)),
        Call::ArgReduce { max, dims } => {
            format!("{} {}", if *max { "argmax" } else { "argmin" }, shape(dims))
        }
        Call::Place { parts, fill } => {
            let mut text = String::from(if *fill { "place filled" } else { "place whole" });
            for (from, to) in parts {
                let _ = write!(text, " {} {}", layout(from), layout(to));
            }
            text
        }
        Call::Uniform { stream, words } => format!("uniform {stream} {words}"),
        Call::InRange { range: Range::Below(end), what } => format!("in_range below {end} {what:?}"),
        Call::InRange { range: Range::Between([low, high]), what } => {
            format!("in_range between {low:x} {high:x} {what:?}")
        }
        Call::Iota => "iota".into(),
        Call::Gather(l) => format!("gather {}", gather(l)),
        Call::ScatterAdd(l) => format!("scatter_add {}", gather(l)),
        Call::OverlapAdd { x, how } => {
            format!("overlap_add {} {} {} {} {}", layout(x), how.axis, how.n, how.stride, how.dilation)
        }
        Call::CumSum { dims } => format!("cumsum {}", shape(dims)),
        Call::Recurrence { dims } => format!("recurrence {}", shape(dims)),
        Call::ArgSort { order, dims } => {
            let order = match order {
                Order::Ascending => "ascending",
                Order::Descending => "descending",
            };
            format!("argsort {order} {}", shape(dims))
        }
        Call::Solve { part, transposed, dims } => {
            let part = match part {
                Part::All => "all",
                Part::Lower => "lower",
                Part::Upper => "upper",
            };
            format!("solve {part} {} {}", if *transposed { "transposed" } else { "plain" }, shape(dims))
        }
        Call::Cholesky { dims } => format!("cholesky {}", shape(dims)),
        Call::Determinant { what, dims } => {
            let what = match what {
                Determinant::Value => "value",
                Determinant::Sign => "sign",
                Determinant::Log => "log",
            };
            format!("determinant {what} {}", shape(dims))
        }
        Call::Decompose { into, dims } => {
            let into = match into {
                Decomposition::Eigen => "eigen",
                Decomposition::Singular => "singular",
                Decomposition::Orthogonal => "orthogonal",
            };
            format!("decompose {into} {}", shape(dims))
        }
        Call::Loop(cycle) => looped(cycle),
        Call::Branch(_) => "cond".into(),
        Call::Custom { op, args, out } => {
            format!("custom {:?}{} {}", op.op().name(), list(args.iter().map(|s| shape(s))), shape(out))
        }
    }
}

fn looped(cycle: &Cycle) -> String {
    let Cycle { carries, slices, captures, counted, length, reverse, outputs, .. } = cycle;
    let output = |o: &Output| match o {
        Output::Count => "count".to_owned(),
        Output::Carry(i) => format!("carry{i}"),
        Output::Stack(i) => format!("stack{i}"),
    };
    let (name, outputs) = (cycle.name(), list(outputs.iter().map(output)));
    format!("{name} {carries} {slices} {captures} {counted} {length} {reverse}{outputs}")
}

/// A value with all its elements.
fn elements(value: &Tensor) -> String {
    let all = match value {
        Tensor::F32(a) => list(a.iter().map(|x| words::real32(*x))),
        Tensor::F64(a) => list(a.iter().map(|x| words::real64(*x))),
        Tensor::I64(a) => list(a.iter().map(ToString::to_string)),
        Tensor::Bool(a) => list(a.iter().map(ToString::to_string)),
    };
    format!("{} {} ={all}", value.dtype(), shape(value.shape()))
}
