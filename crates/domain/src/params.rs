//! Parameters of a strategy as a person gave them, by name.

use crate::Amount;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A parameter as typed; its schema says what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A decimal number, as text or number.
    Decimal(Amount),
    /// One of a list of words.
    Word(String),
}

/// Parameters by name, each once, in the order of their names.
///
/// A few names at most, and every bot has them: a tree's smallest node alone has room for eleven,
/// six hundred bytes of which mostly one or two are used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParamSet(Box<[(Box<str>, ParamValue)]>);

impl ParamSet {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(name))
    }

    /// What was given under this name.
    pub fn get(&self, name: &str) -> Option<&ParamValue> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// Was anything given under this name?
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Gives a value; one that was given before under this name is gone.
    pub fn insert(&mut self, name: impl Into<Box<str>>, value: ParamValue) {
        let name = name.into();
        match self.place(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                let mut all = std::mem::take(&mut self.0).into_vec();
                all.insert(at, (name, value));
                self.0 = all.into_boxed_slice();
            }
        }
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParamValue)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }
}

impl<N: Into<Box<str>>> FromIterator<(N, ParamValue)> for ParamSet {
    fn from_iter<I: IntoIterator<Item = (N, ParamValue)>>(given: I) -> Self {
        let mut all = Self::default();
        given.into_iter().for_each(|(name, value)| all.insert(name, value));
        all
    }
}

impl Serialize for ParamSet {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for ParamSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> de::Visitor<'de> for Map {
            type Value = ParamSet;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("parameters by name")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<ParamSet, A::Error> {
                let mut all = ParamSet::default();
                while let Some((name, value)) = map.next_entry::<String, ParamValue>()? {
                    all.insert(name, value);
                }
                Ok(all)
            }
        }
        d.deserialize_map(Map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_set_of_parameters_is_read_and_written_like_a_tree(
            given in prop::collection::vec(("[a-d]{1,2}", any::<i64>()), 0..12),
        ) {
            let value = |n: i64| ParamValue::Integer(n);
            let tree: BTreeMap<String, ParamValue> =
                given.iter().map(|(name, n)| (name.clone(), value(*n))).collect();
            let set: ParamSet = given.into_iter().map(|(name, n)| (name, value(n))).collect();
            let text = serde_json::to_string(&tree).unwrap();
            prop_assert_eq!(serde_json::to_string(&set).unwrap(), &text[..]);
            prop_assert_eq!(&serde_json::from_str::<ParamSet>(&text).unwrap(), &set);
            prop_assert_eq!(postcard::to_stdvec(&set).unwrap(), postcard::to_stdvec(&tree).unwrap());
            for (name, value) in &tree {
                prop_assert_eq!(set.get(name), Some(value));
            }
            prop_assert!(set.iter().map(|(n, _)| n).eq(tree.keys()));
            prop_assert!(!set.contains_key("e"));
        }
    }
}
