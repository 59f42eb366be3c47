//! The meaning of each failure reason, and the advice for it, wherever they are shown.

use crate::{
    error::{AUTHORITY_AS_SERVER, NO_CREDENTIAL, NOT_ISSUED, Reason, SIGNATURE_EXPIRED, UNTRUSTED},
    secret::HIDDEN_NAME,
};

impl Reason {
    /// What happened: lower case, without a full stop.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Timeout => "no complete response arrived in time",
            Self::Unreachable => "the provider's server cannot be reached",
            Self::Tls => "no TLS connection could be established",
            Self::Unauthorized => "the credential cannot be read or was rejected",
            Self::Forbidden => "the credential lacks permission",
            Self::NotFound => "the requested resource does not exist",
            Self::RateLimited => "the provider's rate limit was exceeded",
            Self::UpstreamError => "the provider returned an error",
            Self::Malformed => "the response is not as documented",
            Self::Truncated => "the response is incomplete",
            Self::TooLarge => "the response exceeds a limit",
            Self::Implausible => "the response is far smaller than the last one",
        }
    }

    /// What an operator can do about a failure with this message. A secret that cannot be read was never sent, so that
    /// renewing it does not help.
    pub fn advice_for(self, message: &str) -> &'static str {
        if self == Self::Tls && message.contains(AUTHORITY_AS_SERVER) {
            "Have the server's certificate issued anew as one of a server, in openssl with basicConstraints=CA:FALSE. Then name it, or the authority that signed it, with ca_file."
        } else if self == Self::Tls && message.contains(UNTRUSTED) {
            "If the server has a self-signed certificate or one of your own authority, save that certificate as a PEM file, compare its fingerprint with the server's operator, and name the file with ca_file. If a proxy inspects TLS, add its authority to ca-certificates or name it with SSL_CERT_FILE."
        } else if message.contains(SIGNATURE_EXPIRED) {
            "Issue a new shared access signature for reading and listing (sp=rl) and write it into the same file, or set the same variable and restart. Set credential_expires to its last day to be warned in time."
        } else if message.starts_with(NOT_ISSUED) {
            "Check that this process runs where the service that the message names offers a credential, and that the role or service account is bound to it. With credentials: ambient a NetworkPolicy or firewall must let it reach that service; otherwise check the key file."
        } else if !message.starts_with(NO_CREDENTIAL) {
            self.advice()
        } else if message.contains(HIDDEN_NAME) {
            "A key that ends with _file takes the name of a file, and one that ends with _env the name of a variable, not the secret itself. Put the secret in a file and name that file. If the secret is in the configuration, treat it as exposed and replace it."
        } else {
            "Create the file or set the variable that the message names, with nothing but the secret in it, and let the user of this process read it. A file is read again at the next login; a new variable takes a restart."
        }
    }

    /// What to do about it: one or two imperative sentences.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Timeout => {
                "Increase timeout (one request, or silence within a stream of rows) or interval (the whole poll), or request less with narrower filters. Check for a proxy that holds connections."
            }
            Self::Unreachable => {
                "Check the address (base_url, token_url or location), the DNS entry of the host, and that firewall, NetworkPolicy and proxy allow the port. Run curl -v against the same address from the same place to see which one fails."
            }
            Self::Tls => {
                "Check that the server speaks https on this port, and that its certificate is valid for this host and signed by an authority in ca-certificates. Add the authority of a proxy that inspects TLS, and check the system clock."
            }
            Self::Unauthorized => {
                "Check that the credential is valid and belongs to this server and to the configured user, client or access key; a changed secret is used without a restart."
            }
            Self::Forbidden => {
                "Grant the credential permission to read billing data of what is configured: contract, customers, subscriptions or tenant."
            }
            Self::NotFound => {
                "Check the path of base_url or location and the ids in the configuration. Ignore it for a customer or subscription that was just deleted: its part disappears once the provider no longer lists it."
            }
            Self::RateLimited => {
                "Lower requests_per_second and concurrency, or increase interval; Retry-After is honoured. Check which people and programs share the quota."
            }
            Self::UpstreamError => {
                "Wait for the provider to recover; the last values are served until stale_after. If it persists, check the filters, and report the correlation id from the log to the provider."
            }
            Self::Malformed => {
                "Check that base_url or location is the API or the export and not a login or error page. If it is, run with --log.level=debug and report the field that the message names, because the format has changed."
            }
            Self::Truncated => {
                "Wait for the next attempt. If it persists, look for a proxy that limits size or time, or request less with narrower filters."
            }
            Self::TooLarge => {
                "Request less with narrower filters, or split the account into several. If there are too many label sets, raise max_series or remove extra_labels that differ on every row."
            }
            Self::Implausible => {
                "Wait for two more responses that confirm it; the last values are served until then. If costs really fall this far at times, set plausibility: false for the account."
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
    fn missing_service_has_advice_of_its_own() {
        for reason in [Reason::Unauthorized, Reason::Unreachable, Reason::Timeout] {
            let advice = reason.advice_for(&format!("{NOT_ISSUED}AWS STS: GET https://a: 403"));
            assert!(advice.contains("is bound to it"), "{advice}");
        }
    }

    #[test]
    fn expired_signature_has_advice_of_its_own() {
        let message = format!("GET https://a: 403, {SIGNATURE_EXPIRED}2026-05-01");
        let advice = Reason::Unauthorized.advice_for(&message);
        assert!(advice.starts_with("Issue a new shared access"), "{advice}");
    }

    #[test]
    fn untrusted_certificate_has_advice_of_its_own() {
        let advice = |cause: &str| Reason::Tls.advice_for(&format!("GET https://a: {cause}"));
        assert!(advice(UNTRUSTED).contains("self-signed"));
        assert!(advice(AUTHORITY_AS_SERVER).contains("CA:FALSE"));
        assert_eq!(advice("the handshake failed"), Reason::Tls.advice());
    }

    #[test]
    fn each_reason_has_its_own_meaning_and_advice() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in Reason::ALL {
            let (meaning, advice) = (reason.meaning(), reason.advice());
            assert!(seen.insert(meaning) && seen.insert(advice), "{reason:?}");
            assert!(meaning.starts_with(char::is_lowercase) && !meaning.ends_with('.'));
            assert!(advice.starts_with(char::is_uppercase) && advice.ends_with('.'));
            assert!(
                advice.matches(". ").count() < 2,
                "more than two sentences: {advice}"
            );
        }
    }

    #[test]
    fn advice_for_unreadable_secret_is_not_a_new_key() {
        let message = format!("{NO_CREDENTIAL}: cannot read the secret file key");
        let advice = Reason::Unauthorized.advice_for(&message);
        assert_ne!(advice, Reason::Unauthorized.advice());
        assert!(!advice.to_lowercase().contains("renew"), "{advice}");
        assert!(advice.contains("file or set the variable"), "{advice}");
    }
}
