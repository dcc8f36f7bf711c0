//! Other optimisers for parts of a model.

use chainrule_graph::Var;

use super::{Memory, Optimiser, Parameter};
use crate::train::lies_below;

/// An optimiser for the places of a model that are named, and one for the rest.
///
/// ```
/// use chainrule_nn::optim::{Adam, Groups, Sgd};
/// // A body that was trained before learns slowly.
/// let optimiser = Groups::new(Adam::new(1e-3)).at("body", Sgd::new(1e-5));
/// ```
pub struct Groups {
    rest: Box<dyn Optimiser>,
    places: Vec<(String, Box<dyn Optimiser>)>,
}

impl Groups {
    /// `rest` for all that is named nowhere.
    pub fn new(rest: impl Optimiser + 'static) -> Self {
        Groups { rest: Box::new(rest), places: Vec::new() }
    }

    /// `optimiser` for the parameters at the place `path` and below it, or the one parameter `path`. Of several places that
    /// hold a parameter, the first that was named has it.
    pub fn at(mut self, path: &str, optimiser: impl Optimiser + 'static) -> Self {
        self.places.push((path.into(), Box::new(optimiser)));
        self
    }
}

impl Optimiser for Groups {
    fn steps<'g>(&self, memory: &mut Memory<'g>, all: &[Parameter<'g>], steps: Vec<Var<'g>>) -> Vec<Var<'g>> {
        let group = |p: &Parameter<'g>| self.places.iter().position(|(place, _)| lies_below(&p.path, place));
        let mut made = steps.clone();
        for i in [None].into_iter().chain((0..self.places.len()).map(Some)) {
            let own: Vec<usize> = (0..all.len()).filter(|k| group(&all[*k]) == i).collect();
            let parameters: Vec<Parameter<'g>> = own.iter().map(|k| all[*k].clone()).collect();
            let given = own.iter().map(|k| steps[*k]).collect();
            let optimiser = i.map_or(&self.rest, |i| &self.places[i].1);
            for (k, step) in own.into_iter().zip(optimiser.steps(memory, &parameters, given)) {
                made[k] = step;
            }
        }
        made
    }

    fn fault(&self) -> Option<String> {
        let places = self.places.iter().find_map(|(path, o)| Some(format!("at `{path}` {}", o.fault()?)));
        self.rest.fault().or(places)
    }
}
