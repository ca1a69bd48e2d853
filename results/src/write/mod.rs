//! Report formats out. Each is a feature: the wrapper needs none of them.

#[cfg(feature = "html")]
pub mod html;
#[cfg(feature = "junit")]
pub mod junit;
