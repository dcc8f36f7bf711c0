//! Plans read from text.

use std::panic::Location;

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::decompose::Decomposition;
use chainrule_tensor::kernels::elementwise::{Binary, Compare, Program, ProgramBuilder, Reg, Scalar, Unary};
use chainrule_tensor::kernels::gather::Lengths;
use chainrule_tensor::kernels::linear_algebra::{Determinant, Part};
use chainrule_tensor::kernels::order::Order;
use chainrule_tensor::kernels::reduce::Reduction;
use chainrule_tensor::kernels::windows;
use chainrule_tensor::{Element, Format, Layout, Shape, Tensor};

use super::words::{
    read_compound, read_dims, read_kind, read_layout, read_place, read_shape, read32, read64, unquoted, words,
};
use crate::error::{Error, ErrorKind, Result};
use crate::exec::call::{Call, RowStep, RowWork};
use crate::exec::fits;
use crate::exec::plan::{About, Plan, Room, Slot, Step};
use crate::exec::within::{Choice, Cycle, Output};
use crate::origin::Origin;
use crate::precision::Precision;
use crate::prim::range::Range;
use crate::types::Type;

impl Plan {
    /// The plan that `text` says, as printing one gives it. Its errors name the line of this call.
    ///
    /// # Errors
    /// [`ErrorKind::Text`] for text that is no plan, or a plan that cannot run: one that reads what is not there, or whose
    /// values do not fit its calls; for one with an operation of the user's, which no text says.
    ///
    /// ```
    /// use chainrule_graph::plan::{Cpu, Machine, Plan};
    /// use chainrule_graph::{Graph, Kind};
    /// use chainrule_tensor::Tensor;
    /// let g = Graph::new();
    /// let x = g.input("x", [3], Kind::Real);
    /// let text = g.compile(&[x], &[x.square().sum(..)])?.plan().to_string();
    /// let plan = Plan::parse(&text)?;
    /// let y = Machine::new(plan, Cpu::<f64>::new())?.run(&[Tensor::from([1.0, 2.0, 3.0])])?[0].clone();
    /// assert_eq!(y.item::<f64>()?, 14.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn parse(text: &str) -> Result<Plan> {
        let lines: Vec<(usize, Vec<&str>)> =
            (1..).zip(text.lines().map(words)).filter(|(_, words)| !words.is_empty()).collect();
        let mut reader = Reader { lines: &lines, at: 1, origin: Origin::of(Location::caller()) };
        let read = reader.plan().and_then(|plan| match reader.lines {
            [] => Ok(plan),
            [(line, _), ..] => {
                reader.at = *line;
                Err("nothing stands behind the end of a plan".into())
            }
        });
        let line = reader.at;
        read.map_err(|why| Error::new(ErrorKind::Text { line, why }).placed(reader.origin.clone()))
    }
}

/// What is left to be read. Errors are of the line read last.
struct Reader<'t> {
    lines: &'t [(usize, Vec<&'t str>)],
    at: usize,
    origin: Origin,
}

type Read<T> = std::result::Result<T, String>;

fn number<T: std::str::FromStr>(word: &str) -> Read<T> {
    word.parse().map_err(|_| format!("`{word}` is not what stands here, such as a number"))
}

fn one_of<T: Copy>(word: &str, all: &[(&str, T)]) -> Read<T> {
    let found = all.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
    let names = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("`{word}` is none of {}", names()))
}

