//! What of a project cannot go to an engine on another machine: whatever is a path of this one.

use serde_json::Value;

use super::holdings::images_by_name;
use crate::docker::Docker;
use crate::error::Error;

/// The model as it can be deployed on another machine: without the builds of images that are there
/// already. `built` are the services with a build, each with the name of its image.
///
/// # Errors
/// DKR-004 with every path that the engine would have to have.
pub(super) async fn for_another_machine(
    docker: &Docker,
    mut document: Value,
    built: Vec<(String, String)>,
) -> Result<Value, Error> {
    let mut needed = mounted(&document);
    let images = built.iter().map(|(_, image)| image.clone()).collect();
    let there = images_by_name(docker, images).await?;
    for (name, image) in built {
        let service = document.get_mut("services").and_then(|services| services.get_mut(&name));
        let Some(service) = service.and_then(Value::as_object_mut) else { continue };
        let build = service.remove("build");
        if there.contains_key(&image) {
            service.insert("image".to_owned(), image.into());
            continue;
        }
        let context = build.as_ref().and_then(|build| build.get("context")?.as_str());
        let how = format!("build-image with this context and the tag {image} sends it there");
        let context = context.unwrap_or_default().to_owned();
        needed.push((format!("services.{name}.build"), context, Some(how)));
    }
    let mut errors = needed.iter().filter_map(|(key, path, how)| {
        let error = docker.demand_same_machine(path.as_ref()).err()?.with("key", key);
        Some(match how {
            Some(how) => error.hint(how),
            None => error,
        })
    });
    let Some(mut error) = errors.next() else { return Ok(document) };
    error.details.extend(errors.map(|other| other.message.clone()));
    Err(error)
}

/// Paths that containers would get, by their keys.
fn mounted(document: &Value) -> Vec<(String, String, Option<String>)> {
    let members = |key: &str| document.get(key).and_then(Value::as_object).into_iter().flatten();
    let mut found = vec![];
    for (name, service) in members("services") {
        let volumes = service.get("volumes").and_then(Value::as_array).into_iter().flatten();
        let binds = volumes.filter(|volume| volume.get("type").is_some_and(|it| it == "bind"));
        for source in binds.filter_map(|volume| volume.get("source")?.as_str()) {
            found.push((format!("services.{name}.volumes"), source.to_owned(), None));
        }
    }
    for section in ["secrets", "configs"] {
        for (name, content) in members(section) {
            if let Some(file) = content.get("file").and_then(Value::as_str) {
                found.push((format!("{section}.{name}.file"), file.to_owned(), None));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_path_that_a_container_would_get_is_found() {
        let document = json!({
            "services": {"web": {"volumes": [
                {"type": "bind", "source": "/srv/shop/html"}, {"type": "volume", "source": "data"},
            ]}},
            "secrets": {"a": {"file": "/srv/shop/a"}, "b": {"environment": "B"}},
            "configs": {"c": {"content": "x"}, "d": {"file": "/srv/shop/d"}},
        });
        let found: Vec<String> =
            mounted(&document).into_iter().map(|(key, path, _)| format!("{key} {path}")).collect();
        assert_eq!(
            found,
            [
                "services.web.volumes /srv/shop/html",
                "secrets.a.file /srv/shop/a",
                "configs.d.file /srv/shop/d",
            ]
        );
    }
}
