//! Tests of lists that end, repeat a page, or never end.

use super::*;

/// The rows of pages, and whether the list ended.
fn read(mut pages: Pages, list: &[&[&str]]) -> Result<(u64, bool), String> {
    for page in list {
        match pages.take("GET /list", *page) {
            Ok(true) => {}
            Ok(false) => return Ok((pages.received(), true)),
            Err(error) => return Err(format!("{} {error}", error.reason().as_str())),
        }
    }
    Ok((pages.received(), false))
}

#[test]
fn list_ends_at_an_empty_or_repeated_page() {
    for (list, want) in [
        (&[&[][..]][..], Ok((0, true))),
        (&[&["a", "b"], &["c"], &[]], Ok((3, true))),
        (&[&["a", "b"], &["c"]], Ok((3, false))),
        (&[&["a", "b", "c"], &["a", "b", "c"]], Ok((3, true))),
        (
            &[&["a", "b"], &["a", "b"]],
            Err("malformed GET /list: page 2: row 1 is already on an earlier page"),
        ),
        (
            &[&["a", "b", "c"], &["a", "b"]],
            Err("malformed GET /list: page 2: row 1 is already on an earlier page"),
        ),
        (
            &[&["a", "b", "c"], &["d"], &["a", "b", "c"]],
            Err("malformed GET /list: page 3: row 1 is already on an earlier page"),
        ),
        (
            &[&["a"], &["b"], &["c", "a"]],
            Err("malformed GET /list: page 3: row 2 is already on an earlier page"),
        ),
        (
            &[&["a", "a"]],
            Err("malformed GET /list: page 1: row 2 is on this page twice"),
        ),
        (
            &[&["a"], &["b"], &["c"], &["d"]],
            Err("too_large GET /list: more than 3 pages"),
        ),
        (&[&["a"], &["b"], &["c"], &[]], Ok((3, true))),
    ] {
        assert_eq!(
            read(Pages::of_ids(2, 3), list),
            want.map_err(str::to_owned),
            "{list:?}"
        );
    }
}

#[test]
fn page_that_only_begins_like_the_first_is_refused() {
    let long = &["a", "b", "c"][..];
    for second in [&["a"][..], &["a", "b", "d"], &["a", "b", "c", "d"]] {
        let error = "malformed GET /list: page 2: row 1 is already on an earlier page";
        assert_eq!(
            read(Pages::of_rows(2, 3), &[long, second]),
            Err(error.to_owned())
        );
    }
}

#[test]
fn equal_rows_without_id_may_share_a_page() {
    assert_eq!(
        read(Pages::of_rows(2, 3), &[&["a", "a"], &[]]),
        Ok((2, true))
    );
    assert!(read(Pages::of_rows(2, 3), &[&["a", "b"], &["b"]]).is_err());
}
