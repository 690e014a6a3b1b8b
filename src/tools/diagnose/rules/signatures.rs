//! Words by which a fault is known in a log; within a line the most certain ones come first.

use super::{View, explain, limits, peers};
use crate::tools::diagnose::finding::Cause;

pub(super) struct Signature {
    pub(super) id: &'static str,
    /// Any of these, in lower case.
    pub(super) words: &'static [&'static str],
    pub(super) explain: Explain,
}

pub(super) enum Explain {
    /// Why, and what to do.
    Words(&'static str, &'static str),
    /// Looks closer at this line; may find that it means nothing.
    By(fn(&View<'_>, usize) -> Option<Cause>),
}

pub(super) use Explain::{By, Words};

pub(super) const SIGNATURES: &[Signature] = &[
    Signature { id: "server-limit", words: limits::WORDS, explain: By(limits::server) },
    Signature {
        id: "exec-format",
        words: &["exec format error", "cannot execute binary file"],
        explain: By(explain::exec_format),
    },
    Signature {
        id: "script-line-ends",
        words: &[
            "\\r': command not found",
            "^m: bad interpreter",
            "\\r': no such file",
            "'sh\\r'",
            "'bash\\r'",
        ],
        explain: Words(
            "its script has Windows line ends (CRLF), so the interpreter in its first line is not found",
            "save the script with LF line ends (.gitattributes: *.sh text eol=lf) and build again",
        ),
    },
    Signature {
        id: "interpreter",
        words: &["no such file or directory", ": not found", ": command not found"],
        explain: By(explain::interpreter),
    },
    Signature {
        id: "port-in-use-inside",
        words: &[
            "eaddrinuse",
            "address already in use",
            "address in use",
            "port is already in use",
        ],
        explain: Words(
            "two of its own programs want the same port: inside the container it is taken already",
            "start the program only once, or give one of them another port (with host networking, look at the host's programs too)",
        ),
    },
    Signature {
        id: "disk-full",
        words: &["no space left on device", "enospc", "disk quota exceeded"],
        explain: By(explain::no_space),
    },
    Signature {
        id: "limits",
        words: &["too many open files", "emfile"],
        explain: Words(
            "it may open no more files",
            "raise ulimits: nofile; if it grows for ever, the program does not close them",
        ),
    },
    Signature {
        id: "read-only",
        words: &["read-only file system", "erofs"],
        explain: By(explain::read_only),
    },
    Signature {
        id: "privileged-port",
        words: &[
            "permission denied (bind)",
            "bind: permission denied",
            "bind() to 0.0.0.0:80 failed (13",
            "listen eacces",
        ],
        explain: Words(
            "its user may not listen on a port below 1024",
            "listen on a higher port (and publish it as the low one), or run as another user",
        ),
    },
    Signature {
        id: "folder-for-file",
        words: &["is a directory", "eisdir"],
        explain: By(explain::folder_for_file),
    },
    Signature { id: "variable-missing", words: VARIABLE, explain: By(explain::variable) },
    Signature {
        id: "authentication",
        words: &[
            "password authentication failed",
            "access denied for user",
            "authentication failed",
            "noauth authentication required",
            "wrongpass",
            "invalid username or password",
            "login failed for user",
            "auth failed",
        ],
        explain: Words(
            "the service that it logs in to refuses its name or password",
            "compare the two sides' credentials; a database keeps the password of its first start in its volume, whatever the environment says later",
        ),
    },
    Signature {
        id: "name-resolution",
        words: &[
            "enotfound",
            "eai_again",
            "could not resolve",
            "couldn't resolve",
            "bad address",
            "name or service not known",
            "temporary failure in name resolution",
            "no such host",
            "unknown mysql server host",
            "could not translate host name",
            "unknownhostexception",
            "nodename nor servname",
            "name does not resolve",
            "host not found",
            "failed to resolve",
            "name resolution",
            "getaddrinfo failed",
        ],
        explain: By(peers::unresolved),
    },
    Signature {
        id: "connection-refused",
        words: &[
            "econnrefused",
            "connection refused",
            "can't connect to",
            "could not connect to",
            "actively refused",
        ],
        explain: By(peers::refused),
    },
    Signature {
        id: "permission",
        words: &["permission denied", "eacces", "operation not permitted"],
        explain: By(explain::permission),
    },
    Signature {
        id: "module-missing",
        words: &[
            "cannot find module",
            "modulenotfounderror",
            "no module named",
            "cannot find package",
            "error while loading shared libraries",
            "classnotfoundexception",
            "noclassdeffounderror",
            "could not find or load main class",
            "cannot load such file",
        ],
        explain: By(explain::module),
    },
    Signature {
        id: "data-version",
        words: &[
            "incompatible with server",
            "was initialized by",
            "database files are incompatible",
            "unsupported redo log",
            "upgrade is not supported",
        ],
        explain: Words(
            "its data was written by another version of the program",
            "use the image version that wrote the volume, or dump there and load here; keep the volume until then",
        ),
    },
    Signature {
        id: "memory-inside",
        words: &[
            "heap out of memory",
            "outofmemoryerror",
            "cannot allocate memory",
            "out of memory",
        ],
        explain: Words(
            "it ran out of the memory that it may use",
            "raise its memory limit or the program's own (heap size), or make it need less",
        ),
    },
    Signature {
        id: "certificate-expired",
        words: &[
            "certificate has expired",
            "certificate expired",
            "cert expired",
            "certificate is expired",
            "certificate is not yet valid",
        ],
        explain: By(explain::certificate),
    },
    Signature {
        id: "license-expired",
        words: &[
            "license has expired",
            "license expired",
            "licence has expired",
            "licence expired",
            "license is expired",
            "invalid license",
            "invalid licence",
        ],
        explain: By(explain::license),
    },
    Signature {
        id: "store-missing",
        words: &[
            "unable to open database file",
            "cannot open database file",
            "could not open database",
        ],
        explain: Words(
            "it cannot open its database file: the path is another one than where the data is, or its user may not write there",
            "compare the path that it uses with the mount of the volume",
        ),
    },
    Signature {
        id: "certificate",
        words: &[
            "certificate verify failed",
            "x509: ",
            "self-signed certificate",
            "unable to get local issuer certificate",
            "certificate has expired",
        ],
        explain: Words(
            "it does not trust a certificate",
            "add the CA certificates to the image (ca-certificates), or correct the name or date of the certificate",
        ),
    },
    Signature {
        id: "timeout",
        words: &["etimedout", "connection timed out", "i/o timeout", "timed out waiting"],
        explain: Words(
            "a service that it needs does not answer in time",
            "see whether that service is well and on a network with this one",
        ),
    },
    Signature {
        id: "configuration",
        words: &[
            "unknown directive",
            "invalid configuration",
            "config error",
            "configuration error",
            "failed to parse config",
            "error parsing config",
            "invalid config",
        ],
        explain: Words(
            "it does not accept its configuration",
            "correct the place that the line names",
        ),
    },
];

const VARIABLE: &[&str] = &[
    "must be set",
    "is not set",
    "not set",
    "is required",
    "are required",
    "password is not specified",
    "you need to specify one",
    "missing environment",
    "missing required",
    "environment variable",
    "keyerror: '",
    "unbound variable",
    "parameter not set",
    "parameter null",
    "is undefined",
    "not provided",
    "no value for",
];
