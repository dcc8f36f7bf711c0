//! A plan as a sketch: steps as boxes, fused groups as frames, buffers as coloured wires.

use chainrule_sketch::{Block, Ink, Look, Sketch, Wire, shortened};
use chainrule_tensor::Tensor;
use chainrule_tensor::kernels::elementwise::Scalar;

use super::label;
use super::style::{self, BACKWARD, FORWARD, LEAF, PLACE, RESULT, SHAPE, TANGENT};
use crate::exec::compiled::Compiled;
use crate::exec::operation::{Operand, Operation};
use crate::exec::plan::{Plan, Slot, Step};
use crate::origin::Origin;
use crate::precision::Precision;
use crate::types::type_of;

impl Compiled {
    /// The plan as an SVG picture: arguments, states and constants on the left, then each step with the user's
    /// line; the operations of a fused step stand in a frame. A wire is a buffer, named with shape and size where
    /// it is written. Buffers that the plan works in have colours: the same name and colour further right is the
    /// same memory, used again.
    ///
    /// ```
    /// use chainrule_graph::{Graph, Kind};
    /// let g = Graph::new();
    /// let x = g.input("x", [8, 3], Kind::Real);
    /// let plan = g.compile(&[x], &[(x.exp() + 1.0).ln().sum(0)])?;
    /// assert!(plan.svg().contains("3 operations in one pass"));
    /// # Ok::<(), chainrule_graph::Error>(())
    /// ```
    pub fn svg(&self) -> String {
        super::draw(&sketch(self))
    }
}

pub(super) fn sketch(compiled: &Compiled) -> Sketch {
    let (plan, precision, bytes) = (compiled.plan(), compiled.precision(), compiled.bytes());
    let (steps, buffers) = (plan.steps.len(), plan.buffers.len());
    let mut sketch = Sketch {
        heading: format!("plan: {steps} steps, {buffers} buffers, {} to work in", label::bytes(bytes)),
        ..Sketch::default()
    };
    let mut pen =
        Pen { plan, precision, writer: vec![None; buffers], hue: vec![0; buffers], sketch: &mut sketch };
    pen.given();
    plan.steps.iter().zip(1..).for_each(|(step, number)| pen.step(step, number));
    pen.results();
    let meanings = [
        (LEAF, "argument, state or constant"),
        (FORWARD, "forward"),
        (TANGENT, "local derivative"),
        (BACKWARD, "backward"),
        (RESULT, "result"),
    ];
    sketch.tones = style::legend(&meanings, &sketch.boxes);
    sketch
}

struct Pen<'a> {
    plan: &'a Plan,
    precision: Precision,
    /// The box that wrote each buffer last.
    writer: Vec<Option<usize>>,
    /// The colour of each buffer; 0 for those that a run only reads.
    hue: Vec<usize>,
    sketch: &'a mut Sketch,
}

