use std::path::Path;

use crate::policy::testing::{Machine, standard, unrestricted, with, with_paths};
use crate::policy::{Access, FileKind, Located, Paths, Policy, Root};

/// The rule that a mount of the path breaks, or `-`.
fn mount(policy: &Policy, path: &str, read_only: bool) -> &'static str {
    let path = Path::new(path);
    let judged = policy.judge(&Machine::ann().locate(path), path, Access::mount(read_only));
    judged.err().map_or("-", |violation| violation.rule)
}

#[track_caller]
fn assert_mounts(policy: &Policy, expected: &[(&str, &str)]) {
    for (path, rule) in expected {
        assert_eq!(mount(policy, path, false), *rule, "{path}");
    }
}

#[test]
fn paths_of_the_project_are_free_and_all_others_are_not() {
    assert_mounts(
        &standard(),
        &[
            ("/home/ann/shop", "-"),
            ("/home/ann/shop/data", "-"),
            ("/home/ann/shop/not/yet/there", "-"),
            ("/home/ann/shop/sub/../data", "-"),
            ("/home/ann/shop/good", "-"),
            // By components, not by text.
            ("/home/ann/shop-secrets", "mount.outside_roots"),
            ("/home/ann/shop/../other", "mount.outside_roots"),
            ("/home/ann", "mount.outside_roots"),
            ("/home/ann/shop/everything", "mount.outside_roots"),
            ("/home/ann/shop/everything/etc", "mount.outside_roots"),
            ("/", "mount.outside_roots"),
            ("//", "mount.outside_roots"),
            ("/./", "mount.outside_roots"),
            ("/tmp/..", "mount.outside_roots"),
            ("/etc", "mount.outside_roots"),
            ("/proc", "mount.outside_roots"),
            ("/sys", "mount.outside_roots"),
            ("/root", "mount.outside_roots"),
            ("relative", "mount.unreadable"),
            ("", "mount.unreadable"),
        ],
    );
}

#[test]
fn the_docker_socket_is_known_by_any_name() {
    let sockets = [
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/home/ann/shop/daemon",
        "/home/ann/.docker/run/docker.sock",
        "/run/containerd/containerd.sock",
        "/run/user/1000/podman/podman.sock",
        "/run",
        "/var/run",
    ];
    for path in sockets {
        for read_only in [true, false] {
            assert_eq!(mount(&standard(), path, read_only), "mount.docker_socket", "{path}");
            assert_eq!(mount(&with(&["docker-socket"]), path, read_only), "-", "{path}");
        }
        // A folder that is allowed does not give its socket away.
        assert_eq!(mount(&with_paths(&["/run", "/home/ann"]), path, true), "mount.docker_socket");
    }
}

#[test]
fn sockets_devices_and_pipes_are_no_files() {
    for path in ["/home/ann/shop/app.sock", "/home/ann/shop/pipe", "/home/ann/shop/tty"] {
        assert_eq!(mount(&standard(), path, true), "mount.special_file");
        assert_eq!(mount(&with_paths(&[path]), path, true), "-");
    }
    assert_eq!(mount(&standard(), "/dev/vda", true), "mount.special_file");
}

#[test]
fn credentials_need_their_very_path() {
    let home = with_paths(&["/home"]);
    for path in [
        "/home/ann/.ssh",
        "/home/ann/.ssh/id_ed25519",
        "/home/bob/.aws/credentials",
        "/home/ann/.config/gcloud",
        "/home/bob/.config",
        "/home/ann/.docker/config.json",
        "/home/ann/shop/.npmrc",
        "/home/ann/shop/.kube/config",
        "/home/ann/shop/keys/id_rsa",
        "/home/ann/.SSH",
    ] {
        assert_eq!(mount(&home, path, true), "mount.credentials", "{path}");
        assert_eq!(mount(&with_paths(&[path]), path, true), "-", "{path}");
    }
    // What is a home's credential is a project's own setting.
    for path in ["/home/ann/shop/.docker/nginx.conf", "/home/ann/shop/.config/tools.json"] {
        assert_eq!(mount(&standard(), path, true), "-", "{path}");
    }
    assert_eq!(mount(&standard(), "/home/ann/shop/.docker/config.json", true), "mount.credentials");
    assert_eq!(mount(&with_paths(&["/home/ann/.ssh/x"]), "/home/ann/.ssh/x/y", true), "-");
    assert_eq!(
        mount(&with_paths(&["/home/ann/.ssh/x"]), "/home/ann/.ssh/y", true),
        "mount.credentials"
    );
}

#[test]
fn system_paths_need_a_root_that_names_them() {
    let deeper = with_paths(&["/etc/nginx", "/var"]);
    assert_mounts(
        &deeper,
        &[
            ("/etc/nginx/conf.d", "-"),
            ("/etc/nginx", "-"),
            ("/etc/passwd", "mount.outside_roots"),
            ("/var/log/app", "-"),
            ("/var/lib/docker", "mount.system_path"),
            ("/var/lib/docker/volumes/x", "mount.system_path"),
        ],
    );
    let docker = with_paths(&["/var/lib/docker/volumes/x"]);
    assert_eq!(mount(&docker, "/var/lib/docker/volumes/x/_data", false), "-");
    // A project folder that holds them (which only a test can have) does not.
    let wide = Root { path: "/".into(), read_only: false, is_explicit: false };
    let wide = Policy { roots: vec![wide], ..standard() };
    for path in ["/", "/bin", "/boot", "/dev", "/etc/ssl", "/lib64", "/proc/1", "/root", "/usr"] {
        assert_eq!(mount(&wide, path, true), "mount.system_path", "{path}");
    }
    assert_mounts(&wide, &[("/srv/shop", "-"), ("/root/shop", "-"), ("/usr/src/app", "-")]);
}

