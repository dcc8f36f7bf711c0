//! How wide a text is drawn, without asking a font: generously, so that what is placed by it never overlaps.

/// Advance widths of the printable ASCII characters in hundredths of the font size, those of DejaVu Sans: the
/// widest of the fonts that a viewer may choose from, wider than Helvetica and Arial in nearly every letter.
#[rustfmt::skip]
const ADVANCES: [u8; 95] = [
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, // space to /
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 54, // 0 to ?
    102, 69, 69, 70, 78, 64, 58, 78, 76, 30, 50, 66, 56, 87, 75, 79, // @ to O
    61, 79, 70, 64, 62, 74, 69, 99, 69, 62, 69, 40, 34, 40, 84, 50, // P to _
    50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, // ` to o
    64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84, // p to ~
];

/// How much wider bold letters are: the narrow ones, such as `l` and `t`, gain most.
const BOLD: f64 = 1.2;

/// The width of `text` at font size `size`.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let advance = |c: char| match u32::from(c).checked_sub(32).and_then(|i| ADVANCES.get(i as usize)) {
        Some(&hundredths) => hundredths,
        None if c.is_control() => 0,
        // Mathematical signs and letters of other scripts are at most about as wide as they are high.
        None => 105,
    };
    let hundredths: f64 = text.chars().map(|c| f64::from(advance(c))).sum();
    hundredths / 100.0 * size * if bold { BOLD } else { 1.0 }
}

/// `text`, shortened in the middle to at most `most` characters: both ends of a path or name tell most.
///
/// ```
/// assert_eq!(chainrule_sketch::shortened("encoder.block.weight", 12), "encode…eight");
/// ```
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().nth(most).is_none() {
        return text.into();
    }
    let (head, tail) = (most / 2, most - most / 2 - 1);
    let start: String = text.chars().take(head).collect();
    let end: Vec<char> = text.chars().rev().take(tail).collect();
    format!("{start}…{}", end.into_iter().rev().collect::<String>())
}
