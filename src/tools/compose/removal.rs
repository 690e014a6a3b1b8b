//! Which containers `up` takes away: those that are more than asked for, and orphans.

use std::collections::BTreeMap;

use super::model::Vetted;
use super::project;
use super::settle::Expected;
use crate::command::containers::Container;
use crate::command::{Effect, Invocation};
use crate::docker::Docker;
use crate::error::Error;
use crate::tools::protect::judge_protection;

/// What `up` will remove of the containers of one service that are more than asked for. Of
/// containers that are as the file has them compose keeps the lowest numbers; of others it keeps
/// any (2.26 and 2.40 seen to keep the second or third of three), so only how many go is known.
pub(super) fn surplus(own: &[&Container], replicas: u32, is_changed: bool) -> Vec<String> {
    let replicas = usize::try_from(replicas).unwrap_or(usize::MAX);
    let mut own = own.to_vec();
    own.sort_unstable_by_key(|container| project::number(container));
    let names = |containers: &[&Container]| -> Vec<String> {
        containers.iter().map(|container| container.name().to_owned()).collect()
    };
    match own.get(replicas..) {
        None | Some([]) => vec![],
        Some(more) if is_changed && replicas > 0 => {
            vec![format!("{} of {}", more.len(), names(&own).join(", "))]
        }
        Some(more) => names(more),
    }
}

/// Containers that were made and never started, and into which compose puts files: 2.26 does that
/// when it makes them, so what failed then is not made good by a start. They have run nothing and
/// hold nothing, and are made anew.
pub(super) fn unfinished<'a>(
    vetted: &Vetted,
    expected: &BTreeMap<String, Expected>,
    before: &'a [Container],
) -> Vec<&'a Container> {
    let is_one = |container: &&Container| {
        let service = project::service(container);
        let was_never_started = container.state.status == "created";
        let is_filled = || !vetted.resolved().put_in_of(service).is_empty();
        was_never_started && expected.contains_key(service) && is_filled()
    };
    before.iter().filter(is_one).collect()
}

/// Their removal, as it is shown and by their IDs; nothing when there are none.
///
/// # Errors
/// DKR-014 for one that is protected.
pub(super) fn of_unfinished(
    docker: &Docker,
    containers: &[&Container],
) -> Result<Option<[Invocation; 2]>, Error> {
    if containers.is_empty() {
        return Ok(None);
    }
    for container in containers {
        judge_protection(docker, "container", container.name(), &container.config.labels)?;
    }
    let remove = || Invocation::docker(Effect::Destroy, ["container", "rm"]);
    let shown = remove().operands(containers.iter().map(|container| container.name()));
    Ok(Some([shown, remove().operands(containers.iter().map(|container| &container.id))]))
}

pub(super) fn note_of_unfinished(containers: &[&Container]) -> Option<String> {
    let names = containers.iter().map(|container| container.name());
    sentence("made anew", "never started and without its files", names)
}

/// What was there before, is no more, and has no successor of its number.
pub(super) fn gone<'a>(before: &'a [Container], now: &[Container]) -> Vec<&'a Container> {
    let stays = |old: &&Container| {
        now.iter().any(|new| {
            new.id == old.id
                || (project::service(new), project::number(new))
                    == (project::service(old), project::number(old))
        })
    };
    before.iter().filter(|container| !stays(container)).collect()
}

/// What a deployment has removed, in one sentence for each reason.
pub(super) fn notes(
    before: &[Container],
    now: &[Container],
    expected: &BTreeMap<String, Expected>,
) -> Vec<String> {
    let (surplus, orphans): (Vec<&Container>, Vec<_>) = gone(before, now)
        .into_iter()
        .partition(|container| expected.contains_key(project::service(container)));
    let note = |why, containers: Vec<&Container>| {
        sentence("removed", why, containers.into_iter().map(Container::name))
    };
    [note(TOO_MANY, surplus), note(ORPHANS, orphans)].into_iter().flatten().collect()
}

