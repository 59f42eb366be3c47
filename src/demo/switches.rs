//! The switches of the simulated APIs: how they answer where their documents leave it open.

use http::StatusCode;

/// How the simulated `ActivePlatform` responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact by itself that a test turns on"
)]
pub struct ActivePlatformOptions {
    /// Whether dates are required, with 422 where they are not sent.
    pub requires_dates: bool,
    /// The day of the next month from which on final data names a month; `None` if it names the current one, too.
    pub final_from_day: Option<i8>,
    /// The day of the next month from which on the drafts of a month are deleted.
    pub drafts_until_day: i8,
    /// What the method of drafts responds with.
    pub drafts: Drafts,
    /// Whether the downstream resellers can be listed; otherwise 404.
    pub lists_resellers: bool,
    /// Whether the subscriptions of all downstream resellers can be listed; otherwise 404.
    pub lists_subscriptions: bool,
    /// Whether a subscription names its reseller.
    pub names_reseller: bool,
}

/// What the method of drafts responds with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drafts {
    /// The drafts.
    Served,
    /// This status.
    Refused(StatusCode),
}

impl Default for ActivePlatformOptions {
    fn default() -> Self {
        Self {
            requires_dates: false,
            final_from_day: None,
            drafts_until_day: 8,
            drafts: Drafts::Served,
            lists_resellers: true,
            lists_subscriptions: true,
            names_reseller: false,
        }
    }
}

/// How the simulated log of MIKE Cloud responds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MikeOptions {
    /// The most rows of a page, whatever is requested; it is echoed as the limit.
    pub max_limit: Option<usize>,
    /// Whether every page says that it begins at 0.
    pub echoes_no_offset: bool,
    /// A header without which requests are refused.
    pub required_header: Option<&'static str>,
    /// Whether rows have no project, as for a key that no project is shared with.
    pub hides_projects: bool,
    /// Whether the log has no rows, as for a key without rights.
    pub is_empty: bool,
}
