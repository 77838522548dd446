//! A JSON document in which each name stands once: where one stands twice, which of them counts
//! is chance, and money may hang on it. Types refuse that for their fields; maps do not.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;

type Refused = serde_path_to_error::Error<serde_json::Error>;

/// Refuses a name that stands twice in one object, at any depth, and what is no JSON.
pub(crate) fn check(bytes: &[u8]) -> Result<(), Refused> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize::<_, Strict>(&mut reader).map(drop)
}

struct Strict;

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<Strict>()?;
            if let Some(name) = names.replace(name) {
                return Err(A::Error::custom(format!("`{name}` stands twice")));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Strict>()?.is_some() {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_stand_once_in_each_object() {
        for fine in ["null", "[]", r#"{"a":{"a":[1,{"a":-1.5}]},"b":{"a":true}}"#, r#""text""#] {
            check(fine.as_bytes()).unwrap_or_else(|e| panic!("{fine}: {e}"));
        }
        for (twice, path) in [
            (r#"{"a":1,"a":2}"#, "."),
            (r#"{"a":1,"\u0061":2}"#, "."),
            (r#"{"strategy":{"params":{"fast":3,"fast":4}}}"#, "strategy.params"),
            (r#"[{"a":1},{"b":1,"b":1}]"#, "[1]"),
        ] {
            let error = check(twice.as_bytes()).unwrap_err();
            assert!(error.inner().is_data(), "{twice}: {error}");
            assert_eq!(error.path().to_string(), path, "{twice}");
        }
        assert!(check(b"{").unwrap_err().inner().is_eof());
        assert!(check("[".repeat(200_000).as_bytes()).unwrap_err().inner().is_syntax());
    }
}
