//! What the collector shares with the cluster.
