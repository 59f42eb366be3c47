//! What the operator writes for an account with FOCUS exports.
