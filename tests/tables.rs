use chainrule::data::{Column, Dataset, Header, Standardize, Table};
use chainrule::loss::mean_squared_error;
use chainrule::nn::Error;
use chainrule::prelude::*;
use chainrule::progress::Silent;

fn table(csv: &str) -> Result<Table, Error> {
    Table::parse(csv.as_bytes(), "jobs.csv", Header::Names)
}

fn refused<T>(result: Result<T, Error>, line: u64, column: &str, words: &str) {
    match result {
        Err(Error::Cell { line: l, column: c, why, .. }) => {
            assert_eq!((l, c.as_str()), (line, column), "{why}");
            assert!(why.contains(words), "{words:?} is not in: {why}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("no error, where line {line} has one"),
    }
}

#[test]
fn a_quote_that_is_never_closed_is_found_where_it_opens() {
    refused(table("age,job\n31,cook\n45,\"baker\n27,smith\n38,tailor\n"), 3, "1", "never closed");
    refused(table("age,job\n31,cook\n\"45,baker\n27,smith\n"), 3, "0", "never closed");
    refused(table("age,\"job\n31,cook\n"), 1, "1", "never closed");
    // Another quote, rows below, closes it.
    refused(table("age,job\n45,\"baker\n27,\"smith\"\n38,tailor\n"), 2, "1", "closed in line 3");
    let swallowed = table("age,job\n45,\"baker\n27,smith\"\n38,tailor\n").expect("as RFC 4180 has it");
    refused(swallowed.classification("job"), 2, "\"job\"", "several lines");
    // A whole quote is no fault, a mark of inches neither.
    let pipes = table("width,pipe\n1,5\" pipe\n2,\"5\"\" pipe\"\n").and_then(|t| t.classification("pipe"));
    assert_eq!(pipes.expect("one class").class_counts(), Some(vec![2]));
}

#[test]
fn blanks_around_cells_do_not_count() {
    let jobs =
        table("age,job\n31, \"cook\"\n45,cook \n 7 ,\t\"cook\" \n").and_then(|t| t.classification("job"));
    assert_eq!(jobs.expect("one class").classes().map(|c| c.names().to_vec()), Some(vec!["cook".into()]));
    let jobs = table(" age , \"job, at night\"\n 31 , \"cook, baker\"\n").expect("two cells");
    assert_eq!(jobs.columns(), ["age", "job, at night"]);
}

#[test]
fn a_column_name_comes_once() {
    refused(
        table("age,paid,paid\n31,0,7\n45,1,9\n"),
        1,
        "2",
        "columns 1 and 2 (from 0) are both called \"paid\"",
    );
    refused(table("age,paid, \"paid \"\n31,0,7\n"), 1, "2", "both called");
    refused(History::from_csv("epoch,loss,loss\n1,2,3\n", "h"), 1, "\"loss\"", "both called");
    assert!(Table::parse(&b"1,1\n2,3\n"[..], "t", Header::None).is_ok());
    assert!(table("age,job,job=cook\n1,cook,0\n").and_then(|t| t.one_hot("job", ["cook"])).is_err());
}

#[test]
fn numbers_keep_their_digits() {
    let fees = table("member,fee\n33554433,120.5\n33554432,98765432.1\n").and_then(|t| t.regression(["fee"]));
    let fees = fees.expect("numbers");
    assert_eq!(fees.features().to_vec::<f64>().expect("f64"), [33_554_433.0, 33_554_432.0]);
    assert_eq!(fees.targets().to_vec::<f64>().expect("f64"), [120.5, 98_765_432.1]);
    let short =
        table("x,y\n0.1,16777216\n1e-40,3.4e38\n").and_then(|t| t.regression(["y"])).expect("numbers");
    assert_eq!((short.features().dtype(), short.targets().dtype()), (DType::F32, DType::F32));
    let far = table("x,y\n1e39,1\n").and_then(|t| t.regression(["y"])).expect("f64 holds it");
    assert_eq!(far.features().to_vec::<f64>().expect("f64"), [1e39]);
    refused(
        table("x,y\n1,1\n1e400,1\n").and_then(|t| t.regression(["y"])),
        3,
        "\"x\"",
        "not a finite number",
    );
    refused(table("x,y\n1,1\n-inf,1\n").and_then(|t| t.regression(["y"])), 3, "\"x\"", "not a finite number");
    refused(table("x,y\n\"1,5\",1\n").and_then(|t| t.regression(["y"])), 2, "\"x\"", "not a number");
}

#[test]
fn what_is_missing_is_refused_or_filled() {
    for mark in ["", "NA", "?", "NaN", "null", "n/a"] {
        let text = format!("x,y,kind\n1,2,a\n{mark},2,b\n1,2,{mark}\n");
        let whole = table(&text).expect("a table");
        let y = |t: Table| t.without("kind").and_then(|t| t.regression(["y"]));
        refused(y(whole.clone()), 3, "\"x\"", "fill");
        let filled = whole.clone().fill("x", -1.5).and_then(y).expect("filled");
        assert_eq!(filled.features().to_vec::<f32>().expect("f32"), [1.0, -1.5, 1.0]);
        refused(whole.classification("kind"), 4, "\"kind\"", "");
    }
    assert!(table("x,y\n,1\n").and_then(|t| t.fill("x", f64::NAN)).is_err());
}

#[test]
fn text_becomes_columns_if_asked() {
    let homes = table("city,size,price\nRome,70,3\nOslo,50,4\nRome,60,2\n").expect("a table");
    refused(homes.regression(["price"]), 2, "\"city\"", "one_hot");
    let cities = homes.categories("city").expect("texts");
    let train = homes.one_hot("city", &cities).and_then(|t| t.regression(["price"])).expect("numbers");
    assert_eq!(train.names().features().expect("names"), ["city=Oslo", "city=Rome", "size"]);
    assert_eq!(train.features().to_vec::<f32>().expect("f32"), [0., 1., 70., 1., 0., 50., 0., 1., 60.]);
    let test = table("city,size,price\nBonn,70,3\n").expect("a table");
    refused(test.one_hot("city", &cities), 2, "\"city\"", "none of the classes [Oslo, Rome]");
}

#[test]
fn files_of_other_programs() {
    let plain = table("a,b\n1,2\n3,4\n").and_then(|t| t.regression(["b"])).expect("numbers");
    for text in [
        "\u{feff}a,b\r\n1,2\r\n3,4\r\n",
        "a,b\r1,2\r3,4",
        "\n\na,b\n1,2\n\n  \n3,4\n\n",
        "\"a\",\"b\"\n\"1\",\"2\"\n3,4",
    ] {
        assert!(table(text).and_then(|t| t.regression(["b"])).expect("the same") == plain, "{text:?}");
    }
    let semicolons = "a;b\n1;2\n3;4\n";
    let error =
        table(semicolons).and_then(|t| t.regression([Column::Last])).expect_err("one column").to_string();
    assert!(error.contains("';'") && error.contains("parse_separated"), "{error}");
    let read = Table::parse_separated(semicolons.as_bytes(), "t", Header::Names, b';');
    assert!(read.and_then(|t| t.regression(["b"])).expect("the same") == plain);
    assert!(Table::parse_separated(semicolons.as_bytes(), "t", Header::Names, b'"').is_err());
    refused(table("a,b\n1,2\n\n1,2,3\n"), 4, "2", "3 cells, not 2");
    refused(table("a,b\n1,2,\n"), 2, "2", "3 cells, not 2");
    refused(Table::parse(&b"\xff\xfea\0"[..], "t", Header::Names), 1, "0", "UTF-16");
}

#[test]
fn numbers_beyond_the_range_of_training_are_named() {
    fn line<'g>(s: &Scope<'g>, x: Var<'g>) -> Var<'g> {
        Linear::new(1).forward(s, x)
    }
    let data = Dataset::regression(Tensor::from([[1.0], [1e300]]), Tensor::from([[1.0_f32], [2.0]]))
        .expect("finite");
    let trainer = Trainer::new(line, mean_squared_error).epochs(1);
    let mut params = Params::new();
    let error = trainer.fit(&mut params, &data, None, &mut Silent).expect_err("f32 ends before").to_string();
    assert!(error.contains("row 1, column 0") && error.contains("f32"), "{error}");
    let scaled = Standardize::fit(&data).and_then(|s| s.apply(&data)).expect("finite");
    trainer.fit(&mut params, &scaled, None, &mut Silent).expect("trains");
    let error = trainer.evaluator().run(&params, &data).expect_err("f32 ends before").to_string();
    assert!(error.contains("row 1, column 0"), "{error}");
}

#[test]
fn deviations_at_both_ends_of_the_range() {
    let of = |numbers: [f64; 3]| {
        let features = Tensor::from_vec(numbers.to_vec(), [3, 1]).expect("shaped");
        let data = Dataset::regression(features, Tensor::zeros([3, 1], DType::F32)).expect("finite");
        let scale = Standardize::fit(&data).expect("finite");
        assert_eq!(
            Standardize::new(scale.mean(), scale.deviation()).expect("the same checks").mean(),
            scale.mean()
        );
        scale.apply(&data).expect("finite").features().to_vec::<f64>().expect("f64")
    };
    // numpy: (x - x.mean()) / x.std() of [4, 6, 9].
    let expected = [-1.135_549_947_915_337_5, -0.162_221_421_130_762_4, 1.297_771_369_046_099_2];
    for unit in [1.0, 1e180, 1e307, 1e-180, 1e-300] {
        for (x, expected) in of([4.0 * unit, 6.0 * unit, 9.0 * unit]).iter().zip(expected) {
            assert!((x - expected).abs() < 1e-14, "{unit}: {x} against {expected}");
        }
    }
    assert_eq!(of([1e308, 1e308, 1e308]), [0.0; 3]);
}
