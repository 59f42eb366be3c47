//! What an account shows after polls at chosen moments.

mod forecasts;
mod windows;
