//! chainrule: record, differentiate, plan, run.
pub use chainrule_graph as graph;
pub use chainrule_nn as nn;
pub use chainrule_tensor as tensor;
