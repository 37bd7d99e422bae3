//! How alike two texts are, by Okapi BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009, with
//! its usual k1 = 1.2 and b = 0.75). A few thousand short texts are compared in well under a millisecond each
//! hundred: no library of stemmers and stop words is worth its weight here.

use std::collections::{BTreeMap, BTreeSet};

const K1: f64 = 1.2;
const B: f64 = 0.75;
/// Words of one text: a page.
const WORDS: usize = 400;

/// A text as its words, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bag {
    words: BTreeMap<String, u32>,
    length: u32,
}

impl Bag {
    /// The words of a text: letters and digits, at least three, in lower case. Numbers, hashes and what is generated
    /// (a pod's suffix) tell nothing and are left out.
    pub fn of(text: &str) -> Self {
        let mut bag = Self::default();
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| tells(word));
        for word in words.take(WORDS) {
            *bag.words.entry(word.to_lowercase()).or_default() += 1;
            bag.length += 1;
        }
        bag
    }

    /// Whether it has no word.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }
}

fn tells(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    (3..=40).contains(&word.chars().count()) && digits <= 1
}

/// In how many texts each word stands, and how long they are together.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    holds: BTreeMap<String, u32>,
    texts: u32,
    length: u64,
}

impl Corpus {
    /// Takes a text in.
    pub fn add(&mut self, bag: &Bag) {
        for word in bag.words.keys() {
            *self.holds.entry(word.clone()).or_default() += 1;
        }
        self.texts += 1;
        self.length += u64::from(bag.length);
    }

    /// Lets a text go that was taken in.
    pub fn remove(&mut self, bag: &Bag) {
        for word in bag.words.keys() {
            if let Some(count) = self.holds.get_mut(word) {
                *count = count.saturating_sub(1);
            }
        }
        self.holds.retain(|_, count| *count > 0);
        self.texts = self.texts.saturating_sub(1);
        self.length = self.length.saturating_sub(u64::from(bag.length));
    }

    /// How well a text answers a query, 0 and up. The order of words does not matter.
    pub fn score(&self, query: &Bag, text: &Bag) -> f64 {
        let wanted: BTreeSet<&String> = query.words.keys().collect();
        wanted.into_iter().map(|word| self.weight(word, text)).sum()
    }

    fn weight(&self, word: &str, text: &Bag) -> f64 {
        let often = f64::from(text.words.get(word).copied().unwrap_or(0));
        if often == 0.0 {
            return 0.0;
        }
        let (all, with) = (f64::from(self.texts), f64::from(self.holds.get(word).copied().unwrap_or(0)));
        // the form that is never negative, as Lucene has it
        let rare = (1.0 + (all - with + 0.5).max(0.0) / (with + 0.5)).ln();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand texts of a few hundred words")]
        let mean = (self.length.max(1) as f64) / f64::from(self.texts.max(1));
        let long = 1.0 - B + B * f64::from(text.length) / mean;
        rare * often * (K1 + 1.0) / (often + K1 * long)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(texts: &[&str]) -> (Corpus, Vec<Bag>) {
        let bags: Vec<Bag> = texts.iter().map(|text| Bag::of(text)).collect();
        let mut corpus = Corpus::default();
        for bag in &bags {
            corpus.add(bag);
        }
        (corpus, bags)
    }

    #[test]
    fn rare_words_weigh_more_and_length_less() {
        let (corpus, bags) =
            corpus(&["disk full postgres", "pod crash loop postgres", "pod crash loop web web"]);
        let query = Bag::of("postgres disk");
        let scores: Vec<f64> = bags.iter().map(|bag| corpus.score(&query, bag)).collect();
        assert!(scores[0] > scores[1] && scores[1] > scores[2] && scores[2] == 0.0, "{scores:?}");
        assert!(corpus.score(&Bag::of(""), &bags[0]) == 0.0);
    }

    #[test]
    fn what_is_generated_is_no_word() {
        assert_eq!(Bag::of("web-7f4b9c-x2k9q 10.0.0.7 a db"), Bag::of("WEB"));
        assert!(Bag::of("7f4b9 12").is_empty());
    }

    #[test]
    fn what_was_let_go_is_as_if_it_had_never_been_there() {
        let (mut some, bags) = corpus(&["disk full", "pod crash"]);
        some.remove(&bags[1]);
        let (one, _) = corpus(&["disk full"]);
        let query = Bag::of("disk");
        assert!((some.score(&query, &bags[0]) - one.score(&query, &bags[0])).abs() < 1e-12);
    }
}
