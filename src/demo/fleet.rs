//! A configuration of any size over the simulated APIs: hundreds of accounts with thousands of parts, for load tests.

use std::{fmt::Write as _, ops::Range, path::Path, time::Duration};

use super::{Demo, setup, world::operator::FIRST_FLEET_ID};
use crate::provider::registry::ProviderName;

/// How many accounts and parts there are, and how often they are polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fleet {
    /// How many accounts there are; each sixth belongs to the same provider.
    pub accounts: usize,
    /// How many parts `ActivePlatform`'s accounts have, together. `CloudCockpit`'s have 13 each, all others one.
    pub subscriptions: usize,
    /// The interval of all of them.
    pub interval: Duration,
}

impl Fleet {
    /// How many parts all accounts have, as `cloudspend_parts` counts them.
    pub fn parts(&self, demo: &Demo) -> usize {
        let licences = &demo.world.licences;
        let pairs: usize = licences
            .customers
            .iter()
            .filter(|customer| !customer.deleted)
            .map(|customer| {
                let instances = customer.instances.iter();
                instances
                    .filter(|at| licences.instances[**at].microsoft)
                    .count()
            })
            .sum();
        let accounts = |provider| self.of(provider).count();
        accounts(ProviderName::Otc)
            + accounts(ProviderName::Focus)
            + accounts(ProviderName::Enube)
            + accounts(ProviderName::Mike)
            + accounts(ProviderName::CloudCockpit) * pairs
            + self.subscriptions
    }

    /// The numbers of a provider's accounts.
    fn of(&self, provider: ProviderName) -> impl Iterator<Item = usize> + use<> {
        let all = ProviderName::all().len();
        (0..self.accounts).filter(move |number| provider_of(number % all) == Some(provider))
    }

    /// The ids that one of `ActivePlatform`'s accounts requests; the first accounts have one more.
    fn ids(&self, nth: usize) -> Range<u64> {
        let accounts = self.of(ProviderName::ActivePlatform).count().max(1);
        let before = |nth: usize| {
            let count =
                nth * (self.subscriptions / accounts) + nth.min(self.subscriptions % accounts);
            FIRST_FLEET_ID + u64::try_from(count).unwrap_or_default()
        };
        before(nth)..before(nth + 1)
    }
}

fn provider_of(number: usize) -> Option<ProviderName> {
    ProviderName::all().nth(number)
}

impl Demo {
    /// A configuration with a fleet of accounts, named `PROVIDER-NUMBER`, and two budgets. The secrets are expected
    /// as in [`Demo::config_yaml`], which has accounts of the same kind.
    pub fn fleet_config_yaml(&self, fleet: Fleet, secrets: &Path) -> String {
        let file = |name: &str| setup::yaml(&secrets.join(name));
        let base = |provider: ProviderName, path: &str| self.base(provider, path);
        let interval = humantime::format_duration(fleet.interval);
        let mut yaml = format!(
            "poll: {{interval: {interval}, timeout: 20s, requests_per_second: 100, concurrency: 2}}\naccounts:\n"
        );
        let project = &self.world.otc.projects[0];
        let own = [
            (
                ProviderName::Otc,
                format!(
                    "base_url: {}, api_key_file: {}, filters: {{contract: {}}}",
                    base(ProviderName::Otc, ""),
                    file("otc"),
                    project.contract,
                ),
            ),
            (
                ProviderName::Enube,
                format!(
                    "base_url: {}, username: {}, password_file: {}, cloud: azure, detail: customers, currency: BRL",
                    base(ProviderName::Enube, "rocketsvc/api/v4"),
                    setup::ENUBE_USER,
                    file("enube"),
                ),
            ),
            (
                ProviderName::CloudCockpit,
                format!(
                    "base_url: {}, token_url: {}, scope: '{}', tenant: {}, client_id: {}, client_secret_file: {}",
                    base(ProviderName::CloudCockpit, ""),
                    base(
                        ProviderName::CloudCockpit,
                        &format!("{}/oauth2/v2.0/token", setup::DIRECTORY)
                    ),
                    setup::SCOPE,
                    setup::TENANT,
                    setup::CLIENT_ID,
                    file("cloudcockpit"),
                ),
            ),
            (
                ProviderName::ActivePlatform,
                format!(
                    "base_url: {}, api_token_file: {}, currency: USD",
                    base(ProviderName::ActivePlatform, ""),
                    file("activeplatform"),
                ),
            ),
            (
                ProviderName::Mike,
                format!(
                    "base_url: {}, api_key_file: {}, log: list, filters: {{project_id: {}}}",
                    base(ProviderName::Mike, "api/consumption"),
                    file("mike"),
                    self.world.mike.meters[0].project,
                ),
            ),
            (
                ProviderName::Focus,
                format!(
                    "location: 's3://{}/{}/focus-labs', layout: aws, region: {}, endpoint: {}, access_key_id_file: {}, secret_access_key_file: {}",
                    setup::S3_BUCKET,
                    setup::S3_PREFIX,
                    setup::S3_REGION,
                    base(ProviderName::Focus, ""),
                    file("s3-id"),
                    file("s3-key"),
                ),
            ),
        ];
        for (provider, own) in own {
            for (nth, number) in fleet.of(provider).enumerate() {
                let name = provider.as_str();
                let _ = write!(yaml, "  {name}-{number:03}: {{provider: {name}, {own}");
                if provider == ProviderName::ActivePlatform {
                    let ids: Vec<_> = fleet.ids(nth).map(|id| id.to_string()).collect();
                    let _ = write!(yaml, ", subscriptions: [{}]", ids.join(", "));
                }
                yaml.push_str("}\n");
            }
        }
        yaml.push_str(
            "budgets:
  everything: {limit: 1000000, currency: EUR, thresholds: {warning: 0.8, critical: 1.0}}
  one-account: {match: {account: otc-000}, limit: 1000, currency: EUR, thresholds: {warning: 0.8}}
reporting_currency: EUR
exchange_rates: {BRL: 0.16, USD: 0.92}
",
        );
        yaml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subscription_is_in_exactly_one_account() {
        for (accounts, subscriptions) in [(5, 3), (500, 3400), (23, 0), (24, 17)] {
            let fleet = Fleet {
                accounts,
                subscriptions,
                interval: Duration::from_mins(1),
            };
            let own = fleet.of(ProviderName::ActivePlatform).count();
            let ids: Vec<u64> = (0..own).flat_map(|nth| fleet.ids(nth)).collect();
            assert_eq!(ids.len(), subscriptions);
            assert!(ids.is_sorted_by(|left, right| left < right));
        }
    }
}
