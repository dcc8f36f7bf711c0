use std::fs::{self, File};
use std::path::Path;

use chainrule::data::{Augment, Batch, Dataset, Images, Moves, digits, iris};
use chainrule::loss::softmax_cross_entropy;
use chainrule::nn::Error;
use chainrule::prelude::*;
use chainrule::progress::Silent;

const SIDE: usize = 9;

/// Images of ramps: α x + β y + γ from the middle, α and β differing by image.
fn ramps(m: usize) -> Dataset {
    let middle = (SIDE - 1) as f64 / 2.0;
    let mut numbers = Vec::new();
    for i in 0..m {
        let (a, b) = slope(i);
        for pixel in 0..SIDE * SIDE {
            let (x, y) = ((pixel % SIDE) as f64 - middle, (pixel / SIDE) as f64 - middle);
            numbers.push(a * x + b * y + 100.0);
        }
    }
    let x = Tensor::from_vec(numbers, [m, SIDE, SIDE]).expect("a shape");
    let labels = Tensor::from((0..m as i64).map(|i| i % 3).collect::<Vec<_>>());
    Dataset::classification(x, labels, 3).expect("classes")
}

fn slope(i: usize) -> (f64, f64) {
    (1.0 + i as f64 * 0.1, 2.0 - i as f64 * 0.05)
}

/// The images of one epoch, in the order of the data, and the targets.
fn seen(data: &Dataset, augment: &Augment, size: usize) -> (Vec<f64>, Tensor) {
    let batches = data.batches(size).expect("a size").augmented(augment, Key::new(5)).expect("images");
    let batches: Vec<Batch> = batches.collect::<Result<_, Error>>().expect("changed");
    let targets: Vec<&Tensor> = batches.iter().map(|b| &b.targets).collect();
    let targets = Tensor::concat(&targets, 0).expect("one shape");
    (
        batches.iter().flat_map(|b| b.features.cast(DType::F64).to_vec::<f64>().expect("numbers")).collect(),
        targets,
    )
}

fn pixel(image: &[f64], x: usize, y: usize) -> f64 {
    image[y * SIDE + x]
}

#[test]
fn what_changes_nothing_gives_the_same_bits() {
    let data = ramps(10);
    let (images, targets) = seen(&data, &Augment::new(), 4);
    assert_eq!(images, data.features().to_vec::<f64>().expect("f64"));
    assert_eq!(&targets, data.targets());
}

#[test]
fn an_image_does_not_depend_on_the_batch_it_is_in() {
    let data = ramps(26);
    let augment =
        Augment::new().flip(0.5).shift(2).rotate(30.0).scale(0.5..1.5).crop(0.7).brightness(1.0).noise(0.5);
    let one = seen(&data, &augment, 1);
    for size in [7, 13, 26] {
        assert!(seen(&data, &augment, size) == one);
    }
}

#[test]
fn flips_and_shifts_copy_pixels() {
    let data = ramps(60);
    let old = data.features().to_vec::<f64>().expect("f64");
    let (flipped, _) = seen(&data, &Augment::new().flip(1.0), 60);
    let (upside_down, _) = seen(&data, &Augment::new().flip_upside_down(1.0), 60);
    let (shifted, _) = seen(&data, &Augment::new().shift(2).outside(-7.0), 60);
    let mut shifts = std::collections::BTreeSet::new();
    for (i, old) in old.chunks(SIDE * SIDE).enumerate() {
        let of = |images: &[f64]| images[i * SIDE * SIDE..][..SIDE * SIDE].to_vec();
        let (flipped, upside_down, shifted) = (of(&flipped), of(&upside_down), of(&shifted));
        for (x, y) in (0..SIDE).flat_map(|x| (0..SIDE).map(move |y| (x, y))) {
            assert_eq!(pixel(&flipped, x, y), pixel(old, SIDE - 1 - x, y));
            assert_eq!(pixel(&upside_down, x, y), pixel(old, x, SIDE - 1 - y));
        }
        let fits = |dx: isize, dy: isize| {
            (0..SIDE * SIDE).all(|p| {
                let (x, y) = ((p % SIDE) as isize - dx, (p / SIDE) as isize - dy);
                let inside = (0..SIDE as isize).contains(&x) && (0..SIDE as isize).contains(&y);
                let from = if inside { pixel(old, x as usize, y as usize) } else { -7.0 };
                shifted[p] == from
            })
        };
        let found = (-2..=2).flat_map(|dx| (-2..=2).map(move |dy| (dx, dy))).find(|(dx, dy)| fits(*dx, *dy));
        shifts.insert(found.expect("a shift by whole pixels"));
    }
    assert!(shifts.len() > 15, "60 draws of 25 shifts: {shifts:?}");
}

