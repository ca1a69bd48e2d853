//! How a pod ended, and what is made of it.