impl Pen<'_> {
    /// Arguments, states and constants.
    fn given(&mut self) {
        let plan = self.plan;
        let constants: Vec<usize> = plan.constants.iter().map(|c| c.0).collect();
        let inputs: Vec<usize> = plan.inputs.iter().map(|i| i.0).collect();
        let mut hues = 1..;
        for b in (0..plan.buffers.len()).filter(|b| !constants.contains(b) && !inputs.contains(b)) {
            self.hue[b] = hues.next().unwrap_or(1);
        }
        for (buffer, name, ty, _) in &plan.inputs {
            self.leaf(*buffer, name, ty.to_string(), "argument");
        }
        for ((buffer, start), name) in plan.state.iter().zip(&plan.state_names) {
            self.leaf(*buffer, name, type_of(start).to_string(), "state");
        }
        for (buffer, value, name) in &plan.constants {
            let title = match (name, value) {
                (Some(name), _) => name.clone(),
                (None, scalar) if scalar.shape().is_empty() => label::value(scalar).concat(),
                _ => "constant".into(),
            };
            let what = if name.is_some() { "leaf" } else { "constant" };
            self.leaf(*buffer, &title, type_of(value).to_string(), what);
        }
    }

    fn leaf(&mut self, buffer: usize, name: &str, ty: String, what: &str) {
        let len = self.plan.buffers[buffer].len;
        let label = format!("b{buffer} · {}", label::bytes(self.bytes(Slot { buffer, len })));
        let lines = vec![(Ink::Title, label::name(name)), (SHAPE, ty.clone())];
        self.writer[buffer] = Some(self.sketch.boxes.len());
        let tooltip = format!("{what} {name}: {ty} in b{buffer}");
        self.sketch.boxes.push(Block { label: Some(label), ..style::block(lines, LEAF, tooltip) });
    }

    /// One step: a box, or a frame with a box for each operation.
    fn step(&mut self, step: &Step, number: usize) {
        let names =
            |slots: &[Slot]| slots.iter().map(|s| format!("b{}", s.buffer)).collect::<Vec<_>>().join(" ");
        let (what, to, from) = (step.call.name(), names(&step.outputs), names(&step.inputs));
        // Every box of a step has its tooltip, so the line of a step of thousands of operations is cut short.
        let line = shortened(&format!("{to} = {what}({from})  {}", step.about.label), 200);
        let tooltip = format!("step {number}: {line}\n{}", step.about.origin);
        let place = |origin: &Origin| format!("step {number} · {}", label::place(origin));
        let first = self.sketch.boxes.len();
        let sources: Vec<(Option<usize>, Look)> =
            step.inputs.iter().map(|s| (self.writer[s.buffer], Look::Coloured(self.hue[s.buffer]))).collect();
        match &step.about.operations[..] {
            [] => {
                sources
                    .iter()
                    .enumerate()
                    .for_each(|(slot, (from, look))| self.wire(*from, first, slot, *look));
                self.operation(
                    label::name(&step.about.label),
                    step,
                    &step.about.origin,
                    place(&step.about.origin),
                    tooltip,
                );
            }
            [only] => {
                let title = self.operands(only, first, first, &sources);
                self.operation(title, step, &only.origin, place(&only.origin), tooltip);
            }
            operations => {
                let frame = self.sketch.frames.len();
                let label = format!("step {number}: {} operations in one pass", operations.len());
                self.sketch.frames.push(style::frame(label, style::tone(step.about.origin.phase)));
                for (operation, b) in operations.iter().zip(first..) {
                    let title = self.operands(operation, b, first, &sources);
                    let place = label::place(&operation.origin);
                    self.operation(title, step, &operation.origin, place, tooltip.clone());
                    self.sketch.boxes[b].path.push(frame);
                }
            }
        }
        let written: Vec<usize> = match &step.about.operations[..] {
            [] => vec![first; step.outputs.len()],
            operations => operations.iter().zip(first..).filter(|(o, _)| o.output).map(|(_, b)| b).collect(),
        };
        for (b, output) in written.into_iter().zip(&step.outputs) {
            let in_place = step.inputs.iter().any(|i| i.buffer == output.buffer);
            let how = if in_place { ", in place" } else { "" };
            let label = format!("b{} · {}{how}", output.buffer, label::bytes(self.bytes(*output)));
            let labels = &mut self.sketch.boxes[b].label;
            *labels = Some(labels.take().map_or(label.clone(), |others| format!("{others}, {label}")));
            self.writer[output.buffer] = Some(b);
        }
    }

    fn operation(&mut self, title: String, step: &Step, origin: &Origin, place: String, tooltip: String) {
        let lines = vec![(Ink::Title, title), (SHAPE, step.about.shape.to_string()), (PLACE, place)];
        self.sketch.boxes.push(style::block(lines, style::tone(origin.phase), tooltip));
    }

    /// Wires the operands of the operation in box `b` of a step whose first box is `first`; the operation with the
    /// numbers among its operands.
    fn operands(
        &mut self,
        operation: &Operation,
        b: usize,
        first: usize,
        sources: &[(Option<usize>, Look)],
    ) -> String {
        let mut operands = Vec::new();
        let mut slot = 0;
        for arg in &operation.args {
            let (from, look) = match *arg {
                Operand::Number(n) => {
                    operands.push(label::Operand::Number(number(n)));
                    continue;
                }
                Operand::Input(i) => sources[i],
                Operand::Operation(i) => (Some(first + i), Look::Plain),
            };
            operands.push(label::Operand::Wired);
            self.wire(from, b, slot, look);
            slot += 1;
        }
        label::formula(&operation.op, &operation.op.label(), &operands, false)
    }

    /// Results, and the next values of states: where they belong already, or copied there after the run.
    fn results(&mut self) {
        for (i, (slot, ty)) in self.plan.outputs.iter().enumerate() {
            self.end(*slot, format!("result {i}"), ty.to_string());
        }
        for ((home, start), name) in self.plan.state.iter().zip(&self.plan.state_names) {
            let (slot, how) = match self.plan.carries.iter().find(|(_, to)| to == home) {
                Some((from, _)) => (*from, "copied to"),
                None => (Slot { buffer: *home, len: start.size() }, "in"),
            };
            self.end(slot, format!("next {}", label::name(name)), format!("{how} b{home}"));
        }
    }

    fn end(&mut self, slot: Slot, title: String, text: String) {
        let b = self.sketch.boxes.len();
        let tooltip = format!("{title}: {text}, from b{}", slot.buffer);
        let lines = vec![(Ink::Title, title), (SHAPE, text)];
        self.sketch.boxes.push(Block { strong: true, ..style::block(lines, RESULT, tooltip) });
        self.wire(self.writer[slot.buffer], b, 0, Look::Coloured(self.hue[slot.buffer]));
    }

    fn wire(&mut self, from: Option<usize>, to: usize, slot: usize, look: Look) {
        self.sketch.wires.extend(from.map(|from| Wire { from, to, slot, look }));
    }

    fn bytes(&self, slot: Slot) -> usize {
        self.plan.buffers[slot.buffer].width(self.precision) * slot.len
    }
}

fn number(scalar: Scalar) -> String {
    let tensor = match scalar {
        Scalar::Real(x) => Tensor::from(x),
        Scalar::Int(i) => Tensor::from(i),
        Scalar::Truth(t) => Tensor::from(t),
    };
    label::value(&tensor).concat()
}
