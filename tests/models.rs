use chainrule::loss;
use chainrule::models::{
    AlexNet, InvertedResidual, LeNet5, MobileNetV2, ResNet, SqueezeExcite, TinyYolo, UNet, Vgg16,
};
use chainrule::prelude::*;

/// Parameters that learn, and all numbers, running statistics with them, of a trace over one small image.
fn counts(model: &impl Layer, shape: [usize; 3]) -> (usize, usize) {
    let g = Graph::new();
    let x = g.input("x", [2, shape[0], shape[1], shape[2]], Kind::Real);
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let y = model.forward(&s, x);
    y.checked().expect("fits");
    let learnt = s.traced().iter().map(|(_, p)| p.shape().size()).sum();
    (learnt, s.params().count())
}

#[test]
fn parameters_are_as_many_as_published() {
    assert_eq!(counts(&LeNet5::new(10), [1, 28, 28]).0, 61_706);
    assert_eq!(counts(&LeNet5::new(10).unpadded(), [1, 32, 32]).0, 61_706);
    assert_eq!(counts(&AlexNet::new(1000), [3, 63, 63]).0, 61_100_840);
    assert_eq!(counts(&Vgg16::features(), [3, 32, 32]).0, 14_714_688);
    assert_eq!(counts(&ResNet::resnet18(1000), [3, 32, 32]).0, 11_689_512);
    assert_eq!(counts(&ResNet::resnet50(1000), [3, 32, 32]).0, 25_557_032);
    // The course's head of 6 classes, with biases, as its framework counts: running statistics, too.
    assert_eq!(counts(&ResNet::resnet50(6).biases(), [3, 64, 64]), (23_546_886, 23_600_006));
    assert_eq!(counts(&MobileNetV2::new(1000), [3, 32, 32]), (3_504_872, 3_538_984));
    assert_eq!(counts(&UNet::new(23), [3, 96, 128]).0, 8_640_471);
    assert_eq!(counts(&TinyYolo::new(5, 20), [3, 64, 64]).1, 15_867_885);
}

/// A small one of each kind, over images of 32 × 32 and 2 channels. (PyTorch judges deeper ones.)
fn small<'g>(s: &Scope<'g>, x: Var<'g>, which: usize) -> Var<'g> {
    match which {
        0 => ResNet::resnet18(3).width(2).forward(s, x),
        1 => UNet::new(3).width(2).forward(s, x).mean([2, 3]),
        2 => TinyYolo::new(1, 1).width(2).forward(s, x).mean([2, 3]),
        _ => {
            let x = InvertedResidual::new(4, 2, 3).forward(&s.at("first"), x);
            let x = InvertedResidual::new(4, 1, 3).forward(&s.at("second"), x);
            let x = SqueezeExcite::new(2).forward(&s.at("squeeze"), x);
            Linear::new(3).forward(&s.at("output"), GlobalAvgPool.forward(s, x))
        }
    }
}

#[test]
fn gradients_of_small_ones_are_right() {
    for which in 0..4 {
        let g = Graph::new();
        let x = Tensor::normal(Key::new(7), [2, 2, 32, 32], 0.0, 1.0, DType::F64).expect("drawn");
        let s = Scope::root(&g, Params::new(), Mode::Train, 3);
        let y = small(&s, g.constant(x), which);
        let n = y.dim(1);
        let cost = loss::mean_squared_error(y, g.constant(Tensor::ones([2, n], DType::F64)));
        let params: Vec<Var<'_>> = s.traced().into_iter().map(|(_, p)| p).collect();
        let report = check::Checker::default().elements(2).check(cost, &params).expect("checked");
        assert!(report.is_fine(), "{which}: {report}");
    }
}

#[test]
fn images_that_are_too_small_are_refused_with_the_layer() {
    let g = Graph::new();
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let x = g.input("x", [2, 1, 4, 4], Kind::Real);
    let text =
        LeNet5::new(10).unpadded().forward(&s.at("lenet"), x).value().expect_err("too small").to_string();
    assert!(["[conv]", "spans 5", "`lenet.conv1`", "models.rs"].iter().all(|w| text.contains(w)), "{text}");
    let x = g.input("y", [2, 3, 24, 24], Kind::Real);
    let text = UNet::new(2).width(2).forward(&s.at("unet"), x).value().expect_err("no multiple").to_string();
    assert!(["[concat]", "models.rs"].iter().all(|w| text.contains(w)), "{text}");
}
