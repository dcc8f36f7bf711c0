//! Deterministic; the environment variable `CHAINRULE_FUZZ` sets how many mutations each reader gets.

use std::io::Write;

use chainrule::data::{Column, Dataset, Header, Standardize, Table, idx};
use chainrule::prelude::*;
use flate2::{Compression, write::GzEncoder};

fn mutations() -> u64 {
    std::env::var("CHAINRULE_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000)
}

/// Whole numbers below a bound, from a keyed generator of the library's own.
struct Dice(Vec<i64>, usize);

impl Dice {
    fn new(key: Key) -> Self {
        let numbers = Tensor::uniform(key, [64], 0.0..1e9, DType::F64).expect("a range").cast(DType::I64);
        Dice(numbers.to_vec().expect("i64"), 0)
    }

    fn below(&mut self, n: usize) -> usize {
        self.1 += 1;
        self.0[self.1 % self.0.len()] as usize % n.max(1)
    }
}

/// What breaks readers: quotes, separators, numbers at the ends of ranges, lengths, bytes that are no text.
const PIECES: [&[u8]; 26] = [
    b"\"",
    b"\"\"",
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"1e999",
    b"-1e-999",
    b"NaN",
    b"inf",
    b"-0",
    b"9007199254740993",
    b"18446744073709551616",
    b"{",
    b"[",
    b"}",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"F32",
    b"NA",
    b"epoch",
];

/// `seed`, changed in one to four places: bits, cuts, pieces put in, parts repeated.
fn mutated(seed: &[u8], key: Key) -> Vec<u8> {
    let (mut bytes, mut dice) = (seed.to_vec(), Dice::new(key));
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[at] = dice.below(256) as u8,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.below(20)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let part = bytes[at..(at + dice.below(40)).min(bytes.len())].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                let piece = PIECES[dice.below(PIECES.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Gives `read` as many mutations of each seed as asked for; it says whether it accepted. Some of both must occur.
fn fuzz(name: &str, seeds: &[Vec<u8>], mut read: impl FnMut(&[u8]) -> bool) {
    let key = Key::new(9).named(name);
    let mut accepted = 0;
    for i in 0..mutations() {
        let seed = &seeds[i as usize % seeds.len()];
        accepted += u64::from(read(&mutated(seed, key.at(i))));
    }
    println!("{name}: {accepted} of {} accepted", mutations());
    assert!(seeds.iter().all(|seed| read(seed)), "{name}: the seeds themselves are sound");
    assert!(mutations() < 1_000 || (accepted > 0 && accepted < mutations()), "{name}: {accepted} accepted");
}

/// All that is usually done with data.
fn used(data: &Dataset) {
    assert!(!data.to_string().is_empty() && data.examples() > 0);
    if let Ok(scale) = Standardize::fit(data) {
        let scaled = scale.apply(data).expect("its own data");
        assert_eq!(scaled.features().shape(), data.features().shape());
    }
    let batches: usize = data.batches(3).expect("a size").map(|b| b.targets.shape()[0]).sum();
    assert_eq!(batches, data.examples());
}

fn summed(tensor: &Tensor) {
    let text = tensor.to_string();
    assert!(!text.is_empty());
    tensor.cast(DType::F64).sum(..).expect("a sum");
}

#[test]
fn tables() {
    let seeds = [
        "age,job\n31,cook\n45,\"baker, \"\"head\"\"\"\n27,smith\n".into(),
        "\u{feff}a;b\r\n1.5;2\r\n; 3\r\n".into(),
        "1,2,3\n33554433,0.25,1e-40\n98765432.1,-7,?\n".into(),
    ];
    fuzz("tables", &seeds, |bytes| {
        let mut sound = false;
        for (header, separator) in [(Header::Names, b','), (Header::None, b','), (Header::Names, b';')] {
            let Ok(table) = Table::parse_separated(bytes, "fuzz", header, separator) else { continue };
            sound = true;
            assert!(table.rows() > 0 && !table.columns().is_empty());
            let classes = table.classification(Column::Last);
            if let Ok(data) = &classes {
                used(data);
                let again = table.classification_like(Column::Last, data).expect("like itself");
                assert!(again == *data);
            }
            table.regression([0]).iter().for_each(used);
            if let Ok(spread) = table.categories(0).and_then(|names| table.clone().one_hot(0, names)) {
                spread.regression([Column::Last]).iter().for_each(used);
            }
            if let Ok(filled) = table.fill(0, 0.5) {
                filled.regression([Column::Last]).iter().for_each(used);
            }
        }
        sound
    });
}

#[test]
fn idx_files_plain_and_packed() {
    let file = |code: u8, shape: &[u32], bytes: usize| {
        let mut all = vec![0, 0, code, shape.len() as u8];
        shape.iter().for_each(|n| all.extend(n.to_be_bytes()));
        all.extend((0..bytes).map(|i| (i * 37) as u8));
        all
    };
    let plain = [file(8, &[3, 2, 2], 12), file(8, &[5], 5), file(0x0E, &[2, 3], 48), file(0x0C, &[4], 16)];
    let packed = plain.clone().map(|bytes| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).expect("memory");
        encoder.finish().expect("memory")
    });
    let read = |bytes: &[u8]| {
        let Ok(idx) = idx::decode(bytes, "fuzz") else { return false };
        summed(&idx.reals().expect("any type"));
        if let (Ok(x), Ok(y)) = (idx.reals(), idx.integers()) {
            Dataset::classification(x, y, 256).iter().for_each(used);
        }
        idx.fractions().iter().for_each(summed);
        true
    };
    fuzz("idx", &plain, read);
    fuzz("idx, gzip", &packed, read);
    // Mutated below the compression, so that the damage reaches the reader.
    fuzz("idx, repacked", &plain, |bytes| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory");
        read(&encoder.finish().expect("memory"))
    });
}

#[test]
fn histories() {
    let mut history = History::new();
    for (epoch, name, value) in
        [(1, "train loss", 0.7), (1, "dev, \"loss\"", f64::NAN), (3, "train loss", -1e-9)]
    {
        history.record(epoch, name, value);
    }
    fuzz("histories", &[history.to_csv().into_bytes(), "epoch\n".into()], |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        let Ok(history) = History::from_csv(text, "fuzz") else { return false };
        let again = History::from_csv(&history.to_csv(), "again").expect("its own text");
        assert_eq!(again.to_csv(), history.to_csv());
        assert_eq!(history.to_json_lines().lines().count(), history.epochs().len());
        history.names().for_each(|name| {
            history.lowest(name);
        });
        true
    });
}

#[test]
fn parameters() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("p.safetensors");
    let params: Params =
        [("a.weight", Tensor::ones([2, 3], DType::F32)), ("n", Tensor::from([1_i64]))].into_iter().collect();
    let named =
        Dataset::classification(Tensor::ones([2, 2], DType::F32), Tensor::from([0_i64, 1]), ["x", "y"])
            .and_then(|d| d.with_feature_names(["l", "w"]))
            .expect("sound");
    let seeds = [params.clone(), params.with_names(named.names())].map(|params| {
        params.save(&path).expect("saved");
        std::fs::read(&path).expect("read")
    });
    fuzz("parameters", &seeds, |bytes| {
        std::fs::write(&path, bytes).expect("written");
        let Ok(params) = Params::load(&path) else { return false };
        params.iter().for_each(|(_, tensor)| summed(tensor));
        assert!(!format!("{:?}", params.names()).is_empty());
        params.save(&path).expect("saved");
        assert_eq!(Params::load(&path).expect("its own").names(), params.names());
        true
    });
}
