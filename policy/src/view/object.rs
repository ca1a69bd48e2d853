//! Pods and everything that has a pod template.

use serde::Deserialize;

use super::{Map, Metadata, PodSpec, Text};

/// The kinds that are read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(missing_docs, reason = "the names are the API server's own")]
pub enum Kind {
    Pod,
    Job,
    CronJob,
    Deployment,
    StatefulSet,
    DaemonSet,
    ReplicaSet,
    ReplicationController,
}

impl Kind {
    /// The kind of this name, whatever its group; nothing for kinds without a pod.
    ///
    /// ```
    /// use proctor_policy::Kind;
    ///
    /// assert_eq!(Kind::named("CronJob"), Some(Kind::CronJob));
    /// assert_eq!(Kind::named("Service"), None);
    /// ```
    pub fn named(kind: &str) -> Option<Self> {
        Some(match kind {
            "Pod" => Self::Pod,
            "Job" => Self::Job,
            "CronJob" => Self::CronJob,
            "Deployment" => Self::Deployment,
            "StatefulSet" => Self::StatefulSet,
            "DaemonSet" => Self::DaemonSet,
            "ReplicaSet" => Self::ReplicaSet,
            "ReplicationController" => Self::ReplicationController,
            _ => return None,
        })
    }

    /// The name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pod => "Pod",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::ReplicationController => "ReplicationController",
        }
    }

    /// Where the pod or pod template is in an object of this kind.
    pub fn pod_path(self) -> &'static [&'static str] {
        match self {
            Self::Pod => &[],
            Self::CronJob => &["spec", "jobTemplate", "spec", "template"],
            _ => &["spec", "template"],
        }
    }

    /// Where the specification of the Job is, in kinds that have one.
    pub fn job_path(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Job => Some(&["spec"]),
            Self::CronJob => Some(&["spec", "jobTemplate", "spec"]),
            _ => None,
        }
    }
}

/// Why an object cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is not JSON, or not of the kind's shape.
    #[error("the {kind} cannot be read at `{path}`: {reason}; `kubectl explain {}` shows its shape", kind.to_lowercase())]
    Shape {
        /// The kind.
        kind: &'static str,
        /// The field, dotted; `.` for the whole.
        path: String,
        /// What was expected there. What is there instead is not told: it may be a secret.
        reason: String,
    },
}

/// An object, borrowed from its JSON. Only what is judged is read; the rest is skipped, whatever it is.
#[derive(Clone, Debug)]
pub struct Object<'a> {
    kind: Kind,
    json: &'a [u8],
    metadata: Metadata<'a>,
    spec: Spec<'a>,
}

#[derive(Clone, Debug)]
enum Spec<'a> {
    Pod(PodSpec<'a>),
    Template(Template<'a>),
    Job(JobSpec<'a>),
}

/// The specification of a Job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct JobSpec<'a> {
    pub(crate) backoff_limit: Option<i64>,
    pub(crate) backoff_limit_per_index: Option<i64>,
    pub(crate) ttl_seconds_after_finished: Option<i64>,
    pub(crate) active_deadline_seconds: Option<i64>,
    #[serde(borrow)]
    template: Option<Template<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Template<'a> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    spec: Option<PodSpec<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
struct Whole<'a, S> {
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
    spec: Option<S>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WithTemplate<'a> {
    #[serde(borrow)]
    template: Option<Template<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CronJobSpec<'a> {
    #[serde(borrow)]
    job_template: Option<JobTemplate<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobTemplate<'a> {
    #[serde(borrow)]
    spec: Option<JobSpec<'a>>,
}

/// A pod, or the template of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pod<'o, 'a> {
    /// Absent in a template without metadata.
    pub(crate) metadata: Option<&'o Metadata<'a>>,
    /// Absent in an object that has none yet.
    pub(crate) spec: Option<&'o PodSpec<'a>>,
}

impl<'o, 'a> Pod<'o, 'a> {
    pub(crate) fn labels(self) -> Option<&'o Map<'a>> {
        self.metadata.map(|metadata| &metadata.labels)
    }

    pub(crate) fn label(self, key: &str) -> Option<&'o str> {
        self.labels()?.get(key).map(|value| &**value)
    }

    pub(crate) fn annotation(self, key: &str) -> Option<&'o str> {
        self.metadata?.annotations.get(key).map(|value| &**value)
    }
}

