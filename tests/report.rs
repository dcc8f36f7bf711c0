use std::process::Command;

use chainrule::data::{Dataset, breast_cancer, digits, iris};
use chainrule::loss::softmax_cross_entropy;
use chainrule::metric::{Confusion, Ranking};
use chainrule::nn::Error;
use chainrule::prelude::*;
use chainrule::progress::Silent;
use chainrule::report::Report;

fn trained(data: &Dataset, epochs: usize) -> (Params, History) {
    let trainer =
        Trainer::new(Linear::new(10), softmax_cross_entropy).optimiser(Adam::new(0.01)).epochs(epochs);
    let mut params = Params::new();
    let history = trainer.fit(&mut params, data, Some(data), &mut Silent).expect("trains");
    (params, history)
}

/// Tags are closed in the order in which they were opened, ids are unique, links lead somewhere, and nothing is fetched.
fn sound(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().expect("a name");
        let empty = tag.ends_with('/') || tag.starts_with('!') || tag.starts_with('?');
        if empty || ["meta", "br", "link", "img"].contains(&name) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "before {:?}", &rest[..rest.len().min(60)]);
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|part| part.split('"').next()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{ids:?}");
    for link in html.split("href=\"").skip(1).filter_map(|part| part.split('"').next()) {
        assert!(link.strip_prefix('#').is_some_and(|id| ids.contains(&id)), "{link}");
    }
    assert!(!html.contains("<script") && !html.contains(" src=") && !html.contains("@import"));
}

/// Opens a page in Chromium without a window, where there is one: nothing is complained of, nothing is fetched, and its reader
/// finds the page as it was written.
fn in_a_browser(html: &str) {
    let known = ["chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium"];
    let answers =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let Some(browser) = known.into_iter().find(answers) else {
        eprintln!("there is no Chromium here: the page was not opened in a browser");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    std::fs::write(&page, html).expect("written");
    let run = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"])
        // No name leads anywhere: what is fetched all the same is an error on the console.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("a browser that runs");
    let (dom, log) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(run.status.success() && complaints.is_empty(), "{complaints:?}");
    for part in ["<section", "<table", "<tr", "<td", "<svg", "<path", "<text", " id=\"", "<a "] {
        let [written, found] = [html, &dom].map(|page| page.matches(part).count());
        assert_eq!(found, written, "{part}");
    }
}

#[test]
fn a_report_of_everything_is_one_sound_page() {
    let data = digits().and_then(|d| d.reshape_examples(&[64])).expect("digits");
    let few = data.select(&(0..200).collect::<Vec<_>>()).expect("rows");
    let (params, history) = trained(&few, 3);
    let (_, longer) = trained(&few, 5);
    let trainer = Trainer::new(Linear::new(10), softmax_cross_entropy);
    let measured = trainer.evaluator().run(&params, &few).expect("measures");
    let losses = trainer.evaluator().losses(&params, &few).expect("measures");
    let images = few.reshape_examples(&[8, 8]).expect("images");
    let names = few.classes().expect("classes").clone();
    let confusion = Confusion::new(&measured.classes, few.targets(), names).expect("one class each");
    let cancer = breast_cancer().expect("embedded");
    let mut ranking = Ranking::new();
    let score = cancer.features().slice(1, 0..1, 1).expect("a column").reshape([569]).expect("a row");
    let score = score
        .cast(DType::F64)
        .to_vec::<f64>()
        .expect("numbers")
        .into_iter()
        .map(|x| 1.0 / (1.0 + (x - 15.0).exp()));
    ranking.add(&Tensor::from(score.collect::<Vec<f64>>()), cancer.targets()).expect("scores");
    let first = few.batches(32).expect("batches").next().expect("a batch");
    let step = trainer.step(params.clone(), &first, 200).expect("a plan");
    let report = Report::new("Digits & <others>")
        .facts("Configuration", [("rate", "0.01")])
        .data("Data", &few)
        .history(&history)
        .and_then(|r| r.compare(&[("three epochs", &history), ("five", &longer)]))
        .and_then(|r| r.ranking(&ranking))
        .and_then(|r| r.histograms(&params))
        .and_then(|r| r.worst(&images, &losses, &measured.classes, 12))
        .expect("sections")
        .confusion(&confusion)
        .summary(&Summary::of(&Linear::new(10), &params, [64]).expect("a table"))
        .graph(&Linear::new(10), &params, [32, 64])
        .expect("a drawing")
        .plan("Plan of a step", step.plan());
    let html = report.html();
    sound(&html);
    in_a_browser(&html);
    for part in [
        "Digits &amp; &lt;others&gt;",
        &few.fingerprint(),
        "ROC, area",
        "Reliability",
        "five",
        "multiply-adds",
        "matmul",
        &format!("{} bytes planned", step.plan().bytes()),
    ] {
        assert!(html.contains(part), "{part}");
    }
    if let Ok(path) = std::env::var("CHAINRULE_REPORT") {
        report.write(path).expect("written");
    }
}

#[test]
fn the_worst_examples_come_first_and_sizes_must_fit() {
    let iris = iris().expect("embedded");
    let losses: Vec<f64> = (0..150).map(|i| ((i * 37) % 150) as f64).collect();
    let html = Report::new("r").worst(&iris, &losses, iris.targets(), 3).expect("a table").html();
    let found: Vec<&str> =
        html.split("<th scope=\"row\">").skip(1).filter_map(|part| part.split('<').next()).collect();
    let right: Vec<usize> =
        (1..4).map(|k| losses.iter().position(|l| *l == (150 - k) as f64).expect("a row")).collect();
    assert_eq!(found, right.iter().map(usize::to_string).collect::<Vec<_>>());
    let error =
        Report::new("r").worst(&iris, &losses[1..], iris.targets(), 3).map(drop).expect_err("too few");
    assert!(matches!(error, Error::Unpaired { right: 149, .. }), "{error}");
    let numbers =
        Dataset::regression(iris.features().clone(), Tensor::full([150, 1], 0.0_f32)).expect("data");
    assert!(Report::new("r").worst(&numbers, &losses, iris.targets(), 3).is_err());
    assert!(Report::new("r").compare(&[]).is_err() && Report::new("r").histograms(&Params::new()).is_err());
    assert!(
        Report::new("r").history(&History::new()).is_err()
            && Report::new("r").ranking(&Ranking::new()).is_err()
    );
}

#[test]
fn multiply_adds_are_those_of_the_lectures() {
    // A convolution: outputs × window (course 4, lecture 1.7); a dense layer: inputs × outputs.
    let conv = Summary::of(&Conv::new(6, [5, 5]), &Params::new(), [3, 32, 32]).expect("a table");
    assert_eq!(conv.multiply_adds(), 28 * 28 * 6 * 5 * 5 * 3);
    let dense = Summary::of(&Linear::new(7), &Params::new(), [11]).expect("a table");
    assert_eq!((dense.multiply_adds(), dense.bytes()), (77, 4 * 84));
}
