//! Identity by the API server's word: TokenReview says whose a token is, `SubjectAccessReview` what they may.

use std::collections::BTreeMap;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use proctor_api::injected::UPLOAD_AUDIENCE;

use super::{IdentityError, PodIdentity, Secret};
use crate::names::DnsName;

/// The audience of a reader's token.
pub const READ_AUDIENCE: &str = "proctor-collector-read";

const POD_NAME: &str = "authentication.kubernetes.io/pod-name";
const POD_UID: &str = "authentication.kubernetes.io/pod-uid";
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Asks the API server.
#[derive(Clone)]
pub struct ClusterIdentity {
    client: Client,
    label: (String, String),
}

impl std::fmt::Debug for ClusterIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterIdentity")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

impl ClusterIdentity {
    /// Asks through `client`; test pods carry `label`.
    pub fn new(client: Client, label: (String, String)) -> Self {
        Self { client, label }
    }

    pub(super) async fn pod(&self, token: &Secret) -> Result<PodIdentity, IdentityError> {
        let mut identity = bound_pod(&self.review(token, UPLOAD_AUDIENCE).await?)?;
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), identity.namespace.as_str());
        let pod = pods.get_opt(&identity.name).await.map_err(away)?;
        let Some(pod) = pod.filter(|pod| pod.metadata.uid.as_deref() == Some(&identity.uid)) else {
            return Err(IdentityError::NotAllowed("the token's pod is gone"));
        };
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return Err(IdentityError::NotAllowed("the token's pod has ended"));
        }
        let (key, value) = &self.label;
        identity.labelled = pod.labels().get(key) == Some(value);
        Ok(identity)
    }

    pub(super) async fn may_read(
        &self,
        token: &Secret,
        namespace: &DnsName,
    ) -> Result<(), IdentityError> {
        let user = self.review(token, READ_AUDIENCE).await?;
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: user.extra,
                resource_attributes: Some(ResourceAttributes {
                    group: Some(proctor_api::GROUP.to_owned()),
                    resource: Some("testruns".to_owned()),
                    verb: Some("get".to_owned()),
                    namespace: Some(namespace.to_string()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let answer = api
            .create(&PostParams::default(), &review)
            .await
            .map_err(away)?;
        match answer.status {
            Some(status) if status.allowed && status.denied != Some(true) => Ok(()),
            _ => Err(IdentityError::NotAllowed(
                "the token's holder may not get testruns in this namespace",
            )),
        }
    }

    async fn review(&self, token: &Secret, audience: &str) -> Result<UserInfo, IdentityError> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.reveal().to_owned(),
                audiences: Some(vec![audience.to_owned()]),
            },
            ..TokenReview::default()
        };
        let api: Api<TokenReview> = Api::all(self.client.clone());
        let answer = api
            .create(&PostParams::default(), &review)
            .await
            .map_err(away)?;
        let status = answer.status.unwrap_or_default();
        if status.authenticated != Some(true) {
            return Err(IdentityError::NotGood(
                "the API server does not accept it, or not for this audience",
            ));
        }
        if !status
            .audiences
            .unwrap_or_default()
            .iter()
            .any(|named| named == audience)
        {
            return Err(IdentityError::NotGood("it is for another audience"));
        }
        status.user.ok_or(IdentityError::NotGood(
            "the API server did not say whose it is",
        ))
    }
}

fn away(error: kube::Error) -> IdentityError {
    IdentityError::Away {
        source: error.into(),
    }
}

/// The pod that a token is bound to.
fn bound_pod(user: &UserInfo) -> Result<PodIdentity, IdentityError> {
    const UNBOUND: IdentityError =
        IdentityError::NotAllowed("the token is not bound to a pod; use a projected one");
    let none = BTreeMap::new();
    let extra = user.extra.as_ref().unwrap_or(&none);
    let one = |key| {
        extra
            .get(key)
            .and_then(|values| values.first())
            .cloned()
            .ok_or(UNBOUND)
    };
    let namespace = user
        .username
        .as_deref()
        .and_then(|name| name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':'))
        .and_then(|(namespace, _)| DnsName::parse(namespace).ok())
        .ok_or(UNBOUND)?;
    Ok(PodIdentity {
        namespace,
        name: one(POD_NAME)?,
        uid: one(POD_UID)?,
        labelled: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(username: &str, extra: &[(&str, &str)]) -> UserInfo {
        UserInfo {
            username: Some(username.to_owned()),
            extra: Some(
                extra
                    .iter()
                    .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
                    .collect(),
            ),
            ..UserInfo::default()
        }
    }

    #[test]
    fn only_a_token_that_is_bound_to_a_pod_uploads() {
        let pod = bound_pod(&user(
            "system:serviceaccount:team-a:default",
            &[(POD_NAME, "x-1"), (POD_UID, "u-1")],
        ))
        .unwrap();
        assert_eq!(
            (pod.namespace.as_str(), pod.name.as_str(), pod.uid.as_str()),
            ("team-a", "x-1", "u-1")
        );
        assert!(
            bound_pod(&user(
                "system:serviceaccount:team-a:default",
                &[(POD_NAME, "x-1")]
            ))
            .is_err()
        );
        assert!(bound_pod(&user("jane", &[(POD_NAME, "x-1"), (POD_UID, "u-1")])).is_err());
        assert!(bound_pod(&UserInfo::default()).is_err());
    }
}
