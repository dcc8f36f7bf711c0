//! What anomaly mode has to know of a step.

use chainrule_tensor::Layout;
use chainrule_tensor::kernels::elementwise::Scalar;

use super::{Lowerer, Place};
use crate::exec::anomaly::{self, Watch};
use crate::ir::NodeId;
use crate::prim::Op;

impl Lowerer<'_> {
    /// In anomaly mode: has the step just made, which carries out one node, looked at.
    pub(super) fn watch(&mut self, group: &[NodeId], read: &[(usize, Layout)]) {
        let (true, &[id]) = (self.out.anomaly, group) else { return };
        let node = &self.nodes[id.index()];
        let operand = |a: &NodeId| {
            let place = match self.place(*a) {
                Place::Immediate(value) => anomaly::Place::Immediate(match value {
                    Scalar::Real(x) => x,
                    Scalar::Int(i) => i as f64,
                    Scalar::Truth(t) => f64::from(u8::from(t)),
                }),
                Place::At(buffer, layout) => {
                    let i = read.iter().position(|r| *r == (buffer, layout.clone()))?;
                    anomaly::Place::Input(i, layout)
                }
            };
            let arg = &self.nodes[a.index()];
            let label = match &arg.op {
                _ if matches!(place, anomaly::Place::Immediate(_)) => "a number".into(),
                Op::Input(p) => format!("`{}`", self.names[p.index]),
                op => op.name().to_string(),
            };
            Some(anomaly::Operand { label, ty: arg.ty.clone(), origin: arg.origin.clone(), place })
        };
        let watch = Watch { op: node.op.name(), operands: node.args.iter().filter_map(operand).collect() };
        if let Some(step) = self.out.steps.last_mut() {
            step.watch = Some(watch);
        }
    }
}
