//! What the install says, whatever the policies say.

use proctor_api::{Mode, PullPolicy};

use crate::view::Object;

/// What the install says, whatever the policies say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Platform {
    /// The label that makes an object a test.
    pub label: Label,
    /// The strictest mode any finding can have: a roll-out starts with [`Mode::Warn`].
    pub mode: Mode,
    /// The reporter in test pods; without it nothing is brought out, and all the rest works.
    pub reporter: Option<ReporterPlatform>,
}

/// A label: key and value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Label {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

impl Label {
    /// Whether the object is a test: it, or its pod template, carries the label.
    pub(crate) fn selects(&self, object: &Object<'_>) -> bool {
        let value = Some(self.value.as_str());
        object.label(&self.key) == value || object.pod().label(&self.key) == value
    }
}

/// The reporter of this install.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReporterPlatform {
    /// The image of the sidecar.
    pub image: String,
    /// When the image is pulled.
    pub pull_policy: PullPolicy,
    /// Names of pull secrets to add to test pods for the image.
    pub pull_secrets: Vec<String>,
    /// `https://host:port` of the collector.
    pub collector_url: String,
    /// The certificates the collector is verified with, PEM; empty while they are not known, and until then pods get no reporter.
    pub collector_ca: String,
}

impl Default for Platform {
    /// The chart's defaults, without a reporter.
    fn default() -> Self {
        Self {
            label: Label {
                key: "component".to_owned(),
                value: "e2e-test".to_owned(),
            },
            mode: Mode::Enforce,
            reporter: None,
        }
    }
}
