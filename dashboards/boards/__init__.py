"""The dashboards, one module each, and what they share: queries, panels, variables and layout."""
