//! What exists already: containers that are to be entered, volumes and networks that are to be
//! used, objects that are to be changed. The documents are those of `docker inspect`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::located::{FileKind, Paths};
use super::paths::Access;
use super::pattern::Pattern;
use super::refusal::{Findings, Place, Refusal, Violation, plain};
use super::{Policy, places, rights, rule};
use crate::command::labels;

impl Policy {
    /// Whether a program may be started in a container, or files copied into or out of it: with a
    /// container that controls the machine, that would be control of the machine.
    ///
    /// `document` is one element of what `docker container inspect` prints.
    ///
    /// # Errors
    /// `target.host_powerful`, once for each reason.
    pub fn target(&self, document: &Value, paths: &dyn Paths) -> Result<(), Refusal> {
        if self.has_no_rules() {
            return Ok(());
        }
        let mut findings = Findings::new(self, paths);
        powers(&mut findings, document, |_| true);
        findings.finish().map_err(|refusal| powerful(refusal, container_name(document)))
    }

    /// Whether a container that controls the machine may be started again: not when it has something
    /// in it that an agent can write, for then it may run that. This is a folder of the project (or
    /// one that holds the project), or a volume, which any container can mount.
    ///
    /// `containers` are the documents of the container itself and of those whose namespaces it
    /// shares, `volumes` those of the volumes of them all.
    ///
    /// # Errors
    /// `target.host_powerful`, once for each reason.
    pub fn again(
        &self,
        containers: &[Value],
        volumes: &[Value],
        paths: &dyn Paths,
    ) -> Result<(), Refusal> {
        let (Some(own), false) = (containers.first(), self.has_no_rules()) else { return Ok(()) };
        let folder = mounts(own, "bind")
            .map(|mount| source_of_desktop(text(&mount["Source"]), paths))
            .chain(volumes.iter().filter_map(|volume| {
                let is_own = mounts(own, "volume").any(|mount| mount["Name"] == volume["Name"]);
                let device = volume.pointer("/Options/device").map_or("", text);
                (is_own && device.starts_with('/')).then(|| PathBuf::from(device))
            }))
            .find(|folder| self.is_writable_by_agents(folder, paths));
        let volume = mounts(own, "volume").next();
        let place = match (&folder, volume) {
            (Some(folder), _) => plain(&folder.to_string_lossy()),
            (None, Some(volume)) => format!("volume {}", plain(text(&volume["Name"]))),
            (None, None) => return Ok(()),
        };
        let mut findings = Findings::new(self, paths);
        for container in containers {
            // Data in a volume is seldom a program: then the foreign folder beside it, which is no
            // control of the machine, is no reason.
            let is_asked =
                |source: &Path| folder.is_some() || !self.is_foreign_folder(source, paths);
            powers(&mut findings, container, is_asked);
        }
        for volume in volumes {
            volume_powers(&mut findings, volume);
        }
        findings.finish().map_err(|refusal| {
            let mut refusal = powerful(refusal, container_name(own));
            for violation in &mut refusal.violations {
                violation.why = format!(
                    "it would run what is in {place}, where an agent can write; {}",
                    violation.why
                );
                "let the user start it, or look at it with inspect-container and get-logs."
                    .clone_into(&mut violation.instead);
            }
            refusal
        })
    }

    fn is_writable_by_agents(&self, folder: &Path, paths: &dyn Paths) -> bool {
        let located = paths.locate(folder);
        let holds_a_root =
            |root: &super::Root| !root.read_only && root.path.starts_with(&located.path);
        self.judge(&located, folder, Access::mount(false)).is_ok()
            || self.roots.iter().any(holds_a_root)
    }

    /// A folder of people outside of the roots.
    fn is_foreign_folder(&self, folder: &Path, paths: &dyn Paths) -> bool {
        let located = paths.locate(folder);
        let judged = self.judge(&located, folder, Access::mount(false));
        judged.is_err_and(|violation| violation.rule == rule::MOUNT_OUTSIDE.name)
            && places::system_path(&located.path).is_none()
            && !places::is_home(&located.path)
    }

    /// The refusal of a container that shares namespaces with more containers, one after the other,
    /// than are looked at.
    pub fn unchecked_chain(&self, id: &str, most: usize) -> Refusal {
        let switch = "starting the server with --policy unrestricted".to_owned();
        let subject = format!("container {}: its chain of shared namespaces", plain(id));
        let mut violation = Violation::of(&rule::TARGET, subject, &Place::default(), switch);
        violation.why = format!(
            "it shares the namespaces of more than {most} containers, and one that was not looked at may control this machine."
        );
        Refusal { violations: vec![violation] }
    }

