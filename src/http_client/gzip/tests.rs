//! Tests of bodies that are cut, changed, or expand to much.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::*;

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Decompresses a body that arrives in chunks of a size, and returns whether it is complete.
fn read(body: &[u8], size: usize) -> Result<(Vec<u8>, bool), InvalidGzip> {
    let mut gzip = Gzip::default();
    let mut text = Vec::new();
    for chunk in body.chunks(size) {
        gzip.push(Bytes::copy_from_slice(chunk));
        while let Some(chunk) = gzip.chunk()? {
            assert!(!chunk.is_empty() && chunk.len() <= MAX_CHUNK);
            text.extend_from_slice(&chunk);
        }
    }
    Ok((text, gzip.is_complete()))
}

#[test]
fn chunks_may_be_cut_anywhere() {
    let long: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    for text in [&b""[..], b"a", b"{\"a\":1}\n{\"a\":2}\n", &long] {
        let body = zipped(text);
        for size in [1, 2, 7, 4096, body.len()] {
            if body.len() / size < 100_000 {
                assert_eq!(read(&body, size), Ok((text.to_vec(), true)));
            }
        }
    }
    let two = [zipped(b"one"), zipped(b""), zipped(b"two")].concat();
    for size in 1..two.len() {
        assert_eq!(read(&two, size), Ok((b"onetwo".to_vec(), true)));
    }
}

#[test]
fn cut_body_is_never_complete() {
    let body = zipped(b"{\"a\":1}\n{\"a\":2}\n");
    for cut in 0..body.len() {
        for size in [1, 64] {
            let (_, complete) = read(&body[..cut], size).unwrap();
            assert!(!complete, "{cut}");
        }
    }
}

#[test]
fn every_changed_byte_is_found() {
    let body = zipped(b"{\"a\":1}\n{\"a\":2}\n");
    // The first ten bytes of the header hold a time and a system, which do not matter to the content.
    for at in 10..body.len() {
        let mut body = body.clone();
        body[at] ^= 0x10;
        assert!(
            !matches!(read(&body, 64), Ok((_, true))),
            "byte {at} does not matter"
        );
    }
    for garbage in [&b"plain text"[..], b"<html>", &[0; 40]] {
        assert_eq!(read(garbage, 64), Err(InvalidGzip));
    }
    let trailing = [&zipped(b"a")[..], b"trailing"].concat();
    assert_eq!(read(&trailing, 64), Err(InvalidGzip));
}

#[test]
fn large_expansion_comes_in_small_chunks() {
    let body = zipped(&vec![b' '; 100 << 20]);
    let mut gzip = Gzip::default();
    gzip.push(Bytes::from(body));
    let mut length = 0;
    while let Some(chunk) = gzip.chunk().unwrap() {
        assert!(chunk.len() <= MAX_CHUNK);
        length += chunk.len();
    }
    assert_eq!(length, 100 << 20);
    assert!(gzip.is_complete());
}
