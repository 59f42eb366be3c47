//! The providers' documented responses, and the series made of them.

mod examples;
mod names;
mod switches;
