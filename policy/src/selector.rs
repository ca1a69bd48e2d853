//! Label selectors, as Kubernetes reads them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

const OPERATORS: [&str; 4] = ["In", "NotIn", "Exists", "DoesNotExist"];

/// The first operator in it that does not exist.
pub(crate) fn illegal_operator(selector: &LabelSelector) -> Option<&str> {
    let expressions = selector.match_expressions.iter().flatten();
    let mut operators = expressions.map(|expression| expression.operator.as_str());
    operators.find(|operator| !OPERATORS.contains(operator))
}

/// Whether labels fit. No selector fits all; `label` gives the value of a key.
pub(crate) fn fits<'l>(
    selector: Option<&LabelSelector>,
    label: impl Fn(&str) -> Option<&'l str>,
) -> bool {
    let Some(selector) = selector else {
        return true;
    };
    let by_label = selector.match_labels.iter().flatten();
    let by_expression = selector.match_expressions.iter().flatten();
    by_label
        .into_iter()
        .all(|(key, value)| label(key) == Some(value.as_str()))
        && by_expression.into_iter().all(|expression| {
            let value = label(&expression.key);
            let among = || {
                let values = expression.values.iter().flatten();
                values.into_iter().any(|one| value == Some(one.as_str()))
            };
            match expression.operator.as_str() {
                "In" => among(),
                "NotIn" => !among(),
                "Exists" => value.is_some(),
                // The operators are checked when a policy is compiled.
                _ => value.is_none(),
            }
        })
}
