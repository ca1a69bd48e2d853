//! The custom resources of Proctor: ClusterTestPolicy, TestPolicy and TestRun, as types with schemas.
