//! Maps of the plane, and images, masks and boxes under them.

/// Where a pixel of the new image comes from, both counted from the middle of the image, x to the right and y down:
/// (x, y) ← (a x + b y + c, d x + e y + f).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Map(pub(super) [f64; 6]);

impl Map {
    pub(super) const SAME: Map = Map([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);

    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.0;
        (a * x + b * y + c, d * x + e * y + f)
    }

    /// `next` of what this gives.
    pub(super) fn then(self, next: Map) -> Map {
        let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (self.0, next.0);
        Map([
            g * a + h * d,
            g * b + h * e,
            g * c + h * f + i,
            j * a + k * d,
            j * b + k * e,
            j * c + k * f + l,
        ])
    }

    /// Where a point of the old image goes.
    fn inverse(&self) -> Map {
        let [a, b, c, d, e, f] = self.0;
        let det = a * e - b * d;
        Map([e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det])
    }
}

/// A number of an image.
pub(super) trait Pixel: Copy {
    fn wide(self) -> f64;
    fn of(wide: f64) -> Self;
}

impl Pixel for f32 {
    fn wide(self) -> f64 {
        self.into()
    }
    fn of(wide: f64) -> Self {
        wide as f32
    }
}

impl Pixel for f64 {
    fn wide(self) -> f64 {
        self
    }
    fn of(wide: f64) -> Self {
        wide
    }
}

/// Height and width of an image.
pub(super) type Size = [usize; 2];

/// One channel of an image under `map`, between pixels linearly in both directions; outside it is `outside`. Whole pixels are
/// copies.
pub(super) fn image<T: Pixel>(from: &[T], into: &mut [T], [h, w]: Size, map: Map, outside: f64) {
    let at = |row: isize, column: isize| {
        let inside = (0..h as isize).contains(&row) && (0..w as isize).contains(&column);
        if inside { from[row as usize * w + column as usize].wide() } else { outside }
    };
    for (pixel, out) in into.iter_mut().enumerate() {
        let (x, y) = source(pixel, h, w, map);
        let (column, row) = (x.floor(), y.floor());
        let (right, below) = (x - column, y - row);
        let (row, column) = (row as isize, column as isize);
        // A pixel of weight 0 is not looked at, so that it need not be there.
        let line = |row| match right {
            0.0 => at(row, column),
            _ => at(row, column) * (1.0 - right) + at(row, column + 1) * right,
        };
        *out = T::of(match below {
            0.0 => line(row),
            _ => line(row) * (1.0 - below) + line(row + 1) * below,
        });
    }
}

/// The labels of pixels under `map`, each that of the nearest pixel; outside they are `outside`.
pub(super) fn mask(from: &[i64], into: &mut [i64], [h, w]: Size, map: Map, outside: i64) {
    for (pixel, out) in into.iter_mut().enumerate() {
        let (x, y) = source(pixel, h, w, map);
        let (row, column) = ((y + 0.5).floor(), (x + 0.5).floor());
        let inside = (0.0..h as f64).contains(&row) && (0.0..w as f64).contains(&column);
        *out = if inside { from[row as usize * w + column as usize] } else { outside };
    }
}

/// Row and column, from 0, of which pixel number `pixel` is made.
fn source(pixel: usize, h: usize, w: usize, map: Map) -> (f64, f64) {
    let (middle_x, middle_y) = ((w as f64 - 1.0) / 2.0, (h as f64 - 1.0) / 2.0);
    let (x, y) = map.at((pixel % w) as f64 - middle_x, (pixel / w) as f64 - middle_y);
    (x + middle_x, y + middle_y)
}

/// The upright box around a box (x₀, y₀, x₁, y₁), in pixels, under `map`, as far as it is within the image; all 0 if it is not.
pub(super) fn corners(b: [f64; 4], [h, w]: Size, map: Map) -> [f64; 4] {
    let (forward, half) = (map.inverse(), [w as f64 / 2.0, h as f64 / 2.0]);
    let points = [(b[0], b[1]), (b[2], b[1]), (b[0], b[3]), (b[2], b[3])];
    let points = points.map(|(x, y)| forward.at(x - half[0], y - half[1]));
    let within = |values: [f64; 4], half: f64| {
        let (least, most) = values.into_iter().fold((f64::MAX, f64::MIN), |(l, m), v| (l.min(v), m.max(v)));
        ((least + half).clamp(0.0, 2.0 * half), (most + half).clamp(0.0, 2.0 * half))
    };
    let (x0, x1) = within(points.map(|p| p.0), half[0]);
    let (y0, y1) = within(points.map(|p| p.1), half[1]);
    if x1 > x0 && y1 > y0 { [x0, y0, x1, y1] } else { [0.0; 4] }
}
