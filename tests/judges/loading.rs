//! Files between PyTorch and here (torch_loading.py): its state dicts load by name and predict the same; it reads what is
//! saved here and predicts the same.

use std::fs;
use std::path::{Path, PathBuf};

use chainrule::data::digits;
use chainrule::loss::softmax_cross_entropy;
use chainrule::nn::Renaming;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/data").join(name)
}

fn inputs(shape: &[usize]) -> Tensor {
    let n = shape.iter().product::<usize>();
    let x = (0..n).map(|i| (0.37 * (i as f64).powi(2)).sin()).collect();
    Tensor::from_vec(x, shape).expect("as many")
}

fn images(classes: usize) -> impl Layer {
    layer(move |s, x| {
        let h = Conv::new(4, [3, 3])
            .slide(Slide::new().padding(1))
            .forward(&s.at("conv"), x.reshape([-1, 1, 8, 8]));
        let h = BatchNorm::new().forward(&s.at("norm"), h).relu();
        let h = Flatten.forward(s, MaxPool::new([2, 2]).forward(&s.at("pool"), h));
        let h = Linear::new(16).forward(&s.at("hidden0"), h).tanh();
        let h = Linear::new(16).forward(&s.at("hidden1"), h).relu();
        Linear::new(classes).forward(&s.at("output"), h)
    })
}

fn reader() -> impl Layer {
    layer(|s, x| {
        let h = Recurrent::lstm(5).layers(2).bidirectional().forward(&s.at("lstm"), x);
        Linear::new(2).forward(&s.at("head"), h)
    })
}

/// The predictions in f32, as after training, or in f64.
fn predicted(model: &impl Layer, params: &Params, x: &Tensor, width: DType) -> Vec<f64> {
    let params: Params = params.iter().map(|(path, value)| (path, value.cast(width))).collect();
    let g = Graph::new();
    let s = Scope::root(&g, params, Mode::Evaluate, 1);
    let y = model.forward(&s, g.constant(x.cast(width)));
    y.value().expect("fits").cast(DType::F64).to_vec().expect("numbers")
}

/// Parameters as they are drawn.
fn drawn(model: &impl Layer, x: &Tensor) -> Params {
    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Evaluate, 1);
    model.forward(&s, g.constant(x.clone())).checked().expect("fits");
    s.params()
}

/// `params` predict what the script wrote: to rounding in f64, and in f32 to 1e-6 of the largest output.
fn agree(name: &str, model: &impl Layer, params: &Params, x: &Tensor) {
    let text = fs::read_to_string(file("loading.txt")).expect("the script's answers");
    let line = text.lines().find_map(|l| l.strip_prefix(&format!("{name}|"))).expect(name);
    let right: Vec<f64> = line.split(' ').map(|x| x.parse().expect("a number")).collect();
    let largest = right.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
    for (width, limit) in [(DType::F64, 1e-11), (DType::F32, 1e-6)] {
        let found = predicted(model, params, x, width);
        assert_eq!(found.len(), right.len(), "{name}");
        let worst = found.iter().zip(&right).fold(0.0_f64, |a, (b, c)| a.max((b - c).abs())) / largest;
        println!("{name} in {width}: the worst difference is {worst:.1e} of the largest output");
        assert!(worst < limit, "{name} in {width}: {worst:e}");
    }
}

#[test]
fn a_state_dict_of_pytorch_loads_by_name_and_predicts_the_same() {
    let (model, x) = (images(3), inputs(&[5, 1, 8, 8]));
    let (saved, mut params) =
        (Params::load(file("torch_images.safetensors")).expect("reads"), drawn(&model, &x));
    let places = [("0", "conv"), ("1", "norm"), ("5", "hidden0"), ("7", "hidden1"), ("9", "output")];
    let map = places.iter().fold(Renaming::new(), |map, (from, to)| map.prefix(from, to));
    // A square matrix does not show by its shape which way it lies.
    let report = map.transpose("hidden1").load(&saved, &mut params);
    assert_eq!(report.left_over, ["1.num_batches_tracked"], "{report}");
    assert_eq!(report.transposed.len(), 3, "{report}");
    assert!(report.missing.is_empty() && report.misfits.is_empty(), "{report}");
    agree("images", &model, &params, &x);
}

#[test]
fn a_recurrent_state_dict_of_pytorch_loads_by_name_and_predicts_the_same() {
    let (model, x) = (reader(), inputs(&[2, 7, 3]));
    let (saved, mut params) =
        (Params::load(file("torch_reader.safetensors")).expect("reads"), drawn(&model, &x));
    let mut map = Renaming::new().transpose("lstm");
    for (layer, (suffix, direction)) in
        [0, 1].into_iter().flat_map(|l| [("", "forward"), ("_reverse", "backward")].map(|d| (l, d)))
    {
        for (kind, name) in [("ih", "input"), ("hh", "hidden")] {
            for part in ["weight", "bias"] {
                let theirs = format!("lstm.{part}_{kind}_l{layer}{suffix}");
                map = map.prefix(&theirs, &format!("lstm.{direction}{layer}.{name}.{part}"));
            }
        }
    }
    let report = map.load(&saved, &mut params);
    assert!(report.is_whole(), "{report}");
    assert_eq!((report.fitted.len(), report.transposed.len()), (18, 9), "{report}");
    agree("reader", &model, &params, &x);
}

#[test]
fn pytorch_reads_what_is_saved_here_and_predicts_the_same() {
    let (model, path) = (images(10), file("ours.safetensors"));
    if std::env::var_os("UPDATE_LOADING").is_some() {
        let mut params = Params::new();
        let data = digits().expect("embedded");
        let trainer = Trainer::new(images(10), softmax_cross_entropy).epochs(2).seed(1);
        trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
        params.without_names().save(&path).expect("writes");
    }
    let params = Params::load(&path).expect("reads");
    // Today's file of these parameters is the one that PyTorch has read.
    let folder = tempfile::tempdir().expect("a folder");
    let again = folder.path().join("again.safetensors");
    params.save(&again).expect("writes");
    assert!(fs::read(&path).expect("a file") == fs::read(again).expect("a file"), "other bytes");
    agree("ours", &model, &params, &inputs(&[5, 1, 8, 8]));
}
