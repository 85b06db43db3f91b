//! The grammar of random commands: reading it, and drawing commands from it.

use base::rand::Rng;

use super::pools;
use crate::target::version::{Identity, Selector};
use crate::token;

const GRAMMAR: &str = include_str!("grammar.txt");

/// All forms of commands with their weights.
pub(super) struct Grammar {
    forms: Vec<(u64, Vec<Item>)>,
    total: u64,
}

enum Item {
    /// One of these; nothing is one of them where the group is optional.
    Choice(Vec<Vec<Self>>),
    Pool(String),
    /// Kept as it is: a script, a digest.
    Text(Vec<u8>),
    /// Sometimes in small letters.
    Word(Vec<u8>),
}

impl Grammar {
    /// The forms that a reference knows.
    ///
    /// # Errors
    /// When a line of the grammar makes no sense.
    pub(super) fn read(reference: &Identity) -> Result<Self, String> {
        let mut forms = Vec::new();
        for line in GRAMMAR.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fail = |what: &str| format!("grammar: {what}: {line}");
            let mut fields = line.splitn(3, '|').map(str::trim);
            let (Some(weight), Some(versions), Some(form)) =
                (fields.next(), fields.next(), fields.next())
            else {
                return Err(fail("three fields"));
            };
            let selectors = versions.split(',').map(str::trim).filter(|text| !text.is_empty());
            let selectors: Vec<Selector> =
                selectors.map(Selector::parse).collect::<Result<_, _>>()?;
            if !selectors.is_empty() && !selectors.iter().any(|one| one.holds_for(reference)) {
                continue;
            }
            let mut rest = form;
            let items = items(&mut rest)?;
            forms.push((weight.parse().map_err(|_| fail("a weight"))?, items));
        }
        let total = forms.iter().map(|(weight, _)| weight).sum();
        Ok(Self { forms, total })
    }

    /// One command: mostly of a right form, sometimes damaged.
    pub(super) fn draw(&self, rng: &mut Rng) -> Vec<Vec<u8>> {
        let mut at = rng.below(self.total);
        let form = self.forms.iter().find(|(weight, _)| {
            let is_here = at < *weight;
            at = at.saturating_sub(*weight);
            is_here
        });
        let mut words = Vec::new();
        if let Some((_, items)) = form {
            expand(items, rng, &mut words);
        }
        damage(&mut words, rng);
        words
    }
}

/// Reads items up to the end of a group or of the line.
fn items(rest: &mut &str) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    loop {
        *rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(items) };
        match first {
            ']' | ')' | '|' => return Ok(items),
            '[' | '(' => {
                let mut choices = if first == '[' { vec![Vec::new()] } else { Vec::new() };
                loop {
                    *rest = &rest[1..];
                    choices.push(self::items(rest)?);
                    match rest.chars().next() {
                        Some('|') => {}
                        Some(']' | ')') => break,
                        _ => return Err("grammar: a group has no end".to_owned()),
                    }
                }
                *rest = &rest[1..];
                items.push(Item::Choice(choices));
            }
            '"' => {
                let (bytes, after) = token::unquote(rest)?;
                items.push(Item::Text(bytes));
                *rest = after;
            }
            _ => {
                let len = rest.find(|c: char| " []()|".contains(c)).unwrap_or(rest.len());
                let word = &rest[..len];
                let pool = word.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
                items.push(match pool {
                    Some(name) => Item::Pool(name.to_owned()),
                    None => Item::Word(word.as_bytes().to_vec()),
                });
                *rest = &rest[len..];
            }
        }
    }
}

fn expand(items: &[Item], rng: &mut Rng, words: &mut Vec<Vec<u8>>) {
    for item in items {
        match item {
            Item::Choice(choices) => {
                // Options are rather left out, so that most commands are right.
                let is_optional = choices.first().is_some_and(Vec::is_empty);
                let index =
                    if is_optional && rng.below(2) == 0 { 0 } else { rng.index(choices.len()) };
                expand(&choices[index], rng, words);
            }
            Item::Pool(name) => words.extend(pools::draw(name, rng)),
            Item::Text(text) => words.push(text.clone()),
            Item::Word(word) => words.push(match rng.below(6) {
                0 => word.to_ascii_lowercase(),
                _ => word.clone(),
            }),
        }
    }
}

/// One command in twenty-five loses a word, gains one, or has words exchanged.
fn damage(words: &mut Vec<Vec<u8>>, rng: &mut Rng) {
    // Each server has cursors of its own; all but 0 mean nothing to another.
    // And of a set one takes any member, but all of them are the same.
    let is_whole = |word: &Vec<u8>| {
        [&b"scan"[..], b"sscan", b"spop"].iter().any(|name| word.eq_ignore_ascii_case(name))
    };
    if words.len() < 2 || words.first().is_some_and(is_whole) || rng.below(25) != 0 {
        return;
    }
    // The first word stays: what it is decides how replies are compared.
    let index = 1 + rng.index(words.len() - 1);
    match rng.below(4) {
        0 => drop(words.remove(index)),
        1 => words.extend(pools::draw("value", rng)),
        2 => {
            let other = 1 + rng.index(words.len() - 1);
            words.swap(index, other);
        }
        _ => words[index] = pools::draw("int", rng).concat(),
    }
}
