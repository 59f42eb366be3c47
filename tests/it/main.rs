//! The program from outside, as its users meet it: one binary, one module a subject.

// `cfg(test)` always holds here; it tells the lints that helpers of tests are tests, too.
#[cfg(test)]
mod config;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod secrets;
