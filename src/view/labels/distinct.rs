//! Makes label values distinct: no two identities share a value, compared as shown: after aliases, cleaning, truncation.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use aws_lc_rs::digest::{SHA256, digest};

use crate::{account::LabelSlot, ledger::Value};

/// The label value of folded rows.
pub(super) const OTHER: &str = "other";
/// The maximum length of a label value, in characters.
pub(super) const MAX_CHARS: usize = 200;
/// The maximum length of an id that is added to a name. A longer one would leave too little of the name.
const MAX_ID_CHARS: usize = MAX_CHARS / 2;
/// How many hexadecimal digits of an id's hash are added to a name first.
const SHORT_HASH: usize = 12;

/// One value of one label, with the text shown for it.
#[derive(Debug)]
pub(super) struct ShownValue<'a> {
    /// The number of the value in the ledger's table.
    pub(super) number: u32,
    pub(super) value: &'a Value,
    /// The label value.
    pub(super) shown: Cow<'a, str>,
    /// The alias if there is one, otherwise the id as sent. Values of one identity share a text, so ids with the same alias
    /// do, and so does an id that equals an alias.
    identity: Cow<'a, str>,
    is_aliased: bool,
    form: Form,
}

/// How a value is distinguished from others, from the preferred form to the last resort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// `name`
    Plain,
    /// `name (id)`, or `other (as sent)`
    WithId,
    /// `name (hash)`, with the first digits of the id's hash
    WithHash,
    /// `name (hash)`, with the whole hash
    WithWholeHash,
}

impl Form {
    fn next(self) -> Self {
        match self {
            Self::Plain => Self::WithId,
            Self::WithId => Self::WithHash,
            Self::WithHash | Self::WithWholeHash => Self::WithWholeHash,
        }
    }
}

impl<'a> ShownValue<'a> {
    /// A value with its plain text.
    pub(super) fn new(number: u32, value: &'a Value, label: &'a LabelSlot) -> Self {
        let alias = label.aliases.get(&*value.id);
        let mut shown_value = Self {
            number,
            value,
            shown: Cow::Borrowed(""),
            identity: alias.map_or(Cow::Borrowed(&*value.id), |alias| clean(alias)),
            is_aliased: alias.is_some(),
            form: Form::Plain,
        };
        shown_value.shown = truncate(shown_value.name(), MAX_CHARS);
        shown_value
    }

    /// The plain name, if an id or hash was added to it.
    pub(super) fn plain(&self) -> Option<Cow<'a, str>> {
        (self.form != Form::Plain).then(|| truncate(self.name(), MAX_CHARS))
    }

    fn plain_text(&self) -> Cow<'_, str> {
        self.plain().unwrap_or(Cow::Borrowed(&self.shown))
    }

    /// The full name; the id if there is none.
    fn name(&self) -> Cow<'a, str> {
        if self.is_aliased {
            return self.identity.clone();
        }
        let name = clean(&self.value.shown);
        if name.is_empty() {
            clean(&self.value.id)
        } else {
            name
        }
    }

    /// Switches to the next form that is possible for this value.
    fn advance(&mut self) {
        self.form = self.form.next();
        let name = self.name();
        let suffix = match self.form {
            Form::Plain => return,
            Form::WithId => match self.id_suffix(&name) {
                Some(suffix) => suffix,
                None => return self.advance(),
            },
            Form::WithHash => self.hash()[..SHORT_HASH].to_owned().into(),
            Form::WithWholeHash => self.hash().into(),
        };
        let name = truncate(name, MAX_CHARS - 3 - suffix.chars().count());
        self.shown = if name.is_empty() {
            format!("({suffix})").into()
        } else {
            format!("{name} ({suffix})").into()
        };
    }

    /// The id, if it can be added to the name: it is not empty, not the name itself, and short enough.
    fn id_suffix(&self, name: &str) -> Option<Cow<'a, str>> {
        if self.is_aliased {
            return None;
        }
        let id = clean(&self.value.id);
        if id == name {
            return (name == OTHER).then_some("as sent".into());
        }
        let fits = !id.is_empty() && id.chars().count() <= MAX_ID_CHARS;
        fits.then_some(id)
    }

    /// SHA-256 of the identity in hexadecimal: the same in every process and version.
    fn hash(&self) -> String {
        let digest = digest(&SHA256, self.identity.as_bytes());
        let halves = |byte: &u8| [byte >> 4, byte & 15];
        let halves = digest.as_ref().iter().flat_map(halves);
        halves
            .filter_map(|half| char::from_digit(half.into(), 16))
            .collect()
    }

    /// Which value keeps a text that several have: an alias, since it was configured to be shown; then a value that has
    /// changed its form already, so that one new name changes no others; then an id that equals the text.
    fn rank(&self) -> (bool, Form, bool) {
        let is_alias = self.is_aliased && self.form == Form::Plain;
        (is_alias, self.form, *self.identity == *self.shown)
    }
}

