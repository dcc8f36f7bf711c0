//! A plain executor, the judge of the fast one: every value a list of numbers, every kernel nested loops in f64, as the
//! definition has it. No blocks, no threads, no layouts but the ones that a call names.

mod algebra;
mod elementwise;
mod judge;
mod loops;

use chainrule_graph::plan::{Call, Executor, RowWork};
use chainrule_graph::{ErrorKind, Kind, Type};
use chainrule_tensor::kernels::elementwise::Scalar;
use chainrule_tensor::kernels::rows::Place;
use chainrule_tensor::{DType, Format, Layout, Tensor};

/// Carries out calls one number at a time.
pub(crate) struct Plain;

pub(crate) fn real(x: Scalar) -> f64 {
    match x {
        Scalar::Real(x) => x,
        other => panic!("{other:?} is no real"),
    }
}

pub(crate) fn int(x: Scalar) -> i64 {
    match x {
        Scalar::Int(x) => x,
        other => panic!("{other:?} is no integer"),
    }
}

pub(crate) fn truth(x: Scalar) -> bool {
    match x {
        Scalar::Truth(x) => x,
        other => panic!("{other:?} is no truth value"),
    }
}

fn nothing(kind: Kind) -> Scalar {
    match kind {
        Kind::Real => Scalar::Real(0.0),
        Kind::Int => Scalar::Int(0),
        Kind::Truth => Scalar::Truth(false),
    }
}

fn numbers(value: &Tensor) -> Vec<Scalar> {
    let what = "elements";
    match value {
        Tensor::I64(_) => value.to_vec::<i64>().expect(what).into_iter().map(Scalar::Int).collect(),
        Tensor::Bool(_) => value.to_vec::<bool>().expect(what).into_iter().map(Scalar::Truth).collect(),
        _ => value.cast(DType::F64).to_vec::<f64>().expect(what).into_iter().map(Scalar::Real).collect(),
    }
}

pub(crate) fn tensor(numbers: &[Scalar], kind: Kind, shape: &[usize]) -> Tensor {
    let all = numbers.iter().copied();
    match kind {
        Kind::Real => Tensor::from_vec(all.map(real).collect::<Vec<_>>(), shape),
        Kind::Int => Tensor::from_vec(all.map(int).collect::<Vec<_>>(), shape),
        Kind::Truth => Tensor::from_vec(all.map(truth).collect::<Vec<_>>(), shape),
    }
    .expect("as many elements as the shape has")
}

/// All indices of a shape, the last axis fastest.
pub(crate) fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![Vec::new()], |all, n| {
        let longer = |index: &Vec<usize>| (0..*n).map(|i| [&index[..], &[i]].concat()).collect::<Vec<_>>();
        all.iter().flat_map(longer).collect()
    })
}

/// Where the element at `index` lies.
pub(crate) fn at(layout: &Layout, index: &[usize]) -> usize {
    let steps = index.iter().zip(&layout.strides).map(|(i, stride)| *i as isize * stride);
    usize::try_from(layout.offset as isize + steps.sum::<isize>()).expect("within the buffer")
}

impl Executor for Plain {
    type Memory = Vec<Scalar>;
    type View<'a> = &'a [Scalar];
    type ViewMut<'a> = &'a mut [Scalar];
    type Kernel = ();

    fn room(&mut self, kind: Kind, _: Option<Format>, len: usize) -> Vec<Scalar> {
        vec![nothing(kind); len]
    }

    fn hold(&mut self, value: &Tensor) -> Vec<Scalar> {
        numbers(value)
    }

    fn put(&mut self, value: &Tensor, to: &mut [Scalar]) {
        to.copy_from_slice(&numbers(value));
    }

    fn get(&self, from: &[Scalar], ty: &Type) -> Tensor {
        tensor(from, ty.kind, &ty.shape)
    }

    fn number(&self, from: &[Scalar]) -> i64 {
        match from[0] {
            Scalar::Truth(x) => i64::from(x),
            x => int(x),
        }
    }

    fn set_number(&mut self, value: i64, to: &mut [Scalar]) {
        to[0] = Scalar::Int(value);
    }

    fn view<'a>(&self, memory: &'a Vec<Scalar>, len: usize) -> &'a [Scalar] {
        &memory[..len]
    }

    fn view_mut<'a>(&self, memory: &'a mut Vec<Scalar>, len: usize) -> &'a mut [Scalar] {
        &mut memory[..len]
    }

    fn nothing<'a>(&self) -> &'a [Scalar] {
        &[]
    }

    fn part<'a, 'b: 'a>(&self, of: &'b [Scalar], start: usize, len: usize) -> &'a [Scalar] {
        &of[start..start + len]
    }

    fn part_mut<'a>(&self, of: &'a mut &mut [Scalar], start: usize, len: usize) -> &'a mut [Scalar] {
        &mut of[start..start + len]
    }

    fn seen<'a>(&self, of: &'a &mut [Scalar]) -> &'a [Scalar] {
        of
    }

    fn copy(&mut self, from: &[Scalar], to: &mut [Scalar]) {
        to.copy_from_slice(from);
    }

    fn clear(&mut self, to: &mut [Scalar]) {
        to.iter_mut().for_each(|x| *x = nothing(x.kind()));
    }

    fn prepare(&mut self, _: &Call) -> Result<(), ErrorKind> {
        Ok(())
    }

    fn run(
        &mut self,
        call: &Call,
        (): &mut (),
        inputs: &[&[Scalar]],
        outputs: &mut [&mut [Scalar]],
    ) -> Result<(), ErrorKind> {
        let made = match call {
            Call::Map { program, shape, layouts, in_place } => {
                let held = |(x, held): (&&[Scalar], &Option<usize>)| match held {
                    Some(j) => outputs[*j].to_vec(),
                    None => x.to_vec(),
                };
                let inputs: Vec<Vec<Scalar>> = inputs.iter().zip(in_place).map(held).collect();
                elementwise::map(program, shape, layouts, &inputs)
            }
            Call::Rows { dims: [rows, n], steps } => {
                let (mut results, mut locals) = (vec![Vec::new(); outputs.len()], Vec::new());
                for step in steps {
                    let read = |place: &Place| match *place {
                        Place::Input(i) => inputs[i].to_vec(),
                        Place::Output(i) => Vec::clone(&results[i]),
                        Place::Local(i) => Vec::clone(&locals[i]),
                    };
                    let reads: Vec<Vec<Scalar>> = step.reads.iter().map(read).collect();
                    let made = match &step.work {
                        RowWork::Map { program, shape, layouts } => {
                            elementwise::map(program, shape, layouts, &reads)
                        }
                        RowWork::Reduce(op) => vec![loops::reduce(*op, &reads[0], [*rows, *n, 1])],
                    };
                    for (place, made) in step.writes.iter().zip(made) {
                        match *place {
                            Place::Output(i) => results[i] = made,
                            Place::Local(i) => {
                                locals.resize_with(locals.len().max(i + 1), Vec::new);
                                locals[i] = made;
                            }
                            Place::Input(_) => panic!("a pass writes to an input"),
                        }
                    }
                }
                results
            }
            call => match loops::carry_out(call, inputs, outputs) {
                Some(made) => made?,
                None => algebra::carry_out(call, inputs)?,
            },
        };
        for (y, made) in outputs.iter_mut().zip(made) {
            y.copy_from_slice(&made);
        }
        Ok(())
    }
}
