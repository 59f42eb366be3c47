//! The reasons of failures in words, and what to do about each: the one place for both, wherever they are shown.

use crate::{
    error::{NO_CREDENTIAL, Reason},
    secret::HIDDEN_NAME,
};

impl Reason {
    /// What happened, in words: lower case, without a full stop.
    pub fn words(self) -> &'static str {
        match self {
            Self::Timeout => "no whole answer came in time",
            Self::Unreachable => "the provider's server cannot be reached",
            Self::Tls => "no encrypted connection could be made",
            Self::Unauthorized => "the credential was refused",
            Self::Forbidden => "the credential may not read this",
            Self::NotFound => "what was asked for is not there",
            Self::RateLimited => "the provider wants fewer requests",
            Self::UpstreamError => "the provider refused or failed",
            Self::Malformed => "the answer is not what is documented",
            Self::Truncated => "the answer stopped early",
            Self::TooLarge => "the answer is larger than is allowed",
            Self::Implausible => "the answer is far smaller than the last one",
        }
    }

    /// What an operator can do about a failure with this message. A secret that cannot be read was never sent, so that
    /// renewing it does not help.
    pub fn advice_for(self, message: &str) -> &'static str {
        if !message.starts_with(NO_CREDENTIAL) {
            self.advice()
        } else if message.contains(HIDDEN_NAME) {
            "A key that ends with _file takes the name of a file, and one that ends with _env the name of a variable, not the secret itself. Put the secret in a file and name that file. If the secret is in the configuration, treat it as exposed and replace it."
        } else {
            "Create the file or set the variable that the message names, with nothing but the secret in it, and let the user of this process read it. A file is read again at the next login; a new variable takes a restart."
        }
    }

    /// What an operator can do: whole sentences.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Timeout => {
                "If it keeps failing, lengthen timeout (one part) or interval (the whole poll), or ask for less: narrower filters, daily in place of hourly. A proxy that swallows connections looks the same."
            }
            Self::Unreachable => {
                "Check base_url (and token_url), the name's DNS entry, and that this machine may open the port: firewall, NetworkPolicy, proxy. curl -v to the same address from the same place tells which."
            }
            Self::Tls => {
                "Check that base_url speaks https on this port and that its certificate is valid for this name: not expired, signed by an authority that this machine knows (ca-certificates). A proxy that inspects TLS needs its own authority among those. Check the clock, too."
            }
            Self::Unauthorized => {
                "Renew the key, token or password in its file or variable: it is read again at the next login, no restart is needed. Check that it belongs to this base_url, and the user or client id beside it. A refused login rests for a minute and longer before the next."
            }
            Self::Forbidden => {
                "The login is good but lacks a right. Ask the provider for the right to read billing data of exactly what is configured: contract, customers, subscriptions, tenant."
            }
            Self::NotFound => {
                "Check base_url (a path too much or too little) and the ids in the configuration. A customer or subscription that has just been deleted goes away by itself once the provider no longer lists it."
            }
            Self::RateLimited => {
                "The quota is often shared with people and other programs. Lower requests_per_second and concurrency, or lengthen interval. The wait that the provider asked for is kept by itself."
            }
            Self::UpstreamError => {
                "Mostly the provider's own trouble: wait, the last good values stay until stale_after. If it stays, give the provider the correlation id from the log, and check filters that it may not know."
            }
            Self::Malformed => {
                "Check that base_url is the API and not a login or error page. Else the API has changed: run again with --log.level=debug and report it, with the field that the message names. Nothing of such an answer is used."
            }
            Self::Truncated => {
                "Mostly a connection or a proxy that gave up: it is asked again by itself. If it stays, look for a proxy with a limit on size or time, or ask for less at once."
            }
            Self::TooLarge => {
                "Ask for less at once by filters, split the account into several, or raise max_series where there are too many label sets; drop extra_labels that are different on every row."
            }
            Self::Implausible => {
                "The last good values stay until two more answers agree with this one. If money really ended, wait for those, or set plausibility: false for the account."
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ProviderError, telemetry::error_chain::chain};

    #[test]
    fn missing_secret_has_advice_of_its_own() {
        let reason = Reason::Unauthorized;
        assert_eq!(reason.advice_for("401"), reason.advice());
        let advice = |cause: &str| {
            let error = ProviderError::no_credential(cause.to_owned());
            error.reason().advice_for(&chain(&error))
        };
        assert!(advice("cannot read the secret file x").starts_with("Create the file"));
        let hidden = format!("cannot read the secret file {HIDDEN_NAME}");
        assert!(advice(&hidden).contains("not the secret itself"));
    }

    #[test]
    fn every_reason_has_its_own_words_and_advice_in_sentences() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let (words, advice) = (reason.words(), reason.advice());
            assert!(seen.insert(words) && seen.insert(advice), "{reason:?}");
            assert!(words.starts_with(char::is_lowercase) && !words.ends_with('.'));
            assert!(advice.starts_with(char::is_uppercase) && advice.ends_with('.'));
        }
    }
}