/// Gives every identity its own texts, and sorts the values by text.
///
/// The result depends only on the set of values, not on their order. Each value changes its form at most three times,
/// and only new texts are checked again, so the cost is that of sorting. If all names differ, as in most accounts, the
/// values are only sorted.
pub(super) fn make_distinct(values: &mut [ShownValue<'_>]) {
    sort(values);
    let mut advancing = Vec::new();
    let mut start = 0;
    for same in values.chunk_by(|left, right| left.shown == right.shown) {
        let end = start + same.len();
        if is_contested(same) {
            let members: Vec<usize> = (start..end).collect();
            advancing.extend(losers(values, &members));
        }
        start = end;
    }
    if advancing.is_empty() {
        return;
    }
    // For each text, the values that have changed to it. Some may have changed again since.
    let mut arrived: HashMap<String, Vec<usize>> = HashMap::new();
    while !advancing.is_empty() {
        let mut taken = BTreeSet::new();
        for member in advancing.drain(..) {
            values[member].advance();
            let text = values[member].shown.clone().into_owned();
            arrived.entry(text.clone()).or_default().push(member);
            taken.insert(text);
        }
        for text in taken {
            let mut members = plain_holders(values, &text);
            if let Some(arrived) = arrived.get_mut(&text) {
                arrived.retain(|&member| values[member].shown == text);
                members.extend_from_slice(arrived);
            }
            advancing.extend(losers(values, &members));
        }
    }
    sort(values);
}

fn sort(values: &mut [ShownValue<'_>]) {
    values.sort_unstable_by(|left, right| {
        (&left.shown, &left.identity, left.value).cmp(&(&right.shown, &right.identity, right.value))
    });
}

/// Whether values with the same text must be distinguished.
fn is_contested(same: &[ShownValue<'_>]) -> bool {
    let first = &same[0];
    same.iter().any(|one| one.identity != first.identity)
        || (first.shown == OTHER && same.iter().any(|one| !one.is_aliased))
}

/// The values that are still shown with this text as their plain name. Values are sorted by plain name.
fn plain_holders(values: &[ShownValue<'_>], text: &str) -> Vec<usize> {
    let first = values.partition_point(|one| *one.plain_text() < *text);
    let holders = values[first..]
        .iter()
        .take_while(|one| *one.plain_text() == *text);
    (first..)
        .zip(holders)
        .filter_map(|(member, one)| (one.form == Form::Plain).then_some(member))
        .collect()
}

/// The values that must change their text; none if all have one identity.
fn losers(values: &[ShownValue<'_>], members: &[usize]) -> Vec<usize> {
    let all = || members.iter().map(|&member| &values[member]);
    let Some(best) = all().max_by_key(|one| one.rank()) else {
        return Vec::new();
    };
    let is_reserved = best.shown == OTHER;
    let is_tie = all().any(|one| one.rank() == best.rank() && one.identity != best.identity);
    let stays = |one: &ShownValue<'_>| match one.form {
        // Ends in the hash of its identity, so only an alias that contains this hash can be the same.
        Form::WithWholeHash => true,
        _ if is_reserved => one.is_aliased,
        _ => !is_tie && one.identity == best.identity,
    };
    members
        .iter()
        .copied()
        .filter(|&member| !stays(&values[member]))
        .collect()
}

/// A text without control characters.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte);
    if text.bytes().all(is_plain) || !text.chars().any(char::is_control) {
        return text.into();
    }
    text.chars().filter(|char| !char.is_control()).collect()
}

/// A text truncated to this many characters, including an ellipsis.
pub(super) fn truncate(text: Cow<'_, str>, max_chars: usize) -> Cow<'_, str> {
    if text.len() <= max_chars || text.chars().nth(max_chars).is_none() {
        return text;
    }
    text.chars()
        .take(max_chars.saturating_sub(1))
        .chain(['…'])
        .collect()
}
