//! What is wrong with an object.

use crate::context::Context;
use crate::finding::Finding;
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::Object;

/// Everything that looks for something, built once.
#[derive(Debug)]
pub(crate) struct Detector {}

impl Detector {
    pub(crate) fn new() -> Result<Self, std::io::Error> {
        Ok(Self {})
    }

    pub(crate) fn review(
        &self,
        _object: &Object<'_>,
        _old: Option<&Object<'_>>,
        _context: &Context<'_>,
        _platform: &Platform,
        _effective: &Effective<'_>,
    ) -> Vec<Finding> {
        Vec::new()
    }
}
