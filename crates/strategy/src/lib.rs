//! The strategies and the schemas of their parameters.
