//! What was built: the version of the program, the revision of its source, and the version of the compiler.

/// The version of the program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The revision of the source, or `unknown` where the build did not set it.
pub const REVISION: &str = env!("CLOUDSPEND_BUILD_REVISION");
/// The version of the compiler.
pub const RUST_VERSION: &str = env!("CLOUDSPEND_BUILD_RUST_VERSION");
/// All three, as `--version` prints them after the name of the program.
pub const FULL: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (revision ",
    env!("CLOUDSPEND_BUILD_REVISION"),
    ", rust ",
    env!("CLOUDSPEND_BUILD_RUST_VERSION"),
    ")"
);
