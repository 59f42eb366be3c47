//! Tests of every frame, cut anywhere.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;
use crate::json::fast_reader;

/// Records rows, and may find the ends of rows itself.
struct Recorder {
    rows: Vec<String>,
    finds_ends: bool,
}

impl RowHandler<FrameError> for Recorder {
    fn try_prefix(&mut self, text: &str) -> Result<Option<usize>, FrameError> {
        if !self.finds_ends {
            return Ok(None);
        }
        let row = fast_reader::read::<IgnoredAny>(text, &mut fast_reader::Order::default());
        Ok(row.map(|(_, length)| {
            self.rows.push(text[..length].to_owned());
            length
        }))
    }

    fn row(&mut self, row: &[u8]) -> Result<(), FrameError> {
        self.rows.push(String::from_utf8_lossy(row).into_owned());
        Ok(())
    }
}

const MAX_ROW: usize = 96;

/// The rows, and the envelope.
fn split_in(frame: Frame, chunks: &[&[u8]]) -> Result<(Vec<String>, String), FrameError> {
    let [one, other] = [false, true].map(|finds_ends| {
        let mut splitter = Splitter::new(frame, MAX_ROW);
        let mut recorder = Recorder {
            rows: Vec::new(),
            finds_ends,
        };
        for chunk in chunks {
            splitter.push(chunk, &mut recorder)?;
        }
        assert_eq!(splitter.rows(), recorder.rows.len() as u64);
        let envelope = String::from_utf8_lossy(&splitter.finish()?).into_owned();
        Ok((recorder.rows, envelope))
    });
    assert_eq!(one, other);
    one
}

fn split(chunks: &[&[u8]]) -> Result<Vec<String>, FrameError> {
    split_in(Frame::Bare, chunks).map(|(rows, envelope)| {
        assert!(envelope.is_empty());
        rows
    })
}

