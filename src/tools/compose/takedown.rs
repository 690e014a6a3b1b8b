//! What taking a project down takes away and what it leaves, exactly, before it is done.

use std::collections::BTreeSet;
use std::time::Duration;

use super::holdings::Holdings;
use super::leaving::Leaving;
use super::project::{self, Object};
use crate::command::containers::{Container, Row};
use crate::command::images::full_name;
use crate::command::volumes::Volume;
use crate::command::{Effect, Invocation, labels};
use crate::tools::stop_time::stop_limit;

/// Beside the stopping: what compose removes.
const REMOVAL: Duration = Duration::from_secs(30);

/// What goes, and what stays with the reason why.
#[derive(Debug, Default)]
pub(super) struct Takedown<'a> {
    pub(super) containers: Vec<&'a Container>,
    pub(super) networks: Vec<&'a Object>,
    pub(super) volumes: Vec<&'a Volume>,
    /// `container a stays: …`, in sentences.
    pub(super) notes: Vec<String>,
    rows: &'a [Row],
}

impl<'a> Takedown<'a> {
    /// `rows` are all containers there are: whoever uses something keeps it.
    pub(super) fn of(
        before: &'a Holdings,
        rows: &'a [Row],
        removes_volumes: bool,
        removes_one_offs: bool,
    ) -> Self {
        let mut takedown = Self { rows, ..Self::default() };
        for container in &before.containers {
            match why_it_stays(container, removes_one_offs) {
                None => takedown.containers.push(container),
                Some(why) => takedown.stays("container", container.name(), why),
            }
        }
        for network in &before.networks {
            // A container that does not run has no place on its networks.
            let users = takedown.others(|row| is_up(row) && row.networks.contains(&network.name));
            if users.is_empty() {
                takedown.networks.push(network);
            } else {
                takedown.stays("network", &network.name, &format!("used by {}", users.join(", ")));
            }
        }
        // A container that removes itself when it ends takes its nameless ones along, whatever was
        // asked for.
        let taken: BTreeSet<&str> = takedown
            .containers
            .iter()
            .filter(|container| removes_volumes || container.host_config.auto_remove)
            .flat_map(|container| container.anonymous_volumes())
            .collect();
        let is_named = |volume: &Volume| volume.labels.contains_key(labels::PROJECT);
        for volume in &before.volumes {
            if !(taken.contains(volume.name.as_str()) || (removes_volumes && is_named(volume))) {
                continue;
            }
            let users = takedown.others(|row| row.mounts.contains(&volume.name));
            if users.is_empty() {
                takedown.volumes.push(volume);
            } else {
                takedown.stays("volume", &volume.name, &format!("used by {}", users.join(", ")));
            }
        }
        takedown
    }

    /// Those of the images that nobody who stays was made from.
    pub(super) fn without_used(&mut self, images: Vec<Leaving>) -> Vec<Leaving> {
        let mut unused = vec![];
        for image in images {
            let is_it =
                |row: &Row| full_name(&row.image) == image.name || row.image == image.image.id;
            let users = self.others(is_it);
            if users.is_empty() {
                unused.push(image);
            } else {
                self.stays("image", &image.name, &format!("used by {}", users.join(", ")));
            }
        }
        unused
    }

    /// One-off containers that run: 2.40 removes such a one with its service, and where its service
    /// has no container only when it has ended.
    pub(super) fn to_stop(&self) -> Vec<&'a Container> {
        let has_service = |one_off: &Container| {
            let mut others = self.containers.iter().filter(|it| !project::is_one_off(it));
            others.any(|it| project::service(it) == project::service(one_off))
        };
        let runs = self.containers.iter().filter(|it| it.state.running && project::is_one_off(it));
        runs.filter(|it| !has_service(it)).copied().collect()
    }

    /// `docker container stop` of these, by what `name` makes of each.
    pub(super) fn stop(
        containers: &[&'a Container],
        seconds: Option<u32>,
        name: impl Fn(&'a Container) -> &'a str,
    ) -> Invocation {
        Invocation::docker(Effect::Destroy, ["container", "stop"])
            .maybe("-t", seconds)
            .timeout(stop_limit(containers.iter().copied(), seconds))
            .operands(containers.iter().map(|container| name(container)))
    }

    pub(super) fn limit(&self, seconds: Option<u32>) -> Duration {
        stop_limit(self.containers.iter().copied(), seconds) + REMOVAL
    }

    /// In one sentence, for a forecast.
    pub(super) fn forecast(&self, images: &[Leaving]) -> String {
        let all = |kind, names: Vec<&str>| {
            names.into_iter().map(|name| format!("{kind} {name}")).collect::<Vec<_>>()
        };
        let mut goes = all("container", self.containers.iter().map(|it| it.name()).collect());
        goes.extend(all("network", self.networks.iter().map(|it| it.name.as_str()).collect()));
        goes.extend(all("volume", self.volumes.iter().map(|it| it.name.as_str()).collect()));
        goes.extend(all("image", images.iter().map(|it| it.name.as_str()).collect()));
        if goes.is_empty() {
            return "nothing would be removed".to_owned();
        }
        format!("would be removed: {}", goes.join(", "))
    }

    fn stays(&mut self, kind: &str, name: &str, why: &str) {
        self.notes.push(format!("{kind} {name} stays: {why}"));
    }

    /// The names of the containers that this holds for and that do not go.
    fn others(&self, is_user: impl Fn(&Row) -> bool) -> Vec<&'a str> {
        let goes = |row: &Row| self.containers.iter().any(|container| container.id == row.id);
        let users = self.rows.iter().filter(|row| is_user(row) && !goes(row));
        users.map(|row| row.name.as_str()).collect()
    }
}

