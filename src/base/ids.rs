//! Numbers that must not be confused: an index into one table is a type of its own.

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
    /// An upstream of the plan: `plan.upstreams[id]`.
    UpstreamId(u16)
);
id!(
    /// A listener of the plan: `plan.listeners[id]`.
    ListenerId(u16)
);
id!(
    /// A worker thread and its state.
    CoreId(u16)
);
