//! What distinguishes one delivery of a month from another: names, versions and sizes of its files. The scopes that were read
//! in it are kept with it, since an unchanged month is not read again.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use super::{
    claims::{MAX_SCOPES, Scope},
    layouts::Delivered,
    rows,
    store::{Listed, Version},
};
use crate::provider::Fingerprint;

/// The hash of a delivery.
pub(super) type Hash = [u8; SHA256_OUTPUT_LEN];

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
        // A copy of a folder on another disk is read again, which costs less than a change that is missed.
        Version::Inode {
            device,
            number,
            nanos,
        } => text(&format!("{device}:{number}:{nanos}")),
    }
    context.update(&file.size.to_le_bytes());
}

/// The fingerprint of a delivery in which these scopes were read.
pub(super) fn of(hash: Hash, scopes: &BTreeSet<Scope>) -> Option<Fingerprint> {
    let mut bytes = hash.to_vec();
    bytes.extend(scopes.iter().take(MAX_SCOPES).flatten());
    Fingerprint::new(rows::DECODER, bytes)
}

/// The scopes of a known delivery, if it is the one with this hash.
pub(super) fn scopes_if_same(known: &Fingerprint, hash: Hash) -> Option<BTreeSet<Scope>> {
    let (known_hash, scopes) = known.bytes().split_at_checked(hash.len())?;
    if known.decoder() != rows::DECODER || known_hash != hash {
        return None;
    }
    let scopes = scopes.chunks_exact(size_of::<Scope>());
    Some(scopes.filter_map(|scope| scope.try_into().ok()).collect())
}
