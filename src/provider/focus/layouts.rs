//! How each cloud lays its export out: sources, and the files that make a month.
