//! What an account's sums mean, as a fingerprint: sums kept from before are used only where it is still the same.

use figment::value::Dict;
use serde_json::json;
use uuid::Uuid;

use super::{
    Account, LabelSlot,
    account::{CommonSection, PollSection},
    schema,
};

/// Where fingerprints come from. Any number, as long as it stays.
const FINGERPRINTS: Uuid = Uuid::from_u128(0x1f0c_92d6_7b5e_4a43_8e21_0d6a_f3b8_57c9);

impl Account {
    /// A hash of all that decides what its sums mean: the provider's own keys (where is asked, who asks, for what, in
    /// which currency), the time zone, and which dimension each label shows under which names. How often and with
    /// which secret is asked leaves it as it is. The same on every machine.
    pub fn fingerprint(&self) -> Uuid {
        let [poll, common] = [
            schema::keys_of::<PollSection>(),
            schema::keys_of::<CommonSection>(),
        ];
        let is_own = |key: &str| {
            let is_secret = key.ends_with("_file") || key.ends_with("_env");
            !is_secret
                && ![&poll, &common]
                    .iter()
                    .any(|keys| keys.iter().any(|known| known == key))
        };
        // A map in the order of its keys, so that the text does not depend on the order of the file.
        let own: Dict = self
            .written
            .iter()
            .filter(|(key, _)| is_own(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let dimensions = self.provider.dimensions();
        let shown = |slot: &LabelSlot| {
            let dimension = slot.dimension.and_then(|position| dimensions.get(position));
            json!([
                slot.label,
                dimension.map(|dimension| &dimension.name),
                slot.aliases
            ])
        };
        let labels: Vec<_> = self.labels.slots.iter().map(shown).collect();
        let text = json!([
            self.provider_name.as_str(),
            self.zone.iana_name(),
            own,
            labels
        ]);
        Uuid::new_v5(&FINGERPRINTS, text.to_string().as_bytes())
    }
}