    /// Whether a container that exists may be started (again): a folder of a root that it mounts can
    /// have become a link to somewhere else. What lies outside of the roots was not ours to check
    /// when the container was made, and cannot have been changed by one.
    ///
    /// `binds` are the sources, whether they are read-only, and the targets.
    ///
    /// # Errors
    /// As for the bind of the place where it leads now.
    pub fn start<'a>(
        &self,
        binds: impl Iterator<Item = (&'a str, bool, &'a str)>,
        paths: &dyn Paths,
    ) -> Result<(), Refusal> {
        let mut findings = Findings::new(self, paths);
        if self.has_no_rules() {
            return Ok(());
        }
        for (source, read_only, target) in binds {
            let source = source_of_desktop(source, paths);
            let is_in_a_root = self.roots.iter().any(|root| source.starts_with(&root.path));
            if is_in_a_root && paths.locate(&source).path != source {
                rights::bind(&mut findings, &source, read_only, Some(target), &Place::at("Mounts"));
            }
        }
        findings.finish()
    }

    /// Whether a volume that exists may be mounted: its options can make it a folder of the host.
    ///
    /// `document` is one element of what `docker volume inspect` prints.
    ///
    /// # Errors
    /// As for a bind of that folder; `driver.plugin`, `driver.option`.
    pub fn volume(&self, document: &Value, paths: &dyn Paths) -> Result<(), Refusal> {
        if self.has_no_rules() {
            return Ok(());
        }
        let mut findings = Findings::new(self, paths);
        volume_powers(&mut findings, document);
        findings.finish()
    }

    /// Whether a container may join a network that exists.
    ///
    /// `document` is one element of what `docker network inspect` prints.
    ///
    /// # Errors
    /// `container.host_network`, `driver.plugin`.
    pub fn network(&self, document: &Value, paths: &dyn Paths) -> Result<(), Refusal> {
        if self.has_no_rules() {
            return Ok(());
        }
        let mut findings = Findings::new(self, paths);
        let place = Place::at(format!("network {}", plain(text(&document["Name"]))));
        match text(&document["Driver"]) {
            "host" => findings.refuse(&rule::HOST_NETWORK, "network host", &place),
            // Created by an administrator of a swarm, not by a file.
            "overlay" => {}
            driver => rights::driver(&mut findings, driver, &place),
        }
        findings.finish()
    }

    /// Whether something that exists may be removed, at any level: this is the operator's own word
    /// about single objects. What is protected may be stopped and started.
    ///
    /// `kind` is container, volume, network or image.
    ///
    /// # Errors
    /// `object.protected`.
    pub fn removal<'a>(
        &self,
        kind: &str,
        name: &str,
        mut object_labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Refusal> {
        let mut findings = Findings::new(self, &Nowhere);
        let has_label = object_labels.any(|pair| pair == (labels::PROTECT, "true"));
        // An image is protected under all of its tags by its name without one.
        let untagged = Some(name).filter(|_| kind == "image").and_then(repository);
        let is_meant = |pattern: &Pattern| {
            pattern.matches(name) || untagged.is_some_and(|name| pattern.matches(name))
        };
        if has_label || self.protect.iter().any(is_meant) {
            let subject = format!("{kind} {}", plain(name));
            findings.refuse(&rule::PROTECTED, subject, &Place::default());
        }
        findings.finish()
    }

    /// Whether something that exists may be changed, at any level: with `--only-ours` only what
    /// this server has created.
    ///
    /// # Errors
    /// `object.not_ours`.
    pub fn change<'a>(
        &self,
        kind: &str,
        name: &str,
        mut object_labels: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Refusal> {
        let mut findings = Findings::new(self, &Nowhere);
        // What compose has deployed from its standard input is ours too: a label of our own would
        // change the hash of the service, and make a person's own `up` recreate it.
        // Containers and further images inherit the label of an image, so it counts for its names.
        let was_built = |value: &str| kind == "image" && value.split(' ').any(|it| it == name);
        let is_ours = |(key, value): (&str, &str)| match key {
            labels::REQUEST => true,
            labels::PROJECT_FILES => value == "-",
            labels::BUILT => was_built(value),
            _ => false,
        };
        if self.only_ours && !object_labels.any(is_ours) {
            let subject = format!("{kind} {}", plain(name));
            findings.refuse(&rule::NOT_OURS, subject, &Place::default());
        }
        findings.finish()
    }
}

fn volume_powers(findings: &mut Findings<'_>, document: &Value) {
    let place = Place::at(format!("volume {}", plain(text(&document["Name"]))));
    rights::driver(findings, text(&document["Driver"]), &place);
    for (key, value) in document["Options"].as_object().into_iter().flatten() {
        rights::driver_option(findings, key, text(value), &place.key(key));
    }
}

