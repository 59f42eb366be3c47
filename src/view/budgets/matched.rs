//! Which label sets budgets match, from one rendering to the next: finding it reads every text, and most polls bring no
//! new ones.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::Budget,
    view::{
        View,
        labels::{LabelSetMask, LabelSets},
    },
};

/// What the budgets matched when they were last looked at, by account.
#[derive(Debug, Default)]
pub struct Matched(BTreeMap<String, OfAccount>);

/// What budgets match among the label sets of one account.
#[derive(Debug)]
struct OfAccount {
    labels: Arc<LabelSets>,
    /// By the budget's name.
    by_budget: BTreeMap<String, OfBudget>,
}

/// What one budget matches, as it was configured then.
#[derive(Debug)]
struct OfBudget {
    /// Labels and expressions as they are written.
    matchers: Vec<(String, String)>,
    sets: Arc<LabelSetMask>,
}

impl OfBudget {
    fn is_of(&self, budget: &Budget) -> bool {
        let matchers = self
            .matchers
            .iter()
            .map(|(label, text)| (&**label, &**text));
        matchers.eq(budget
            .matchers
            .iter()
            .map(|(label, pattern)| (label.as_str(), pattern.as_str())))
    }
}

impl Matched {
    /// Which of an account's label sets, as they are before folding, a budget matches: as it was before, or as is found
    /// now. It is remembered here.
    pub(super) fn by(
        &mut self,
        before: &mut Self,
        budget: &Budget,
        view: &View,
    ) -> Arc<LabelSetMask> {
        let labels = &view.spend.labels;
        let account = &view.account.name;
        let known = before.0.get_mut(account);
        let known = known
            .filter(|known| Arc::ptr_eq(&known.labels, labels))
            .and_then(|known| known.by_budget.remove(&budget.name))
            .filter(|known| known.is_of(budget));
        let known = known.unwrap_or_else(|| OfBudget {
            matchers: (budget.matchers.iter())
                .map(|(label, pattern)| (label.clone(), pattern.as_str().to_owned()))
                .collect(),
            sets: Arc::new(matching(budget, view)),
        });
        let sets = Arc::clone(&known.sets);
        let of_account = self.0.entry(account.clone());
        let of_account = of_account.or_insert_with(|| OfAccount {
            labels: Arc::clone(labels),
            by_budget: BTreeMap::new(),
        });
        of_account.by_budget.insert(budget.name.clone(), known);
        sets
    }
}

fn matching(budget: &Budget, view: &View) -> LabelSetMask {
    let slots = &view.account.labels.slots;
    let matchers: Vec<_> = budget
        .matchers
        .iter()
        .filter_map(|(label, pattern)| {
            let slot = slots.iter().position(|slot| slot.label == *label)?;
            Some((slot, |text: &str| pattern.is_match(text)))
        })
        .collect();
    view.spend.labels.matching(&matchers)
}
