//! Elementwise nodes as instructions of one fused program.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::{Binary, Compare, ProgramBuilder, Reg, Unary};

/// What an elementwise primitive does to its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instruction {
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    Select,
    Cast(Kind),
}

impl Instruction {
    /// Appends this instruction to a program.
    pub(crate) fn emit(self, program: &mut ProgramBuilder, args: &[Reg]) -> Reg {
        match self {
            Instruction::Unary(f) => program.unary(f, args[0]),
            Instruction::Binary(f) => program.binary(f, args[0], args[1]),
            Instruction::Compare(f) => program.compare(f, args[0], args[1]),
            Instruction::Select => program.select(args[0], args[1], args[2]),
            Instruction::Cast(kind) => program.cast(args[0], kind),
        }
    }
}
