//! Tests of lists that end, repeat rows or pages, or never end.

use super::*;

/// The new rows of pages of ids, and what the last page was.
fn ids(list: &[&[&str]]) -> Result<(String, PageContent), String> {
    let mut pages = Pages::new(2, 3);
    let mut all = String::new();
    let mut content = PageContent::New;
    for page in list {
        let mut rows = page.to_vec();
        content = pages
            .retain_new("GET /list", &mut rows, ToOwned::to_owned)
            .map_err(|error| format!("{} {error}", error.reason().as_str()))?;
        all.extend(rows);
        if content == PageContent::Empty {
            break;
        }
    }
    Ok((all, content))
}

#[test]
fn repeated_ids_and_pages_are_dropped() {
    use PageContent::{Empty, New, Repeated};
    for (list, want, last) in [
        (&[&[][..]][..], "", Empty),
        (&[&["a", "b"], &["c"], &[]], "abc", Empty),
        (&[&["a", "b"], &["c"]], "abc", New),
        (&[&["a", "b", "c"], &["a", "b", "c"]], "abc", Empty),
        (&[&["a", "a"], &["b"]], "ab", New),
        (&[&["a", "b"], &["b", "c"]], "abc", New),
        (&[&["a", "b"], &["a", "b"]], "ab", Repeated),
        (&[&["a", "b"], &["c"], &["c"]], "abc", Repeated),
        (&[&["a"], &["b"], &["c"], &[]], "abc", Empty),
    ] {
        assert_eq!(ids(list), Ok((want.to_owned(), last)), "{list:?}");
    }
}

#[test]
fn endless_lists_of_ids_fail() {
    let repeated = ids(&[&["a"], &["a"], &["a"]]);
    let want = "malformed GET /list: pages 2 and 3 only repeat earlier ones";
    assert_eq!(repeated, Err(want.to_owned()));
    let many = ids(&[&["a"], &["b"], &["c"], &["d"]]);
    assert_eq!(
        many,
        Err("too_large GET /list: more than 3 pages".to_owned())
    );
}

/// How many rows without id arrived, and whether the list ended.
fn rows(list: &[&[&str]]) -> Result<(u64, bool), String> {
    let mut pages = Pages::new(2, 3);
    for page in list {
        for row in *page {
            pages.row(row).map_err(|error| error.to_string())?;
        }
        match pages.end("GET /list") {
            Ok(true) => {}
            Ok(false) => return Ok((pages.received(), true)),
            Err(error) => return Err(format!("{} {error}", error.reason().as_str())),
        }
    }
    Ok((pages.received(), false))
}

#[test]
fn page_that_only_begins_like_the_first_is_refused() {
    let long = &["a", "b", "c"][..];
    assert_eq!(rows(&[long, long]), Ok((3, true)));
    for second in [&["a"][..], &["a", "b", "d"], &["a", "b", "c", "d"]] {
        let error = "malformed GET /list: page 2: row 1 is already on an earlier page";
        assert_eq!(rows(&[long, second]), Err(error.to_owned()));
    }
}

#[test]
fn equal_rows_without_id_may_share_a_page() {
    assert_eq!(rows(&[&["a", "a"], &[]]), Ok((2, true)));
    let error = "is already on an earlier page";
    assert_eq!(rows(&[&["a", "b"], &["b"]]), Err(error.to_owned()));
}
