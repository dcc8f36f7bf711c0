//! A text with a prejudice of known size, and arithmetic of word vectors.

use super::sequences::Draws;

/// Words for men and women, and what else they are: one of the subjects below for each letter.
pub const PAIRS: [(&str, &str, &str); 8] = [
    ("man", "woman", "o"),
    ("boy", "girl", "y"),
    ("king", "queen", "ro"),
    ("prince", "princess", "ry"),
    ("father", "mother", "fo"),
    ("son", "daughter", "fy"),
    ("actor", "actress", "so"),
    ("waiter", "waitress", "eo"),
];
/// What stands beside words of men, women, the old, the young, royals, families, the stage, eating, work, and all.
const SUBJECTS: [(char, &str); 10] = [
    ('m', "he him his beard sir"),
    ('w', "she her hers dress madam"),
    ('o', "grown old grey bent"),
    ('y', "young small school toy"),
    ('r', "crown throne palace court"),
    ('f', "home family house parents"),
    ('s', "stage role play scene"),
    ('e', "plate soup table bill"),
    ('p', "work wage job desk"),
    ('a', "the of and in"),
];
pub const PROFESSIONS: &str = "plumber pilot surgeon lawyer baker writer clerk teacher typist nurse";

/// How often a profession's sentence speaks of a woman.
pub fn planted(i: usize) -> f64 {
    0.05 + 0.1 * i as f64
}

pub struct Text {
    pub words: Vec<&'static str>,
    pub sentences: Vec<Vec<usize>>,
}

/// Sentences of one person and six words beside: of the person's own subjects, and some that say nothing.
pub fn text(draws: &mut Draws, count: usize) -> Text {
    let professions: Vec<&str> = PROFESSIONS.split(' ').collect();
    let beside = SUBJECTS.map(|(_, words)| words.split(' ').collect::<Vec<_>>());
    let people = PAIRS.iter().flat_map(|(m, w, _)| [*m, *w]).chain(professions.iter().copied());
    let words: Vec<&str> = people.chain(beside.iter().flatten().copied()).collect();
    let sentences = (0..count).map(|_| {
        let person = draws.below(2 * PAIRS.len() + professions.len());
        let (woman, rest) = if person < 2 * PAIRS.len() {
            (person % 2 == 1, PAIRS[person / 2].2)
        } else {
            (draws.chance(planted(person - 2 * PAIRS.len())), "p")
        };
        let subjects: Vec<char> =
            [if woman { 'w' } else { 'm' }, 'a'].into_iter().chain(rest.chars()).collect();
        let mut sentence = vec![person];
        for _ in 0..6 {
            let subject = *draws.of(&subjects);
            let own = SUBJECTS.iter().position(|(s, _)| *s == subject).expect("is a subject");
            // Anything may stand beside anything, now and then.
            let nth = if draws.chance(0.15) { draws.below(SUBJECTS.len()) } else { own };
            let word = draws.of(&beside[nth]);
            sentence.push(words.iter().position(|w| w == word).expect("is a word"));
        }
        sentence
    });
    let sentences = sentences.collect();
    Text { words, sentences }
}

/// All words of a sentence are each other's neighbours.
pub fn neighbours(text: &Text) -> impl Iterator<Item = (usize, usize)> + '_ {
    text.sentences.iter().flat_map(|s| {
        let all = (0..s.len()).flat_map(move |i| (0..s.len()).map(move |j| (i, j)));
        all.filter(|(i, j)| i != j).map(|(i, j)| (s[i], s[j]))
    })
}

pub type Vector = Vec<f64>;

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// a + t b.
pub fn plus(a: &[f64], t: f64, b: &[f64]) -> Vector {
    a.iter().zip(b).map(|(a, b)| a + t * b).collect()
}

pub fn unit(a: &[f64]) -> Vector {
    let n = dot(a, a).sqrt();
    a.iter().map(|x| x / n).collect()
}

pub fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let centred = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        unit(&x.iter().map(|x| x - mean).collect::<Vec<_>>())
    };
    dot(&centred(x), &centred(y))
}
