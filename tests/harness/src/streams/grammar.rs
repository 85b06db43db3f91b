//! The grammar of random commands: reading it, and drawing commands from it.

use base::rand::Rng;

use super::pools::Pools;
use crate::target::version::{Identity, Selector};
use crate::token;

const GRAMMAR: &str = include_str!("grammar.txt");

/// The family that every stream draws from.
const ALWAYS: &str = "always";
/// One stream in so many draws from every family.
const ALL_FAMILIES_ONCE_IN: u64 = 8;
const FAMILIES_MAX: usize = 3;

/// All forms of commands that a reference knows, by family.
pub(super) struct Grammar {
    families: Vec<Family>,
}

#[derive(Default)]
struct Family {
    name: String,
    /// Drawn at the beginning of a stream.
    first: Vec<Vec<Item>>,
    /// With their weights.
    forms: Vec<(u64, Vec<Item>)>,
}

/// The families that one stream draws from.
pub(super) struct Focus<'a> {
    families: Vec<&'a Family>,
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
        let mut families: Vec<Family> = Vec::new();
        for line in GRAMMAR.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix("= ") {
                families.push(Family { name: name.to_owned(), ..Family::default() });
                continue;
            }
            let fail = |what: &str| format!("grammar: {what}: {line}");
            let family = families.last_mut().ok_or_else(|| fail("a family before it"))?;
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
            if weight == "first" {
                family.first.push(items);
            } else {
                family.forms.push((weight.parse().map_err(|_| fail("a weight"))?, items));
            }
        }
        Ok(Self { families })
    }

    /// The settings that streams change.
    pub(super) fn settings(&self) -> Vec<Vec<u8>> {
        let name = |items: &Vec<Item>| match items.get(2) {
            Some(Item::Word(name)) => Some(name.clone()),
            _ => None,
        };
        self.families.iter().flat_map(|family| &family.first).filter_map(name).collect()
    }

    /// The families of one stream: what `always` holds, and a few others, so that commands meet values
    /// of their own type.
    pub(super) fn focus(&self, rng: &mut Rng) -> Focus<'_> {
        let (mut families, mut others): (Vec<_>, Vec<_>) =
            self.families.iter().partition(|family| family.name == ALWAYS);
        if rng.below(ALL_FAMILIES_ONCE_IN) == 0 {
            families.append(&mut others);
        }
        for _ in 0..=rng.index(FAMILIES_MAX) {
            if !others.is_empty() {
                families.push(others.swap_remove(rng.index(others.len())));
            }
        }
        let total =
            families.iter().flat_map(|family| &family.forms).map(|(weight, _)| weight).sum();
        Focus { families, total }
    }
}

impl Focus<'_> {
    /// The settings of one stream: every second stream has some.
    pub(super) fn first(&self, pools: &mut Pools) -> Vec<Vec<Vec<u8>>> {
        if pools.rng.below(2) == 0 {
            return Vec::new();
        }
        let mut commands = Vec::new();
        for items in self.families.iter().flat_map(|family| &family.first) {
            if pools.rng.below(2) == 0 {
                let mut words = Vec::new();
                expand(items, pools, &mut words);
                commands.push(words);
            }
        }
        commands
    }

    /// One command: mostly of a right form, sometimes damaged.
    pub(super) fn draw(&self, pools: &mut Pools) -> Vec<Vec<u8>> {
        let mut at = pools.rng.below(self.total);
        let mut forms = self.families.iter().flat_map(|family| &family.forms);
        let form = forms.find(|(weight, _)| {
            let is_here = at < *weight;
            at = at.saturating_sub(*weight);
            is_here
        });
        let mut words = Vec::new();
        if let Some((_, items)) = form {
            expand(items, pools, &mut words);
        }
        damage(&mut words, pools);
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

fn expand(items: &[Item], pools: &mut Pools, words: &mut Vec<Vec<u8>>) {
    for item in items {
        match item {
            Item::Choice(choices) => {
                // Options are rather left out, so that most commands are right.
                let is_optional = choices.first().is_some_and(Vec::is_empty);
                let is_left_out = is_optional && pools.rng.below(2) == 0;
                let index = if is_left_out { 0 } else { pools.rng.index(choices.len()) };
                expand(&choices[index], pools, words);
            }
            Item::Pool(name) => words.extend(pools.draw(name)),
            Item::Text(text) => words.push(text.clone()),
            Item::Word(word) => words.push(match pools.rng.below(6) {
                0 => word.to_ascii_lowercase(),
                _ => word.clone(),
            }),
        }
    }
}

/// One command in twenty-five loses a word, gains one, or has words exchanged.
fn damage(words: &mut Vec<Vec<u8>>, pools: &mut Pools) {
    if words.len() < 2 || is_fragile(words) || pools.rng.below(25) != 0 {
        return;
    }
    // The first word stays: what it is decides how replies are compared.
    let index = 1 + pools.rng.index(words.len() - 1);
    match pools.rng.below(4) {
        0 => drop(words.remove(index)),
        1 => words.extend(pools.draw("value")),
        2 => {
            let other = 1 + pools.rng.index(words.len() - 1);
            words.swap(index, other);
        }
        _ => words[index] = pools.draw("int").concat(),
    }
}

/// Commands that another word would make incomparable.
fn is_fragile(words: &[Vec<u8>]) -> bool {
    // Each server has cursors of its own; all but 0 mean nothing to another.
    // And of a set one takes any member, but all of them are the same.
    // And ZRANK has one more argument in newer servers, which ends a transaction in older ones.
    const NAMES: [&[u8]; 7] =
        [b"scan", b"sscan", b"hscan", b"zscan", b"spop", b"zrank", b"zrevrank"];
    // Ranges of members mean something only where all scores are the same, and a geohash is no other
    // number.
    const KEYS: [&[u8]; 3] = [b"lex", b"geo", b"geo2"];
    NAMES.iter().any(|name| words[0].eq_ignore_ascii_case(name))
        || words.iter().any(|word| KEYS.contains(&&word[..]))
}
