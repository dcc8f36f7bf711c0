//! Notes: what a formula tells whoever traces it.

use crate::ir::Graph;
use crate::var::Var;

impl Graph {
    /// Leaves a note about `vars` that is no part of the formula: no node is recorded, no plan changes. A library
    /// function uses it to say what it took its operands for.
    ///
    /// ```
    /// # use chainrule_graph::Graph;
    /// let g = Graph::new();
    /// let x = g.leaf("x", 0.5);
    /// g.note("probability", &[x]);
    /// let (what, about) = g.notes().remove(0);
    /// assert_eq!((what, about[0].id()), ("probability", x.id()));
    /// ```
    ///
    /// A note about a value of another graph is not kept.
    pub fn note(&self, what: &'static str, vars: &[Var<'_>]) {
        if vars.iter().all(|v| std::ptr::eq(v.graph(), self)) {
            let ids = vars.iter().map(|v| v.id()).collect();
            self.inner.borrow_mut().notes.push((what, ids));
        }
    }

    /// The notes left so far, in order.
    pub fn notes(&self) -> Vec<(&'static str, Vec<Var<'_>>)> {
        let inner = self.inner.borrow();
        let vars = |ids: &Vec<_>| ids.iter().map(|id| self.var(*id)).collect();
        inner.notes.iter().map(|(what, ids)| (*what, vars(ids))).collect()
    }
}