/// A ramp stays a ramp: turned, of the same slope; scaled, of another; and the middle stays.
#[test]
fn turns_and_scales_are_what_they_say() {
    let data = ramps(40);
    let look = |augment: Augment| {
        let (images, _) = seen(&data, &augment, 40);
        let mut seen = Vec::new();
        for (i, image) in images.chunks(SIDE * SIDE).enumerate() {
            let (mut dx, mut dy) = (Vec::new(), Vec::new());
            for (x, y) in (3..6).flat_map(|x| (3..6).map(move |y| (x, y))) {
                dx.push(pixel(image, x + 1, y) - pixel(image, x, y));
                dy.push(pixel(image, x, y + 1) - pixel(image, x, y));
            }
            for d in [&dx, &dy] {
                assert!(d.iter().all(|v| (v - d[0]).abs() < 1e-9), "no ramp: {d:?}");
            }
            let (a, b) = slope(i);
            let turn = dy[0].atan2(dx[0]) - b.atan2(a);
            seen.push((dx[0].hypot(dy[0]) / a.hypot(b), turn.to_degrees(), pixel(image, 4, 4)));
        }
        seen
    };
    let turned = look(Augment::new().rotate(20.0));
    assert!(turned.iter().all(|(size, turn, middle)| {
        (size - 1.0).abs() < 1e-9 && turn.abs() <= 20.0 && (middle - 100.0).abs() < 1e-9
    }));
    let most = turned.iter().map(|t| t.1).fold(f64::MIN, f64::max);
    let least = turned.iter().map(|t| t.1).fold(f64::MAX, f64::min);
    assert!(most > 12.0 && least < -12.0, "{least} to {most}");
    let scaled = look(Augment::new().scale(0.8..2.0));
    assert!(scaled.iter().all(|(size, turn, middle)| {
        (0.5..=1.25).contains(size) && turn.abs() < 1e-9 && (middle - 100.0).abs() < 1e-9
    }));
    // A window of side s, brought to full size, has s times the slope, and its middle is off by at most half of what is left.
    for (i, (size, _, middle)) in look(Augment::new().crop(0.5)).into_iter().enumerate() {
        let (a, b) = slope(i);
        let reach = (a.abs() + b.abs()) * (1.0 - size) * SIDE as f64 / 2.0;
        assert!((0.5..=1.0).contains(&size) && (middle - 100.0).abs() <= reach + 1e-9, "{size} {middle}");
    }
}

