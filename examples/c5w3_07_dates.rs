//! Course 5, week 3, lectures 3.7 and 3.8: a network with attention translates dates as people write them into 1995-04-24,
//! and for each digit that it writes looks at the place where the answer stands.
//!
//!     cargo run --release --example c5w3_07_dates

mod lecture;

use anyhow::{Result, ensure};
use chainrule::metric::Trials;
use chainrule::plot::{Picture, image_sheet};
use chainrule::prelude::*;
use lecture::sequences::{Asked, Draws, Translator, padded};

const MONTHS: &str = "january february march april may june july august september october november december";
const DAYS: &str = "monday tuesday wednesday thursday friday saturday sunday";
/// What is read; the first stands for padding.
const READS: &str = "\0 ./0123456789abcdefghijklmnoprstuvwy";
/// What is written; the last stands for the beginning.
const WRITES: &str = "0123456789-\0";
const READ: usize = 28;
const WRITTEN: usize = 10;
const NET: Translator = Translator { reads: READS.len(), writes: WRITES.len(), units: 32 };

/// Year, month from 0, and day, in 1970 to 2029, so that two digits are enough for the year.
type Date = (usize, usize, usize);

fn date(draws: &mut Draws) -> Date {
    let (year, month) = (1970 + draws.below(60), draws.below(12));
    let days = [31, if year % 4 == 0 { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    (year, month, 1 + draws.below(days[month]))
}

/// One of the ways in which the course's task writes dates, in small letters and without commas.
fn written(draws: &mut Draws, (y, m, d): Date) -> String {
    let (month, short) = (MONTHS.split(' ').nth(m).unwrap_or(""), y % 100);
    let brief = &month[..3];
    // Sakamoto's rule; Monday is 0.
    let before = y - usize::from(m < 2);
    let shift = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4][m];
    let day = (before + before / 4 - before / 100 + before / 400 + shift + d + 6) % 7;
    let day = DAYS.split(' ').nth(day).unwrap_or("");
    match draws.below(11) {
        0 => format!("{}/{d}/{short:02}", m + 1),
        1 => format!("{brief} {d} {y}"),
        2 => format!("{month} {d} {y}"),
        3 => format!("{day} {month} {d} {y}"),
        4 | 5 => format!("{d} {brief} {y}"),
        6 | 7 => format!("{d} {month} {y}"),
        8 => format!("{d:02} {:02} {short:02}", m + 1),
        9 => format!("{d:02}.{:02}.{short:02}", m + 1),
        _ => format!("{d:02} {brief} {y}"),
    }
}

fn tokens(text: &str, of: &str) -> Vec<i64> {
    text.chars().map(|c| of.find(c).expect("is one of them") as i64).collect()
}

/// What is read, what is written from its beginning on, and what is to be written next.
fn pairs(dates: &[Date], draws: &mut Draws) -> Result<[Tensor; 3]> {
    let read: Vec<Vec<i64>> = dates.iter().map(|d| tokens(&written(draws, *d), READS)).collect();
    let wanted = dates.iter().map(|(y, m, d)| tokens(&format!("{y}-{:02}-{d:02}", m + 1), WRITES));
    let wanted: Vec<Vec<i64>> = wanted.collect();
    let begun = |w: &Vec<i64>| [&[NET.writes as i64 - 1], &w[..WRITTEN - 1]].concat();
    let begun: Vec<Vec<i64>> = wanted.iter().map(begun).collect();
    Ok([padded(&read, READ, 0)?, padded(&begun, WRITTEN, 0)?, padded(&wanted, WRITTEN, 0)?])
}

/// Writes token by token, each time the likeliest; and the attention on the way.
fn translate(params: &Params, read: &Tensor) -> Result<[Tensor; 2]> {
    let m = read.shape()[0];
    let mut net = Asked::new(NET, params, [m, READ], WRITTEN)?;
    let mut said = vec![vec![]; m];
    for place in 0..WRITTEN {
        let likeliest = net.all(read, &said)?[0].argmax(-1)?.to_vec::<i64>()?;
        said.iter_mut().zip(likeliest.chunks(WRITTEN)).for_each(|(said, row)| said.push(row[place]));
    }
    let [_, weights] = net.all(read, &said)?;
    Ok([padded(&said, WRITTEN, 0)?, weights])
}

/// Prints how many dates are right, draws the attention; fails if the claim does not hold.
pub fn run(seeds: u64, steps: usize) -> Result<Picture> {
    println!(
        "claim: a network with attention translates dates that it never saw, 98 % of them at least, and looks where the answer stands\n"
    );
    let (mut right, mut looks, mut picture) = (Trials::default(), Trials::default(), None);
    for seed in 0..seeds {
        let mut draws = Draws::new(Key::new(seed).named("dates"));
        // One day in ten is kept for the test, however it is written.
        let kept = |(y, m, d): &Date| (y * 372 + m * 31 + d) % 10 == 3;
        let mut dates: Vec<Date> = (0..12_000).map(|_| date(&mut draws)).collect();
        let unseen: Vec<Date> = dates.iter().filter(|d| kept(d)).copied().take(1000).collect();
        dates.retain(|d| !kept(d));
        let params = NET.train(&pairs(&dates, &mut draws)?, 64, steps, seed)?;
        let [read, _, wanted] = pairs(&unseen, &mut draws)?;
        let [found, weights] = translate(&params, &read)?;
        let (found, wanted) = (found.to_vec::<i64>()?, wanted.to_vec::<i64>()?);
        let same = found.chunks(WRITTEN).zip(wanted.chunks(WRITTEN)).filter(|(a, b)| a == b).count();
        right.0.push(100.0 * same as f64 / unseen.len() as f64);
        looks.0.push(100.0 * on_the_month(&read.to_vec()?, &weights)?);
        if seed == 0 {
            picture = Some(maps(&read.to_vec()?, &found, &weights)?);
        }
        println!("seed {seed}: {same} of {} dates right, all ten characters", unseen.len());
    }
    println!("\nright on days that were not in training: {right:.1} %");
    println!(
        "of the attention while the month is written, {looks:.0} % rests on the month's name or its neighbours, where it has one"
    );
    ensure!(right.mean() >= 98.0, "{right}");
    println!("\nthe claim holds");
    Ok(picture.expect("one seed at least"))
}

/// The share of attention for the month's two digits that rests on letters or beside them, where the month is a word and
/// no day is.
fn on_the_month(read: &[i64], weights: &Tensor) -> Result<f64> {
    let weights = weights.to_vec::<f32>()?;
    let letter = |t: i64| t >= READS.find('a').expect("letters") as i64;
    let (mut on, mut n) = (0.0, 0.0);
    for (row, w) in read.chunks(READ).zip(weights.chunks(WRITTEN * READ)) {
        let letters = row.iter().filter(|t| letter(**t)).count();
        // A day's name stands before its month.
        if letters == 0 || letter(row[0]) && row.iter().filter(|t| **t == 1).count() == 3 {
            continue;
        }
        let beside = |i: usize| (i.saturating_sub(1)..=i + 1).any(|k| row.get(k).is_some_and(|t| letter(*t)));
        for digit in [5, 6] {
            let seen = (0..READ).filter(|i| beside(*i)).map(|i| f64::from(w[digit * READ + i]));
            on += seen.sum::<f64>();
            n += 1.0;
        }
    }
    Ok(on / n)
}

/// Six dates: what was written in rows, what was read in columns.
fn maps(read: &[i64], found: &[i64], weights: &Tensor) -> Result<Picture> {
    let text = |t: &[i64], of: &str| t.iter().map(|t| of.as_bytes()[*t as usize] as char).collect::<String>();
    let caption =
        |(r, f): (&[i64], &[i64])| format!("{}: {}", text(r, READS).trim_matches('\0'), text(f, WRITES));
    let captions: Vec<String> = read.chunks(READ).zip(found.chunks(WRITTEN)).take(6).map(caption).collect();
    Ok(image_sheet(&weights.slice(0, 0..6, 1)?, &captions, 2)?)
}

fn main() -> Result<()> {
    lecture::draw("c5w3_07_dates", &run(3, 1200)?)
}
