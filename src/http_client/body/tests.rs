//! Tests of framing and content codings.

use http::HeaderValue;

use super::*;

#[test]
fn framing_is_known() {
    for (version, transfer, length, want) in [
        (Version::HTTP_11, None, Some(7), true),
        (Version::HTTP_11, None, Some(0), true),
        (Version::HTTP_11, Some("chunked"), None, true),
        (Version::HTTP_11, Some("gzip, Chunked"), None, true),
        (Version::HTTP_11, Some("gzip"), None, false),
        (Version::HTTP_11, Some("gzip"), Some(7), false),
        (Version::HTTP_11, None, None, false),
        (Version::HTTP_10, None, None, false),
        (Version::HTTP_2, None, None, true),
    ] {
        let mut headers = HeaderMap::new();
        if let Some(transfer) = transfer {
            headers.insert(
                header::TRANSFER_ENCODING,
                HeaderValue::from_static(transfer),
            );
        }
        assert_eq!(
            is_framed(version, &headers, length),
            want,
            "{version:?} {transfer:?} {length:?}"
        );
    }
}

#[test]
fn only_gzip_is_accepted() {
    for (values, want) in [
        (&[][..], Encoding::Identity),
        (&["identity"], Encoding::Identity),
        (&["gzip"], Encoding::Gzip),
        (&["X-GZIP"], Encoding::Gzip),
        (&["identity, gzip"], Encoding::Gzip),
        (&["gzip", "gzip"], Encoding::Other),
        (&["br"], Encoding::Other),
        (&["deflate, gzip"], Encoding::Other),
    ] {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
        }
        assert_eq!(encoding(&headers), want, "{values:?}");
    }
}
