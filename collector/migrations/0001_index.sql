-- What the collector knows of every run. The bytes are in the store; a row here is written after the bytes it speaks of.

CREATE TABLE runs (
  uid        TEXT    NOT NULL PRIMARY KEY, -- of the pod; of the Job where it never got a pod
  namespace  TEXT    NOT NULL,
  name       TEXT    NOT NULL,             -- of the TestRun and of the folder
  pod        TEXT,                         -- the pod's name; absent for a Job without pods
  state      TEXT    NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closing', 'final', 'swept')),
  announced  INTEGER NOT NULL DEFAULT 0,   -- the TestRun object was created
  session    BLOB,                         -- SHA-256 of the session's secret
  seen       TEXT,                         -- JSON: what the cluster told about pod and Job
  done       INTEGER NOT NULL DEFAULT 0,   -- the reporter said that it has nothing more
  left_behind_bytes INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,             -- milliseconds since 1970
  UNIQUE (namespace, name)
) STRICT;

CREATE UNIQUE INDEX runs_by_session ON runs (session) WHERE session IS NOT NULL;
CREATE INDEX runs_to_do ON runs (state) WHERE state <> 'swept';

CREATE TABLE streams (
  run       TEXT    NOT NULL REFERENCES runs (uid) ON DELETE CASCADE,
  container TEXT    NOT NULL,
  attempt   INTEGER NOT NULL,
  name      TEXT    NOT NULL,
  path      TEXT,                          -- of a gathered file
  length    INTEGER NOT NULL,              -- acknowledged bytes
  parts     INTEGER NOT NULL,              -- objects that hold them
  complete  INTEGER NOT NULL,
  PRIMARY KEY (run, container, attempt, name)
) STRICT, WITHOUT ROWID;
