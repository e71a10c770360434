//! References to documents: RFC 3986, section 5, on text that need not be a valid URI.
//!
//! Schemas in the wild refer to names with spaces and braces; such text is resolved all the same, part by part.

/// The five parts of a reference, as in appendix B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

fn parts(text: &str) -> Parts<'_> {
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, rest),
    };
    Parts { scheme, authority, path, query }
}

/// Section 5.2.4.
fn remove_dot_segments(path: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let absolute = path.starts_with('/');
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    for (i, &segment) in segments.iter().enumerate() {
        let last = i + 1 == segments.len();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.pop();
                }
                if last {
                    out.push("");
                }
            }
            _ => out.push(segment),
        }
    }
    format!("{}{}", if absolute { "/" } else { "" }, out.join("/"))
}

/// Splits a reference into what names a document and the fragment.
pub(super) fn split_fragment(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// The target of a reference (without fragment) that stands in a document with this base; section 5.2.2.
pub(super) fn resolve(base: &str, reference: &str) -> String {
    if reference.is_empty() {
        return base.to_owned();
    }
    let (b, r) = (parts(base), parts(reference));
    let merged;
    let (scheme, authority, path, query) = if r.scheme.is_some() {
        (r.scheme, r.authority, r.path, r.query)
    } else if r.authority.is_some() {
        (b.scheme, r.authority, r.path, r.query)
    } else if r.path.is_empty() {
        (b.scheme, b.authority, b.path, r.query.or(b.query))
    } else {
        let path = if r.path.starts_with('/') {
            r.path
        } else if b.authority.is_some() && b.path.is_empty() {
            merged = format!("/{}", r.path);
            &merged
        } else {
            let directory = b.path.rfind('/').map_or("", |at| &b.path[..=at]);
            merged = format!("{directory}{}", r.path);
            &merged
        };
        (b.scheme, b.authority, path, r.query)
    };
    let mut out = String::new();
    if let Some(scheme) = scheme {
        out += &format!("{scheme}:");
    }
    if let Some(authority) = authority {
        out += &format!("//{authority}");
    }
    // The path of `urn:a:b` has no segments.
    let has_segments = path.contains('/') || scheme.is_none();
    out += &if has_segments { remove_dot_segments(path) } else { path.to_owned() };
    if let Some(query) = query {
        out += &format!("?{query}");
    }
    out
}

/// Undoes percent-encoding; text that is not well encoded stays as it is.
pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc() {
        // RFC 3986, 5.4.1 and 5.4.2, without fragments.
        let base = "http://a/b/c/d;p?q";
        for (reference, target) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("g;x=1/../y", "http://a/b/c/y"),
        ] {
            assert_eq!(resolve(base, reference), target, "{reference}");
        }
        assert_eq!(resolve("urn:uuid:1", ""), "urn:uuid:1");
        assert_eq!(resolve("http://a", "b c"), "http://a/b c");
    }

    #[test]
    fn percent_decoding_keeps_what_is_not_encoded() {
        assert_eq!(percent_decode("a%20b%2"), "a b%2");
        assert_eq!(percent_decode("%ff"), "%ff");
    }
}
