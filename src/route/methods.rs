//! A set of methods in sixteen bits.

use crate::http::method::Method;
use std::fmt;

/// Which methods a route takes: those it names, or [`MethodSet::ANY`] of them, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MethodSet(u16);

impl MethodSet {
    /// No method.
    pub const EMPTY: Self = Self(0);
    /// Every method, those without a name here included. Ranks below a route that names the method.
    pub const ANY: Self = Self(1 << 15);
    /// The seven that `ANY` means in a REST API of Amazon's: DELETE, GET, HEAD, OPTIONS, PATCH, POST and PUT. Ranks as
    /// [`MethodSet::ANY`] does.
    pub const SEVEN: Self = Self(1 << 14);

    /// The methods that a gateway can be asked with, by name: all that it knows but CONNECT and TRACE.
    pub const SERVED: Self = Self::of(Method::Get)
        .union(Self::of(Method::Head))
        .union(Self::of(Method::Post))
        .union(Self::of(Method::Put))
        .union(Self::of(Method::Patch))
        .union(Self::of(Method::Delete))
        .union(Self::of(Method::Options));

    /// The set that names this one method.
    #[must_use]
    pub const fn of(method: Method) -> Self {
        Self(method.bit())
    }

    /// Both sets together; `GET` together with `ANY` keeps naming `GET`.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it names this method.
    #[inline]
    #[must_use]
    pub const fn names(self, method: Method) -> bool {
        self.0 & method.bit() != 0
    }

    /// Whether it has methods that it does not name: all, or the seven.
    #[inline]
    #[must_use]
    pub const fn is_any(self) -> bool {
        self.0 & (Self::ANY.0 | Self::SEVEN.0) != 0
    }

    /// Whether it has this method, by name or as any.
    #[inline]
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.names(method)
            || self.0 & Self::ANY.0 != 0
            || self.0 & Self::SEVEN.0 != 0 && !matches!(method, Method::Connect | Method::Trace | Method::Other)
    }

    /// The set with [`MethodSet::SEVEN`] replaced by their names.
    #[must_use]
    pub(super) fn spelt_out(self) -> Self {
        if self.0 & Self::SEVEN.0 == 0 {
            return self;
        }
        let seven = Method::NAMED.into_iter().filter(|method| Self::SEVEN.contains(*method));
        Self(self.0 & !Self::SEVEN.0).union(seven.collect())
    }

    /// What two routes on one resource cannot both have: the methods that both name, and [`MethodSet::ANY`] if both have
    /// more than they name.
    #[must_use]
    pub const fn clash(self, other: Self) -> Self {
        let named = self.0 & other.0 & !(Self::ANY.0 | Self::SEVEN.0);
        Self(if self.is_any() && other.is_any() { named | Self::ANY.0 } else { named })
    }

    /// Whether it has none.
    #[inline]
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The methods it names that have a name, in the order of [`Method::NAMED`]: what an `Allow` field lists.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::NAMED.into_iter().filter(move |&method| self.names(method))
    }
}

impl FromIterator<Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        methods.into_iter().fold(Self::EMPTY, |set, method| set.union(Self::of(method)))
    }
}

impl fmt::Display for MethodSet {
    /// `GET,POST`, `ANY`, `GET,ANY`; as in an `Allow` field without spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.iter().map(Method::name).chain(self.is_any().then_some("ANY"));
        for (n, name) in names.enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

const _: () = assert!(MethodSet::SEVEN.0 > Method::Other.bit(), "ANY and the seven are bits of their own");

#[cfg(test)]
mod tests {
    use super::MethodSet;
    use crate::http::method::Method;

    #[test]
    fn any_contains_everything_and_names_nothing() {
        for method in Method::NAMED.into_iter().chain([Method::Other]) {
            assert!(MethodSet::ANY.contains(method));
            assert!(!MethodSet::ANY.names(method));
        }
        assert!(!MethodSet::of(Method::Get).contains(Method::Head), "HEAD is not implied by GET");
    }

    #[test]
    fn the_seven_are_amazons_any() {
        for method in Method::NAMED.into_iter().chain([Method::Other]) {
            let other = matches!(method, Method::Connect | Method::Trace | Method::Other);
            assert_eq!(MethodSet::SEVEN.contains(method), !other, "{method:?}");
        }
        assert_eq!(MethodSet::SEVEN.clash(MethodSet::ANY), MethodSet::ANY);
        assert_eq!(MethodSet::SEVEN.clash(MethodSet::of(Method::Get)), MethodSet::EMPTY);
    }

    #[test]
    fn it_is_written_as_in_an_allow_field() {
        let set: MethodSet = [Method::Post, Method::Get].into_iter().collect();
        assert_eq!(set.to_string(), "GET,POST");
        assert_eq!(set.union(MethodSet::ANY).to_string(), "GET,POST,ANY");
        assert_eq!(MethodSet::EMPTY.to_string(), "");
    }
}
