//! The series that every server under test has: six labels with ids of realistic length, some 250 bytes each as text.
//! The peers in other languages make the same ones from the same numbers.

/// How much the ids of series have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As accounts have it: 20 products a project, 50 projects a customer.
    Alike,
    /// Every series has a project of its own.
    Unlike,
}

impl Shape {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alike => "alike",
            Self::Unlike => "unlike",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Alike, Self::Unlike]
            .into_iter()
            .find(|shape| shape.name() == name)
    }

    /// Customer, project and product of one series.
    pub(crate) fn labels(self, number: u64) -> [String; 3] {
        let project = match self {
            Self::Alike => number / 20,
            Self::Unlike => number,
        };
        [
            id((1 << 40) + number / 1000),
            id(project),
            format!("Elastic Cloud Server s3.xlarge.{:02}", number % 20),
        ]
    }
}

/// The value of one series.
pub(crate) fn value(number: u64) -> f64 {
    (number * 7919 % 1_000_003) as f64 / 100.0
}

/// A text in the form of a UUID.
fn id(number: u64) -> String {
    let (a, b) = (mix(2 * number), mix(2 * number + 1));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xffff,
        b >> 48,
        b & 0xffff_ffff_ffff
    )
}

/// Spreads a number over 64 bits.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
