//! What a pod is given at its creation.

use super::annotations;
use super::containers::expect_tests;
use super::edit::{At, Edit};
use super::{dns, environment, reporter, resources};
use crate::merge::Effective;
use crate::platform::Platform;
use crate::view::Object;

pub(super) fn supply(object: &Object<'_>, platform: &Platform, effective: &Effective<'_>) -> Edit {
    let mut edit = Edit::default();
    let pod = object.pod();
    let Some(spec) = pod.spec else {
        return edit;
    };
    let at = At::new(&["spec"]);
    let tests = expect_tests(pod, &mut edit);
    let reporting = reporter::plan(pod, &tests, platform, effective, &mut edit);
    for (index, container) in &tests {
        let at = at.field("containers").field(*index);
        let mut mounts = Vec::new();
        let mut instruments = Vec::new();
        if let Some(reporting) = &reporting {
            reporting.wrap(container, &at, &mut edit);
            mounts = reporter::mounts(container);
            instruments = reporting.instruments(container, effective);
        }
        environment::supply(container, instruments, &at, effective, &mut edit);
        resources::supply(container, &at, effective, &mut edit);
        let list = at.field("volumeMounts");
        let present = container.volume_mounts.is_present();
        edit.insert(&list, present, container.volume_mounts.len(), mounts);
    }
    dns::supply(spec, &at, effective, &mut edit);
    if let Some(reporting) = &reporting {
        reporting.inject(spec, &at, &mut edit);
    }
    annotations::supply(pod, effective, &mut edit);
    edit
}