/// A number behind a sign, such as `b3` or `%2`.
fn numbered(word: &str, sign: &str) -> Read<usize> {
    let rest = word.strip_prefix(sign).and_then(|rest| rest.parse().ok());
    rest.ok_or_else(|| format!("`{word}` is not of the form {sign}0"))
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Read<&'t [&'t str]> {
        let Some(((line, words), rest)) = self.lines.split_first() else {
            return Err("the text ends within the plan".into());
        };
        (self.lines, self.at) = (rest, *line);
        Ok(words)
    }

    fn plan(&mut self) -> Read<Plan> {
        let first = self.at;
        let precision = match self.next()? {
            ["plan", width] => one_of(width, &[("f32", Precision::F32), ("f64", Precision::F64)])?,
            _ => return Err("a plan begins with `plan f32` or `plan f64`".into()),
        };
        let mut plan = Plan {
            precision,
            buffers: Vec::new(),
            steps: Vec::new(),
            constants: Vec::new(),
            inputs: Vec::new(),
            state: Vec::new(),
            state_names: Vec::new(),
            carries: Vec::new(),
            outputs: Vec::new(),
            leaves: Vec::new(),
        };
        loop {
            match self.next()? {
                ["end"] => break,
                ["buffer", b, kind, len, format @ ..] => {
                    if numbered(b, "b")? != plan.buffers.len() {
                        return Err(format!(
                            "buffers are numbered from b0, so this is b{}",
                            plan.buffers.len()
                        ));
                    }
                    // A buffer of so many elements is one that could be.
                    let [len] = read_dims(len)?;
                    let formats = Format::ALL.iter().map(|f| (f.name(), *f)).collect::<Vec<_>>();
                    let format = match format {
                        [] => None,
                        [format] => Some(one_of(format, &formats)?),
                        _ => return Err("behind its length a buffer has a format, or nothing".into()),
                    };
                    plan.buffers.push(Room { kind: read_kind(kind)?, format, len });
                }
                ["constant", b, name, value @ ..] => {
                    let name = if *name == "-" { None } else { Some(unquoted(name)?) };
                    plan.constants.push((buffer(&plan, b)?, tensor(value)?, name));
                }
                ["argument", b, name, kind, shape] => {
                    let ty = Type { kind: read_kind(kind)?, shape: read_shape(shape)? };
                    plan.inputs.push((buffer(&plan, b)?, unquoted(name)?, ty, self.origin.clone()));
                }
                ["state", b, name, value @ ..] => {
                    plan.state.push((buffer(&plan, b)?, tensor(value)?));
                    plan.state_names.push(unquoted(name)?);
                }
                ["carry", from, "to", to] => plan.carries.push((slot(&plan, from)?, buffer(&plan, to)?)),
                ["result", from, kind, shape] => {
                    let ty = Type { kind: read_kind(kind)?, shape: read_shape(shape)? };
                    plan.outputs.push((slot(&plan, from)?, ty));
                }
                words => {
                    let step = self.step(&plan, words)?;
                    plan.steps.push(step);
                }
            }
        }
        fits::plan(&plan).map_err(|why| {
            self.at = first.max(1);
            format!("the plan that begins here cannot run: {why}")
        })?;
        Ok(plan)
    }

    fn step(&mut self, plan: &Plan, words: &'t [&'t str]) -> Read<Step> {
        let wrong = || "a step is a call with `of` its inputs, `to` its outputs, and a label".to_owned();
        let [rest @ .., label] = words else { return Err(wrong()) };
        let of = rest.iter().position(|w| *w == "of").ok_or_else(wrong)?;
        let to = of + rest[of..].iter().position(|w| *w == "to").ok_or_else(wrong)?;
        let label = unquoted(label)?;
        let slots = |words: &[&str]| words.iter().map(|w| slot(plan, w)).collect::<Read<Vec<Slot>>>();
        let (inputs, outputs) = (slots(&rest[of + 1..to])?, slots(&rest[to + 1..])?);
        let call = self.call(&rest[..of])?;
        let shape = Shape::from([outputs.first().map_or(0, |slot| slot.len)]);
        let (operands, watch, operations) = (Vec::new(), None, Vec::new());
        let about = About { origin: self.origin.clone(), label, operands, watch, shape, operations };
        Ok(Step { call, inputs, outputs, about })
    }

    fn call(&mut self, words: &[&str]) -> Read<Call> {
        Ok(match words {
            ["map", shape] => {
                let (program, layouts, in_place) = self.program()?;
                Call::Map { program, shape: read_shape(shape)?, layouts, in_place }
            }
            ["rows", dims] => {
                let mut steps = Vec::new();
                loop {
                    match self.next()? {
                        ["end"] => break,
                        words => steps.push(self.row_step(words)?),
                    }
                }
                Call::Rows { dims: read_dims(dims)?, steps }
            }
            ["matmul", a, b] => Call::MatMul { a: read_compound(a)?, b: read_compound(b)? },
            ["add_matmul", a, b, place @ ("held" | "apart")] => {
                Call::AddMatMul { a: read_compound(a)?, b: read_compound(b)?, in_place: *place == "held" }
            }
            ["convolve", a, b] => Call::Convolve { a: read_compound(a)?, b: read_compound(b)? },
            [max @ ("argmax" | "argmin"), dims] => {
                Call::ArgReduce { max: *max == "argmax", dims: read_dims(dims)? }
            }
            ["place", fill, parts @ ..] if parts.len().is_multiple_of(2) => {
                let part = |pair: &[&str]| Ok((read_layout(pair[0])?, read_layout(pair[1])?));
                Call::Place {
                    parts: parts.chunks_exact(2).map(part).collect::<Read<_>>()?,
                    fill: one_of(fill, &[("filled", true), ("whole", false)])?,
                }
            }
            ["uniform", stream, words] => Call::Uniform { stream: number(stream)?, words: number(words)? },
            ["in_range", "below", end, what] => {
                Call::InRange { range: Range::Below(number(end)?), what: unquoted(what)?.into() }
            }
            ["in_range", "between", low, high, what] => {
                let bits = |word| u64::from_str_radix(word, 16).map_err(|_| format!("`{word}` are no bits"));
                let range = Range::Between([bits(low)?, bits(high)?]);
                Call::InRange { range, what: unquoted(what)?.into() }
            }
            ["iota"] => Call::Iota,
            ["gather", lengths @ ..] => Call::Gather(gather(lengths)?),
            ["scatter_add", lengths @ ..] => Call::ScatterAdd(gather(lengths)?),
            ["overlap_add", x, axis, n, stride, dilation] => Call::OverlapAdd {
                x: read_layout(x)?,
                how: windows::Overlap {
                    axis: number(axis)?,
                    n: number(n)?,
                    stride: number(stride)?,
                    dilation: number(dilation)?,
                },
            },
            ["cumsum", dims] => Call::CumSum { dims: read_dims(dims)? },
            ["recurrence", dims] => Call::Recurrence { dims: read_dims(dims)? },
            ["argsort", order, dims] => {
                let orders = [("ascending", Order::Ascending), ("descending", Order::Descending)];
                Call::ArgSort { order: one_of(order, &orders)?, dims: read_dims(dims)? }
            }
            ["solve", part, transposed, dims] => Call::Solve {
                part: one_of(part, &[("all", Part::All), ("lower", Part::Lower), ("upper", Part::Upper)])?,
                transposed: one_of(transposed, &[("plain", false), ("transposed", true)])?,
                dims: read_dims(dims)?,
            },
            ["cholesky", dims] => Call::Cholesky { dims: read_dims(dims)? },
            ["determinant", what, dims] => {
                let all =
                    [("value", Determinant::Value), ("sign", Determinant::Sign), ("log", Determinant::Log)];
                Call::Determinant { what: one_of(what, &all)?, dims: read_dims(dims)? }
            }
            ["decompose", into, dims] => {
                let all = [
                    ("eigen", Decomposition::Eigen),
                    ("singular", Decomposition::Singular),
                    ("orthogonal", Decomposition::Orthogonal),
                ];
                Call::Decompose { into: one_of(into, &all)?, dims: read_dims(dims)? }
            }
            ["cond"] => Call::Branch(Box::new(Choice { yes: self.plan()?, no: self.plan()? })),
            [
                name @ ("scan" | "while"),
                carries,
                slices,
                captures,
                counted,
                length,
                reverse,
                outputs @ ..,
            ] => {
                let step = self.plan()?;
                let test = if *name == "while" { Some(self.plan()?) } else { None };
                Call::Loop(Box::new(Cycle {
                    step,
                    test,
                    carries: number(carries)?,
                    slices: number(slices)?,
                    captures: number(captures)?,
                    counted: number(counted)?,
                    length: number(length)?,
                    reverse: number(reverse)?,
                    outputs: outputs.iter().map(|w| output(w)).collect::<Read<_>>()?,
                }))
            }
            ["custom", name, ..] => {
                return Err(format!("what the user's operation {name} does is not said by text"));
            }
            [name, dims] => Call::Reduce { op: reduction(name)?, dims: read_dims(dims)? },
            words => return Err(format!("`{}` is no call", words.join(" "))),
        })
    }

    fn row_step(&mut self, words: &[&str]) -> Read<RowStep> {
        let wrong = || "a step of rows is what it does with `of` and `to` places".to_owned();
        let of = words.iter().position(|w| *w == "of").ok_or_else(wrong)?;
        let to = of + words[of..].iter().position(|w| *w == "to").ok_or_else(wrong)?;
        let places = |words: &[&str]| words.iter().map(|w| read_place(w)).collect::<Read<Vec<_>>>();
        let (reads, writes) = (places(&words[of + 1..to])?, places(&words[to + 1..])?);
        let work = match &words[..of] {
            ["map", shape] => {
                let (program, layouts, _) = self.program()?;
                RowWork::Map { program, shape: read_shape(shape)?, layouts }
            }
            [name] => RowWork::Reduce(reduction(name)?),
            _ => return Err(wrong()),
        };
        Ok(RowStep { work, reads, writes })
    }

    /// A program, how its inputs lie, and which of them lie in which outputs.
    fn program(&mut self) -> Read<(Program, Vec<Layout>, Vec<Option<usize>>)> {
        let mut builder = ProgramBuilder::new();
        let (mut regs, mut layouts, mut in_place): (Vec<Reg>, Vec<_>, Vec<_>) = Default::default();
        loop {
            let words = self.next()?;
            let reg = |word: &str| {
                let i = numbered(word, "%")?;
                regs.get(i).copied().ok_or_else(|| format!("%{i} is read before it is there"))
            };
            let (to, what) = match words {
                ["give", results @ ..] => {
                    let results = results.iter().map(|w| reg(w)).collect::<Read<Vec<Reg>>>()?;
                    results.into_iter().for_each(|r| builder.output(r));
                    return Ok((builder.finish(), layouts, in_place));
                }
                [to, "=", what @ ..] => (numbered(to, "%")?, what),
                _ => return Err("an instruction is `%0 = …`, and a program ends with `give`".into()),
            };
            if to != regs.len() {
                return Err(format!("values are numbered from %0, so this is %{}", regs.len()));
            }
            let made = match what {
                ["input", kind, layout, held @ ..] => {
                    layouts.push(read_layout(layout)?);
                    in_place.push(match held {
                        [] => None,
                        ["in", j] => Some(number(j)?),
                        _ => return Err("behind its layout an input has `in` and an output, or nothing".into()),
                    });
                    builder.input(read_kind(kind)?)
                }
                ["real", x] => builder.constant(Scalar::Real(read64(x)?)),
                ["int", x] => builder.constant(Scalar::Int(number(x)?)),
                ["truth", x] => builder.constant(Scalar::Truth(number(x)?)),
                ["select", c, x, y] => {
                    let (c, x, y) = (reg(c)?, reg(x)?, reg(y)?);
                    if c.kind() != Kind::Truth || x.kind() != y.kind() {
                        return Err("select chooses by a truth value between two of one kind".into());
                    }
                    builder.select(c, x, y)
                }
                ["cast", x, kind] => {
                    let (x, kind) = (reg(x)?, read_kind(kind)?);
                    if x.kind() == kind {
                        return Err("a cast to the same kind is none".into());
                    }
                    builder.cast(x, kind)
                }
                [name, x] => {
                    let (op, x) = (named(name, Unary::ALL, Unary::name)?, reg(x)?);
                    if !op.takes(x.kind()) {
                        return Err(format!("{name} does not take {:?}", x.kind()));
                    }
                    builder.unary(op, x)
                }
                [name, x, y] => {
                    let (x, y) = (reg(x)?, reg(y)?);
                    if x.kind() != y.kind() {
                        return Err(format!("{name} of {:?} and {:?}", x.kind(), y.kind()));
                    }
                    match named(name, Compare::ALL, Compare::name) {
                        Ok(op) => builder.compare(op, x, y),
                        Err(_) => {
                            let op = named(name, Binary::ALL, Binary::name)?;
                            if !op.takes(x.kind()) {
                                return Err(format!("{name} does not take {:?}", x.kind()));
                            }
                            builder.binary(op, x, y)
                        }
                    }
                }
                words => return Err(format!("`{}` is no instruction", words.join(" "))),
            };
            regs.push(made);
        }
    }
}

