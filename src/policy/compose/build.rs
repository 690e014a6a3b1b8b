//! `build` of a service: a local context, a local Dockerfile, and nothing of the host beside them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::Shape::{Check, Deny, Each, Labels, Object, Pairs, Scalar, With, Words};
use super::service::{SECRET, ULIMITS};
use super::{Shape, Vetting, checks, word, words};
use crate::policy::invocation::{is_remote, without_password};
use crate::policy::refusal::{Place, plain};
use crate::policy::{fields, rights, rule};

pub(super) const BUILD: Shape = With(
    &Object(&[
        ("additional_contexts", Check(additional_contexts)),
        ("args", Pairs),
        ("cache_from", Check(cache_from)),
        ("cache_to", Check(cache_to)),
        ("context", Scalar),
        ("dockerfile", Scalar),
        ("dockerfile_inline", Scalar),
        ("entitlements", Deny(&rule::BUILD_HOST)),
        ("extra_hosts", Pairs),
        ("isolation", Check(checks::isolation)),
        ("labels", Labels),
        ("network", Check(network)),
        ("no_cache", Scalar),
        ("no_cache_filter", Words),
        ("platforms", Words),
        ("privileged", Deny(&rule::BUILD_HOST)),
        ("provenance", Check(attestation)),
        ("pull", Scalar),
        ("sbom", Check(attestation)),
        ("secrets", Each(&SECRET)),
        ("shm_size", Scalar),
        ("ssh", Deny(&rule::BUILD_HOST)),
        ("tags", Words),
        ("target", Scalar),
        ("ulimits", ULIMITS),
    ]),
    context_and_dockerfile,
);

fn context_and_dockerfile(vetting: &mut Vetting<'_>, build: &Value, place: &Place) {
    if !build.is_object() {
        return;
    }
    let Some(context) = build.get("context").and_then(word) else {
        // Without one there would be no folder that the Dockerfile is relative to.
        vetting.unexpected(&Value::Null, &place.key("context"));
        return;
    };
    let at = place.key("context");
    if is_remote(&context) {
        let subject = format!("build context {}", without_password(&context));
        vetting.findings.refuse(&rule::REMOTE_BUILD, subject, &at);
        return;
    }
    rights::file(&mut vetting.findings, Path::new(&*context), true, "build context", &at);
    if let Some(dockerfile) = build.get("dockerfile").and_then(word) {
        let path = Path::new(&*context).join(&*dockerfile);
        let at = place.key("dockerfile");
        rights::file(&mut vetting.findings, &path, true, "Dockerfile", &at);
    }
}

fn additional_contexts(vetting: &mut Vetting<'_>, contexts: &Value, place: &Place) {
    let Some(contexts) = contexts.as_object() else {
        return vetting.unexpected(contexts, place);
    };
    for (name, value) in contexts {
        let at = place.key(name);
        let Some(context) = word(value) else {
            vetting.unexpected(value, &at);
            continue;
        };
        if context.starts_with('/') {
            rights::file(&mut vetting.findings, Path::new(&*context), true, "build context", &at);
        } else if !context.starts_with("service:") && !context.starts_with("docker-image:") {
            let subject = format!("build context {}", without_password(&context));
            vetting.findings.refuse(&rule::REMOTE_BUILD, subject, &at);
        }
    }
}

fn cache_from(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Words.walk(vetting, value, place);
    for source in words(value) {
        let Some(fields) = cache_fields(vetting, &source, place) else { continue };
        match fields.get("type").copied() {
            None | Some("registry" | "inline") => {}
            Some("local") => {
                let folder = fields.get("src").copied().unwrap_or_default();
                rights::file(&mut vetting.findings, Path::new(folder), true, "cache", place);
            }
            Some(other) => {
                let subject = format!("cache of type {}", plain(other));
                vetting.findings.refuse(&rule::BUILD_OUTPUT, subject, place);
            }
        }
    }
}

fn cache_to(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Words.walk(vetting, value, place);
    for target in words(value) {
        let Some(fields) = cache_fields(vetting, &target, place) else { continue };
        match fields.get("type").copied() {
            Some("inline") => {}
            None | Some("registry") => {
                vetting.findings.refuse(&rule::PUSH, "push of a build cache", place);
            }
            Some(other) => {
                let subject = format!("cache of type {}", plain(other));
                vetting.findings.refuse(&rule::BUILD_OUTPUT, subject, place);
            }
        }
    }
}

/// The fields of `type=local,src=/x`; none for the name of an image alone.
fn cache_fields<'a>(
    vetting: &mut Vetting<'_>,
    text: &'a str,
    place: &Place,
) -> Option<BTreeMap<String, &'a str>> {
    let fields =
        if text.contains(['=', ',', '"']) { fields::read(text) } else { Some(<_>::default()) };
    if fields.is_none() {
        vetting.findings.refuse(
            &rule::BUILD_OUTPUT,
            "a cache that can be read in several ways",
            place,
        );
    }
    fields
}

fn network(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Scalar.walk(vetting, value, place);
    for network in words(value) {
        if !["", "default", "none"].contains(&&*network) {
            let subject = format!("network {}", plain(&network));
            vetting.findings.refuse(&rule::BUILD_HOST, subject, place);
        }
    }
}

/// With attributes it names an image that is run on what was built.
fn attestation(vetting: &mut Vetting<'_>, value: &Value, place: &Place) {
    Scalar.walk(vetting, value, place);
    for text in words(value) {
        if !["", "true", "false", "mode=min", "mode=max"].contains(&&*text) {
            vetting.findings.refuse(&rule::BUILD_HOST, place.last().to_owned(), place);
        }
    }
}