fn is_up(row: &Row) -> bool {
    matches!(row.state.as_str(), "running" | "paused" | "restarting")
}

/// Why taking its project down leaves a container where it is.
pub(super) fn why_it_stays(container: &Container, removes_one_offs: bool) -> Option<&'static str> {
    if !project::is_composes(container) {
        return Some(
            "compose did not make it, it only has the project's label; remove-container removes it",
        );
    }
    (project::is_one_off(container) && !removes_one_offs)
        .then_some("it was made by compose run; remove_orphans: true removes it too")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(name: &str, hash: bool, one_off: bool, running: bool) -> Container {
        let mut labels = json!({labels::PROJECT: "p", labels::SERVICE: "web"});
        if hash {
            labels[labels::HASH] = "1".into();
        }
        labels[labels::ONE_OFF] = if one_off { "True" } else { "False" }.into();
        serde_json::from_value(json!({
            "Id": name, "Name": format!("/{name}"), "Config": {"Labels": labels},
            "State": {"Running": running},
        }))
        .unwrap()
    }

    fn row(name: &str, state: &str) -> Row {
        Row {
            id: name.to_owned(),
            name: name.to_owned(),
            image: "shop-web".to_owned(),
            state: state.to_owned(),
            status: String::new(),
            health: None,
            exit_code: None,
            ports: vec![],
            networks: vec!["p_default".to_owned()],
            mounts: vec!["p_data".to_owned()],
            project: None,
            service: None,
            created: String::new(),
        }
    }

    fn holdings(containers: Vec<Container>) -> Holdings {
        let volume = json!({"Name": "p_data", "Labels": {labels::PROJECT: "p"}});
        Holdings {
            containers,
            networks: vec![Object { name: "p_default".into(), id: "n".into() }],
            volumes: vec![serde_json::from_value(volume).unwrap()],
        }
    }

    #[test]
    fn what_compose_did_not_make_stays_and_keeps_what_it_uses() {
        let web = container("web", true, false, true);
        let left = container("left", false, false, false);
        let before = holdings(vec![web, left]);
        let told = |state: &str, removes_volumes| {
            let rows = [row("web", "running"), row("left", state)];
            let takedown = Takedown::of(&before, &rows, removes_volumes, true);
            format!("{}\n{}", takedown.forecast(&[]), takedown.notes.join("\n"))
        };
        insta::assert_snapshot!(told("exited", true), @r"
        would be removed: container web, network p_default
        container left stays: compose did not make it, it only has the project's label; remove-container removes it
        volume p_data stays: used by left
        ");
        insta::assert_snapshot!(told("running", false), @r"
        would be removed: container web
        container left stays: compose did not make it, it only has the project's label; remove-container removes it
        network p_default stays: used by left
        ");
    }

    #[test]
    fn a_one_off_goes_when_it_is_asked_for() {
        let web = container("web", true, false, true);
        let (one_off, alone) =
            (container("run", true, true, true), container("run", true, true, true));
        let (both, alone) = (holdings(vec![web, one_off]), holdings(vec![alone]));
        let rows = [row("web", "running"), row("run", "running")];
        let goes = |before, one_offs| {
            let takedown = Takedown::of(before, &rows, false, one_offs);
            let names =
                |of: Vec<&Container>| of.iter().map(|it| it.name().to_owned()).collect::<Vec<_>>();
            (names(takedown.containers.clone()), names(takedown.to_stop()))
        };
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(goes(&both, false), (names(&["web"]), names(&[])));
        assert_eq!(goes(&both, true), (names(&["web", "run"]), names(&[])));
        assert_eq!(goes(&alone, true), (names(&["run"]), names(&["run"])));
    }

    #[test]
    fn an_image_that_somebody_uses_stays() {
        let before = holdings(vec![container("web", true, false, true)]);
        let image = || Leaving {
            name: full_name("shop-web"),
            image: crate::command::images::Image::default(),
            is_own: true,
            is_kept: false,
        };
        let rows = [row("web", "running"), row("stranger", "exited")];
        let mut takedown = Takedown::of(&before, &rows, false, false);
        assert!(takedown.without_used(vec![image()]).is_empty());
        assert!(takedown.notes.iter().any(|note| note.contains("used by stranger")));
        let mut takedown = Takedown::of(&before, &rows[..1], false, false);
        assert_eq!(takedown.without_used(vec![image()]).len(), 1);
    }
}
