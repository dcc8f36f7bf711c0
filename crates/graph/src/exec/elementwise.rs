//! Elementwise nodes as instructions of one fused program.

use chainrule_tensor::Format;
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
    Round(Format),
}

impl Instruction {
    /// Appends this instruction to a program; an `exact` one rounds nothing to 16 bits.
    pub(crate) fn emit(self, program: &mut ProgramBuilder, args: &[Reg], exact: bool) -> Reg {
        match self {
            Instruction::Unary(f) => program.unary(f, args[0]),
            Instruction::Binary(f) => program.binary(f, args[0], args[1]),
            Instruction::Compare(f) => program.compare(f, args[0], args[1]),
            Instruction::Select => program.select(args[0], args[1], args[2]),
            Instruction::Cast(kind) => program.cast(args[0], kind),
            Instruction::Round(_) if exact => args[0],
            Instruction::Round(format) => program.unary(format.rounding(), args[0]),
        }
    }
}
