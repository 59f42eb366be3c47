//! Which accounts and months a file has charges of, so that two exports of the same money are found.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::charge::Month;

/// The maximum number of sub accounts in one file.
const MAX_ACCOUNTS: usize = 100_000;

/// Billing accounts with their sub accounts, and the months in which each has charges.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    numbers: HashMap<Box<str>, HashMap<Box<str>, usize>>,
    /// By number, and by position of the month.
    seen: Vec<Vec<bool>>,
}

impl Scopes {
    /// The number of a sub account of a billing account; the limit, where there are more.
    pub(super) fn number(
        &mut self,
        billing_account: &str,
        sub_account: &str,
    ) -> Result<usize, usize> {
        let known = self
            .numbers
            .get(billing_account)
            .and_then(|accounts| accounts.get(sub_account));
        if let Some(&number) = known {
            return Ok(number);
        }
        let number = self.seen.len();
        if number >= MAX_ACCOUNTS {
            return Err(MAX_ACCOUNTS);
        }
        let accounts = self.numbers.entry(billing_account.into()).or_default();
        accounts.insert(sub_account.into(), number);
        self.seen.push(Vec::new());
        Ok(number)
    }

    /// Marks that a sub account has charges in one of the months.
    pub(super) fn see(&mut self, number: usize, month: usize, months: usize) {
        let seen = &mut self.seen[number];
        seen.resize(months, false);
        seen[month] = true;
    }

    /// Billing account, sub account and month of all that has charges.
    pub(super) fn into_seen(self, months: &[Month]) -> BTreeSet<(String, String, Month)> {
        let mut found = BTreeSet::new();
        for (billing_account, accounts) in self.numbers {
            for (sub_account, number) in accounts {
                for (&month, _) in months
                    .iter()
                    .zip(&self.seen[number])
                    .filter(|(_, seen)| **seen)
                {
                    let scope = (billing_account.to_string(), sub_account.to_string(), month);
                    found.insert(scope);
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_bounded() {
        let mut scopes = Scopes::default();
        for number in 0..MAX_ACCOUNTS {
            assert_eq!(scopes.number("b", &number.to_string()), Ok(number));
        }
        assert_eq!(scopes.number("b", "7"), Ok(7));
        assert_eq!(scopes.number("b", "new"), Err(MAX_ACCOUNTS));
        assert_eq!(scopes.number("c", "7"), Err(MAX_ACCOUNTS));
    }
}
