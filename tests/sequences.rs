use chainrule::generate::{Beam, Sampling};
use chainrule::graph::{Keep, Precision, Result};
use chainrule::loss::{CrossEntropy, Ctc, negative_sampling};
use chainrule::metric::{bleu, edit_distance, perplexity};
use chainrule::nn::{Attention, Cache, position};
use chainrule::prelude::*;

fn filled(shape: &[usize], start: f64) -> Tensor {
    let n = shape.iter().product::<usize>();
    Tensor::from_vec((0..n).map(|i| (1.7 * i as f64 + start).sin()).collect(), shape).expect("as many")
}

/// A scope whose parameters are f64.
fn scope<'g>(g: &'g Graph, made: impl Fn(&Scope<'g>) -> Var<'g>) -> Scope<'g> {
    let first = Scope::root(g, Params::new(), Mode::Train, 1);
    let _ = made(&first);
    let mut params = Params::new();
    for (path, value) in first.params().iter() {
        params.insert(path, filled(value.shape(), path.len() as f64).mul(&Tensor::from(0.5)).expect("f64"));
    }
    Scope::root(g, params, Mode::Train, 1)
}

fn bits(x: Var<'_>) -> Vec<u64> {
    x.value().expect("runs").to_vec::<f64>().expect("f64").into_iter().map(f64::to_bits).collect()
}

fn numbers(x: Var<'_>) -> Vec<f64> {
    x.value().expect("runs").to_vec::<f64>().expect("f64")
}

#[track_caller]
fn close(a: Var<'_>, b: Var<'_>) {
    assert_eq!(a.shape(), b.shape());
    for (a, b) in numbers(a).iter().zip(numbers(b)) {
        assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{a}, not {b}");
    }
}

#[track_caller]
fn says(x: Var<'_>, words: &[&str]) {
    let Err(error) = x.value() else { panic!("no error, where {words:?} was expected") };
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

fn nets() -> [Recurrent; 4] {
    [Recurrent::plain(3), Recurrent::relu(3), Recurrent::lstm(3), Recurrent::gru(3)]
        .map(|net| net.layers(2).bidirectional())
}

fn weights<'g>(s: &Scope<'g>) -> Vec<Var<'g>> {
    s.traced().into_iter().map(|(_, var)| var).collect()
}

/// What stands behind the ends of sequences has no part in anything, whatever it is and however much of it there is.
#[test]
fn padding_changes_no_bit() {
    for net in nets() {
        let g = Graph::new();
        let short = filled(&[3, 4, 2], 0.3);
        let junk = Tensor::full([3, 5, 2], f64::NAN);
        let long = Tensor::concat(&[&short, &junk], 1).expect("alike");
        let lengths = g.constant(Tensor::from([4_i64, 1, 3]));
        let s = scope(&g, |s| net.forward(s, g.constant(short.clone())));
        let s = s.shared();
        let run = |x: &Tensor| {
            let x = g.leaf("x", x.clone());
            let (y, last) = net.unroll(&s, x, Some(lengths), &[]);
            let loss = y.square().sum(..) + last[0].sin().sum(..);
            let slopes = loss.grad(&[&weights(&s)[..], &[x]].concat()).expect("connected");
            let slope = slopes.last().expect("x's").slice(1, 0..4);
            let all: Vec<Vec<u64>> =
                last.iter().chain(&slopes[..slopes.len() - 1]).map(|x| bits(*x)).collect();
            (bits(y.slice(1, 0..4)), all, bits(slope), y)
        };
        let (a, b) = (run(&short), run(&long));
        assert!(a.0 == b.0 && a.1 == b.1 && a.2 == b.2, "{net:?}");
        assert!(numbers(b.3.slice(1, 4..9)).iter().all(|y| *y == 0.0));
        // Each sequence alone.
        for (i, n) in [4, 1, 3].into_iter().enumerate() {
            let alone = g.constant(short.clone()).slice(0, i..i + 1).slice(1, 0..n);
            close(net.forward(&s, alone), a.3.slice(0, i..i + 1).slice(1, 0..n));
        }
    }
}

