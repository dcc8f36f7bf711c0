//! Tables of accuracy, NumPy's and those of 300 bits, at every SIMD level that this processor has; see
//! `data/umath/README.md` and `data/exact/README.md`.

use chainrule_tensor::kernels::Level;
use chainrule_tensor::kernels::elementwise::{Unary, unary_at};

const TABLES: [(Unary, &str); 13] = [
    (Unary::Exp, include_str!("../data/umath/exp.csv")),
    (Unary::Ln, include_str!("../data/umath/log.csv")),
    (Unary::Expm1, include_str!("../data/umath/expm1.csv")),
    (Unary::Ln1p, include_str!("../data/umath/log1p.csv")),
    (Unary::Sin, include_str!("../data/umath/sin.csv")),
    (Unary::Cos, include_str!("../data/umath/cos.csv")),
    (Unary::Atan, include_str!("../data/umath/arctan.csv")),
    (Unary::Tanh, include_str!("../data/umath/tanh.csv")),
    (Unary::Sigmoid, include_str!("../data/exact/logistic.csv")),
    (Unary::Softplus, include_str!("../data/exact/softplus.csv")),
    (Unary::Erf, include_str!("../data/exact/erf.csv")),
    (Unary::Rsqrt, include_str!("../data/exact/rsqrt.csv")),
    (Unary::Sqrt, include_str!("../data/exact/sqrt.csv")),
];

/// Input, right output (both as bits) and permitted error of each row of one dtype.
fn rows(table: &'static str, dtype: &str) -> impl Iterator<Item = (u64, u64, u64)> {
    let bits = |hex: &str| u64::from_str_radix(hex.trim_start_matches("0x"), 16).expect("bits in hex");
    table.lines().filter_map(move |line| line.strip_prefix(dtype)).map(move |row| {
        let mut columns = row.trim_start_matches(',').split(',');
        let mut next = || columns.next().expect("four columns");
        (bits(next()), bits(next()), next().trim().parse().expect("a whole number"))
    })
}

/// `worst!("np.float32", f32, u32, table, level, op)` is the greatest error in ULP of the rows of that
/// dtype, the one permitted, and the number of rows.
macro_rules! worst {
    ($dtype:literal, $float:ident, $uint:ident, $table:expr, $level:expr, $op:expr) => {{
        let rows: Vec<(u64, u64, u64)> = rows($table, $dtype).collect();
        let x: Vec<$float> = rows.iter().map(|row| $float::from_bits(row.0 as $uint)).collect();
        let mut y = vec![0.0; x.len()];
        unary_at($level, $op, &x, &mut y);
        // Neighbouring floats get neighbouring numbers, both zeros the same.
        let place = |y: $float| {
            let size = i128::from(y.abs().to_bits());
            if y.is_sign_negative() { -size } else { size }
        };
        let error = |(y, row): (&$float, &(u64, u64, u64))| {
            let right = $float::from_bits(row.1 as $uint);
            match (y.is_nan(), right.is_nan()) {
                (true, true) => 0,
                (false, false) => (place(*y) - place(right)).unsigned_abs(),
                _ => u128::MAX,
            }
        };
        let worst = y.iter().zip(&rows).map(error).max().unwrap_or(0);
        (worst, rows.iter().map(|row| u128::from(row.2)).max().unwrap_or(0), rows.len())
    }};
}

/// Rows of all tables in f32 and in f64.
const ROWS: [usize; 2] = [6_213, 6_461];

/// `cargo test -p chainrule-tensor --test all umath -- --nocapture` prints a line for each level and what was skipped.
#[test]
fn errors_stay_within_the_tables() {
    for level in Level::available() {
        let (mut rows, mut seen) = ([0, 0], Vec::new());
        for (op, table) in TABLES {
            let narrow = worst!("np.float32", f32, u32, table, level, op);
            let wide = worst!("np.float64", f64, u64, table, level, op);
            for (i, (worst, permitted, count)) in [narrow, wide].into_iter().enumerate() {
                assert!(worst <= permitted, "{} in f{} at {level:?}: {worst} ULP", op.name(), 32 << i);
                rows[i] += count;
            }
            seen.push(format!("{} {}/{}", op.name(), narrow.0, wide.0));
        }
        assert_eq!(rows, ROWS, "no row is left out");
        println!(
            "umath at {level:?}: {} functions, {} f32 and {} f64 rows; worst ULP in f32/f64: {}",
            TABLES.len(),
            rows[0],
            rows[1],
            seen.join(", ")
        );
    }
    let lacking =
        [Level::Baseline, Level::Avx2, Level::Avx512].into_iter().filter(|l| *l > Level::detected());
    let lacking: Vec<String> = lacking.map(|l| format!("{l:?}")).collect();
    println!("umath, levels that this processor lacks: [{}]", lacking.join(", "));
}
