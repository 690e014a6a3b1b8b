mod denied;
mod limits;
mod models;
mod passed;

use serde_json::{Value, json};

use crate::policy::testing::{Machine, standard};
use crate::policy::{Policy, Refusal};

/// `rule at place` of each violation.
fn vet_with(policy: &Policy, model: &Value) -> Vec<String> {
    violations(policy.vet(model, "shop", &Machine::ann()))
}

fn vet(model: &Value) -> Vec<String> {
    vet_with(&standard(), model)
}

fn violations(result: Result<(), Refusal>) -> Vec<String> {
    let violations = result.err().map(|refusal| refusal.violations).unwrap_or_default();
    violations.iter().map(|found| format!("{} at {}", found.rule, found.location)).collect()
}

/// A project of one service `a`, in which everything is defined that it may refer to.
fn project_of(service: &Value) -> Value {
    json!({
        "name": "shop",
        "services": {"a": service, "db": {"image": "postgres:16"}},
        "networks": {"default": {"name": "shop_default", "ipam": {}}, "back": null},
        "volumes": {"data": {"name": "shop_data"}},
        "secrets": {"token": {"name": "shop_token", "file": "/home/ann/shop/token"}},
        "configs": {"app": {"name": "shop_app", "content": "x"}},
    })
}
