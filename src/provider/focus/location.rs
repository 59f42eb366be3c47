//! Where an export is: the address in the configuration.
