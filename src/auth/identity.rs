//! What has been proved about the sender of a request, by the names that Amazon API Gateway has for it.

/// Who a request is from. Shared by the requests that show the same credentials; holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// `authorizer.*` and `identity.*` as `$context` has them, sorted by name, each name once.
    values: Box<[(Box<str>, Box<str>)]>,
    /// The API key that stands for them, if an authorizer has named one (`usageIdentifierKey`).
    pub usage_key: Option<Box<str>>,
}

impl Identity {
    /// Of these values: names as in `$context`, without that. Of two values of one name the first counts.
    #[must_use]
    pub fn new(values: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut values: Vec<(Box<str>, Box<str>)> =
            values.into_iter().map(|(name, value)| (name.into_boxed_str(), value.into_boxed_str())).collect();
        values.sort_by(|a, b| a.0.cmp(&b.0));
        values.dedup_by(|later, first| later.0 == first.0);
        Self { values: values.into(), usage_key: None }
    }

    /// All of them.
    #[must_use]
    pub fn values(&self) -> &[(Box<str>, Box<str>)] {
        &self.values
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.values.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.values.get(at).map(|(_, value)| &**value)
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn values_are_found_by_name_and_the_first_of_two_counts() {
        let of = |list: &[(&str, &str)]| Identity::new(list.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        let who = of(&[("identity.user", "u"), ("authorizer.claims.sub", "1"), ("authorizer.claims.sub", "2")]);
        assert_eq!(who.get("authorizer.claims.sub"), Some("1"));
        assert_eq!(who.get("identity.user"), Some("u"));
        assert_eq!(who.get("identity.use"), None);
        assert_eq!(who.values().len(), 2);
    }
}