#[test]
fn brightness_noise_and_limits() {
    let data = ramps(50);
    let old = data.features().to_vec::<f64>().expect("f64");
    let (brighter, _) = seen(&data, &Augment::new().brightness(3.0), 50);
    let differences: Vec<f64> = brighter.iter().zip(&old).map(|(a, b)| a - b).collect();
    for one in differences.chunks(SIDE * SIDE) {
        assert!(one.iter().all(|d| (d - one[0]).abs() < 1e-9 && d.abs() <= 3.0));
    }
    let (noisy, _) = seen(&data, &Augment::new().noise(0.5), 50);
    let n = noisy.len() as f64;
    let square = noisy.iter().zip(&old).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / n;
    assert!((square / 0.25 - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{square}");
    let (limited, _) = seen(&data, &Augment::new().noise(50.0).limits(95.0, 105.0), 50);
    assert!(limited.iter().all(|v| (95.0..=105.0).contains(v)));
}

#[test]
fn mixed_examples_are_shares_of_two_and_so_are_their_targets() {
    let data = ramps(3000);
    let old = data.features().to_vec::<f64>().expect("f64");
    let (mixed, targets) = seen(&data, &Augment::new().mixup(0.4), 3000);
    assert_eq!(targets.shape(), [3000, 3]);
    let targets = targets.cast(DType::F64).to_vec::<f64>().expect("shares");
    let pixels = SIDE * SIDE;
    let (mut sum, mut squares) = (0.0, 0.0);
    for i in 0..3000 {
        let next = (i + 1) % 3000;
        let share = targets[i * 3 + i % 3];
        assert!((share + targets[i * 3 + next % 3] - 1.0).abs() < 1e-6);
        for p in 0..pixels {
            let expected = share * old[i * pixels + p] + (1.0 - share) * old[next * pixels + p];
            // Shares are f32, images f64.
            assert!((mixed[i * pixels + p] - expected).abs() < 1e-6 * 400.0);
        }
        sum += share;
        squares += (share - 0.5).powi(2);
    }
    // Beta(α, α) has mean 1/2 and variance 1/(4(2α + 1)).
    let variance = 1.0 / (4.0 * 1.8);
    assert!((sum / 3000.0 - 0.5).abs() < 4.0 * (variance / 3000.0_f64).sqrt());
    assert!((squares / 3000.0 / variance - 1.0).abs() < 0.1, "{}", squares / 3000.0);
}

/// Images of one bright rectangle each, and its corners.
fn rectangles(m: usize) -> (Tensor, Tensor) {
    let (mut numbers, mut boxes) = (Vec::new(), Vec::new());
    for i in 0..m {
        let (x0, y0, x1, y1) = (1 + i % 3, 2 + i % 2, 5 + i % 4, 5 + i % 3);
        for p in 0..SIDE * SIDE {
            let (x, y) = (p % SIDE, p / SIDE);
            numbers.push(f32::from(u8::from((x0..x1).contains(&x) && (y0..y1).contains(&y))));
        }
        boxes.extend([x0, y0, x1, y1].map(|c| c as f32));
    }
    let x = Tensor::from_vec(numbers, [m, 1, SIDE, SIDE]).expect("images");
    (x, Tensor::from_vec(boxes, [m, 1, 4]).expect("boxes"))
}

#[test]
fn boxes_go_where_their_pixels_go() {
    let (x, boxes) = rectangles(40);
    let data = Dataset::regression(x, boxes).expect("data");
    let exact = Augment::new().flip(0.5).flip_upside_down(0.5).shift(6);
    let turned = Augment::new().rotate(40.0).scale(0.7..1.6).crop(0.6);
    for (augment, slack, tight) in [(exact, 0.0, true), (turned, 0.5 + 1e-4, false)] {
        let (images, boxes) = seen(&data, &augment.targets(Moves::Boxes), 16);
        let boxes = boxes.cast(DType::F64).to_vec::<f64>().expect("f32");
        for (image, b) in images.chunks(SIDE * SIDE).zip(boxes.chunks(4)) {
            // Between pixels more than half is within.
            let lit = |p: &usize| image[*p] > 0.5;
            let lit: Vec<(f64, f64)> =
                (0..SIDE * SIDE).filter(lit).map(|p| ((p % SIDE) as f64, (p / SIDE) as f64)).collect();
            let around = |of: fn(&(f64, f64)) -> f64| {
                let least = lit.iter().map(of).fold(f64::MAX, f64::min);
                (least, lit.iter().map(of).fold(f64::MIN, f64::max) + 1.0)
            };
            if lit.is_empty() {
                assert!(b == [0.0; 4] || !tight, "{b:?}");
                continue;
            }
            let ((x0, x1), (y0, y1)) = (around(|p| p.0), around(|p| p.1));
            if tight {
                assert_eq!(b, [x0, y0, x1, y1]);
            }
            assert!(
                b[0] <= x0 + slack && b[1] <= y0 + slack && b[2] >= x1 - slack && b[3] >= y1 - slack,
                "{b:?}"
            );
            assert!(b.iter().all(|c| (0.0..=SIDE as f64).contains(c)));
        }
    }
}

#[test]
fn a_mask_moves_with_its_image() {
    let (x, _) = rectangles(30);
    let labels: Vec<i64> = x.to_vec::<f32>().expect("f32").into_iter().map(|v| v as i64).collect();
    let mask = Tensor::from_vec(labels, [30, SIDE, SIDE]).expect("labels");
    let data = Dataset::classification(x, mask, 2).expect("data");
    let augment = Augment::new().flip(0.5).shift(3).outside(-1.0).targets(Moves::Mask { outside: -1 });
    let (images, masks) = seen(&data, &augment, 7);
    assert_eq!(masks.shape(), [30, SIDE, SIDE]);
    assert_eq!(images, masks.to_vec::<i64>().expect("i64").into_iter().map(|v| v as f64).collect::<Vec<_>>());
}

#[test]
fn what_makes_no_sense_is_refused() {
    let data = ramps(4);
    let text = |data: &Dataset, augment: Augment| {
        let error = data.batches(2).expect("a size").augmented(&augment, Key::new(1)).map(drop);
        error.expect_err("refused").to_string()
    };
    let new = Augment::new;
    for (augment, part) in [
        (new().flip(1.5), "flip is 1.5"),
        (new().rotate(f64::NAN), "rotate is NaN"),
        (new().scale(0.0..1.0), "scale is 0.0..1.0"),
        (new().crop(0.0), "crop is 0"),
        (new().mixup(2.0), "mixup is 2"),
        (new().noise(-1.0), "noise is -1"),
        (new().limits(1.0, 0.0), "limits are"),
        (new().targets(Moves::Boxes), "boxes are real numbers"),
        (new().targets(Moves::Mask { outside: 0 }), "(m, 9, 9)"),
    ] {
        let text = text(&data, augment);
        assert!(text.contains(part), "{text}");
    }
    let (x, boxes) = rectangles(4);
    let boxes = Dataset::regression(x, boxes).expect("data");
    assert!(text(&boxes, new().flip(0.5)).contains("Moves::Boxes"));
    assert!(text(&boxes, new().targets(Moves::Boxes).mixup(0.2)).contains("cannot be mixed"));
    assert!(boxes.batches(2).expect("a size").augmented(&new().noise(0.1), Key::new(1)).is_ok());
    let flat = iris().expect("embedded");
    assert!(text(&flat, new().noise(0.1)).contains("reshape_examples"));
}

fn small() -> Dataset {
    let digits = digits().and_then(|d| d.reshape_examples(&[1, 8, 8])).expect("images");
    digits.select(&(0..100).collect::<Vec<_>>()).expect("rows")
}

fn model<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
    let h = Conv::new(4, [3, 3]).forward(&s.at("conv"), x / 16.0).relu();
    Linear::new(10).forward(&s.at("output"), Flatten.forward(&s.at("flat"), h))
}

fn trainer(augment: Augment) -> Trainer<impl Layer, impl Loss> {
    Trainer::new(model, softmax_cross_entropy).batch_size(32).epochs(2).augment(augment)
}

#[test]
fn training_sees_other_images_each_epoch_and_goes_on_with_the_same() {
    let data = small();
    let augment = || Augment::new().shift(1).rotate(10.0).mixup(0.2);
    let end = |trainer: Trainer<_, _>| {
        let mut params = Params::new();
        trainer.fit(&mut params, &data, None, &mut Silent).expect("trains");
        params
    };
    let whole = end(trainer(augment()));
    assert!(whole != end(trainer(Augment::new())));
    // A thread that makes batches changes nothing.
    assert!(whole == end(trainer(augment()).ahead(3)));
    let folder = tempfile::tempdir().expect("a folder");
    let saved = |augment| trainer(augment).ahead(2).checkpoints(Checkpoints::to(folder.path()).every(1));
    for _ in 0..8 {
        saved(augment()).start(Params::new(), &data, None).expect("goes on").step().expect("runs");
    }
    assert!(whole == end(saved(augment())));
    let error = saved(Augment::new()).start(Params::new(), &data, None).map(drop).expect_err("other images");
    assert!(error.to_string().contains("augmentation"), "{error}");
}

#[test]
fn batches_ahead_are_the_same_and_may_be_left() {
    let data = small();
    let batches = || data.batches(7).expect("a size").shuffled(Key::new(2));
    let ahead: Vec<Batch> =
        batches().ahead(2).expect("a thread").collect::<Result<_, Error>>().expect("made");
    assert!(ahead == batches().collect::<Vec<Batch>>());
    let mut left = batches().ahead(1).expect("a thread");
    assert_eq!(left.len(), 15);
    assert!(left.next().expect("a batch").expect("made") == ahead[0]);
}

fn write(path: &Path, [height, width]: [usize; 2], colour: png::ColorType, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let mut encoder = png::Encoder::new(File::create(path).expect("a file"), width as u32, height as u32);
    encoder.set_color(colour);
    encoder.write_header().and_then(|mut w| w.write_image_data(bytes)).expect("written");
}

const PIXELS: [u8; 20] = [0, 51, 102, 255, 255, 204, 0, 51, 10, 20, 30, 40, 7, 0, 99, 200, 1, 2, 3, 4];

/// Values by PyTorch 2: `interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)`.
#[test]
fn images_are_resized_as_pytorch_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a/1.png");
    write(&path, [5, 4], png::ColorType::Grayscale, &PIXELS);
    let resized = |h, w| {
        Images::grey().resized(h, w).one(&path).expect("read").cast(DType::F64).to_vec::<f64>().expect("f32")
    };
    let close = |found: Vec<f64>, expected: &[f64]| {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    };
    close(resized(2, 3), &[0.41609626, 0.29019608, 0.3814082, 0.06379679, 0.12299465, 0.31620321]);
    close(resized(3, 2), &[0.4122449, 0.44489796, 0.22371615, 0.22769997, 0.03265306, 0.22272909]);
    close(resized(1, 1), &[0.24907121]);
    close(
        resized(7, 6)[..12].to_vec(),
        &[
            0.0, 0.1, 0.23333333, 0.36666667, 0.7, 1.0, 0.57142857, 0.55714286, 0.48095238, 0.23333333,
            0.35714286, 0.54285714,
        ],
    );
}

