//! The program from outside, as its users meet it: one binary, one module a subject.

mod config;