/// Truncated back-propagation carries states on: two halves are the whole, bit for bit.
#[test]
fn states_are_carried_on() {
    for net in [Recurrent::plain(3), Recurrent::lstm(3).layers(2), Recurrent::gru(3)] {
        let g = Graph::new();
        let x = g.leaf("x", filled(&[2, 6, 2], 0.1));
        let s = scope(&g, |s| net.forward(s, x));
        let s = s.shared();
        let (whole, end) = net.unroll(&s, x, None, &[]);
        let (first, state) = net.unroll(&s, x.slice(1, 0..4), None, &[]);
        let (second, last) = net.unroll(&s, x.slice(1, 4..6), None, &state);
        assert_eq!(bits(whole), bits(g.concat(&[first, second], 1)));
        assert_eq!(
            end.iter().map(|x| bits(*x)).collect::<Vec<_>>(),
            last.iter().map(|x| bits(*x)).collect::<Vec<_>>()
        );
        let cut: Vec<Var<'_>> = state.iter().map(|x| x.stop_gradient()).collect();
        let (second, _) = net.unroll(&s, x.slice(1, 4..6), None, &cut);
        let slope = second.sum(..).grad(&[x]).expect("connected")[0];
        assert!(numbers(slope.slice(1, 0..4)).iter().all(|d| *d == 0.0));
    }
}

/// First and second derivatives stand against differences: through lengths, the other direction, and what is computed
/// again.
#[test]
fn recurrent_derivatives_stand_the_check() {
    for net in nets() {
        for keep in [Keep::All, Keep::SquareRoot] {
            let g = Graph::new();
            let x = g.leaf("x", filled(&[2, 3, 2], 0.3));
            let net = net.clone().keep(keep);
            let s = scope(&g, |s| net.forward(s, x));
            let lengths = g.constant(Tensor::from([2_i64, 3]));
            let (y, last) = net.unroll(&s, x, Some(lengths), &[]);
            let loss = y.square().sum(..) + last[0].sin().sum(..);
            let all = [&weights(&s)[..], &[x]].concat();
            let slopes = loss.grad(&all).expect("connected");
            check::assert_gradients(loss, &[all[0], all[1], x]);
            check::assert_gradients(slopes[1].square().sum(..), &[all[1], x]);
        }
    }
}

#[test]
fn recurrent_layers_refuse() {
    let g = Graph::new();
    let x = g.leaf("x", filled(&[2, 3, 4], 0.0));
    let net = Recurrent::lstm(5);
    let run = |x: Var<'_>, lengths: Option<Tensor>, state: &[Tensor]| {
        let x = g.constant(x.value().expect("runs"));
        let s = Scope::root(&g, Params::new(), Mode::Train, 1);
        let state: Vec<Var<'_>> = state.iter().map(|s| g.constant(s.clone())).collect();
        net.unroll(&s, x, lengths.map(|l| g.constant(l)), &state).0
    };
    let other = Tensor::zeros([2, 3, 4], DType::F64);
    let lengths = |l: &[i64]| Some(Tensor::from(l));
    says(run(x, lengths(&[2, 4]), &[]), &["[lstm]", "length", "position 1", "4", "0..4"]);
    says(run(x, lengths(&[-1, 4]), &[]), &["length", "-1"]);
    says(run(x, lengths(&[2]), &[]), &["[lstm]", "2 integers", "sequences.rs:"]);
    says(run(x, Some(Tensor::from([1.0, 2.0])), &[]), &["[lstm]", "integers"]);
    says(run(x.slice(1, 0..0), None, &[]), &["[lstm]", "no steps", "sequences.rs:"]);
    says(run(x.sum(0), None, &[]), &["(batch, time, features)"]);
    says(run(x, None, std::slice::from_ref(&other)), &["1 states are given of 2"]);
    says(run(x, None, &[other.clone(), other]), &["[1, 2, 5]", "(2, 3, 4)"]);
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    says(Recurrent::gru(0).forward(&s, x), &["[gru]", "0 units"]);
    let tokens = g.constant(Tensor::from([0_i64, 7]));
    says(Embedding::new(7, 2).forward(&s.at("e"), tokens), &["token", "token 7 at position 1"]);
    says(Embedding::new(7, 2).forward(&s.at("f"), x), &["[embedding]", "integers"]);
}