#[test]
fn rows_are_found_in_every_framing() {
    let two = vec![r#"{"a":1}"#.to_owned(), r#"{"b":"}\"{"}"#.to_owned()];
    for body in [
        "{\"a\":1}\n{\"b\":\"}\\\"{\"}\n",
        "{\"a\":1}\r\n\r\n{\"b\":\"}\\\"{\"}",
        "[{\"a\":1},{\"b\":\"}\\\"{\"}]",
        "[\n  {\"a\":1} ,\n  {\"b\":\"}\\\"{\"}\n]\n",
        "[{\"a\":1}][{\"b\":\"}\\\"{\"}]",
        "[{\"a\":1}]\n[]\n[{\"b\":\"}\\\"{\"}]",
        "{\"a\":1}{\"b\":\"}\\\"{\"}",
        "\u{feff}{\"a\":1}\n{\"b\":\"}\\\"{\"}\n",
    ] {
        assert_eq!(split(&[body.as_bytes()]), Ok(two.clone()), "{body}");
    }
    for empty in ["", "\n", "[]", "\u{feff}", " \r\n[] [ ]"] {
        assert_eq!(split(&[empty.as_bytes()]), Ok(vec![]), "{empty:?}");
    }
}

#[test]
fn invalid_framing_is_reported() {
    for (body, want) in [
        ("{\"a\":1", FrameError::InsideRow(1)),
        ("{\"a\":1}\n{\"a\":\"", FrameError::InsideRow(2)),
        ("{\"a\":1}\n{\"a\":\"\\", FrameError::InsideRow(2)),
        ("[{\"a\":1}", FrameError::InsideArray(1)),
        ("[{\"a\":1},", FrameError::InsideArray(1)),
        ("[", FrameError::InsideArray(0)),
        ("[{\"a\":1},]", FrameError::Unexpected(']', 1)),
        ("[{\"a\":1}{\"a\":1}]", FrameError::Unexpected('{', 1)),
        ("[[{\"a\":1}]]", FrameError::Unexpected('[', 0)),
        ("{\"a\":1},{\"a\":1}", FrameError::Unexpected(',', 1)),
        ("<html>", FrameError::Unexpected('<', 0)),
        ("null", FrameError::Unexpected('n', 0)),
        ("]", FrameError::Unexpected(']', 0)),
    ] {
        assert_eq!(split(&[body.as_bytes()]), Err(want), "{body}");
    }
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    assert_eq!(
        split(&[long.as_bytes()]),
        Err(FrameError::RowTooLong(1, MAX_ROW))
    );
    let single_bytes: Vec<&[u8]> = long.as_bytes().chunks(1).collect();
    assert_eq!(
        split(&single_bytes),
        Err(FrameError::RowTooLong(1, MAX_ROW))
    );
}

const ITEMS: Frame = Frame::Inside(&["answer", "items"]);

#[test]
fn rows_inside_an_object_leave_the_envelope() {
    for (body, rows, envelope) in [
        (
            r#"{"answer":{"items":[]}}"#,
            &[][..],
            r#"{"answer":{"items":[]}}"#,
        ),
        (
            r#"{"n": 2, "answer" : {"id":"[","items": [ {"a":1}, {"b":[]} ] , "c":{}}, "z":[{}]}"#,
            &[r#"{"a":1}"#, r#"{"b":[]}"#],
            r#"{"n": 2, "answer" : {"id":"[","items": [] , "c":{}}, "z":[{}]}"#,
        ),
        (
            r#"{"items":[{}],"x":{"answer":{"items":[{}]}},"answer":{"items":{}}}"#,
            &[],
            r#"{"items":[{}],"x":{"answer":{"items":[{}]}},"answer":{"items":{}}}"#,
        ),
        (
            r#"{"answer":"items","y":["answer",{"items":[1]}],"answer":{"items":[{}]},"answer":{"items":[{}]}}"#,
            &["{}", "{}"],
            r#"{"answer":"items","y":["answer",{"items":[1]}],"answer":{"items":[]},"answer":{"items":[]}}"#,
        ),
        (
            r#"{"answer":[{"items":[{}]}]}"#,
            &[],
            r#"{"answer":[{"items":[{}]}]}"#,
        ),
        (
            r#"{"answer":{"it\"ems":[{}]}"#,
            &[],
            r#"{"answer":{"it\"ems":[{}]}"#,
        ),
        ("", &[], ""),
        ("]}{,:\"", &[], "]}{,:\""),
    ] {
        let want = (
            rows.iter().map(ToString::to_string).collect(),
            envelope.to_owned(),
        );
        assert_eq!(
            split_in(ITEMS, &[body.as_bytes()]),
            Ok(want.clone()),
            "{body}"
        );
        let single_bytes: Vec<&[u8]> = body.as_bytes().chunks(1).collect();
        assert_eq!(
            split_in(ITEMS, &single_bytes),
            Ok(want),
            "{body}, byte by byte"
        );
    }
}

#[test]
fn invalid_array_inside_an_object_is_reported() {
    let long = format!(r#"{{"x":"{}""#, "x".repeat(100));
    for (body, want) in [
        (r#"{"answer":{"items":["#, FrameError::InsideArray(0)),
        (r#"{"answer":{"items":[{}"#, FrameError::InsideArray(1)),
        (r#"{"answer":{"items":[{},{"a"#, FrameError::InsideRow(2)),
        (
            r#"{"answer":{"items":[1]}}"#,
            FrameError::Unexpected('1', 0),
        ),
        (
            r#"{"answer":{"items":[{},null]}}"#,
            FrameError::Unexpected('n', 1),
        ),
        (r#"{"answer":{"items":[{}}"#, FrameError::Unexpected('}', 1)),
        (&long, FrameError::EnvelopeTooLong(MAX_ROW)),
    ] {
        assert_eq!(split_in(ITEMS, &[body.as_bytes()]), Err(want), "{body}");
    }
}

#[test]
fn invalid_utf8_affects_only_its_row() {
    let body = b"{\"a\":\"\xff\"}\n{\"b\":\"\xc3\xa9\"}\n{\"c\":\"\xc3\"}";
    let rows = split(&[body]).unwrap();
    assert_eq!(
        rows,
        [
            "{\"a\":\"\u{fffd}\"}",
            "{\"b\":\"é\"}",
            "{\"c\":\"\u{fffd}\"}"
        ]
    );
}

proptest! {
    #[test]
    fn chunks_may_be_cut_anywhere(
        rows in prop::collection::vec("[a-z\\\\\"{}\\[\\],é\n]{0,12}", 0..6),
        frame in 0..4usize,
        cuts in prop::collection::vec(0..200usize, 0..8),
    ) {
        let rows: Vec<String> = rows
            .iter()
            .map(|text| serde_json::json!({ "t": text }).to_string())
            .collect();
        let body = match frame {
            0 => rows.iter().fold(String::new(), |body, row| body + row + "\n"),
            1 => format!("[{}]", rows.join(",")),
            2 => rows.iter().fold(String::new(), |body, row| body + "[" + row + "]"),
            _ => format!("\u{feff}{}", rows.concat()),
        };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(body.len())).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts {
            chunks.push(&body.as_bytes()[from..cut]);
            from = cut;
        }
        chunks.push(&body.as_bytes()[from..]);
        prop_assert_eq!(split(&chunks), Ok(rows));
    }
}
