//! What an account shows after polls at chosen moments.

mod cost_bases;
mod forecasts;
mod months_and_days;
mod windows;