/// Of a table only the rows that were looked up change, each as often as it was.
#[test]
fn embeddings_touch_the_rows_used() {
    let g = Graph::new();
    let embedding = Embedding::new(5, 2);
    let table = embedding.table(&scope(&g, |s| embedding.table(s)));
    let y = embedding.look_up(table, g.constant(Tensor::from([3_i64, 1, 3])));
    let slope = y.sum(..).grad(&[table]).expect("connected")[0];
    assert_eq!(numbers(slope), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0]);
}

/// A query that may see nothing gives zeros, and no NaN in any derivative.
#[test]
fn a_mask_that_hides_everything_gives_zeros() {
    for block in [None, Some(1), Some(2)] {
        let g = Graph::new();
        let [q, k, v] = [0.1, 0.2, 0.3].map(|at| g.leaf("x", filled(&[3, 2], at)));
        let mask = g.constant([[true, false, true], [false, false, false], [true, true, true]]);
        let attention = Attention::new().mask(mask);
        let attention = block.map_or(attention, |n| attention.blocks(n));
        let y = attention.of(q, k, v);
        assert_eq!(numbers(y)[2..4], [0.0, 0.0]);
        let slopes = y.sin().sum(..).grad(&[q, k, v]).expect("connected");
        assert_eq!(numbers(slopes[0])[2..4], [0.0, 0.0]);
        check::assert_gradients(y.sin().sum(..), &[q, k, v]);
        let squares = slopes.iter().map(|s| s.square().sum(..)).reduce(|a, b| a + b).expect("three");
        check::assert_gradients(squares, &[q, k, v]);
        let none = attention.mask(g.constant(false)).of(q, k, v);
        assert!(numbers(none.sum(..).grad(&[k]).expect("connected")[0]).iter().all(|d| *d == 0.0));
    }
}

/// Blocks of queries are the whole, under every transform, and what backward keeps grows with the length.
#[test]
fn blocks_of_queries_are_the_whole_in_linear_memory() -> Result<()> {
    let g = Graph::new();
    let [q, k, v] = [0.1, 0.2, 0.3].map(|at| g.leaf("x", filled(&[2, 7, 3], at)));
    let bias = position::alibi(&g, 2, 7, 7);
    for block in [1, 2, 3, 7, 20] {
        let of = |blocked: bool| {
            let attention = Attention::new().causal().bias(bias);
            let attention = if blocked { attention.blocks(block) } else { attention };
            attention.of(q, k, v)
        };
        let (a, b) = (of(true), of(false));
        close(a, b);
        let t = [q * 0.5, k.cos(), v.sin()].map(|t| t.stop_gradient());
        close(jvp(&[a], &[q, k, v], &t)?[0], jvp(&[b], &[q, k, v], &t)?[0]);
        for (a, b) in hvp(a.sin().sum(..), &[q, k, v], &t)?.iter().zip(hvp(b.sin().sum(..), &[q, k, v], &t)?)
        {
            close(*a, b);
        }
        let each = vmap(&[q, k, v], |x| Ok(vec![Attention::new().blocks(block).of(x[0], x[1], x[2])]))?[0];
        close(each, Attention::new().of(q, k, v));
    }
    let kept = |n: usize| -> Result<f64> {
        let g = Graph::new();
        let x = g.leaf("x", filled(&[n, 4], 0.1));
        let d = Attention::new().causal().blocks(16).of(x, x, x).square().sum(..).grad(&[x])?[0];
        Ok(g.saved_for_backward(&[d], Precision::F32)?.bytes() as f64)
    };
    let growth = kept(256)? / kept(64)?;
    assert!((3.0..5.0).contains(&growth), "four times the length keeps {growth} times as much");
    Ok(())
}