/// What of a container is control of the machine. `is_asked` chooses among the folders that it
/// mounts.
fn powers(findings: &mut Findings<'_>, document: &Value, is_asked: impl Fn(&Path) -> bool) {
    let host = &document["HostConfig"];
    if host["Privileged"] == true {
        rights::privileged(findings, &Place::at("HostConfig.Privileged"));
    }
    // CgroupnsMode says nothing: on cgroup v1 it is `host` for every container.
    for (kind, key) in [
        ("network", "NetworkMode"),
        ("pid", "PidMode"),
        ("ipc", "IpcMode"),
        ("uts", "UTSMode"),
        ("userns", "UsernsMode"),
    ] {
        let mode = host[key].as_str().unwrap_or_default();
        let place = Place::at(format!("HostConfig.{key}"));
        // What compose makes of `service:NAME`: the other container is asked about by itself.
        if !mode.starts_with("container:") {
            rights::namespace(findings, kind, mode, &place);
        }
    }
    for name in texts(&host["CapAdd"]) {
        rights::capability(findings, name, &Place::at("HostConfig.CapAdd"));
    }
    for option in texts(&host["SecurityOpt"]) {
        rights::security_option(findings, option, &Place::at("HostConfig.SecurityOpt"));
    }
    // `systempaths=unconfined` is shown as two empty lists, and not as a security option (20.10
    // to 28.5). Null is docker's own list, or a privileged container.
    for (key, covered) in [
        ("MaskedPaths", &["/proc/kcore", "/proc/keys", "/sys/firmware"][..]),
        ("ReadonlyPaths", &["/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
    ] {
        let is_open = |path: &&&str| !texts(&host[key]).any(|text| text == **path);
        if host[key].is_array() && covered.iter().any(|path| is_open(&path)) {
            let place = Place::at(format!("HostConfig.{key}"));
            rights::security_option(findings, "systempaths=unconfined", &place);
        }
    }
    for device in items(&host["Devices"]) {
        let path = device["PathOnHost"].as_str().unwrap_or("?");
        rights::device(findings, path, &Place::at("HostConfig.Devices"));
    }
    for rule in texts(&host["DeviceCgroupRules"]) {
        rights::device(findings, rule, &Place::at("HostConfig.DeviceCgroupRules"));
    }
    if !items(&host["DeviceRequests"]).is_empty() {
        rights::gpus(findings, &Place::at("HostConfig.DeviceRequests"));
    }
    for mount in mounts(document, "bind") {
        let source = source_of_desktop(text(&mount["Source"]), findings.paths);
        if is_asked(&source) {
            let (read_only, target) = (mount["RW"] == false, mount["Destination"].as_str());
            rights::bind(findings, &source, read_only, target, &Place::at("Mounts"));
        }
    }
}

/// One rule for all reasons; each keeps its own reason and switch.
fn powerful(mut refusal: Refusal, name: &str) -> Refusal {
    for violation in &mut refusal.violations {
        violation.rule = rule::TARGET.name;
        violation.why = format!("{}: {}", rule::TARGET.why.trim_end_matches('.'), violation.why);
        violation.subject = format!("container {}: {}", plain(name), violation.subject);
        rule::TARGET.instead.clone_into(&mut violation.instead);
    }
    refusal
}

/// `reg.test:5000/app` of `reg.test:5000/app:1` or of `reg.test:5000/app@sha256:…`.
fn repository(image: &str) -> Option<&str> {
    if let Some((name, _)) = image.split_once('@') {
        return Some(name);
    }
    let (name, tag) = image.rsplit_once(':')?;
    (!tag.contains('/')).then_some(name)
}

/// Docker Desktop shows binds as its virtual machine sees them.
fn source_of_desktop(source: &str, paths: &dyn Paths) -> PathBuf {
    match source.strip_prefix("/host_mnt") {
        Some(rest) if rest.starts_with('/') => {
            let exists_here = paths.locate(Path::new("/host_mnt")).kind == FileKind::Folder;
            PathBuf::from(if exists_here { source } else { rest })
        }
        _ => PathBuf::from(source),
    }
}

fn container_name(document: &Value) -> &str {
    document["Name"].as_str().unwrap_or("?").trim_start_matches('/')
}

/// Of a type: `bind`, `volume`.
fn mounts<'a>(document: &'a Value, kind: &'static str) -> impl Iterator<Item = &'a Value> {
    items(&document["Mounts"]).iter().filter(move |mount| mount["Type"] == kind)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).iter().filter_map(Value::as_str)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// For rules that look at no path.
struct Nowhere;

impl Paths for Nowhere {
    fn locate(&self, path: &Path) -> super::Located {
        super::Located { path: path.to_owned(), kind: FileKind::Unknown }
    }
}
