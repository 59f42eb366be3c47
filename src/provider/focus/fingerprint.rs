//! What distinguishes one delivery of a month from another: names, versions and sizes of its files. With it are kept the
//! names that must still be there, and the scopes that were read, since an unchanged month is not read again.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};

use super::{
    claims::{MAX_SCOPES, Scope},
    layouts::Delivered,
    rows,
    store::{Listed, MAX_FILES, Version},
};
use crate::provider::Fingerprint;

/// The hash of a delivery.
pub(super) type Hash = [u8; SHA256_OUTPUT_LEN];

/// The hash of the name of a file.
pub(super) type Name = [u8; 8];

/// The bytes of the number of names.
const COUNT: usize = size_of::<u32>();

// A month with the most files and the most scopes has a fingerprint.
const _: () = assert!(
    SHA256_OUTPUT_LEN + COUNT + MAX_FILES * size_of::<Name>() + MAX_SCOPES * size_of::<Scope>()
        <= Fingerprint::MAX_BYTES
);

/// What a fingerprint says of an accepted delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    pub(super) hash: Hash,
    /// The files that must still be there, if these are known.
    pub(super) names: BTreeSet<Name>,
    /// The scopes that were read in it.
    pub(super) scopes: BTreeSet<Scope>,
}

/// The hash over what is named.
pub(super) fn hash(delivered: &Delivered) -> Hash {
    let mut context = Context::new(&SHA256);
    let manifest = delivered.manifest.iter().map(|manifest| &manifest.listed);
    for file in manifest.chain(&delivered.files) {
        add(&mut context, file);
    }
    let mut hash = Hash::default();
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn add(context: &mut Context, file: &Listed) {
    let mut text = |text: &str| {
        context.update(&(text.len() as u64).to_le_bytes());
        context.update(text.as_bytes());
    };
    text(&file.name);
    match &file.version {
        Version::ETag { tag, .. } => text(tag),
        Version::Time => text(&file.modified.to_string()),
        Version::Once(id) => text(&id.to_string()),
        // A copy of a folder on another disk is read again, which costs less than a change that is missed.
        Version::Inode {
            device,
            number,
            nanos,
        } => text(&format!("{device}:{number}:{nanos}")),
    }
    context.update(&file.size.to_le_bytes());
}

/// The hash of the name of a file.
pub(super) fn name(text: &str) -> Name {
    let mut name = Name::default();
    name.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..size_of::<Name>()]);
    name
}

impl Known {
    /// What is kept of a delivery with this hash, in which these scopes were read.
    pub(super) fn of(delivered: &Delivered, hash: Hash, scopes: &BTreeSet<Scope>) -> Self {
        let files = delivered.files.iter().filter(|_| delivered.keeps_names);
        Self {
            hash,
            names: files.map(|file| name(&file.name)).collect(),
            scopes: scopes.iter().take(MAX_SCOPES).copied().collect(),
        }
    }

    /// As it is stored: the hash, the number of names, the names, the scopes.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        let count = u32::try_from(self.names.len()).ok()?;
        let mut bytes = self.hash.to_vec();
        bytes.extend(count.to_le_bytes());
        bytes.extend(self.names.iter().flatten());
        bytes.extend(self.scopes.iter().flatten());
        Fingerprint::new(rows::DECODER, bytes)
    }

    /// Reads a fingerprint; `None` if it is not one of this version's.
    pub(super) fn read(fingerprint: &Fingerprint) -> Option<Self> {
        if fingerprint.decoder() != rows::DECODER {
            return None;
        }
        let (hash, rest) = fingerprint.bytes().split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk::<COUNT>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (names, scopes) = rest.split_at_checked(count.checked_mul(size_of::<Name>())?)?;
        let (names, _) = names.as_chunks();
        let (scopes, left) = scopes.as_chunks();
        left.is_empty().then(|| Self {
            hash: *hash,
            names: names.iter().copied().collect(),
            scopes: scopes.iter().copied().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_read_as_it_was_written() {
        let known = Known {
            hash: [7; 32],
            names: BTreeSet::from([name("a.csv"), name("b.csv")]),
            scopes: BTreeSet::from([[1; 8], [2; 8], [3; 8]]),
        };
        let fingerprint = known.fingerprint().unwrap();
        assert_eq!(Known::read(&fingerprint), Some(known));
        let none = Known::default().fingerprint().unwrap();
        assert_eq!(Known::read(&none), Some(Known::default()));
    }

    #[test]
    fn other_bytes_are_no_fingerprint() {
        let known = Known {
            names: BTreeSet::from([name("a.csv")]),
            ..Known::default()
        };
        let whole = known.fingerprint().unwrap();
        let bytes = whole.bytes();
        for length in 0..bytes.len() {
            let cut = Fingerprint::new(rows::DECODER, &bytes[..length]).unwrap();
            assert_eq!(Known::read(&cut), None, "{length}");
        }
        let mut many = bytes.to_vec();
        many[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
        let many = Fingerprint::new(rows::DECODER, many).unwrap();
        assert_eq!(Known::read(&many), None);
        let older = Fingerprint::new(rows::DECODER - 1, bytes).unwrap();
        assert_eq!(Known::read(&older), None);
    }
}