/// Tokens one by one, or by twos, with a cache are the sequence at once.
#[test]
fn a_cache_gives_the_whole_sequence() {
    let heads = || MultiHead::new(4).causal();
    for heads in [
        heads(),
        heads().shared(2).rotary(),
        heads().alibi().without_bias(),
        heads().shared(1).rotary().blocks(2),
    ] {
        for chunk in [1, 2, 3] {
            let g = Graph::new();
            let x = g.leaf("x", filled(&[2, 6, 8], 0.3));
            let block = TransformerBlock::new(heads.clone(), 5).pre_norm().gelu();
            let s = scope(&g, |s| block.forward(s, x));
            let s = s.shared();
            let whole = block.forward(&s, x);
            let mut cache: Cache<'_> = heads.cache(&g, 2, 8, 8);
            let mut parts = Vec::new();
            for at in (0..6).step_by(chunk) {
                let (y, next) = block.cached(&s, x.slice(1, at..at + chunk), cache, g.constant(at as i64));
                parts.push(y);
                cache = next;
            }
            let found = g.concat(&parts, 1);
            close(found, whole);
            let [a, b] = [found, whole].map(|y| y.sin().sum(..).grad(&[x]).expect("connected")[0]);
            for (a, b) in numbers(a).iter().zip(numbers(b)) {
                assert!((a - b).abs() <= 1e-11, "{a}, not {b}");
            }
            if chunk == 3 {
                check::assert_gradients(found.sin().sum(..), &[x]);
                check::assert_gradients(a.square().sum(..), &[x]);
                let beyond = block.cached(&s, x.slice(1, 0..3), cache, g.constant(6_i64)).0;
                says(beyond, &["position", "6", "0..6"]);
            }
        }
    }
}

/// Turned queries and keys know of their distance alone; weights of a map sum to 1.
#[test]
fn positions_are_relative() {
    let g = Graph::new();
    let (q, k) = (g.leaf("q", filled(&[1, 6], 0.1)), g.leaf("k", filled(&[1, 6], 0.7)));
    let at = |n: i64| g.constant(Tensor::from(&[n][..]));
    let score = |a, b| position::rotary(q, at(a), 100.0).matmul(position::rotary(k, at(b), 100.0).t());
    close(score(5, 3), score(12, 10));
    assert!((numbers(score(5, 3))[0] - numbers(score(5, 4))[0]).abs() > 1e-3);
    close(position::rotary(q, at(9), 100.0).square().sum(..), q.square().sum(..));
    let slopes = numbers(position::alibi(&g, 8, 1, 3));
    assert_eq!(slopes[..3], [-1.0, -0.5, 0.0]); // 2 to the −1, at distances 2, 1, 0
    let x = g.leaf("x", filled(&[2, 5, 4], 0.0));
    let map = Attention::new().causal().weights(x, x);
    close(map.sum(-1), g.constant(Tensor::ones([2, 5], DType::F64)));
    close(map.matmul(x), Attention::new().causal().of(x, x, x));
    says(position::rotary(x.slice(-1, 0..3), at(1), 10.0), &["[rotary]", "pairs"]);
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    says(Position::learnt(4).forward(&s.at("p"), x), &["[position]", "4 positions", "has 5"]);
}

#[test]
fn attention_refuses() {
    let g = Graph::new();
    let x = g.leaf("x", filled(&[2, 3, 4, 6], 0.0));
    let part = |n| x.slice(1, 0..n);
    let of = |q, k, v| Attention::new().of(q, k, v);
    says(of(x, part(2), part(2)), &["[attention]", "3 heads", "2 heads", "sequences.rs:"]);
    says(of(x, x.slice(-1, 0..5), x), &["queries have 6", "keys 5"]);
    says(of(x, x, x.slice(-2, 0..2)), &["4 keys have 2 values"]);
    says(of(x, x.sum(0), x), &["equally many axes"]);
    says(Attention::new().causal().of(x, x.slice(-2, 0..2), x.slice(-2, 0..2)), &["4 queries", "2 keys"]);
    says(Attention::new().mask(g.constant(1.0)).of(x, x, x), &["truth values", "bias"]);
    says(Attention::new().blocks(0).of(x, x, x), &["0 queries"]);
    let s = Scope::root(&g, Params::new(), Mode::Train, 1);
    let y = x.sum(0);
    says(
        MultiHead::new(4).forward(&s.at("a"), y),
        &["[multi_head]", "6 numbers", "4 heads", "sequences.rs:"],
    );
    says(MultiHead::new(6).shared(4).forward(&s.at("b"), y), &["6 heads", "4 heads of keys"]);
    says(MultiHead::new(2).forward(&s.at("c"), x), &["(batch, time, size)"]);
}