/// What a deployment would remove of services whose containers are too many.
pub(super) fn forecast<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    sentence("would be removed", TOO_MANY, names.map(String::as_str))
}

/// What it would remove because of `remove_orphans`.
pub(super) fn forecast_of_orphans(names: &[String]) -> Option<String> {
    sentence("would be removed", ORPHANS, names.iter().map(String::as_str))
}

/// What a deployment that came to its end too early, for this reason, has not removed any more.
pub(super) fn not_removed(
    why: &str,
    now: &[Container],
    expected: &BTreeMap<String, Expected>,
    orphans: &[String],
) -> Option<String> {
    let surplus = expected.iter().flat_map(|(name, expected)| {
        let own: Vec<&Container> =
            now.iter().filter(|container| project::service(container) == name).collect();
        surplus(&own, expected.replicas, true)
    });
    let still_there = now.iter().map(|container| container.name().to_owned());
    let orphans = still_there.filter(|name| orphans.contains(name));
    let left: Vec<String> = surplus.chain(orphans).collect();
    (!left.is_empty()).then(|| {
        format!("{why} before these were removed: {}; the same call goes on", left.join(", "))
    })
}

/// Which of the containers of `compose run` go with the orphans, versions of compose do not agree:
/// 2.26 those of services that are not in the file, 2.40 those that have ended.
pub(super) fn forecast_of_one_offs(one_offs: &[Container]) -> Option<String> {
    let names: Vec<&str> = one_offs.iter().map(Container::name).collect();
    (!names.is_empty())
        .then(|| format!("may be removed too, as compose run made them: {}", names.join(", ")))
}

pub(super) fn gone_one_offs(one_offs: &[Container], left: &[Container]) -> Option<String> {
    let is_gone = |one_off: &&Container| left.iter().all(|container| container.id != one_off.id);
    let gone = one_offs.iter().filter(is_gone);
    sentence("removed", "compose run made them", gone.map(Container::name))
}

pub(super) fn orphans_stay(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| {
        format!(
            "not in the file, but of this project: {}; remove_orphans: true removes them",
            names.join(", ")
        )
    })
}

const TOO_MANY: &str = "more than the file or `scale` asks for";
const ORPHANS: &str = "not in the file";

fn sentence<'a>(how: &str, why: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| format!("{how}, as {why}: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(id: &str, number: u32) -> Container {
        serde_json::from_value(json!({
            "Id": id, "Name": format!("/p-a-{number}"),
            "Config": {"Labels": {
                "com.docker.compose.service": "a",
                "com.docker.compose.container-number": number.to_string(),
            }},
        }))
        .unwrap()
    }

    #[test]
    fn the_highest_numbers_go_when_nothing_has_changed() {
        let (one, two, four) = (container("1", 1), container("2", 2), container("4", 4));
        let own = [&four, &one, &two];
        assert_eq!(surplus(&own, 1, false), ["p-a-2", "p-a-4"]);
        assert_eq!(surplus(&own, 3, false), [""; 0]);
        assert_eq!(surplus(&own, 9, true), [""; 0]);
    }

    #[test]
    fn which_of_changed_containers_go_is_not_claimed() {
        let (one, two, three) = (container("1", 1), container("2", 2), container("3", 3));
        let own = [&one, &two, &three];
        assert_eq!(surplus(&own, 2, true), ["1 of p-a-1, p-a-2, p-a-3"]);
        assert_eq!(surplus(&own, 0, true), ["p-a-1", "p-a-2", "p-a-3"]);
    }

    #[test]
    fn what_was_replaced_is_not_gone() {
        let before = [container("1", 1), container("2", 2), container("3", 3)];
        let now = [container("1", 1), container("new", 3)];
        let names: Vec<_> = gone(&before, &now).iter().map(|it| it.name()).collect();
        assert_eq!(names, ["p-a-2"]);
    }
}
