//! The words of plans: shapes, layouts, numbers; written and read.

use chainrule_tensor::kernels::Kind;
use chainrule_tensor::kernels::elementwise::Scalar;
use chainrule_tensor::kernels::rows::Place;
use chainrule_tensor::{Compound, Layout, Shape};
use smallvec::SmallVec;

/// Each behind a space.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    items.fold(String::new(), |text, item| text + " " + &item)
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Real => "real",
        Kind::Int => "int",
        Kind::Truth => "truth",
    }
}

pub(super) fn read_kind(word: &str) -> Result<Kind, String> {
    let all = [Kind::Real, Kind::Int, Kind::Truth];
    all.into_iter().find(|k| kind(*k) == word).ok_or_else(|| format!("`{word}` is no kind of number"))
}

fn joined<T: ToString>(numbers: &[T]) -> String {
    match numbers {
        [] => "-".into(),
        all => all.iter().map(ToString::to_string).collect::<Vec<_>>().join("x"),
    }
}

fn split<T: std::str::FromStr>(word: &str) -> Result<Vec<T>, String> {
    let number = |part: &str| part.parse().map_err(|_| format!("`{word}` is no list of lengths such as 4x3"));
    if word == "-" { Ok(Vec::new()) } else { word.split('x').map(number).collect() }
}

pub(super) fn shape(shape: &[usize]) -> String {
    joined(shape)
}

pub(super) fn read_shape(word: &str) -> Result<Shape, String> {
    let shape: Shape = split::<usize>(word)?.into();
    shape.checked_size().ok_or_else(|| format!("{word} has too many elements"))?;
    Ok(shape)
}

/// Exactly `N` lengths.
pub(super) fn read_dims<const N: usize>(word: &str) -> Result<[usize; N], String> {
    let shape = read_shape(word)?;
    <[usize; N]>::try_from(&shape[..]).map_err(|_| format!("`{word}` are {} lengths, not {N}", shape.len()))
}

pub(super) fn layout(layout: &Layout) -> String {
    let row_major = Layout::contiguous(layout.shape.clone());
    if *layout == row_major {
        return shape(&layout.shape);
    }
    format!("{}:{}+{}", joined(&layout.shape), joined(&layout.strides), layout.offset)
}

pub(super) fn read_layout(word: &str) -> Result<Layout, String> {
    let Some((shape, rest)) = word.split_once(':') else { return Ok(Layout::contiguous(read_shape(word)?)) };
    let wrong = || format!("`{word}` is no layout such as 4x3:1x4+0");
    let (strides, offset) = rest.split_once('+').ok_or_else(wrong)?;
    let strides: SmallVec<[isize; 4]> = split(strides)?.into();
    let (shape, offset) = (read_shape(shape)?, offset.parse().map_err(|_| wrong())?);
    if shape.len() == strides.len() { Ok(Layout { shape, strides, offset }) } else { Err(wrong()) }
}

/// As a layout; lengths that make one axis together stand between asterisks.
pub(super) fn compound(compound: &Compound) -> String {
    if compound.each().iter().all(|n| *n == 1) {
        return layout(compound.layout());
    }
    let axis = |i: usize| compound.axis(i).0.iter().map(usize::to_string).collect::<Vec<_>>().join("*");
    let lengths: Vec<_> = (0..compound.each().len()).map(axis).collect();
    let layout = compound.layout();
    format!("{}:{}+{}", lengths.join("x"), joined(&layout.strides), layout.offset)
}

pub(super) fn read_compound(word: &str) -> Result<Compound, String> {
    let lengths = word.split_once(':').map_or("", |(lengths, _)| lengths);
    let layout = read_layout(&word.replace('*', "x"))?;
    if !lengths.contains('*') {
        return Ok(layout.into());
    }
    let each: Vec<usize> = lengths.split('x').map(|axis| axis.split('*').count()).collect();
    Compound::new(layout, &each).ok_or_else(|| format!("`{word}` is no view such as 4x2*3:1x8x4+0"))
}

pub(super) fn place(place: &Place) -> String {
    match place {
        Place::Input(i) => format!("in{i}"),
        Place::Output(i) => format!("out{i}"),
        Place::Local(i) => format!("local{i}"),
    }
}

pub(super) fn read_place(word: &str) -> Result<Place, String> {
    let wrong = || format!("`{word}` is no place such as in0, out0 or local0");
    let cut = word.find(|c: char| c.is_ascii_digit()).ok_or_else(wrong)?;
    let i = word[cut..].parse().map_err(|_| wrong())?;
    match &word[..cut] {
        "in" => Ok(Place::Input(i)),
        "out" => Ok(Place::Output(i)),
        "local" => Ok(Place::Local(i)),
        _ => Err(wrong()),
    }
}

/// As few digits as name the number; the bits of what is none.
pub(super) fn real64(x: f64) -> String {
    if x.is_nan() { format!("nan{:x}", x.to_bits()) } else { format!("{x:?}") }
}

pub(super) fn real32(x: f32) -> String {
    if x.is_nan() { format!("nan{:x}", x.to_bits()) } else { format!("{x:?}") }
}

pub(super) fn read64(word: &str) -> Result<f64, String> {
    let read = match word.strip_prefix("nan") {
        Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
        None => word.parse().ok(),
    };
    read.ok_or_else(|| format!("`{word}` is no real number"))
}

pub(super) fn read32(word: &str) -> Result<f32, String> {
    let read = match word.strip_prefix("nan") {
        Some(bits) => u32::from_str_radix(bits, 16).ok().map(f32::from_bits),
        None => word.parse().ok(),
    };
    read.ok_or_else(|| format!("`{word}` is no real number"))
}

pub(super) fn scalar(x: Scalar) -> String {
    match x {
        Scalar::Real(x) => real64(x),
        Scalar::Int(x) => x.to_string(),
        Scalar::Truth(x) => x.to_string(),
    }
}

/// The words of a line; one in quotation marks may hold anything, and is given with them.
pub(super) fn words(line: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while let Some(first) = rest.chars().next() {
        let mut escaped = false;
        let closes = |c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        };
        let len = match first {
            '"' => rest[1..].find(closes).map_or(rest.len(), |at| at + 2),
            _ => rest.find(char::is_whitespace).unwrap_or(rest.len()),
        };
        words.push(&rest[..len]);
        rest = rest[len..].trim_start();
    }
    words
}

/// What stands between quotation marks.
pub(super) fn unquoted(word: &str) -> Result<String, String> {
    let wrong = || format!("{word} is no text in quotation marks");
    let inside = word.strip_prefix('"').and_then(|w| w.strip_suffix('"')).ok_or_else(wrong)?;
    let (mut text, mut chars) = (String::new(), inside.chars());
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next().ok_or_else(wrong)? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                'u' => {
                    let code: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    let code = code.strip_prefix('{').and_then(|c| u32::from_str_radix(c, 16).ok());
                    code.and_then(char::from_u32).ok_or_else(wrong)?
                }
                plain @ ('\\' | '"' | '\'') => plain,
                _ => return Err(wrong()),
            },
            c => c,
        });
    }
    Ok(text)
}