#[test]
fn losses_of_sequences() -> Result<()> {
    let g = Graph::new();
    let z = g.leaf("z", filled(&[2, 5, 3], 0.2));
    let labels = g.constant([[1_i64, 2], [2, 0]]);
    let counts = |n: [i64; 2]| Some(g.constant(Tensor::from(n)));
    // What has no path costs infinitely much, and pulls at nothing.
    let loss =
        Ctc::new().reduction(chainrule::loss::Reduction::Each).of(z, labels, counts([1, 5]), counts([2, 1]));
    let found = numbers(loss);
    assert!(found[0] == f64::INFINITY && found[1].is_finite());
    let slope = numbers(loss.sum(..).grad(&[z])?[0]);
    assert!(slope[..15].iter().all(|d| *d == 0.0) && slope[15..].iter().all(|d| d.is_finite()));
    let loss = Ctc::new().of(z, labels, counts([5, 4]), counts([2, 1]));
    check::assert_gradients(loss, &[z]);
    check::assert_gradients(loss.grad(&[z])?[0].square().sum(..), &[z]);
    says(Ctc::new().of(z, labels, counts([6, 5]), None), &["number of steps", "6"]);
    says(Ctc::new().of(z, labels, None, counts([3, 0])), &["number of labels", "3"]);
    says(Ctc::new().of(z, labels + 1, None, None), &["label", "3", "0..3"]);
    says(Ctc::new().blank(3).of(z, labels, None, None), &["[ctc]", "blank", "sequences.rs:"]);
    says(Ctc::new().of(z, labels.real(), None, None), &["[ctc]", "integers"]);

    let scores = g.leaf("s", filled(&[3, 4], 0.1));
    let pairs = scores.slice(1, 0..1).squeeze(1);
    check::assert_gradients(negative_sampling(pairs, scores), &[scores]);
    says(negative_sampling(scores, scores), &["[negative_sampling]", "(m, drawn)"]);
    let words = g.constant([[1_i64, 0, -1, 2, 2], [0, -1, -1, -1, -1]]);
    let loss = CrossEntropy::new().ignoring(-1).of(z, words);
    let rows = z.reshape([10, 3]).take(0, g.constant(Tensor::from([0_i64, 1, 3, 4, 5])));
    let same = CrossEntropy::new().of(rows, g.constant(Tensor::from([1_i64, 0, 2, 2, 0])));
    close(loss, same);
    says(
        CrossEntropy::new().of(z, words.slice(1, 0..4)),
        &["[softmax_cross_entropy]", "(2, 5, 3)", "(2, 4)"],
    );
    Ok(())
}

