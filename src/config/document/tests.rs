//! Both readers, by example.