impl<'a> Object<'a> {
    /// Reads an object of this kind.
    ///
    /// ```
    /// use proctor_policy::{Kind, Object};
    ///
    /// let json = br#"{"metadata": {"name": "tests", "namespace": "shop"}, "spec": {"template": {}}}"#;
    /// let job = Object::parse(Kind::Job, json)?;
    /// assert_eq!((job.namespace(), job.name()), ("shop", "tests"));
    /// # Ok::<(), proctor_policy::ObjectError>(())
    /// ```
    pub fn parse(kind: Kind, json: &'a [u8]) -> Result<Self, ObjectError> {
        match kind {
            Kind::Pod => Self::assemble(kind, json, Spec::Pod),
            Kind::Job => Self::assemble(kind, json, Spec::Job),
            Kind::CronJob => Self::assemble(kind, json, |spec: CronJobSpec<'a>| {
                Spec::Job(
                    spec.job_template
                        .and_then(|job| job.spec)
                        .unwrap_or_default(),
                )
            }),
            _ => Self::assemble(kind, json, |spec: WithTemplate<'a>| {
                Spec::Template(spec.template.unwrap_or_default())
            }),
        }
    }

    fn assemble<S: Deserialize<'a> + Default>(
        kind: Kind,
        json: &'a [u8],
        spec: impl Fn(S) -> Spec<'a>,
    ) -> Result<Self, ObjectError> {
        let whole = serde_json::from_slice::<Whole<'a, S>>(json)
            .map_err(|error| ObjectError::locate::<S>(kind, json, &error))?;
        Ok(Self {
            kind,
            json,
            metadata: whole.metadata.unwrap_or_default(),
            spec: spec(whole.spec.unwrap_or_default()),
        })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The name, else the beginning of the name it will be given.
    pub fn name(&self) -> &str {
        if self.metadata.name.is_empty() {
            &self.metadata.generate_name
        } else {
            &self.metadata.name
        }
    }

    /// The namespace in the object; empty where only the request knows it.
    pub fn namespace(&self) -> &str {
        &self.metadata.namespace
    }

    /// All of it, for the few parts of which every field matters.
    pub(crate) fn json(&self) -> &'a [u8] {
        self.json
    }

    pub(crate) fn metadata(&self) -> &Metadata<'a> {
        &self.metadata
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.get(key).map(Text::as_ref)
    }

    pub(crate) fn job(&self) -> Option<&JobSpec<'a>> {
        match &self.spec {
            Spec::Job(job) => Some(job),
            Spec::Pod(_) | Spec::Template(_) => None,
        }
    }

    pub(crate) fn pod(&self) -> Pod<'_, 'a> {
        let template = match &self.spec {
            Spec::Pod(spec) => {
                return Pod {
                    metadata: Some(&self.metadata),
                    spec: Some(spec),
                };
            }
            Spec::Template(template) => Some(template),
            Spec::Job(job) => job.template.as_ref(),
        };
        Pod {
            metadata: template.and_then(|template| template.metadata.as_ref()),
            spec: template.and_then(|template| template.spec.as_ref()),
        }
    }
}

impl ObjectError {
    /// Reads again, slower, to say where the fault is.
    fn locate<'a, S: Deserialize<'a>>(
        kind: Kind,
        json: &'a [u8],
        error: &serde_json::Error,
    ) -> Self {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let located = serde_path_to_error::deserialize::<_, Whole<'a, S>>(&mut deserializer).err();
        let text = error.to_string();
        let reason = match error.classify() {
            serde_json::error::Category::Data => {
                let expected = text.rsplit_once("expected ").map_or("", |(_, rest)| rest);
                let expected = expected.split(" at line ").next().unwrap_or_default();
                format!("expected {expected}")
            }
            _ => text,
        };
        Self::Shape {
            kind: kind.name(),
            path: located.map_or_else(|| ".".to_owned(), |error| error.path().to_string()),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_illegal_value_is_located_and_not_repeated() {
        let json = br#"{"spec": {"containers": [{"env": "PASSWORD=hunter2"}]}}"#;
        let error = Object::parse(Kind::Pod, json).unwrap_err().to_string();
        assert!(error.contains("spec.containers[0].env"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let json = br#"{"metadata": null, "spec": {"containers": null, "dnsConfig": null, "restartPolicy": null}}"#;
        let pod = Object::parse(Kind::Pod, json).unwrap();
        assert!(!pod.pod().spec.unwrap().containers.is_present());
    }

    #[test]
    fn strings_are_borrowed_from_the_json() {
        let json = br#"{"metadata": {"name": "tests", "managedFields": [{"any": [1, null]}]}}"#;
        let pod = Object::parse(Kind::Pod, json).unwrap();
        assert!(json.as_ptr_range().contains(&pod.name().as_ptr()));
    }
}