#[test]
fn a_folder_of_images_is_read_or_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    assert!(matches!(Images::grey().read(folder.path()), Err(Error::Missing { .. })));
    write(&at("dog/b.png"), [1, 2], png::ColorType::Rgb, &[255, 0, 0, 0, 0, 255]);
    write(&at("dog/a.PNG"), [1, 2], png::ColorType::GrayscaleAlpha, &[51, 9, 102, 0]);
    write(&at("cat/z.png"), [1, 2], png::ColorType::Rgba, &[0, 255, 0, 7, 0, 0, 0, 255]);
    fs::create_dir_all(at(".hidden")).expect("made");
    fs::write(at("dog/notes.txt"), "not an image").expect("written");
    let data = Images::colour().read(folder.path()).expect("reads");
    assert_eq!(data.classes().expect("classes").names(), ["cat", "dog"]);
    assert_eq!(data.targets().to_vec::<i64>().expect("labels"), [0, 1, 1]);
    let expected = [0., 0., 1., 0., 0., 0., 0.2, 0.4, 0.2, 0.4, 0.2, 0.4, 1., 0., 0., 0., 0., 1.];
    assert_eq!(data.features().to_vec::<f32>().expect("f32"), expected);
    let grey = Images::grey().read(folder.path()).expect("reads");
    assert_eq!(grey.features().to_vec::<f32>().expect("f32"), [0.587, 0.0, 0.2, 0.4, 0.299, 0.114]);

    write(&at("dog/c.png"), [2, 2], png::ColorType::Grayscale, &[0; 4]);
    let text = Images::grey().read(folder.path()).expect_err("other size").to_string();
    assert!(text.contains("c.png is 2 × 2, those before it 1 × 2") && text.contains("resized"), "{text}");
    assert_eq!(
        Images::grey().resized(4, 4).read(folder.path()).expect("reads").features().shape(),
        [4, 1, 4, 4]
    );
    let whole = fs::read(at("dog/b.png")).expect("a file");
    for damaged in [&whole[..30], &whole[..whole.len() - 20], b"no image"] {
        fs::write(at("dog/b.png"), damaged).expect("written");
        let error = Images::grey().read(folder.path()).expect_err("damaged");
        assert!(matches!(&error, Error::Format { .. }) && error.to_string().contains("b.png"), "{error}");
    }
    assert!(matches!(Images::grey().resized(0, 4).read(folder.path()), Err(Error::Argument { .. })));
}