fn named<T: Copy>(name: &str, all: &[T], of: fn(T) -> &'static str) -> Read<T> {
    all.iter().copied().find(|op| of(*op) == name).ok_or_else(|| format!("`{name}` is no operation"))
}

fn reduction(name: &str) -> Read<Reduction> {
    named(name, Reduction::ALL, Reduction::name)
}

fn gather(words: &[&str]) -> Read<Lengths> {
    match words {
        [b, n, p, i] => {
            Ok(Lengths { batch: number(b)?, n: number(n)?, picked: number(p)?, inner: number(i)? })
        }
        _ => Err(format!("picking has four lengths, not {}", words.len())),
    }
}

fn output(word: &str) -> Read<Output> {
    match word {
        "count" => Ok(Output::Count),
        carry if carry.starts_with("carry") => numbered(carry, "carry").map(Output::Carry),
        stack => numbered(stack, "stack").map(Output::Stack),
    }
}

fn buffer(plan: &Plan, word: &str) -> Read<usize> {
    let b = numbered(word, "b")?;
    if b < plan.buffers.len() { Ok(b) } else { Err(format!("there is no buffer b{b}")) }
}

fn slot(plan: &Plan, word: &str) -> Read<Slot> {
    let (name, len) = match word.split_once('[') {
        None => (word, None),
        Some((name, len)) => (name, Some(number(len.strip_suffix(']').unwrap_or(""))?)),
    };
    let buffer = buffer(plan, name)?;
    let room = plan.buffers[buffer].len;
    match len {
        Some(len) if len > room => Err(format!("b{buffer} has room for {room} elements, not for {len}")),
        len => Ok(Slot { buffer, len: len.unwrap_or(room) }),
    }
}

/// A dtype, a shape, `=` and the elements.
fn tensor(words: &[&str]) -> Read<Tensor> {
    fn of<E: Element>(shape: &Shape, words: &[&str], read: impl Fn(&str) -> Read<E>) -> Read<Tensor> {
        let elements = words.iter().map(|w| read(w)).collect::<Read<Vec<E>>>()?;
        let given = elements.len();
        Tensor::from_vec(elements, shape).map_err(|_| format!("{given} elements do not fill {shape}"))
    }
    let [dtype, shape, "=", elements @ ..] = words else {
        return Err("a value is a dtype, a shape, `=` and its elements".into());
    };
    let shape = read_shape(shape)?;
    match *dtype {
        "f32" => of(&shape, elements, read32),
        "f64" => of(&shape, elements, read64),
        "i64" => of(&shape, elements, number::<i64>),
        "bool" => of(&shape, elements, number::<bool>),
        other => Err(format!("`{other}` is no dtype")),
    }
}
