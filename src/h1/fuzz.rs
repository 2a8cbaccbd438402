//! The bodies of the fuzz targets, as functions that assert properties, so that `cargo test` can replay every seed.
