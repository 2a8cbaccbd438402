//! Numbers that must not be confused: an index into one table is a type of its own, and so is what a request is called.

use super::prng::Prng;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($of:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $of);

        impl $name {
            /// As an index into the table it numbers.
            #[inline]
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id!(
    /// A route of the plan: `plan.routes[id]`.
    RouteId(u32)
);
id!(
    /// An API of the plan: `plan.apis[id]`.
    ApiId(u16)
);
id!(
    /// An authorizer of the plan: `plan.authorizers[id]`.
    AuthorizerId(u16)
);
id!(
    /// An upstream of the plan: `plan.upstreams[id]`.
    UpstreamId(u16)
);
id!(
    /// A limit of the plan: `plan.limits.all[id]`.
    LimitId(u32)
);
id!(
    /// A limit of the plan on requests under way: `plan.limits.crowds[id]`.
    CrowdId(u32)
);
id!(
    /// A listener of the plan: `plan.listeners[id]`.
    ListenerId(u16)
);
id!(
    /// A worker thread and its state.
    CoreId(u16)
);

/// What one request is called: in logs, in answers, and by whoever asks about it later. Not a secret, and not to be guessed
/// from the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId(pub u128);

impl RequestId {
    /// The `serial`th id of a core with this key: a random UUID in form (RFC 9562 §5.4).
    #[inline]
    #[must_use]
    pub fn of(key: [u64; 2], serial: u64) -> Self {
        let high = Prng::new(key[0].wrapping_add(serial)).draw();
        let low = Prng::new(key[1] ^ high).draw();
        let id = u128::from(high) << 64 | u128::from(low);
        Self(id & !(0xf << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62)
    }

    /// The same request in sixteen characters, the last one `=`: what Amazon API Gateway calls the extended request id, and
    /// its HTTP APIs the request id.
    #[must_use]
    pub fn short(self) -> [u8; 16] {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let [high, low] = [self.0 >> 64, self.0 & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or(0));
        let mut bits = Prng::new(high ^ low);
        let bits = u128::from(bits.draw()) << 64 | u128::from(bits.draw());
        let mut text = [b'='; 16];
        for (n, digit) in text.iter_mut().take(15).enumerate() {
            // Eleven bytes are fourteen digits and two thirds: the last one has only four bits that mean something.
            let six = (bits >> (6 * n)) & if n == 14 { 0b11_1100 } else { 0b11_1111 };
            *digit = usize::try_from(six).ok().and_then(|six| DIGITS.get(six)).copied().unwrap_or(b'A');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::RequestId;
    use std::collections::HashSet;

    #[test]
    fn ids_are_random_uuids_in_form_and_differ() {
        let mut seen = HashSet::new();
        for serial in 0..10_000 {
            let id = RequestId::of([7, 9], serial);
            assert_eq!((id.0 >> 76) & 0xf, 4, "the version");
            assert_eq!((id.0 >> 62) & 3, 2, "the variant");
            assert!(seen.insert(id.0) && seen.insert(u128::from_be_bytes(id.short())), "{serial}");
        }
    }

    #[test]
    fn the_short_form_is_base64_of_eleven_bytes() {
        let text = RequestId::of([1, 2], 3).short();
        assert_eq!(text.last(), Some(&b'='));
        assert!(text[..15].iter().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b)));
        assert_eq!(text, RequestId::of([1, 2], 3).short(), "the same request has the same one");
    }
}
