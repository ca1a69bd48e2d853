//! What comes out is bounded and valid, however the bytes come in.

use proptest::prelude::*;

use super::*;
use crate::formats::junit;

/// Hands out chunks of these sizes, in turn.
struct Chunks<'a> {
    rest: &'a [u8],
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl<'a> Chunks<'a> {
    fn new(rest: &'a [u8], sizes: Vec<usize>) -> Self {
        Self {
            rest,
            sizes: sizes.into_iter().cycle(),
        }
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.sizes.next().unwrap_or(1).min(buf.len());
        self.rest.read(&mut buf[..end])
    }
}

fn tamed(input: impl Read) -> Result<(String, bool), String> {
    let mut tame = Tame::new(input);
    let mut text = String::new();
    tame.read_to_string(&mut text)
        .map_err(|error| error.to_string())?;
    Ok((text, tame.met_illegal_bytes()))
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "<?xml version=\"1.0\"?>",
        "<testsuites>",
        "</testsuites>",
        "</testsuite>",
        "<testcase/>",
        "<testsuite name=\"a\" tests=\"3\" failures='1'>",
        "<testcase name=\"a\" time=\"1,0\">",
        "</testcase>",
        "<failure message=\"&lt;",
        "\">",
        "</failure>",
        "<skipped/>",
        "<error>",
        "</error>",
        "<![CDATA[",
        "]]>",
        "]]",
        "<!--",
        "-->",
        "--",
        "<?",
        "?>",
        "<!DOCTYPE a [",
        "<!ENTITY a \"b\">",
        "&amp;",
        "&a;",
        "&#0;",
        "&#x1F600;",
        "<",
        ">",
        "\"",
        "'",
        "&",
        "ä",
        "\u{1F600}",
    ];
    prop_oneof![
        2 => prop::sample::select(known.map(|piece| piece.as_bytes().to_vec()).to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn how_a_document_is_chunked_changes_nothing(
        pieces in prop::collection::vec(piece(), 0..40),
        sizes in prop::collection::vec(1..9_usize, 1..9),
    ) {
        let bytes = [b"<testsuite name='a'>".to_vec(), pieces.concat()].concat();
        let (text, illegal) = match tamed(bytes.as_slice()) {
            Ok(told) => told,
            Err(refused) => {
                prop_assert_eq!(tamed(Chunks::new(&bytes, sizes)), Err(refused));
                return Ok(());
            }
        };
        prop_assert!(illegal || !text.contains(char::REPLACEMENT_CHARACTER), "replaced unseen");
        prop_assert_eq!(tamed(Chunks::new(&bytes, sizes.clone())), Ok((text, illegal)));
        let whole = junit::read(bytes.as_slice()).unwrap();
        prop_assert_eq!(junit::read(Chunks::new(&bytes, sizes)).unwrap(), whole);
    }
}

#[test]
fn every_long_token_is_cut_and_what_follows_it_is_not() {
    let long = "ä".repeat(1_000_000);
    for (open, close) in [
        ("<a>", "</a>"),
        ("<a><![CDATA[", "]]></a>"),
        ("<a b=\"", "\"/>"),
        ("<a b='", "'/>"),
        ("<a><!--", "--></a>"),
        ("<a><?", "?></a>"),
    ] {
        let (text, illegal) = tamed(format!("{open}{long}{close}<next/>").as_bytes()).unwrap();
        assert!(
            text.len() < MAX_TOKEN_BYTES + 100,
            "{open}: {} bytes",
            text.len()
        );
        assert!(text.ends_with("<next/>"), "{open}");
        assert!(!illegal, "{open}");
    }
}

#[test]
fn a_tag_without_end_is_refused() {
    let attributes = " a=\"b\"".repeat(100_000);
    assert!(tamed(format!("<a{attributes}/>").as_bytes()).is_err());
    assert!(tamed(format!("<{}>", "a".repeat(1_000_000)).as_bytes()).is_err());
}

#[test]
fn entities_of_a_document_are_refused_and_a_plain_document_type_is_not() {
    assert!(tamed(&b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>"[..]).is_err());
    assert!(tamed(&b"<!DOCTYPE a SYSTEM 'a.dtd'><a/>"[..]).is_ok());
}

#[test]
fn references_are_resolved_once() {
    assert_eq!(
        unescape("&lt;&amp;lt;&#65;&#x42;&#27;&nbsp;&"),
        "<&lt;AB\u{FFFD}&nbsp;&"
    );
    assert_eq!(unescape("&#xFFFFFFFF;&#;&;"), "&#xFFFFFFFF;&#;&;");
}