#[test]
fn the_time_zone_is_no_secret() {
    for path in ["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo/Europe/Berlin"] {
        assert_eq!(mount(&standard(), path, true), "-", "{path}");
        assert_eq!(mount(&standard(), path, false), "mount.outside_roots", "{path}");
    }
}

#[test]
fn a_folder_may_be_for_reading_only() {
    let policy = with_paths(&["/srv/ro:ro", "/srv/ro/out"]);
    assert_eq!(mount(&policy, "/srv/ro/x", true), "-");
    assert_eq!(mount(&policy, "/srv/ro/x", false), "mount.read_only_root");
    // The deepest root decides.
    assert_eq!(mount(&policy, "/srv/ro/out/x", false), "-");
    // And of two for the same folder the operator's.
    let policy = with_paths(&["/home/ann/shop:ro"]);
    assert_eq!(mount(&policy, "/home/ann/shop/data", false), "mount.read_only_root");
    assert_eq!(mount(&policy, "/home/ann/shop/data", true), "-");
}

#[test]
fn a_path_that_was_not_followed_is_never_accepted() {
    let dirty = Located { path: "/home/ann/shop/../x".into(), kind: FileKind::Folder };
    let unknown = Located { path: "/home/ann/shop".into(), kind: FileKind::Unknown };
    for located in [dirty, unknown] {
        assert!(standard().judge(&located, &located.path, Access::READ_FILE).is_err());
    }
}

#[test]
fn not_every_folder_is_a_project() {
    let root = |folder: &str| Root::project(Path::new(folder), Some(Path::new("/home/ann")));
    for folder in ["/home/ann/shop", "/srv/shop", "/root/shop", "/workspaces/shop", "/tmp/x"] {
        assert_eq!(root(folder).unwrap().path, Path::new(folder));
    }
    for folder in [
        "/",
        "/home",
        "/home/ann",
        "/home/bob",
        "/root",
        "/etc",
        "/etc/nginx",
        "/usr/local",
        "/var",
        "/var/lib/docker",
        "/proc/self",
        "/home/ann/.ssh",
        "/home/ann/.config/nvim",
    ] {
        assert!(root(folder).is_err(), "{folder}");
    }
    let policy = Policy::default().with_project(Path::new("/"));
    assert_eq!(policy.roots, []);
    let path = Path::new("/srv/x");
    let located = Located { path: path.into(), kind: FileKind::Folder };
    let violation = policy.judge(&located, path, Access::mount(true)).unwrap_err();
    insta::assert_snapshot!(violation.why, @"/srv/x is outside the folders this server may mount (none: the server was started in /).");
}

#[test]
fn the_operators_paths() {
    let given = |text: &str| Root::given(text, &Machine::ann());
    let root = given("/home/ann/shop/good:ro").unwrap();
    assert_eq!(root.path, Path::new("/home/ann/shop/data"));
    assert!(root.read_only && root.is_explicit);
    assert!(!given("/srv/new:rw").unwrap().read_only);
    for wrong in ["", "shop", "./shop", "/", "/home/ann/shop/everything:ro", "//"] {
        assert!(given(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn without_rules_there_are_none() {
    assert!(unrestricted().file(Path::new("/etc/shadow"), false, "x", &Machine::ann()).is_ok());
    assert!(standard().file(Path::new("/etc/shadow"), true, "x", &Machine::ann()).is_err());
}

#[test]
fn what_runs_by_itself_is_read_and_mounted_and_not_written() {
    let write = |path: &str| {
        let path = Path::new(path);
        let judged = standard().judge(&Machine::ann().locate(path), path, Access::WRITE_FILE);
        judged.err().map_or("-", |violation| violation.rule)
    };
    for name in [
        ".git/hooks/pre-commit",
        ".GIT/config",
        "web/.vscode/tasks.json",
        ".mcp.json",
        ".envrc",
        ".husky",
    ] {
        let path = format!("/home/ann/shop/{name}");
        assert_eq!(write(&path), "file.runs_by_itself", "{path}");
        assert!(
            !standard().may_be_written(Path::new(&path))
                && unrestricted().may_be_written(Path::new(&path))
        );
        let (path, read) = (Path::new(&path), Access::READ_FILE);
        assert!(standard().judge(&Machine::ann().locate(path), path, read).is_ok());
        assert_eq!(mount(&standard(), &path.display().to_string(), false), "-");
    }
    for name in ["Makefile", ".gitignore", ".github/workflows/ci.yml", "git/hooks", ".env"] {
        assert_eq!(write(&format!("/home/ann/shop/{name}")), "-", "{name}");
    }
}
