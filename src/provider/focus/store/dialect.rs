//! What the object stores of the clouds do each in their own way: how a listing is asked for, and what a whole page of
//! it looks like.

use http::Uri;
use memchr::memmem;

use crate::error::ProviderError;

/// The protocol that a store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// S3, version 2 of its listings.
    S3,
    /// Azure Blob Storage.
    Azure,
    /// The XML API of Google Cloud Storage.
    Google,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One page of a listing.
    List,
    /// A file, or a range of it.
    Read,
}

impl Dialect {
    /// Whether a request asks for a page of a listing rather than for a file.
    pub(super) fn is_listing(self, uri: &Uri) -> bool {
        let mark = match self {
            Self::S3 | Self::Google => "list-type=2",
            Self::Azure => "comp=list",
        };
        let query = uri.query().unwrap_or_default();
        query.split('&').any(|pair| pair == mark)
    }

    /// Refuses what is not a whole page of a listing: `object_store` reads any other XML as a page without files.
    pub(super) fn check_page(self, place: &str, page: &[u8]) -> Result<(), ProviderError> {
        let (root, next) = match self {
            Self::S3 | Self::Google => ("ListBucketResult", "<NextContinuationToken>"),
            Self::Azure => ("EnumerationResults", "<NextMarker"),
        };
        let begins = memmem::find(page, format!("<{root}").as_bytes());
        let before = &page[..begins.unwrap_or_default()];
        let only_prolog =
            !memmem::find_iter(before, b"<").any(|at| before.get(at + 1) != Some(&b'?'));
        if begins.is_none() || !only_prolog {
            let what = format!("{place}: the response is not a list of files");
            return Err(ProviderError::malformed(what));
        }
        let end = page.trim_ascii_end();
        let is_closed = end.ends_with(format!("</{root}>").as_bytes());
        // A folder without a file may come as one empty element of S3.
        let is_empty = self != Self::Azure && end.ends_with(b"/>");
        if !is_closed && !is_empty {
            let what = format!("{place}: the list of files is incomplete");
            return Err(ProviderError::truncated(what));
        }
        let has_next = memmem::find(page, next.as_bytes()).is_some();
        // Azure writes the element on the last page, too, where it is empty.
        let must_have_next =
            self == Self::Azure || memmem::find(page, b"<IsTruncated>true").is_some();
        if must_have_next && !has_next {
            let hint = match self {
                Self::S3 | Self::Google => " (ListObjectsV2 is needed)",
                Self::Azure => "",
            };
            let what = format!(
                "{place}: the list of files has more pages, but does not say where they begin{hint}"
            );
            return Err(ProviderError::malformed(what));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn only_whole_pages_are_accepted() {
        let page = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><KeyCount>0</KeyCount></ListBucketResult>\n";
        for dialect in [Dialect::S3, Dialect::Google] {
            assert!(dialect.check_page("GET /b", page.as_bytes()).is_ok());
        }
        for (page, want) in [
            (
                "<Error><Code>InternalError</Code></Error>",
                Reason::Malformed,
            ),
            (
                "<html><ListBucketResult></ListBucketResult></html>",
                Reason::Malformed,
            ),
            ("", Reason::Malformed),
            (
                "<ListBucketResult><Contents><Key>a</Key>",
                Reason::Truncated,
            ),
            (
                "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                Reason::Malformed,
            ),
        ] {
            let error = Dialect::S3
                .check_page("GET /b", page.as_bytes())
                .unwrap_err();
            assert_eq!(error.reason(), want, "{page}");
        }
    }

    #[test]
    fn pages_of_azure_end_with_a_marker() {
        let start = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://costs.blob.core.windows.net/\" ContainerName=\"exports\"><Blobs />";
        for (rest, want) in [
            ("<NextMarker /></EnumerationResults>", None),
            ("<NextMarker>x</NextMarker></EnumerationResults>\n", None),
            ("</EnumerationResults>", Some(Reason::Malformed)),
            ("<NextMarker />", Some(Reason::Truncated)),
            ("", Some(Reason::Truncated)),
        ] {
            let page = format!("{start}{rest}");
            let checked = Dialect::Azure.check_page("GET /b", page.as_bytes());
            assert_eq!(checked.err().map(|error| error.reason()), want, "{page}");
        }
    }
}