#[test]
fn metrics_of_sequences() {
    assert_eq!(perplexity(27_f64.ln()).round(), 27.0);
    for (a, b, n) in [("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("same", "same", 0)] {
        assert_eq!(edit_distance(a.as_bytes(), b.as_bytes()), n);
    }
    let words = |s: &str| s.split(' ').map(String::from).collect::<Vec<_>>();
    let one = |a: &str, b: &str| vec![(words(a), vec![words(b)])];
    assert!((bleu(&one("a b c d e", "a b c d e"), 4).expect("a score") - 1.0).abs() < 1e-12);
    assert_eq!(bleu(&one("x y z", "a b c d e"), 4).expect("a score"), 0.0);
    // Everything right, but four words of five: e to 1 − 5/4.
    assert!((bleu(&one("a b c d", "a b c d e"), 4).expect("a score") - (-0.25_f64).exp()).abs() < 1e-12);
    assert!(bleu::<String>(&[], 4).expect_err("nothing").to_string().contains("empty"));
    let alone = bleu(&[(words("a"), vec![])], 4).expect_err("no reference");
    assert!(alone.to_string().contains("candidate 0"));
}

#[test]
fn sampling_draws_from_what_is_left() -> chainrule::nn::Result<()> {
    let logits = [0.0, 1.0, 2.0, 0.5];
    let p = |s: Sampling| s.probabilities(&logits).expect("finite");
    assert_eq!(p(Sampling::greedy()), [0.0, 0.0, 1.0, 0.0]);
    assert_eq!(p(Sampling::new().top_k(2)).iter().filter(|p| **p > 0.0).count(), 2);
    // 0.586, 0.216, 0.131, 0.079
    assert_eq!(p(Sampling::new().top_p(0.7)).iter().filter(|p| **p > 0.0).count(), 2);
    assert!(p(Sampling::new().temperature(0.1))[2] > 0.999);
    let share = p(Sampling::new());
    let mut seen = [0.0; 4];
    for i in 0..4000 {
        seen[Sampling::new().pick(&logits, Key::new(7).at(i))?] += 1.0 / 4000.0;
    }
    assert!(seen.iter().zip(&share).all(|(a, b)| (a - b).abs() < 0.03), "{seen:?}, not {share:?}");
    for (bad, word) in [
        (Sampling::new().temperature(0.0), "temperature"),
        (Sampling::new().top_k(0), "k = 0"),
        (Sampling::new().top_p(1.5), "p = 1.5"),
    ] {
        assert!(bad.pick(&logits, Key::new(1)).expect_err(word).to_string().contains(word));
    }
    assert!(
        Sampling::new().pick(&[f64::NAN], Key::new(1)).is_err()
            && Sampling::new().pick(&[], Key::new(1)).is_err()
    );
    Ok(())
}

/// A beam as wide as there are sequences finds the best of all; without normalisation short ones win.
#[test]
fn a_beam_finds_what_there_is() -> chainrule::nn::Result<()> {
    // ln of probabilities over two letters and the end, which depend on the last two tokens.
    let next = |prefix: &Vec<usize>| {
        let last = prefix.iter().rev().take(2).fold(1.0, |a, t| 2.0 * a + *t as f64);
        let w: Vec<f64> = (0..3).map(|t| (3.0 * (last * 1.3 + 2.0 * t as f64).sin()).exp()).collect();
        let all: f64 = w.iter().sum();
        w.iter().map(|w| (w / all).ln()).collect::<Vec<f64>>()
    };
    let search = |beam: Beam| beam.search(|all| Ok(all.iter().map(next).collect()));
    let mut best = (f64::NEG_INFINITY, Vec::new());
    let mut open = vec![(Vec::new(), 0.0)];
    for _ in 0..6 {
        let mut going = Vec::new();
        for (tokens, p) in open {
            for (t, q) in next(&tokens).into_iter().enumerate() {
                if t == 2 && p + q > best.0 {
                    best = (p + q, tokens.clone());
                } else if t < 2 {
                    going.push(([&tokens[..], &[t]].concat(), p + q));
                }
            }
        }
        open = going;
    }
    let unfinished = open.into_iter().map(|(tokens, p)| (p, tokens));
    let best = unfinished.chain([best]).max_by(|a, b| a.0.total_cmp(&b.0)).expect("some");
    let found = search(Beam::new(200, 2, 6))?;
    assert_eq!(found[0].tokens, best.1);
    assert!((found[0].log_probability - best.0).abs() < 1e-12);
    let (plain, long) = (search(Beam::new(5, 2, 6))?, search(Beam::new(5, 2, 6).normalised(1.0))?);
    assert!(long[0].tokens.len() >= plain[0].tokens.len());
    assert!(search(Beam::new(0, 2, 6)).is_err() && search(Beam::new(1, 3, 6)).is_err());
    Ok(())
}
