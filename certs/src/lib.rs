//! Authorities, leaf certificates, their rotation, and hot reload for rustls.
