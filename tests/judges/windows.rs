//! Convolutions, pooling, resizing and padding against the values and gradients of PyTorch's (torch_windows.py).

use std::collections::BTreeMap;

use chainrule::graph::{Around, Resize, Slide};
use chainrule::prelude::*;

struct Case<'a> {
    options: BTreeMap<&'a str, &'a str>,
}

impl Case<'_> {
    fn list(&self, name: &str) -> Vec<usize> {
        self.options[name].split('x').map(|n| n.parse().expect("a number")).collect()
    }

    fn slide(&self) -> Slide {
        let padding: Vec<(usize, usize)> = self.list("padding").into_iter().map(|n| (n, n)).collect();
        Slide::new().stride(self.list("stride")).dilation(self.list("dilation")).padding(padding)
    }

    fn result<'g>(&self, op: &str, x: Var<'g>, w: Option<Var<'g>>) -> Var<'g> {
        match (op, w) {
            ("conv", Some(w)) => x.grouped_conv(w, self.list("groups")[0], &self.slide()),
            ("conv_transpose", Some(w)) => {
                x.conv_transpose(w, self.list("groups")[0], &self.slide(), self.list("more")[0])
            }
            ("max_pool", _) => x.max_pool(self.list("size"), &self.slide()),
            ("avg_pool", _) => x.avg_pool(self.list("size"), &self.slide(), self.options["counts"] == "1"),
            ("adaptive_avg_pool", _) => x.adaptive_avg_pool(self.list("to")),
            ("adaptive_max_pool", _) => x.adaptive_max_pool(self.list("to")),
            ("resize", _) => x.resize(
                self.list("to"),
                match self.options["how"] {
                    "nearest" => Resize::Nearest,
                    how => Resize::Linear { align_corners: how == "corners", antialias: how == "antialias" },
                },
            ),
            ("pad", _) => {
                let around = match self.options["around"] {
                    "reflect" => Around::Reflect,
                    "replicate" => Around::Replicate,
                    "circular" => Around::Circular,
                    _ => Around::Constant(0.75),
                };
                let sides = self.list("sides");
                x.pad_with(-1, sides[0], sides[1], around).pad_with(-2, sides[2], sides[3], around)
            }
            _ => panic!("no operation is called {op}"),
        }
    }
}

fn filled(shape: &[usize], step: f64, start: f64) -> Tensor {
    let n = shape.iter().product::<usize>();
    Tensor::from_vec((0..n).map(|i| (step * i as f64 + start).sin()).collect(), shape).expect("as many")
}

#[test]
fn windows_have_the_values_and_gradients_of_pytorch() {
    let mut worst = 0.0_f64;
    let mut count = 0;
    for line in include_str!("data/windows.txt").lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let sizes = |i: usize| -> Vec<usize> {
            fields[i].split_whitespace().map(|n| n.parse().expect("a length")).collect()
        };
        let numbers = |i: usize| -> Vec<f64> {
            fields[i].split_whitespace().map(|x| x.parse().expect("a number")).collect()
        };
        let options = fields[1].split(',').filter_map(|o| o.split_once('='));
        let case = Case { options: options.collect() };
        let g = Graph::new();
        let x = g.leaf("x", filled(&sizes(2), 1.7, 0.3));
        let w = (!fields[3].is_empty()).then(|| g.leaf("w", filled(&sizes(3), 2.3, 0.1)));
        let y = case.result(fields[0], x, w);
        assert_eq!(y.shape()[..], sizes(4), "{line}: {y:?}");
        let n = y.shape().iter().product::<usize>();
        let ct = Tensor::from_vec((0..n).map(|i| (i as f64).cos()).collect::<Vec<f64>>(), y.shape())
            .expect("as many");
        let wrt: Vec<Var<'_>> = [x].into_iter().chain(w).collect();
        let d = (y * g.constant(ct)).sum(..).grad_or_zeros(&wrt).expect("gradients");
        for (found, right) in [y].into_iter().chain(d).zip([numbers(5), numbers(6), numbers(7)]) {
            let found = found.value().expect("runs").to_vec::<f64>().expect("f64");
            assert_eq!(found.len(), right.len());
            for (a, b) in found.iter().zip(right) {
                let off = (a - b).abs() / b.abs().max(1.0);
                worst = worst.max(off);
                assert!(off < 1e-10, "{a}, not {b}, in {line}");
            }
        }
        count += 1;
    }
    println!("{count} cases, the worst relative difference {worst:.1e}");
}
