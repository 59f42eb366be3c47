//! Which label sets budgets match, cached between renderings: matching reads every text, and most polls have no new ones.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    config::Budget,
    view::{
        View,
        labels::{LabelSetMask, LabelSets},
    },
};

/// The label sets that budgets match, by account.
#[derive(Debug, Default)]
pub struct MatchCache(BTreeMap<String, AccountMatches>);

/// The matches of all budgets among the label sets of one account.
#[derive(Debug)]
struct AccountMatches {
    labels: Arc<LabelSets>,
    /// By the budget's name.
    by_budget: BTreeMap<String, BudgetMatches>,
}

/// The matches of one budget, and the matchers they are valid for.
#[derive(Debug)]
struct BudgetMatches {
    /// Labels and expressions as configured.
    matchers: Vec<(String, String)>,
    sets: Arc<LabelSetMask>,
}

impl BudgetMatches {
    fn is_valid_for(&self, budget: &Budget) -> bool {
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

impl MatchCache {
    /// The label sets of an account, before folding, that a budget matches: from the previous cache if still valid,
    /// otherwise computed. The result is added to this cache.
    pub(super) fn matching(
        &mut self,
        previous: &mut Self,
        budget: &Budget,
        view: &View,
    ) -> Arc<LabelSetMask> {
        let labels = &view.spend.labels;
        let account = &view.account.name;
        let known = previous.0.get_mut(account);
        let known = known
            .filter(|known| Arc::ptr_eq(&known.labels, labels))
            .and_then(|known| known.by_budget.remove(&budget.name))
            .filter(|known| known.is_valid_for(budget));
        let known = known.unwrap_or_else(|| BudgetMatches {
            matchers: (budget.matchers.iter())
                .map(|(label, pattern)| (label.clone(), pattern.as_str().to_owned()))
                .collect(),
            sets: Arc::new(find_matches(budget, view)),
        });
        let sets = Arc::clone(&known.sets);
        let of_account = self.0.entry(account.clone());
        let of_account = of_account.or_insert_with(|| AccountMatches {
            labels: Arc::clone(labels),
            by_budget: BTreeMap::new(),
        });
        of_account.by_budget.insert(budget.name.clone(), known);
        sets
    }
}

fn find_matches(budget: &Budget, view: &View) -> LabelSetMask {
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
